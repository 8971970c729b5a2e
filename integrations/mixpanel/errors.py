"""What Mixpanel may refuse, in our words. Each error has a `code` that pages turn into a sentence with the remedy;
none holds a secret, an id or the request.

Sources of the rules: Mixpanel's Query API and service-account pages, and bodies captured by other clients.
"""

import re
from datetime import UTC, datetime, timedelta

from integrations.http import BadAnswer, Refused, VendorError


class MixpanelError(VendorError):
    """Mixpanel answered, and the answer is no. Network trouble has its own classes in `integrations.http`."""

    code = "mixpanel_refused"


class WrongCredentials(MixpanelError):
    """The user name and secret don't open this region: wrong pair, expired account, or another region's account."""

    code = "wrong_credentials"


class PlanWithoutApi(MixpanelError):
    """The project's Mixpanel plan has no API access (402). The credentials are fine."""

    code = "plan_without_api"


class NotPermitted(MixpanelError):
    """The service account is known but its role doesn't allow this (403)."""

    code = "not_permitted"


class NotFound(MixpanelError):
    """Mixpanel doesn't know the thing asked for (404)."""

    code = "not_found"


class BadParameters(MixpanelError):
    """Mixpanel didn't understand the request (400 and its like). `text` is its own short explanation, cleaned."""

    code = "bad_parameters"

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text


class SessionLost(MixpanelError):
    """Mixpanel no longer holds the paging session: the pull starts again at page 0."""

    code = "session_lost"


class HourlyBudgetSpent(MixpanelError):
    """The project's queries of this rolling hour are used up. `until` (aware) is when the next one is worth trying."""

    code = "hourly_budget_spent"

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class TooManyAtOnce(MixpanelError):
    """Too many queries of this project run at this moment. `retry_after` is in seconds, None when nobody said."""

    code = "too_many_at_once"

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class MixpanelDown(MixpanelError):
    """Mixpanel kept failing after the retries. `reason` is a slug: http_503, cut_off, timed_out …"""

    code = "mixpanel_down"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# -- From a refusal to its meaning ------------------------------------------------------------------------------------
UNSAID_HOURLY_WAIT = timedelta(minutes=10)
_LONGEST_CONCURRENT_WAIT_SECONDS = 60
_COUNTERS = re.compile(
    r"(\d{1,9})\s*/\s*(\d{1,9})\s+queries\s+running\s+(concurrently|in\s+the\s+last\s+hour)", re.IGNORECASE
)
_NO_SESSION = re.compile(r"uncached query|session(_id)?\b.*\b(expired|unknown|invalid|not found)", re.IGNORECASE)


def explain(refused: Refused, *, follow_up: bool = False, now: datetime | None = None) -> MixpanelError | BadAnswer:
    """What a status and its text mean. `follow_up`: the request was for a page of a session.

    A 400 is about credentials only when it says so: other clients take every 400 for that and hide real mistakes."""
    status, text = refused.status, refused.text
    if status == 401 or (status == 400 and "unable to authenticate" in text.lower()):
        return WrongCredentials()
    if status == 429:
        return _explain_limit(refused, now or datetime.now(UTC))
    if status == 400 and follow_up and _NO_SESSION.search(text):
        return SessionLost()
    if status >= 500 or status == 408:
        return MixpanelDown(f"http_{status}")
    if status < 400:
        return BadAnswer("it sends us somewhere else")
    plain: dict[int, type[MixpanelError]] = {402: PlanWithoutApi, 403: NotPermitted, 404: NotFound}
    return plain[status]() if status in plain else BadParameters(text)


def _explain_limit(refused: Refused, now: datetime) -> HourlyBudgetSpent | TooManyAtOnce:
    """Two limits share the status: the counters in the text say which one it was ("1/5 queries running concurrently
    and 61/60 queries running in the last hour"); without them the length of the wait does."""
    counters = {
        words.lower().startswith("in"): (int(used), int(limit))
        for used, limit, words in _COUNTERS.findall(refused.text)
    }
    hour, at_once = counters.get(True), counters.get(False)
    wait = refused.retry_after
    if _over(hour) or (_full(hour) and not _over(at_once)):
        hourly = True
    elif counters:
        hourly = False
    else:
        hourly = wait is not None and wait > _LONGEST_CONCURRENT_WAIT_SECONDS
    if hourly:
        return HourlyBudgetSpent(now + (timedelta(seconds=wait) if wait else UNSAID_HOURLY_WAIT))
    return TooManyAtOnce(wait)


def _over(counter: tuple[int, int] | None) -> bool:
    return counter is not None and counter[0] > counter[1]


def _full(counter: tuple[int, int] | None) -> bool:
    return counter is not None and counter[0] >= counter[1]
