"""When a cohort's recurring refresh is due: by the rhythm chosen for it or for its project, before a campaign goes, and
once a day where it comes by both roads. Only times are reckoned here; `cohorts/pull/plan.py` acts on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from cohorts.models import CohortRhythm, CohortRules, Every, Why

SLOT = timedelta(minutes=15)
"""Refreshes begin on the quarter hour, so that those due at about the same time share one reading of the list."""
LEAD = timedelta(minutes=30)
"""How long before a campaign goes its cohort is read."""
HEALS_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Choice:
    """What holds for a cohort: its own choice, or the project's."""

    every: str
    hours: int
    daily_at: time | None
    before_campaign: bool
    since: datetime | None
    """When it was chosen: moments before that aren't made up for."""
    is_own: bool

    @classmethod
    def of(cls, own: CohortRhythm | None, rules: CohortRules) -> "Choice":
        """The cohort's own, where there is one."""
        one = own or rules
        return cls(one.every, one.hours, one.daily_at, one.before_campaign, one.changed_at, own is not None)


@dataclass(frozen=True)
class Subject:
    """A cohort as far as its timetable asks."""

    key: int
    source_id: int
    name: str
    size: int | None
    first_seen_at: datetime
    read_at: datetime | None
    """When it was last read whole by a pull, or a pull of it last failed or was asked for by the clock."""
    needed_at: datetime | None
    comes_by_both: bool


@dataclass(frozen=True, order=True)
class Due:
    """When and why a cohort is to be read next."""

    at: datetime
    why: Why


def due_of(subject: Subject, choice: Choice, *, heals: bool, zone: tzinfo, now: datetime) -> Due | None:
    """The next moment, which may have passed; None where nothing is planned."""
    return min(_dues(subject, choice, heals, zone, now), default=None)


def _dues(subject: Subject, choice: Choice, heals: bool, zone: tzinfo, now: datetime) -> Iterator[Due]:
    read = subject.read_at
    if choice.every == Every.HOURS:
        yield Due(up(read + timedelta(hours=choice.hours)) if read else up(subject.first_seen_at), Why.HOURS)
    elif choice.every == Every.DAILY and choice.daily_at is not None:
        after = max(filter(None, (read, choice.since)), default=subject.first_seen_at)
        yield Due(next_daily(choice.daily_at, after, zone), Why.DAILY)
    if choice.before_campaign and subject.needed_at is not None and subject.needed_at > now:
        at = up(subject.needed_at - LEAD - SLOT)
        if read is None or read < at:
            yield Due(at, Why.CAMPAIGN)
    if heals and subject.comes_by_both:
        yield Due(up((read or subject.first_seen_at) + HEALS_EVERY), Why.HEAL)


def next_daily(at: time, after: datetime, zone: tzinfo) -> datetime:
    """The next such time of the zone's clocks after a moment. One that a change of clocks skips is as much later as
    the clocks jump; one that comes twice means the first."""
    day = after.astimezone(zone).date()
    while True:
        # By way of UTC, so that a time that isn't there becomes one that is.
        moment = datetime.combine(day, at, zone).astimezone(UTC)
        if moment > after:
            return up(moment)
        day += timedelta(days=1)


def up(moment: datetime) -> datetime:
    """The quarter hour at or after a moment."""
    return moment + (-(moment - datetime(2000, 1, 1, tzinfo=UTC)) % SLOT)


def down(moment: datetime) -> datetime:
    """The quarter hour at or before a moment."""
    return moment - ((moment - datetime(2000, 1, 1, tzinfo=UTC)) % SLOT)
