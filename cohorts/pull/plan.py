"""Recurring refreshes within Mixpanel's hourly budget: what comes when, and making it come.

Which cohorts are due follows from when they were last read (`rhythm.py`), so that nothing is lost while the
clock stands still, and what was missed runs once. The clock asks for as many as the hour has room for; the rest waits
for the next quarter hour. The timetable is the same reckoning, a day ahead: what it shows is what happens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, Max, QuerySet
from django.utils import timezone

from cohorts.models import LIVE, Cohort, CohortRhythm, CohortRules, Drift, Pull, PullState, Refresh, Tick, Why
from cohorts.pull import refresh as refreshing
from cohorts.pull.rhythm import SLOT, Choice, Due, Subject, down, due_of
from cohorts.versions.retain import rules_of
from integrations import budget, connect
from integrations.models import Connection, Kind
from notifly_console.lib import compiled
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

MOST_AN_HOUR = 50
"""Queries of the hour's 60 that recurring refreshes may use. The others are for people who press the button."""
AHEAD = timedelta(hours=24)
HOUR = timedelta(hours=1)
PAGE_OF_A_QUERY = 5_000
"""People a page; only where Mixpanel was seen to count pages."""
TICKS_KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 5_000


# -- What there is to plan --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plan:
    """All that the reckoning asks of a project."""

    project: Project
    rules: CohortRules
    subjects: list[Subject]
    own: dict[int, CohortRhythm]
    used: int
    """Queries of the rolling hour that are spent or bespoken."""
    pages_count: bool

    def choice_of(self, subject: Subject) -> Choice:
        """What holds for the cohort."""
        return Choice.of(self.own.get(subject.key), self.rules)

    def due_of(self, subject: Subject, now: datetime) -> Due | None:
        """When the cohort is due next."""
        choice = self.choice_of(subject)
        return due_of(subject, choice, heals=self.rules.heals_daily, zone=self.project.zone, now=now)

    def cost_of(self, subject: Subject) -> int:
        """Queries that reading it takes."""
        return max(1, -(-(subject.size or 0) // PAGE_OF_A_QUERY)) if self.pages_count else 1


def plan_of(project: Project) -> Plan:
    """The project's plan."""
    cohorts = Cohort.objects.filter(project=project, is_listed=True, vanished_at=None)
    connection = connect.row_of(project)
    used, pages_count = _spent(project, connect.MixpanelSettings.of(connection)) if connection else (0, False)
    own = {one.pk: one for one in CohortRhythm.objects.filter(cohort__project=project)}
    return Plan(project, rules_of(project.pk), _subjects(cohorts), own, used, pages_count)


def _spent(project: Project, settings: connect.MixpanelSettings) -> tuple[int, bool]:
    """With what a live refresh has still to ask."""
    account = settings.region.value, settings.project_id
    live = Refresh.objects.filter(project=project, state__in=LIVE).first()
    return budget.used_this_hour(*account) + (_coming(live) if live else 0), budget.pages_count(*account)


def _coming(live: Refresh) -> int:
    """Queries of a live refresh: its turns, and before they are known, the list and those that it was asked for."""
    turns = Pull.objects.filter(refresh=live, state=PullState.WAITING).count()
    if live.listed_at is not None:
        return turns
    if live.cohort_id is not None:
        return turns + 2
    return 1 + Cohort.objects.filter(project_id=live.project_id, is_listed=True, vanished_at=None).count()


def _subjects(cohorts: QuerySet[Cohort]) -> list[Subject]:
    columns = ("pk", "source_id", "name", "size", "first_seen_at", "needed_at", "pushed_at")
    times = ("refreshed_at", "failed_at", "planned_at")
    rows = list(cohorts.order_by("pk").values_list(*columns, *times))
    pushed = [row[0] for row in rows if row[6]]
    pulled = dict(
        Drift.objects.filter(cohort__in=pushed).values_list("cohort").annotate(last=Max("at")) if pushed else ()
    )
    subjects = []
    for key, source_id, name, size, first_seen_at, needed_at, pushed_at, refreshed_at, failed_at, planned_at in rows:
        # What comes by push is read all the time; here it counts when it was last pulled.
        whole = pulled.get(key) if pushed_at else refreshed_at
        read_at = max(filter(None, (whole, failed_at, planned_at)), default=None)
        subjects.append(Subject(key, source_id, name, size, first_seen_at, read_at, needed_at, bool(pushed_at)))
    return subjects


def _subject(one: Cohort) -> Subject:
    whole = one.refreshed_at
    if one.pushed_at is not None:
        whole = Drift.objects.filter(cohort=one).aggregate(last=Max("at"))["last"]
    read_at = max(filter(None, (whole, one.failed_at, one.planned_at)), default=None)
    both = one.pushed_at is not None
    return Subject(one.pk, one.source_id, one.name, one.size, one.first_seen_at, read_at, one.needed_at, both)


# -- The timetable ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Entry:
    """A cohort that is to be read."""

    subject: Subject
    due: Due
    at: datetime

    @property
    def is_moved(self) -> bool:
        """Whether the hour that it was due in had no room for it."""
        return self.at - self.due.at >= SLOT


@dataclass
class Hour:
    """An hour of the timetable."""

    begins: datetime
    entries: list[Entry] = field(default_factory=list)
    queries: int = 0
    """With one for the cohort list of each refresh."""
    used: int = 0
    """Of the first hour: what is spent already."""
    waiting: int = 0
    """Cohorts that were due and found no room."""

    @property
    def total(self) -> int:
        return self.queries + self.used

    @property
    def moved(self) -> int:
        return sum(one.is_moved for one in self.entries)


@dataclass(frozen=True)
class Slot:
    """What a quarter hour has room for."""

    at: datetime
    entries: list[Entry]
    queries: int
    left: int
    """Cohorts that were due and found no room."""


def timetable(plan: Plan, now: datetime) -> list[Hour]:
    """The next 24 hours: which cohort when, and what the hour has room for. Taken for granted: nobody presses the
    button, and every reading succeeds."""
    hours: dict[datetime, Hour] = {}
    for slot in _slots(plan, now):
        begins = slot.at.astimezone(plan.project.zone).replace(minute=0, second=0, microsecond=0)
        hour = hours.setdefault(begins, Hour(begins))
        hour.entries += slot.entries
        hour.queries += slot.queries
        hour.waiting = slot.left
    found = list(hours.values())
    if found:
        found[0].used = plan.used
    return found


def _slots(plan: Plan, now: datetime) -> Iterable[Slot]:
    waiting: list[tuple[Due, Subject]] = []
    coming = sorted(((due, one) for one in plan.subjects if (due := plan.due_of(one, now))), key=_by_time)
    spent: list[tuple[datetime, int]] = []
    at = down(now)
    while at < now + AHEAD:
        while coming and coming[0][0].at <= at:
            waiting.append(coming.pop(0))
        used = sum(queries for when, queries in spent if when > at - HOUR) + (plan.used if at < now + HOUR else 0)
        taken = take(plan, sorted(waiting, key=_by_need), MOST_AN_HOUR - used)
        queries = sum(plan.cost_of(one) for _due, one in taken) + bool(taken)
        if taken:
            spent.append((at, queries))
            keys = {one.key for _due, one in taken}
            waiting = [pair for pair in waiting if pair[1].key not in keys]
            again = (replace(one, read_at=max(at, now)) for _due, one in taken)
            coming = sorted([*coming, *((due, one) for one in again if (due := plan.due_of(one, at)))], key=_by_time)
        yield Slot(at, [Entry(one, due, at) for due, one in taken], queries, len(waiting))
        at += SLOT


def _by_time(pair: tuple[Due, Subject]) -> tuple[datetime, int]:
    return pair[0].at, pair[1].key


def _by_need(pair: tuple[Due, Subject]) -> tuple[bool, datetime, int]:
    """Whatever a campaign waits for comes first, then what has waited the longest."""
    return (pair[0].why != Why.CAMPAIGN, *_by_time(pair))


def take(plan: Plan, waiting: list[tuple[Due, Subject]], room: int) -> list[tuple[Due, Subject]]:
    """As many of those who wait as there is room for, and room for the list beside them. One that is larger than all of
    an hour has an hour for itself."""
    taken: list[tuple[Due, Subject]] = []
    left = room - 1
    for due, one in waiting:
        cost = plan.cost_of(one)
        if cost > left and (taken or room < MOST_AN_HOUR):
            break
        taken.append((due, one))
        left -= cost
    return taken


# -- The clock --------------------------------------------------------------------------------------------------------
def tick_all() -> int:
    """Asks for the refreshes that are due in all projects; how many cohorts."""
    connected = Connection.objects.filter(kind=Kind.MIXPANEL).values("project_id")
    return sum(tick(project) for project in Project.objects.filter(pk__in=connected).order_by("pk").iterator())


def tick(project: Project) -> int:
    """Asks for those of a project, as far as the hour has room; how many. However many clocks tick, each moment of a
    cohort comes once."""
    now = timezone.now()
    plan = plan_of(project)
    waiting = [(due, one) for one in plan.subjects if (due := plan.due_of(one, now)) and due.at <= now]
    taken = take(plan, sorted(waiting, key=_by_need), MOST_AN_HOUR - plan.used)
    made = 0
    # Each comes first in the refresh as it is asked for: the most urgent is asked for last.
    for due, one in reversed(taken):
        try:
            made += _ask(project, one, due, now)
        except refreshing.NotConnected:
            break
    if made:
        log.info("refreshes_due", project=project.hex, cohorts=made, left=len(waiting) - len(taken))
    return made


def _ask(project: Project, subject: Subject, due: Due, now: datetime) -> bool:
    """Whether this tick was the one that asked for it."""
    try:
        with transaction.atomic():
            tick_ = Tick.objects.create(cohort_id=subject.key, due_at=due.at, why=due.why)
            # A clock that read the cohort before another one asked for it is too late.
            Cohort.objects.filter(pk=subject.key).update(planned_at=now)
            cohort = Cohort.objects.get(pk=subject.key)
            run = refreshing.request(project, by="", cohort=cohort)
            Tick.objects.filter(pk=tick_.pk).update(refresh=run)
    except IntegrityError:
        return False
    return True


@dataclass(frozen=True)
class Planned:
    """When one cohort is refreshed by itself."""

    choice: Choice
    default: Choice
    """What holds for cohorts that have chosen nothing."""
    due: Due | None
    heals: bool


def rhythm_of(project: Project, cohort: Cohort) -> Planned | None:
    """What holds for a cohort of the project; None for one that can't be pulled."""
    if not cohort.is_listed or cohort.vanished_at is not None:
        return None
    subject = _subject(cohort)
    rules, own = rules_of(project.pk), _OWN.first(cohort=cohort.pk)
    choice, now = Choice.of(own, rules), timezone.now()
    due = due_of(subject, choice, heals=rules.heals_daily, zone=project.zone, now=now)
    return Planned(choice, Choice.of(None, rules), due, rules.heals_daily and subject.comes_by_both)


_OWN: compiled.Compiled[CohortRhythm] = compiled.Compiled(
    lambda: CohortRhythm.objects.filter(cohort_id=compiled.Slot("cohort", BigIntegerField()))
)


def last_ticks(project_id: UUID, count: int) -> list[Tick]:
    """The last moments that came, the newest first."""
    ticks = Tick.objects.filter(cohort__project_id=project_id).select_related("cohort", "refresh")
    return list(ticks.defer("refresh__receipt").order_by("-made_at", "-pk")[:count])


def prune() -> int:
    """Deletes moments of long ago. Returns how many."""
    old = Tick.objects.filter(made_at__lt=timezone.now() - TICKS_KEPT)
    return Tick.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()[0]
