"""What the cohort list shows. The number of statements doesn't grow with the number of cohorts or of their people."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, CharField, Count, F, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Coalesce
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cohorts.models import LARGEST_FIRST, LIVE, UNUSUAL, Cohort, Pull, PullState, Refresh, RefreshState
from notifly_console.lib.compiled import Compiled
from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy.access import OF_PROJECT, Access

PAGE = 30
IS_RECENT = timedelta(hours=24)
"""How old a reading may be and still be called current."""
QUEUE_IS_SLOW = timedelta(seconds=45)
"""Two sweeps and a bit: a refresh that nobody took up by then has no worker."""
SETTLE = timedelta(seconds=5)
"""No forecast of the time left before a refresh has run this long."""


# -- What was asked for ----------------------------------------------------------------------------------------------
SORTS = ("name", "size", "refreshed", "state")
FILTERS: dict[str, Q] = {
    "held": Q(held__isnull=False),
    "failed": Q(failed_at__isnull=False),
    "vanished": Q(vanished_at__isnull=False),
    "hidden": Q(is_visible=False, vanished_at=None),
}


@dataclass(frozen=True)
class ListQuery:
    """A search, an order and a page of the list; made from an address, and written back into one."""

    text: str = ""
    sort: str = "name"
    descending: bool = False
    state: str = ""
    page: int = 1

    @classmethod
    def of(cls, params: QueryDict) -> "ListQuery":
        """Whatever of `params` makes sense; the rest is left as it is by default."""
        sort = params.get("sort", "")
        page = params.get("page", "")
        state = params.get("state", "")
        return cls(
            text=params.get("q", "").replace("\0", "").strip()[:200],
            sort=sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "name",
            descending=sort.startswith("-"),
            state=state if state in FILTERS else "",
            page=page_of(page),
        )

    def address(self, **changes: Any) -> str:
        """The query string of this, with `changes`; a change of anything but the page begins at page 1."""
        kept = {"text": self.text, "sort": self.sort, "descending": self.descending, "state": self.state}
        new = ListQuery(**{**kept, **changes})
        pairs = {
            "q": new.text,
            "state": new.state,
            "sort": ("-" if new.descending else "") + new.sort if (new.sort, new.descending) != ("name", False) else "",
            "page": str(new.page) if new.page > 1 else "",
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def here(self) -> str:
        return self.address(page=self.page)


# -- The state of a row ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class RowState:
    """How a cohort stands: the chip of its row."""

    slug: str
    label: str | Promise
    colour: str
    icon: str = ""


RUNNING = RowState("running", _("리프레시 중"), "blue", "loader-circle")
HELD = RowState("held", _("확인 필요"), "yellow", "circle-pause")
FAILED = RowState("failed", _("실패"), "red", "circle-alert")
VANISHED = RowState("vanished", _("Mixpanel에 없음"), "", "unplug")
HIDDEN = RowState("hidden", _("숨김"), "", "eye-off")
WAITING = RowState("waiting", _("대기"), "", "clock")
UNREAD = RowState("unread", _("읽기 전"), "", "clock")
OLD = RowState("old", _("오래됨"), "", "history")
CURRENT = RowState("current", _("최신"), "green")
STATES = {state.slug: state for state in (RUNNING, HELD, FAILED, VANISHED, HIDDEN, WAITING, UNREAD, OLD, CURRENT)}


@dataclass(frozen=True)
class Row:
    """A cohort as the list shows it. `pull` is its turn in the live refresh, if it has one."""

    cohort: Cohort
    pull: Pull | None

    @property
    def state(self) -> RowState:
        cohort, pull = self.cohort, self.pull
        if pull is not None and pull.state == PullState.RUNNING:
            return RUNNING
        if cohort.held_id is not None:
            return HELD
        if pull is not None and pull.state == PullState.WAITING:
            return WAITING
        if cohort.failed_at is not None or (pull is not None and pull.state == PullState.FAILED):
            return FAILED
        return _resting_state(cohort)

    @property
    def expected(self) -> int | None:
        """How many people the running pull will read: Mixpanel's own total, else what its list said."""
        return (self.pull and self.pull.total) or self.cohort.reported_size

    @property
    def will_be_read(self) -> bool:
        """Whether the live refresh reads it now or comes to it yet."""
        return self.pull is not None and self.pull.state in (PullState.WAITING, PullState.RUNNING)

    @property
    def lost_percent(self) -> int:
        """How much smaller the held version is, in percent of the current one."""
        size, held = self.cohort.size or 0, self.cohort.held
        return round(100 * (size - held.size) / size) if size and held else 0

    @property
    def has_note(self) -> bool:
        return self.cohort.held_id is not None or self.cohort.failed_at is not None or self.state is VANISHED


def _resting_state(cohort: Cohort) -> RowState:
    if cohort.vanished_at is not None:
        return VANISHED
    if not cohort.is_visible:
        return HIDDEN
    if cohort.refreshed_at is None:
        return UNREAD
    return CURRENT if timezone.now() - cohort.refreshed_at < IS_RECENT else OLD


STATE_RANK = Case(
    When(held__isnull=False, then=Value(0)),
    When(failed_at__isnull=False, then=Value(1)),
    When(vanished_at__isnull=False, then=Value(4)),
    When(is_visible=False, then=Value(3)),
    default=Value(2),
    output_field=IntegerField(),
)
_ORDER = {
    "name": ("name_key",),
    "size": ("size",),
    "refreshed": ("refreshed_at",),
    "state": ("rank", "name_key"),
}
# Bitmaps and whatever a row doesn't show stay in the database.
_SHOWN = (
    "project_id", "source_id", "name", "name_key", "description", "reported_size", "is_visible", "vanished_at",
    "current_id", "held_id", "number", "size", "joined_count", "left_count", "refreshed_at", "failed_at", "failure",
    "held__size", "held__number", "held__created_at",
)  # fmt: skip


# -- The list --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CohortPage:
    """One page of the list, and the counts that stand around it."""

    query: ListQuery
    rows: list[Row]
    counts: dict[str, int]
    """`all`, `matched`, and one for each of FILTERS."""

    @property
    def pages(self) -> Pages:
        """Which pages there are, and which of them this is."""
        return Pages(self.counts["matched"], PAGE, self.query.page, lambda number: self.query.address(page=number))


def cohort_page(access: Access, query: ListQuery, refresh: Refresh | None) -> CohortPage:
    """The rows of a page of `query`, with the turns that they have in `refresh` while it is live."""
    counts = _counts(access)
    if query.text:
        found_in = access.all(Cohort).annotate(id_text=id_text()).filter(matching(query.text), _in_state(query))
        page = CohortPage(query, [], counts | {"matched": found_in.count()})
        found = list(_shown(found_in, query)[page.pages.slice])
    else:
        page = CohortPage(query, [], counts | {"matched": counts[query.state or "all"]})
        found = access.rows(_page(query.sort, query.descending, query.state, page.pages.number))
    return CohortPage(query, rows_of(found, refresh), page.counts)


def _counts(access: Access) -> dict[str, int]:
    """How many cohorts there are, and how many in each of FILTERS."""
    (number,), unusual = access.rows(_NUMBER), access.rows(_UNUSUAL_NUMBERS)[0]
    return {"all": number, **dict(zip(FILTERS, unusual, strict=True))}


# Without a GROUP BY there is always one row. Each is read from an index that is as short as what it counts.
_NUMBER: Compiled[int] = Compiled(
    lambda: (
        Cohort.objects.filter(**OF_PROJECT)
        .order_by()
        .values(one=Value(1))
        .annotate(number=Count("*"))
        .values_list("number", flat=True)
    )
)
_UNUSUAL_NUMBERS: Compiled[tuple[int, ...]] = Compiled(
    lambda: (
        Cohort.objects.filter(UNUSUAL, **OF_PROJECT)
        .order_by()
        .values(one=Value(1))
        .annotate(**{name: Count("id", filter=condition) for name, condition in FILTERS.items()})
        .values_list(*FILTERS)
    )
)


@lru_cache(maxsize=64)
def _page(sort: str, descending: bool, state: str, number: int) -> Compiled[Cohort]:
    """A page of the whole list, or of a state's."""
    query, begin = ListQuery(sort=sort, descending=descending, state=state), (number - 1) * PAGE
    return Compiled(lambda: _shown(Cohort.objects.filter(_in_state(query), **OF_PROJECT), query)[begin : begin + PAGE])


def _shown(cohorts: QuerySet[Cohort], query: ListQuery) -> QuerySet[Cohort]:
    return _in_order(cohorts, query).select_related("held").only(*_SHOWN)


def _in_state(query: ListQuery) -> Q:
    return FILTERS.get(query.state, Q())


def rows_of(cohorts: list[Cohort], refresh: Refresh | None) -> list[Row]:
    """The cohorts with their turns in `refresh`."""
    pulls: dict[int, Pull] = {}
    if refresh is not None and refresh.is_live:
        pulls = {
            pull.cohort_id: pull
            for pull in Pull.objects.filter(refresh=refresh, cohort__in=[cohort.pk for cohort in cohorts]).only(
                "refresh_id", "cohort_id", "state", "total", "received", "attempts", "failure"
            )
        }
    return [Row(cohort, pulls.get(cohort.pk)) for cohort in cohorts]


def id_text() -> Cast:
    return Cast("source_id", CharField())


def matching(text: str) -> Q:
    """Name, description, and the id with or without its `mixpanel_`."""
    if not text:
        return Q()
    number = text.lower().removeprefix(f"{Cohort.SOURCE}_")
    by_id = Q(id_text__contains=number) if number.isdecimal() else Q()
    return Q(name__icontains=text) | Q(description__icontains=text) | by_id


def _in_order(cohorts: QuerySet[Cohort], query: ListQuery) -> QuerySet[Cohort]:
    if query.sort == "state":
        cohorts = cohorts.annotate(rank=STATE_RANK)
    if query.sort == "size" and query.descending:
        return cohorts.order_by(LARGEST_FIRST, "name_key", "id")
    fields = [F(name) for name in _ORDER[query.sort]]
    first = fields[0].desc(nulls_last=True) if query.descending else fields[0].asc(nulls_last=True)
    return cohorts.order_by(first, *fields[1:], "name_key", "id")


# -- The refresh that is shown above it ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Progress:
    """How far a live refresh is."""

    cohorts: int
    done: int
    failed: int
    received: int
    remaining: int
    """People still to be read, as far as Mixpanel has told."""

    def seconds_left(self, refresh: Refresh) -> int | None:
        """A forecast from the pace so far; None while there is nothing to tell it from."""
        if refresh.state != RefreshState.RUNNING or refresh.started_at is None or not self.received:
            return None
        elapsed = timezone.now() - refresh.started_at
        if elapsed < SETTLE:
            return None
        return int(self.remaining * elapsed.total_seconds() / self.received)


@dataclass(frozen=True)
class Live:
    """The project's newest refresh, and how far it is if it is live."""

    refresh: Refresh | None
    progress: Progress | None

    @property
    def is_live(self) -> bool:
        return self.refresh is not None and self.refresh.is_live

    @property
    def token(self) -> str:
        """Differs as soon as the page would: a poll that brings the same one is answered without a list."""
        if self.refresh is None:
            return "none"
        parts: list[Any] = [self.refresh.state, self.refresh.id.hex[:12], self.refresh.fence, self.refresh.failure]
        if self.refresh.listed_at:
            parts.append(int(self.refresh.listed_at.timestamp()))
        if self.progress:
            parts += [self.progress.cohorts, self.progress.done, self.progress.failed, self.progress.received]
            parts.append(int(self.is_slow_to_start))
        return ".".join(map(str, parts))

    @property
    def is_slow_to_start(self) -> bool:
        """Queued for longer than a worker that is there would leave it."""
        return (
            self.refresh is not None
            and self.refresh.state == RefreshState.QUEUED
            and timezone.now() - self.refresh.requested_at > QUEUE_IS_SLOW
        )

    @property
    def minutes_left(self) -> int | None:
        """Rounded up; 0 for less than half a minute."""
        if self.refresh is None or self.progress is None:
            return None
        seconds = self.progress.seconds_left(self.refresh)
        return None if seconds is None else 0 if seconds < 30 else -(-seconds // 60)


def live_of(access: Access) -> Live:
    """What the list's head shows. Two statements while a refresh is live, else one."""
    refresh = access.first(_NEWEST)
    if refresh is None or refresh.state not in LIVE:
        return Live(refresh, None)
    unread = ~Q(state__in=[PullState.DONE, PullState.FAILED])
    numbers = Pull.objects.filter(refresh=refresh).aggregate(
        cohorts=Count("id"),
        done=Count("id", filter=Q(state=PullState.DONE)),
        failed=Count("id", filter=Q(state=PullState.FAILED)),
        taken=Coalesce(Sum("received"), 0),
        remaining=Coalesce(Sum(Coalesce("total", "cohort__reported_size", 0) - F("received"), filter=unread), 0),
    )
    return Live(
        refresh,
        Progress(
            cohorts=numbers["cohorts"],
            done=numbers["done"],
            failed=numbers["failed"],
            received=numbers["taken"],
            remaining=max(0, numbers["remaining"]),
        ),
    )


_NEWEST: Compiled[Refresh] = Compiled(
    lambda: Refresh.objects.filter(**OF_PROJECT).select_related("cohort").order_by("-requested_at")[:1]
)
