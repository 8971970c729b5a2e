"""What Mixpanel may refuse, in our words. Each error has a `code` that pages turn into a sentence with the remedy;
none holds a secret, an id or the request.

Sources of the rules: Mixpanel's Query API and service-account pages, and bodies captured by other clients.
"""

from datetime import datetime

from integrations.http import VendorError


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
