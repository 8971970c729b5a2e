"""Mixpanel's Query and App APIs for one service account: the cohorts of a project and who is in them.

Facts it stands on (Mixpanel's Query API pages): Basic auth with `project_id` in the query string; 60 queries per
rolling hour and 5 at once per project; `engage` pages by session; `include_all_users` defaults to true and would
bring people who aren't in the cohort's profiles, so `false` is always sent.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from django.conf import settings

from integrations.authorise import Basic
from integrations.http import BadAnswer, CutOff, Refused, Session, TimedOut, Unreachable, VendorError
from integrations.mixpanel.errors import HourlyBudgetSpent, MixpanelDown, NotPermitted, TooManyAtOnce, explain
from integrations.mixpanel.meter import Meter
from integrations.mixpanel.pull import Asking, Cursor, Members
from integrations.mixpanel.schemas import (
    Account,
    EngagePage,
    ListedCohort,
    Me,
    PropertyInfo,
    Region,
    ServiceAccountInfo,
    parse_cohorts,
    parse_count,
    parse_me,
    parse_page,
    parse_properties,
    parse_service_account,
)
from integrations.wire import Halt

Parsed = TypeVar("Parsed")

HOSTS = frozenset(region.host for region in Region)
MOST_ATTEMPTS = 4
MOST_COUNTED_ATTEMPTS = 3
"""Fewer where an attempt costs one of the 60 queries: a refused one may count as well."""
LONGEST_WAIT_SECONDS = 8.0
"""A longer wait belongs in the database, not in a worker that sleeps."""
PAGE_READ_SECONDS = 90.0
"""How long the first byte of a page may take: Mixpanel computes the cohort for it."""
MOST_PROPERTIES = 2000


def open_session(*, threads: int = 5) -> Session:
    """A session that may talk to Mixpanel's three regions, or to the operator's override."""
    return Session(HOSTS, override=settings.MIXPANEL_API_URL, threads=threads)


class MixpanelClient:
    """Asks Mixpanel on behalf of one account. Its methods return typed values and raise `MixpanelError`s, or
    `VendorError`s of `integrations.http` where the network is at fault. Passing trouble is retried a few times;
    what needs more patience than that is the caller's row to keep."""

    def __init__(
        self,
        account: Account,
        meter: Meter,
        session: Session | None = None,
        *,
        wait: Callable[[float], None] | None = None,
        page_read_seconds: float = PAGE_READ_SECONDS,
    ) -> None:
        """`wait` takes the place of sleeping between attempts. A `session` that is given stays the caller's."""
        self.account = account
        self._meter = meter
        self._session = session or open_session()
        self._owns_session = session is None
        self._wait = wait
        self._page_read_seconds = page_read_seconds
        self._auth = Basic(account.username, account.secret)

    def close(self) -> None:
        """Closes the connections, unless the session was given."""
        if self._owns_session:
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- Who am I -----------------------------------------------------------------------------------------------------
    def me(self) -> Me:
        """What the credentials open. Costs no query; takes Mixpanel a few seconds. 403 (NotPermitted) only means
        that the account may not ask this."""
        return self._value(self._try("GET", "/app/me", parse_me, of_project=False, retry=True))

    def service_account(self) -> ServiceAccountInfo | None:
        """The account's own row: role, expiry. None when the account may not see it, which is normal for low roles."""

        def own_row(body: bytes) -> ServiceAccountInfo | None:
            return parse_service_account(body, self.account.username)

        path = f"/app/projects/{self.account.project_id}/service-accounts"
        outcome = self._try("GET", path, own_row, of_project=False, retry=True)
        return None if isinstance(outcome, NotPermitted) else self._value(outcome)

    # -- The project --------------------------------------------------------------------------------------------------
    def cohorts(self) -> list[ListedCohort]:
        """Every cohort that the account sees, group cohorts included (and marked). One query."""
        return self._query("POST", "/query/cohorts/list", parse_cohorts)

    def properties(self) -> list[PropertyInfo]:
        """The project's profile properties, the most frequent first. One query."""
        return self._query("GET", "/query/engage/properties", parse_properties, params={"limit": str(MOST_PROPERTIES)})

    def count(self, cohort_id: int | None = None, selector: str | None = None) -> int:
        """How many profiles there are, in a cohort and for a selector such as `defined(properties["$phone"])`.
        One query, whatever the size."""
        form = {"action": "count()", "include_all_users": "false"}
        if cohort_id is not None:
            form["filter_by_cohort"] = json.dumps({"id": cohort_id})
        if selector:
            form["selector"] = selector
        return self._query("POST", "/query/engage/stats", parse_count, form=form)

    # -- The members of a cohort --------------------------------------------------------------------------------------
    def members_first(
        self, cohort_id: int, *, page_size: int = 1000, properties: Sequence[str] | None = None
    ) -> EngagePage:
        """Page 0, which opens a session. One query. `properties` limits what comes with each profile."""
        ask = _PageRequest(cohort_id, page_size, properties)
        return self._query("POST", "/query/engage", ask.parser(0), params=ask.params, form=ask.form(None, 0), page=True)

    def members_page(
        self,
        cohort_id: int,
        *,
        session_id: str,
        page: int,
        page_size: int = 1000,
        properties: Sequence[str] | None = None,
    ) -> EngagePage:
        """A page behind page 0: same arguments as there, plus its session. Raises SessionLost."""
        ask = _PageRequest(cohort_id, page_size, properties)
        return self._query(
            "POST",
            "/query/engage",
            ask.parser(page),
            params=ask.params,
            form=ask.form(session_id, page),
            counts=False,
            page=True,
        )

    def members(
        self,
        cohort_id: int,
        *,
        page_size: int = 1000,
        concurrency: int = 4,
        properties: Sequence[str] | None = None,
        start: Cursor | None = None,
    ) -> Members:
        """All pages of one pull, up to `concurrency` (at most 5) at a time, in order of arrival; page 0 comes first.
        At most that many finished pages wait for the caller. With `start`, what a former pull still lacked; the
        other arguments must then be what they were. Use it in `with`, or close it."""
        ask = _PageRequest(cohort_id, page_size, properties)

        def first() -> EngagePage:
            return self.members_first(cohort_id, page_size=page_size, properties=properties)

        def attempt(session_id: str, page: int, halt: Halt) -> EngagePage | VendorError | None:
            form = ask.form(session_id, page)
            return self._try(
                "POST",
                "/query/engage",
                ask.parser(page),
                params=ask.params,
                form=form,
                page=True,
                halt=halt,
                follow_up=True,
            )

        asking = Asking(first, attempt, self._delay_after_page, self._wait, self._meter)
        return Members(asking, page_size=page_size, concurrency=concurrency, start=start)

    # -- Asking -------------------------------------------------------------------------------------------------------
    def _query(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], Parsed],
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        counts: bool = True,
        page: bool = False,
    ) -> Parsed:
        """A metered request, repeated within bounds."""
        attempt = 0
        while True:
            with self._meter.query(counts=counts):
                outcome = self._try(method, path, parse, params=params, form=form, page=page, follow_up=not counts)
            if not isinstance(outcome, VendorError):
                return outcome
            most = MOST_COUNTED_ATTEMPTS if counts else MOST_ATTEMPTS
            seconds = self._delay_after(outcome, attempt, most)
            if seconds is None:
                raise outcome
            (self._wait or time.sleep)(seconds)
            attempt += 1

    def _try(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], Parsed],
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        of_project: bool = True,
        page: bool = False,
        follow_up: bool = False,
        retry: bool = False,
        halt: Halt | None = None,
    ) -> Parsed | VendorError:
        """One request: its parsed answer, or what went wrong. Touches nothing but the session: safe in any thread."""
        project = {"project_id": str(self.account.project_id)} if of_project else {}
        patience: dict[str, Any] = {"read_seconds": self._page_read_seconds} if page else {}
        try:
            answer = self._session.call(
                method,
                self.account.region.base + path,
                params={**project, **(params or {})},
                form=form,
                auth=self._auth,
                retry=retry,
                halt=halt,
                **patience,
            )
            return parse(answer.body)
        except Refused as refused:
            return explain(refused, follow_up=follow_up, now=datetime.now(UTC))
        except (TimedOut, CutOff) as broken:
            return MixpanelDown(broken.code)
        except VendorError as error:
            return error

    def _value(self, outcome: Parsed | VendorError) -> Parsed:
        if isinstance(outcome, VendorError):
            raise outcome
        return outcome

    def _delay_after_page(self, error: VendorError, attempt: int) -> float | None:
        return self._delay_after(error, attempt, MOST_ATTEMPTS)

    def _delay_after(self, error: VendorError, attempt: int, most: int) -> float | None:
        """Seconds until another attempt, or None where it is of no use. Tells the meter of a 429."""
        if isinstance(error, HourlyBudgetSpent | TooManyAtOnce):
            self._meter.refused(error)
        if attempt + 1 >= most - isinstance(error, BadAnswer):  # Nonsense seldom turns into sense.
            return None
        if not isinstance(error, MixpanelDown | Unreachable | TooManyAtOnce | BadAnswer):
            return None
        asked_for = error.retry_after or 0.0 if isinstance(error, TooManyAtOnce) else 0.0
        if asked_for > LONGEST_WAIT_SECONDS:
            return None
        # Jitter, so that the pages of one pull don't come back in step.
        return max(asked_for, min(0.5 * float(2**attempt), LONGEST_WAIT_SECONDS)) * random.uniform(1.0, 1.5)  # noqa: S311


class _PageRequest:
    """The parameters of a pull, built once: a page is only found again under exactly those of page 0."""

    def __init__(self, cohort_id: int, page_size: int, properties: Sequence[str] | None) -> None:
        # `page_size` goes where clients in production put it, beside the project.
        self.params = {"page_size": str(page_size)}
        self._form = {"filter_by_cohort": json.dumps({"id": cohort_id}), "include_all_users": "false"}
        if properties is not None:
            self._form["output_properties"] = json.dumps(list(properties))

    def form(self, session_id: str | None, page: int) -> dict[str, str]:
        """The form of one page; only a page behind page 0 names the session and itself."""
        return self._form if session_id is None else {**self._form, "session_id": session_id, "page": str(page)}

    def parser(self, page: int) -> Callable[[bytes], EngagePage]:
        """Reads the answer, which must be that page."""
        return lambda body: parse_page(body, asked=page)
