"""Membership as a value: a version of a cohort is one Roaring bitmap of profile ids. Publish, hold, decide, undo.

Readers follow `Cohort.current`: one row becomes current in one UPDATE, so nobody ever sees half a version. A result
that is empty, or less than half of the current one, is more often a fault upstream than the truth: it is held until a
person decides, or until a later result is sound again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from pyroaring import BitMap64

from cohorts.models import Cohort, PhoneMoves, Snapshot, SnapshotState
from notifly_console.lib.checkpoints import reached

WELL = {"failed_at": None, "failure": ""}


_listeners: list[Callable[[int, int], None]] = []


def on_publish(listener: Callable[[int, int], None]) -> None:
    """Has `listener(cohort id, snapshot id)` called in the transaction that makes a version current. For higher
    rooms, who wake whom it concerns."""
    _listeners.append(listener)


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
    """How a version came: its reach, and the refresh, the push session, or the person who undid another one."""

    reach: dict[str, Any]
    refresh_id: Any = None
    session_id: int | None = None
    undoes: int | None = None
    restores: int | None = None
    decided_by: str = ""

    def well(self) -> dict[str, Any]:
        """What it says about the last pull: that it didn't fail, if this was one."""
        return WELL if self.refresh_id is not None else {}


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
    snapshot = _write(
        cohort, before, members, came, SnapshotState.PUBLISHED, _returned(cohort, current, before, members)
    )
    reached("in_publish_after_snapshot")
    _supersede_held(cohort, by="")
    _make_current(cohort, snapshot, read_at=now, **came.well())
    return Published("new", snapshot.joined_count, snapshot.left_count)


def _is_suspicious(before: BitMap64, after: BitMap64, named: BitMap64 | None) -> bool:
    return len(after) * 2 < len(before) and not (named and before - after <= named)


def _returned(cohort: Cohort, current: Snapshot | None, before: BitMap64, members: BitMap64) -> int:
    """After an undoing: how much of what was undone comes again."""
    if current is None or current.undoes is None:
        return 0
    undone = Snapshot.objects.filter(cohort=cohort, number=current.undoes).first()
    if undone is None:
        return 0
    again = (
        (members - before) & (loaded(undone.members) - before),
        (before - members) & (before - loaded(undone.members)),
    )
    return sum(map(len, again))


def _hold(cohort: Cohort, before: BitMap64, members: BitMap64, came: _Came) -> Published:
    held = Snapshot.objects.filter(pk=cohort.held_id).first() if cohort.held_id else None
    if held is None or loaded(held.members) != members:
        _supersede_held(cohort, by="")
        held = _write(cohort, before, members, came, SnapshotState.HELD)
    _point(cohort, **came.well(), held=held)
    return Published("held", held.joined_count, held.left_count)


def _write(
    cohort: Cohort, before: BitMap64, members: BitMap64, came: _Came, state: SnapshotState, returned: int = 0
) -> Snapshot:
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
        undoes=came.undoes,
        restores=came.restores,
        returned_count=returned,
        decided_by=came.decided_by,
        decided_at=timezone.now() if came.decided_by else None,
        phone_mark=_phone_mark(cohort.project_id),
    )


def _phone_mark(project_id: UUID) -> int:
    return PhoneMoves.objects.filter(project_id=project_id).aggregate(last=Max("id"))["last"] or 0


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
    for listener in _listeners:
        listener(cohort.pk, snapshot.pk)


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


# -- A person undoes ---------------------------------------------------------------------------------------------------
class DecisionFirst(Exception):
    """A held version waits: it was compared with the current one, so it is decided about first."""


@transaction.atomic
def restore(
    cohort: Cohort, members: BitMap64, reach: dict[str, Any], *, undoes: int, restores: int, by: str
) -> Snapshot:
    """Makes `members` (those of version `restores`) current again, as a new version in place of the current one that
    `cohort` (as it was read) shows. Raises Conflict when that isn't the current one any more, DecisionFirst."""
    row = Cohort.objects.select_for_update().get(pk=cohort.pk)
    if row.current_id is None or row.current_id != cohort.current_id:
        raise Conflict(row.screen_id)
    if row.held_id is not None:
        raise DecisionFirst(row.screen_id)
    current = Snapshot.objects.get(pk=row.current_id)
    came = _Came(reach, undoes=undoes, restores=restores, decided_by=by)
    snapshot = _write(row, loaded(current.members), members, came, SnapshotState.PUBLISHED)
    _make_current(row, snapshot, read_at=row.refreshed_at)
    return snapshot
