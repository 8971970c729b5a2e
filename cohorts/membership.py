"""Membership as a value: a version of a cohort is one Roaring bitmap of profile ids. Publish, hold, decide, prune.

Readers follow `Cohort.current`: one row becomes current in one UPDATE, so nobody ever sees half a version. A result
that is empty, or less than half of the current one, is more often a fault upstream than the truth: it is held until a
person decides, or until a later result is sound again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import F, Max, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from pyroaring import BitMap64

from cohorts.models import Cohort, Snapshot, SnapshotState
from notifly_console.lib.checkpoints import reached

VERSIONS_KEPT = 30
DISCARDED_KEPT = timedelta(hours=24)
PRUNED_AT_ONCE = 1000
WELL = {"failed_at": None, "failure": ""}


class Conflict(Exception):
    """The cohort isn't in the state that the decision was made on: somebody else decided, or a new version came."""


# -- Bitmaps ----------------------------------------------------------------------------------------------------------
def dumped(ids: BitMap64) -> bytes:
    """The set as it is stored, as small as it gets."""
    ids.run_optimize()
    return bytes(ids.serialize())


def loaded(stored: bytes | memoryview) -> BitMap64:
    """A stored set."""
    return BitMap64.deserialize(bytes(stored)) if stored else BitMap64()


def ids_at(stored: bytes | memoryview, offset: int, limit: int) -> list[int]:
    """The ids of a stored set from the `offset`-th on, in order. Costs nothing however far down."""
    ids = loaded(stored)
    if offset >= len(ids) or limit <= 0:
        return []
    return list(ids[offset : offset + limit])


# -- Publication ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Published:
    """What became of a result: `how` is "new", "same" (no version is made of an equal one) or "held"."""

    how: Literal["new", "same", "held"]
    joined: int = 0
    left: int = 0


@dataclass(frozen=True)
class _Came:
    """How a version came: its reach, and the refresh or the push session."""

    reach: dict[str, Any]
    refresh_id: Any
    session_id: int | None

    def well(self) -> dict[str, Any]:
        """What it says about the last pull: that it didn't fail, if this was one."""
        return WELL if self.session_id is None else {}


def publish(
    cohort_id: int,
    members: BitMap64,
    reach: dict[str, Any],
    *,
    refresh_id: Any = None,
    session_id: int | None = None,
    named: BitMap64 | None = None,
) -> Published:
    """Makes `members` the cohort's current version, or holds it. To be called in the transaction of whoever may write
    (a refresh or a push session: its claim). `named`: those whose leaving was said person by person; it is no reason
    to hold anything. Raises Conflict when another version was published in between."""
    cohort = Cohort.objects.select_for_update().get(pk=cohort_id)
    now = timezone.now()
    current = Snapshot.objects.filter(pk=cohort.current_id).first() if cohort.current_id else None
    before = loaded(current.members) if current else BitMap64()
    came = _Came(reach, refresh_id, session_id)
    if current and before == members:
        _supersede_held(cohort, by="")
        if current.reach != reach:
            Snapshot.objects.filter(pk=current.pk).update(reach=reach)
        _point(cohort, **came.well(), refreshed_at=now)
        return Published("same")
    if current and _is_suspicious(before, members, named):
        return _hold(cohort, before, members, came)
    snapshot = _write(cohort, before, members, came, SnapshotState.PUBLISHED)
    reached("in_publish_after_snapshot")
    _supersede_held(cohort, by="")
    _make_current(cohort, snapshot, read_at=now, **came.well())
    return Published("new", snapshot.joined_count, snapshot.left_count)


def _is_suspicious(before: BitMap64, after: BitMap64, named: BitMap64 | None) -> bool:
    return len(after) * 2 < len(before) and not (named and before - after <= named)


def _hold(cohort: Cohort, before: BitMap64, members: BitMap64, came: _Came) -> Published:
    held = Snapshot.objects.filter(pk=cohort.held_id).first() if cohort.held_id else None
    if held is None or loaded(held.members) != members:
        _supersede_held(cohort, by="")
        held = _write(cohort, before, members, came, SnapshotState.HELD)
    _point(cohort, **came.well(), held=held)
    return Published("held", held.joined_count, held.left_count)


def _write(cohort: Cohort, before: BitMap64, members: BitMap64, came: _Came, state: SnapshotState) -> Snapshot:
    joined, left = members - before, before - members
    last = Snapshot.objects.filter(cohort=cohort).aggregate(last=Max("number"))["last"] or 0
    return Snapshot.objects.create(
        cohort=cohort,
        number=last + 1,
        state=state,
        members=dumped(members),
        joined=dumped(joined),
        left=dumped(left),
        size=len(members),
        joined_count=len(joined),
        left_count=len(left),
        reach=came.reach,
        refresh_id=came.refresh_id,
        session_id=came.session_id,
    )


def _make_current(cohort: Cohort, snapshot: Snapshot, *, read_at: Any, **changes: Any) -> None:
    _point(
        cohort,
        **changes,
        current=snapshot,
        number=snapshot.number,
        size=snapshot.size,
        joined_count=snapshot.joined_count,
        left_count=snapshot.left_count,
        refreshed_at=read_at,
    )


def _point(cohort: Cohort, **changes: Any) -> None:
    """The one UPDATE that readers notice, guarded by what was read before it."""
    unchanged = Cohort.objects.filter(pk=cohort.pk, number=cohort.number, current_id=cohort.current_id)
    if unchanged.update(**changes) != 1:
        raise Conflict(cohort.screen_id)


def _supersede_held(cohort: Cohort, *, by: str) -> None:
    if cohort.held_id is None:
        return
    Snapshot.objects.filter(pk=cohort.held_id).update(
        state=SnapshotState.DISCARDED, decided_at=timezone.now(), decided_by=by
    )
    Cohort.objects.filter(pk=cohort.pk).update(held=None)
    cohort.held_id = None


# -- A person decides -------------------------------------------------------------------------------------------------
@transaction.atomic
def accept_held(cohort: Cohort, *, by: str) -> Snapshot:
    """Makes the held version that `cohort` (as it was read) shows the current one. Raises Conflict when it is held no
    more."""
    row, held = _held(cohort)
    Snapshot.objects.filter(pk=held.pk).update(state=SnapshotState.PUBLISHED, decided_by=by, decided_at=timezone.now())
    Cohort.objects.filter(pk=row.pk).update(held=None)
    _make_current(row, held, read_at=held.created_at, **WELL)
    held.refresh_from_db(fields=["state", "decided_by", "decided_at"])
    return held


@transaction.atomic
def discard_held(cohort: Cohort, *, by: str) -> None:
    """Throws the held version away; the current one stays. Raises Conflict when it is held no more."""
    row, _ = _held(cohort)
    _supersede_held(row, by=by)


def _held(cohort: Cohort) -> tuple[Cohort, Snapshot]:
    row = Cohort.objects.select_for_update().get(pk=cohort.pk)
    if row.held_id is None or row.held_id != cohort.held_id:
        raise Conflict(row.screen_id)
    return row, Snapshot.objects.get(pk=row.held_id)


# -- Forgetting -------------------------------------------------------------------------------------------------------
def prune() -> int:
    """Deletes versions beyond the last 30 of each cohort, and what was discarded a day ago. Never the current one nor
    a held one. Returns how many."""
    old = timezone.now() - DISCARDED_KEPT
    used = Cohort.objects.filter(Q(current__isnull=False) | Q(held__isnull=False))
    kept = {pk for pair in used.values_list("current_id", "held_id") for pk in pair if pk}
    ranked = Snapshot.objects.filter(state=SnapshotState.PUBLISHED).annotate(
        rank=Window(RowNumber(), partition_by=F("cohort_id"), order_by=F("number").desc())
    )
    beyond = list(ranked.filter(rank__gt=VERSIONS_KEPT).values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    discarded = Snapshot.objects.filter(state=SnapshotState.DISCARDED).filter(
        Q(decided_at__lt=old) | Q(decided_at=None, created_at__lt=old)
    )
    going = set(beyond) | set(discarded.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return Snapshot.objects.filter(pk__in=going - kept).delete()[0]
