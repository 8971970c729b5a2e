"""What SOLAPI's refusals mean for a hand-over: nothing taken, the set-up is at fault, or no telling.

Its documents give an `errorCode` with every refusal of its own. A refusal without one comes from something on the way
(a proxy, a gateway), and says nothing of what SOLAPI did.
"""

from integrations.http import ForbiddenDestination, Refused, Unreachable, VendorError
from integrations.messaging import NotTaken, SendError, Stopped, Unclear

CLOCK = frozenset({"RequestTimeTooSkewed"})
SIGNED_TWICE = frozenset({"DuplicatedSignature"})
KEY = frozenset({"InvalidAPIKey", "InvalidApiKey", "SignatureDoesNotMatch", "Unauthorized", "InvalidAuthorization"})
ALREADY_SENT = frozenset({"GroupInProcessing", "AlreadySent", "ScheduledGroup"})
"""Documented answers (409) of a group that was told to go before."""
NOT_PENDING = frozenset({"InvalidStatus", "InvalidGroupStatus", "NotOperationalStatus"})
NEVER_GOES = frozenset({"DeletedGroup", "FailedGroup", "MessagesNotFound"})
"""It is gone, or there is nobody in it."""


class NotYet(VendorError):
    """Our own turn among all workers is too far off. Nothing was sent. `retry_after` is in seconds."""

    code = "not_yet"

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def as_not_taken(error: VendorError) -> SendError:
    """The error of a step that commits to nothing (open, load, every reading): NotTaken, or Stopped."""
    if isinstance(error, ForbiddenDestination):
        return Stopped("forbidden_destination")
    if isinstance(error, NotYet):
        return NotTaken("not_yet", error.retry_after)
    if not isinstance(error, Refused):
        return NotTaken(error.code)
    return _stopped(error) or _not_now(error) or _of_a_group(error) or _otherwise(error)


def after_sending(error: VendorError) -> SendError | None:
    """The error of a dispatch. None: SOLAPI says that the group had been told to go before."""
    if isinstance(error, ForbiddenDestination | NotYet | Unreachable):
        return as_not_taken(error)  # No byte of it left.
    if not isinstance(error, Refused):
        return Unclear(error.code)
    if error.status == 429:
        return _not_now(error)
    if error.status == 402:
        return Stopped("out_of_balance")
    if not error.slug or error.status >= 500 or error.status < 400:
        return Unclear("provider_down" if error.status >= 500 else "bad_answer")
    if error.slug in ALREADY_SENT:
        return None
    if error.slug in NOT_PENDING | SIGNED_TWICE:
        return Unclear("not_settled")  # A request before this one may have sent it: recall tells.
    return as_not_taken(error)


def _stopped(error: Refused) -> SendError | None:
    if error.status == 402:
        return Stopped("out_of_balance")
    if error.slug in CLOCK:
        return Stopped("clock")
    if error.status == 401 or error.slug in KEY:
        return Stopped("wrong_key")
    if error.slug in SIGNED_TWICE:
        return NotTaken("too_many_requests")
    if error.status == 403:
        return Stopped("not_permitted") if error.slug else NotTaken("bad_answer")
    return None


def _not_now(error: Refused) -> SendError | None:
    if error.status == 429:
        return NotTaken("too_many_requests", error.retry_after)
    if error.status >= 500:
        return NotTaken("provider_down", error.retry_after)
    return None


def _of_a_group(error: Refused) -> SendError | None:
    if error.status == 404 or error.slug in NOT_PENDING | NEVER_GOES | ALREADY_SENT:
        return NotTaken("group_gone")
    return None


def _otherwise(error: Refused) -> SendError:
    return Stopped("refused_request") if error.slug else NotTaken("bad_answer")
