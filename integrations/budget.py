"""Mixpanel's query budget: 60 a rolling hour and 5 at once for each Mixpanel project, shared by all workers.

The rows are the truth: a query is counted and committed before it is sent, under the lock of the project's Budget row
and by the database's clock, so that neither a crash nor a race can let a 61st through. Pages behind page 0 are not
counted (support says so, mixpanel.md §4.7) until we see that they are; they only need one of the five places, which a
pull leases once and keeps over its pages.

A refresh leaves two queries and one place to people: that is what a connection test needs, even in a full hour.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform
from types import TracebackType
from typing import Self

from django.db import connection, transaction
from django.db.models import BigIntegerField, CharField, Count, DateTimeField, Value
from django.utils import timezone

from integrations.mixpanel.errors import HourlyBudgetSpent, TooManyAtOnce
from integrations.models import Budget, Place, Query
from notifly_console.lib.compiled import Compiled, Slot

PER_HOUR = 60
AT_ONCE = 5
SPARE_QUERIES = 2
SPARE_PLACES = 1

WINDOW = timedelta(hours=1, seconds=5)
"""Mixpanel sees a query a little later than it is counted here: the seconds over keep an early one from meeting a late
one."""
KEEP = timedelta(hours=2)
LEASE_SECONDS = 180.0
LONGEST_REQUEST_SECONDS = 125.0
"""`http.TOTAL_SECONDS` and something over: a place is renewed when less than this is left of its lease."""
PATIENCE_SECONDS = 20.0
PAGES_COUNT_FOR = timedelta(days=1)
PAGES_SLACK = 8
"""How far beyond 60 the refused request may be for session pages to be the reason: those in flight, and repeats."""


@dataclass(frozen=True)
class Usage:
    """A Mixpanel project's queries of the rolling hour, for pages."""

    used: int
    in_flight: int
    blocked_until: datetime | None
    frees_at: datetime | None
    """When the oldest query leaves the hour; None when there is none."""
    next_at: datetime | None
    """When a refresh may ask again; None when it may now."""
    limit: int = PER_HOUR


def usage(region: str, mixpanel_project_id: int) -> Usage:
    """What is used of the hour. Three statements, whatever the load."""
    budget = Budget.objects.filter(region=region, mixpanel_project_id=mixpanel_project_id).first()
    if budget is None:
        return Usage(used=0, in_flight=0, blocked_until=None, frees_at=None, next_at=None)
    now = database_clock()
    times = _hour(budget, now)
    blocked = budget.blocked_until if budget.blocked_until and budget.blocked_until > now else None
    return Usage(
        used=len(times),
        in_flight=budget.places.filter(lease_until__gt=now).count(),
        blocked_until=blocked,
        frees_at=times[-1] + WINDOW if times else None,
        next_at=_closed_until(times, blocked, PER_HOUR - SPARE_QUERIES),
    )


def used_this_hour(region: str, mixpanel_project_id: int) -> int:
    """How many of the hour's queries are used, for a page that shows no more than that. One statement; by this
    machine's clock, since a second more or less changes nothing that is seen."""
    since = timezone.now() - WINDOW
    return _USED.rows(region=region, mixpanel_project_id=mixpanel_project_id, since=since)[0]


_USED: Compiled[int] = Compiled(
    lambda: (
        Query.objects.filter(
            budget__region=Slot("region", CharField()),
            budget__mixpanel_project_id=Slot("mixpanel_project_id", BigIntegerField()),
            at__gt=Slot("since", DateTimeField()),
        )
        .values(one=Value(1))
        .annotate(used=Count("*"))
        .values_list("used", flat=True)
    )
)


def pages_count(region: str, mixpanel_project_id: int) -> bool:
    """Whether Mixpanel was lately seen to count the pages of a pull as queries."""
    since = timezone.now() - PAGES_COUNT_FOR
    found = Budget.objects.filter(region=region, mixpanel_project_id=mixpanel_project_id, pages_counted_at__gt=since)
    return found.exists()


@dataclass
class _Held:
    """A place of ours. `good_until` is on the monotonic clock and errs on the early side."""

    id: int
    good_until: float

    def lasts(self) -> bool:
        """Whether a request that begins now is over before the lease is."""
        return self.good_until - time.monotonic() > LONGEST_REQUEST_SECONDS


class Meter:
    """The client's meter (`mixpanel/meter.py`) over the shared budget. Use it in `with`: it keeps the places it got
    until it is closed. One meter belongs to one thread."""

    def __init__(
        self,
        region: str,
        mixpanel_project_id: int,
        *,
        holder: str,
        background: bool,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """`holder` names the work: what the same work left behind when its worker died is taken over at once.
        `background` leaves the last queries and the last place to people; `patience`: seconds to wait for a place."""
        self._region, self._project = region, mixpanel_project_id
        self._holder = holder[:80]
        self._most_queries = PER_HOUR - (SPARE_QUERIES if background else 0)
        self._most_places = AT_ONCE - (SPARE_PLACES if background else 0)
        self._patience = patience
        self._budget_id: int | None = None
        self._pages_count = False
        self._idle: list[_Held] = []
        self._ours: set[int] = set()
        self._pages: deque[float] = deque(maxlen=PER_HOUR + PAGES_SLACK + 1)
        self._page_was_last = False

    # -- The protocol -------------------------------------------------------------------------------------------------
    @contextmanager
    def query(self, *, counts: bool, wait: bool = True) -> Iterator[None]:
        """Room for one request; see `mixpanel/meter.py`. A page that finds one of our places idle costs nothing."""
        self._page_was_last = not counts
        held = self._take(counts or self._pages_count, wait)
        if not counts:
            self._pages.append(time.monotonic())
        try:
            yield
        finally:
            self._idle.append(held)

    def refused(self, error: HourlyBudgetSpent | TooManyAtOnce) -> None:
        """Keeps everybody from asking before Mixpanel wants to be asked; learns whether pages count, too."""
        if not isinstance(error, HourlyBudgetSpent):
            return
        budget_id = self._begin()
        with transaction.atomic(durable=True):
            budget = Budget.objects.select_for_update().get(pk=budget_id)
            now = database_clock()
            budget.blocked_until = max(error.until, budget.blocked_until or error.until)
            # With every page counted we stand just at 60; far below it somebody else used the hour up, and far above
            # it Mixpanel let pages through that it would have refused.
            asked = len(_hour(budget, now)) + self._pages_of_the_hour()
            if self._page_was_last and PER_HOUR <= asked <= PER_HOUR + PAGES_SLACK:
                budget.pages_counted_at = now
                self._pages_count = True
            budget.save(update_fields=["blocked_until", "pages_counted_at"])

    def close(self) -> None:
        """Gives the places back."""
        if self._ours:
            Place.objects.filter(id__in=self._ours).delete()
        self._ours.clear()
        self._idle.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- Taking -------------------------------------------------------------------------------------------------------
    def _take(self, counted: bool, wait: bool) -> _Held:
        """Waits outside of any transaction: a waiter must not keep the lock from the one who would make room."""
        until = time.monotonic() + self._patience
        while True:
            if not counted and self._idle and self._idle[-1].lasts():
                return self._idle.pop()
            held = self._ask(counted)
            if held is not None:
                return held
            if not wait or time.monotonic() >= until:
                raise TooManyAtOnce
            time.sleep(uniform(0.1, 0.3))  # noqa: S311

    def _ask(self, counted: bool) -> _Held | None:
        """One short transaction: a place (an idle one of ours again, or a new one), and one of the hour's queries
        where it counts. None when every place is taken. Raises HourlyBudgetSpent."""
        budget_id = self._begin()
        began = time.monotonic()
        with transaction.atomic(durable=True):
            budget = Budget.objects.select_for_update().get(pk=budget_id)
            now = database_clock()
            self._pages_count = budget.pages_counted_at is not None and now - budget.pages_counted_at < PAGES_COUNT_FOR
            if counted and (until := _closed_until(_hour(budget, now), budget.blocked_until, self._most_queries, now)):
                raise HourlyBudgetSpent(until)
            held = self._renew(now, began) or self._lease(budget, now, began)
            if held is not None and counted:
                budget.queries.create(at=now)
                budget.queries.filter(at__lt=now - KEEP).delete()
        return held

    def _begin(self) -> int:
        """Our budget's id; the first time, its row is made and what a predecessor left is taken over."""
        if self._budget_id is None:
            budget, _ = Budget.objects.get_or_create(region=self._region, mixpanel_project_id=self._project)
            # Whoever held places under our name before us is dead: work has one worker at a time.
            budget.places.filter(holder=self._holder).delete()
            self._budget_id = budget.pk
        return self._budget_id

    def _renew(self, now: datetime, began: float) -> _Held | None:
        while self._idle:
            held = self._idle.pop()
            lease_until = now + timedelta(seconds=LEASE_SECONDS)
            if held.lasts() or Place.objects.filter(id=held.id, lease_until__gt=now).update(lease_until=lease_until):
                return held if held.lasts() else _Held(held.id, began + LEASE_SECONDS)
        return None

    def _lease(self, budget: Budget, now: datetime, began: float) -> _Held | None:
        budget.places.filter(lease_until__lte=now).delete()
        if budget.places.count() >= self._most_places:
            return None
        place = budget.places.create(holder=self._holder, lease_until=now + timedelta(seconds=LEASE_SECONDS))
        self._ours.add(place.pk)
        return _Held(place.pk, began + LEASE_SECONDS)

    def _pages_of_the_hour(self) -> int:
        since = time.monotonic() - WINDOW.total_seconds()
        return sum(moment > since for moment in self._pages)


def _hour(budget: Budget, now: datetime) -> list[datetime]:
    """When the counted queries of the hour were made, the latest first; never more than 60 of them."""
    return list(budget.queries.filter(at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True))


def _closed_until(
    times: list[datetime], blocked_until: datetime | None, most: int, now: datetime | None = None
) -> datetime | None:
    """When the next of `most` queries may go out; None when that is now."""
    moments = [times[most - 1] + WINDOW] if len(times) >= most else []
    if blocked_until and (now is None or blocked_until > now):
        moments.append(blocked_until)
    return max(moments, default=None)


def database_clock() -> datetime:
    """Now, by the one clock that all workers share. (PostgreSQL's `now()` would be the time before the lock came.)"""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]
