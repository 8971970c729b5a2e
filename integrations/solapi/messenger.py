"""Handing messages over to SOLAPI by its group API: create, add, compare, send; and what became of them.

Why groups: the id is known before anything goes, and `send` on a group that was sent, or deleted, is refused. So an
unclear `send` is settled by deleting the group, which either succeeds (it never goes) or is refused (it has gone).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Self

from integrations.http import BadAnswer, Refused, VendorError
from integrations.messaging import (
    Capabilities,
    Channel,
    Kind,
    Loaded,
    Message,
    NotTaken,
    Outcome,
    Reason,
    Recalled,
    Refusal,
    Report,
    SendError,
    Stopped,
    Unclear,
    Verdict,
)
from integrations.solapi.client import Deadline, SolapiClient
from integrations.solapi.codes import WAITING, verdict_of
from integrations.solapi.errors import after_sending, as_not_taken
from integrations.solapi.payload import KINDS, national, requests_of
from integrations.solapi.schemas import Added, Group, StoredMessage

MOST_AT_ONCE = 10_000
LONGEST_HANDLE = 64
GOES = frozenset({"SENDING", "COMPLETE", "SCHEDULED"})
"""Nothing of ours schedules a group; one that somebody scheduled by hand is on its way all the same."""
UNFINISHED = frozenset({"PENDING", "SENDING"})
CODE_OF = {Reason.OTHER: "refused_request", Reason.CONTENT_REFUSED: "refused_request"}
"""Set-up faults whose reason has no sentence of its own as a stop."""


class SolapiMessenger:
    """A SOLAPI account, ready to send: the protocol of `integrations/messaging.py`."""

    provider = "solapi"

    def __init__(self, client: SolapiClient, *, requests_per_second: float) -> None:
        """`client` is closed with this."""
        self._client = client
        self._loaded: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self.capabilities = Capabilities(
            channels=frozenset(Channel),
            native_fallback=frozenset({Kind.ALIMTALK}),
            most_at_once=MOST_AT_ONCE,
            requests_per_second=requests_per_second,
            can_recall=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._client.close()

    # -- Before anything goes -----------------------------------------------------------------------------------------
    def open(self, reference: str) -> str:
        """A new empty group; its handle names the account too."""
        try:
            group = self._client.create_group(reference, Deadline())
        except VendorError as error:
            raise as_not_taken(error) from None
        return handle_of(group.id, group.account)

    def load(self, handle: str, messages: Sequence[Message]) -> Loaded:
        """Puts messages in, in a few requests, and compares the group's counts with ours. Raises Stopped, too, where
        SOLAPI refuses a message for a fault of the set-up (`Verdict.stops_campaign`)."""
        within, group_id = Deadline(), _group_id(handle)
        message_ids: dict[str, str] = {}
        refused: list[Refusal] = []
        try:
            for part, body in requests_of(messages):
                _sort(part, self._client.add_messages(group_id, body, within), message_ids, refused)
            self._loaded[handle] += len(messages)
            self._accepted[handle] += len(message_ids)
            group = self._client.group(group_id, within)
        except VendorError as error:
            raise as_not_taken(error) from None
        _stop_for_the_set_up(refused)
        if not _agrees(group.total, self._loaded[handle]) or not _agrees(group.accepted, self._accepted[handle]):
            raise NotTaken("counts_differ")
        return Loaded(message_ids, tuple(refused))

    # -- The irreversible step ----------------------------------------------------------------------------------------
    def dispatch(self, handle: str) -> None:
        """Sends the group. Asked once; whatever leaves a doubt is Unclear."""
        try:
            group = self._client.send_group(_group_id(handle), Deadline())
        except VendorError as error:
            problem = after_sending(error)
            if problem is not None:
                raise problem from None
            return
        if group.status not in GOES:
            raise Unclear("bad_answer")

    def recall(self, handle: str) -> Recalled:
        """Settles the group by asking how it stands and deleting it while it is pending."""
        within, group_id = Deadline(), _group_id(handle)
        for _attempt in range(2):
            settled = self._standing(handle, within)
            if settled is not None:
                return settled
            try:
                if self._client.delete_group(group_id, within).status == "DELETED":
                    return Recalled.NEVER_GOES
            except VendorError:
                continue  # Refused, or no answer: how it stands now tells which.
        raise Unclear("not_settled")

    def _standing(self, handle: str, within: Deadline) -> Recalled | None:
        """How the group stands; None while it is pending."""
        try:
            group = self._client.group(_group_id(handle), within)
        except Refused as error:
            if error.status == 404 and error.slug:
                return self._missing(handle, within)
            raise _not_told(as_not_taken(error)) from None
        except VendorError as error:
            raise _not_told(as_not_taken(error)) from None
        return _settled(group)

    def _missing(self, handle: str, within: Deadline) -> Recalled:
        """SOLAPI says 404 for a deleted group, and also for one of another account: since the key pair may have been
        changed to that of another account, only a missing group of this very account never goes."""
        try:
            _balance, account = self._client.balance(within)
        except VendorError as error:
            raise _not_told(as_not_taken(error)) from None
        if not account or account != _account_of(handle):
            raise Unclear("other_account")
        return Recalled.NEVER_GOES

    # -- Afterwards ---------------------------------------------------------------------------------------------------
    def reports(self, handle: str) -> Iterator[Report]:
        """What became of each message of the group."""
        try:
            for page in self._client.group_messages(_group_id(handle)):
                yield from map(_report, page)
        except VendorError as error:
            raise _not_told(as_not_taken(error)) from None


# -- Handles ----------------------------------------------------------------------------------------------------------
def handle_of(group_id: str, account: str) -> str:
    """Our name of a group: its id, and the account that it belongs to where SOLAPI says."""
    handle = f"{group_id}@{account}" if account else group_id
    return handle if len(handle) <= LONGEST_HANDLE else group_id


def handles_of(group_id: str, account: str) -> tuple[str, ...]:
    """Every handle that a group may be kept under, for what names it by its id alone (a webhook's call)."""
    return tuple(dict.fromkeys([handle_of(group_id, account), group_id]))


def _group_id(handle: str) -> str:
    return handle.partition("@")[0]


def _account_of(handle: str) -> str:
    return handle.partition("@")[2]


# -- Judging ----------------------------------------------------------------------------------------------------------
def _sort(part: Sequence[Message], added: Sequence[Added], message_ids: dict[str, str], refused: list[Refusal]) -> None:
    """What became of each message that was put in. Raises BadAnswer where an answer names another set of messages than
    was asked for: nothing is lost by abandoning the group."""
    waiting: defaultdict[str, deque[str]] = defaultdict(deque)
    for message in part:
        waiting[national(message.to)].append(message.reference)
    left = {message.reference for message in part}
    for item in added:
        reference = item.reference if item.reference in left else _next(waiting[item.to], left)
        if not reference or not item.code:
            raise BadAnswer("a message that wasn't asked for, or without a code")
        left.discard(reference)
        verdict = verdict_of(item.code)
        if verdict.outcome in (Outcome.WAITING, Outcome.DELIVERED):
            message_ids[reference] = item.message_id
        else:
            refused.append(Refusal(reference, item.code, verdict))
    if left:
        raise BadAnswer("messages are missing")


def _next(references: deque[str], left: set[str]) -> str:
    while references:
        if (reference := references.popleft()) in left:
            return reference
    return ""


def _stop_for_the_set_up(refused: Sequence[Refusal]) -> None:
    for refusal in refused:
        if refusal.verdict.stops_campaign:
            reason = refusal.verdict.reason or Reason.OTHER
            raise Stopped(CODE_OF.get(reason, reason.value))


def _agrees(theirs: int | None, ours: int) -> bool:
    """Whether a count is ours; one that SOLAPI doesn't give says nothing against it."""
    return theirs is None or theirs == ours


def _settled(group: Group) -> Recalled | None:
    if group.status in GOES or (group.status == "FAILED" and group.sent):
        return Recalled.HAS_GONE
    if group.status in ("DELETED", "FAILED"):
        return Recalled.NEVER_GOES
    if group.status == "PENDING":
        return None
    raise Unclear("bad_answer")


def _not_told(error: SendError) -> NotTaken:
    """For what only asks: nothing was settled, whatever the reason."""
    return NotTaken(error.code, error.retry_after)


def _report(message: StoredMessage) -> Report:
    return Report(
        reference=message.reference,
        message_id=message.message_id,
        code=message.code,
        verdict=_verdict(message),
        at=message.at,
        was_replaced=message.was_replaced,
        replaced_by=KINDS.get(message.type) if message.was_replaced else None,
    )


def _verdict(message: StoredMessage) -> Verdict:
    """By its code; but a failure of a message that SOLAPI is still busy with (its text message may follow) is none."""
    verdict = verdict_of(message.code)
    return WAITING if verdict.outcome == Outcome.FAILED and message.status in UNFINISHED else verdict
