"""How many of a run's people are in each state, and why. The counts always add up to the run's size.

Whoever still waits isn't counted but is what is left of the size, so one statement over the others is enough. A count
that takes long is kept in this process for a while that grows with what it cost. Once no result can come any more the
counts are written into the run itself, and nobody is counted again.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import structlog
from django.core.cache import caches
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Now

from campaigns.models import Batch, BatchState, Recipient, RecipientState, Run, RunState
from integrations.messaging import Kind

log = structlog.get_logger(__name__)
R = RecipientState

OPEN = (BatchState.CLAIMED, BatchState.TRIED, BatchState.UNKNOWN, BatchState.SENT)
"""Batches of which something may still be heard."""
SWEPT_AT_ONCE = 50
QUICK_SECONDS = 0.05
"""A count that takes no longer is made anew each time."""
KEPT_TIMES = 20
"""A slower one is kept so many times as long as it took, so that all who watch a run together cost a twentieth of one
processor."""
LONGEST_KEPT_SECONDS = 30.0
WAITING = (R.PENDING, R.CLAIMED)
_COLUMNS = ("state", "reason", "kind", "is_transient", "was_replaced")


class Line(NamedTuple):
    """How many people are in a state for a reason."""

    state: str
    reason: str
    kind: str
    """What was handed over or went out instead, a `Kind`; "" while nothing was."""
    is_transient: bool
    was_replaced: bool
    people: int


@dataclass(frozen=True)
class Tally:
    """A run's people by what became of them."""

    size: int
    lines: tuple[Line, ...]

    def count(self, *states: str, where: Callable[[Line], bool] | None = None) -> int:
        """How many are in one of `states`, of the lines that pass `where`."""
        return sum(line.people for line in self.lines if line.state in states and (where is None or where(line)))

    def by_reason(self, *states: str) -> list[tuple[str, int]]:
        """The reasons of those in `states` with their numbers, the most frequent first."""
        found: dict[str, int] = {}
        for line in self.lines:
            if line.state in states:
                found[line.reason] = found.get(line.reason, 0) + line.people
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def delivered(self) -> int:
        return self.count(R.DELIVERED)

    @property
    def failed(self) -> int:
        """Refused at once, or reported to have failed."""
        return self.count(R.FAILED, R.REFUSED)

    @property
    def not_handed(self) -> int:
        """Who can still be held back."""
        return self.count(*WAITING)

    @property
    def handed(self) -> int:
        """Whom the provider has, or had, or may have."""
        return self.count(R.ACCEPTED, R.DELIVERED, R.FAILED, R.UNKNOWN)

    @property
    def awaited(self) -> int:
        """Handed over, and the result is still to come."""
        return self.count(R.ACCEPTED)

    @property
    def waiting(self) -> int:
        return self.not_handed + self.awaited

    @property
    def unknown(self) -> int:
        return self.count(R.UNKNOWN)

    @property
    def skipped(self) -> int:
        return self.count(R.SKIPPED)

    @property
    def retriable(self) -> int:
        """Failed for a passing fault, and no text message went out instead."""
        return self.count(R.FAILED, where=lambda line: line.is_transient and not line.was_replaced)

    def as_json(self) -> list[list[Any]]:
        """As a run keeps it."""
        return [list(line) for line in self.lines]


NOBODY = Tally(0, ())


def tally_of(run: Run) -> Tally:
    """The counts of one run. One statement, none for a run that is settled."""
    return tallies([run])[run.pk]


def tallies(runs: Iterable[Run]) -> dict[int, Tally]:
    """The counts of several runs by their keys. One statement for all that aren't settled."""
    found, asked = {}, []
    for run in runs:
        if run.settled_at is not None:
            found[run.pk] = Tally(run.size or 0, tuple(Line(*line) for line in run.outcome))
        elif run.state == RunState.SKIPPED or not run.size:
            found[run.pk] = NOBODY
        else:
            asked.append(run)
    kept = _cache().get_many([_key(run) for run in asked]) if asked else {}
    missing = [run for run in asked if _key(run) not in kept]
    found |= {run.pk: kept[_key(run)] for run in asked if _key(run) in kept}
    return found | _counted(missing) if missing else found


def _counted(runs: Sequence[Run]) -> dict[int, Tally]:
    began = time.monotonic()
    lines: dict[int, list[Line]] = {run.pk: [] for run in runs}
    beyond = Recipient.objects.filter(run__in=[run.pk for run in runs]).exclude(state=R.PENDING).order_by()
    for run_id, *line in beyond.values_list("run_id", *_COLUMNS).annotate(people=Count("pk")):
        lines[run_id].append(Line(*line))
    made = {run.pk: Tally(run.size or 0, _with_pending(run, lines[run.pk])) for run in runs}
    took = time.monotonic() - began
    if took > QUICK_SECONDS:
        kept = {_key(run): made[run.pk] for run in runs}
        _cache().set_many(kept, timeout=min(took * KEPT_TIMES, LONGEST_KEPT_SECONDS))
    return made


def _with_pending(run: Run, lines: Sequence[Line]) -> tuple[Line, ...]:
    pending = (run.size or 0) - sum(line.people for line in lines)
    if pending < 0:
        log.error("run_outgrew_its_size", run=run.pk, by=-pending)
    waits = [Line(R.PENDING, "", "", False, False, pending)] if pending > 0 else []
    return (*waits, *sorted(lines))


def _cache() -> Any:
    return caches["drawn"]


def _key(run: Run) -> str:
    # What a person does shows at once: to cancel or to finish changes the state.
    return f"tally:{run.pk}:{run.state}:{run.size}"


# -- Once and for all -------------------------------------------------------------------------------------------------
def keep(run_id: int) -> bool:
    """Writes the counts into the run, if no result can come any more; whether it did."""
    over = Run.objects.filter(_settled(), pk=run_id)
    run = over.first()
    if run is None:
        return False
    counted = _counted([run])[run.pk]
    done = over.update(
        settled_at=Now(),
        outcome=counted.as_json(),
        delivered_count=counted.delivered,
        failed_count=counted.failed,
        unknown_count=counted.unknown,
    )
    return done == 1


def sweep() -> int:
    """Keeps what nobody has kept yet. How many runs."""
    found = Run.objects.filter(_settled()).order_by("pk").values_list("pk", flat=True)[:SWEPT_AT_ONCE]
    return sum(keep(pk) for pk in list(found))


def _settled() -> Q:
    """The condition that nothing more can become of a run's people: it is over, nobody of it waits to be handed over,
    and no batch of it is still asked about. None of that is ever undone."""
    open_ = Batch.objects.filter(run=OuterRef("pk"), state__in=OPEN)
    over = Q(state__in=[RunState.DONE, RunState.CANCELLED], handed_over_at__isnull=False, settled_at=None)
    return over & Q(~Exists(open_))


# -- What it cost -----------------------------------------------------------------------------------------------------
CHARGED = (R.ACCEPTED, R.DELIVERED, R.UNKNOWN)
"""Failed messages are given back by the provider."""


def spent(tally: Tally, prices: Mapping[str, str], replaced_by: str = "") -> "Spent":
    """What was spent so far, by the prices of when the run was frozen. `replaced_by`: the kind of the text message
    that went out instead of a failed one where the provider's report didn't say."""
    won, unpriced = Decimal(0), 0
    for line in tally.lines:
        if line.state not in CHARGED:
            continue
        kind = replaced_by if line.was_replaced and line.kind in (Kind.ALIMTALK, Kind.FRIENDTALK) else line.kind
        price = prices.get(kind)
        if price is None:
            unpriced += line.people
        else:
            won += Decimal(price) * line.people
    return Spent(won, unpriced)


class Spent(NamedTuple):
    """Won, and of how many messages no price is known."""

    won: Decimal
    unpriced: int
