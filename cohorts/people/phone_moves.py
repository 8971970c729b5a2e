"""Whose phone changed, and when: noted as batches of profiles are written, asked for what lies between two versions.

A note is three small sets, and only of people whose reachable number is another one than before: a refresh that finds
nothing new writes none. A version keeps no phones of its own, only the number of the last note when it was published.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Max, Min
from pyroaring import BitMap64

from cohorts.membership import dumped, loaded
from cohorts.models import PhoneMoves, Snapshot

Moved = tuple[int, str | None, str | None]
"""A profile's id, the reachable number that it had, and the one that it has."""


@dataclass
class Net:
    """What became of phones over some time: those who have another number, none any more, or one where they had none.

    Somebody whose number changed and changed back counts as changed: the numbers themselves aren't kept."""

    changed: BitMap64 = field(default_factory=BitMap64)
    lost: BitMap64 = field(default_factory=BitMap64)
    gained: BitMap64 = field(default_factory=BitMap64)


def note(project_id: UUID, moved: Iterable[Moved]) -> None:
    """Keeps who of these has another reachable number than before. To be called in the transaction that writes it."""
    net = Net()
    for number, before, after in moved:
        if before == after:
            continue
        (net.gained if before is None else net.lost if after is None else net.changed).add(number)
    if net.changed or net.lost or net.gained:
        PhoneMoves.objects.create(
            project_id=project_id, changed=dumped(net.changed), lost=dumped(net.lost), gained=dumped(net.gained)
        )


def mark(project_id: UUID) -> int:
    """The project's last note by now: 0 where there is none."""
    return PhoneMoves.objects.filter(project_id=project_id).aggregate(last=Max("id"))["last"] or 0


def between(project_id: UUID, after: int, until: int | None) -> Net:
    """What the notes after `after` say together, up to `until` (None: up to now)."""
    notes = PhoneMoves.objects.filter(project_id=project_id, id__gt=after).order_by("id")
    if until is not None:
        notes = notes.filter(id__lte=until)
    touched, had, has = BitMap64(), BitMap64(), BitMap64()
    for changed, lost, gained in notes.values_list("changed", "lost", "gained").iterator(chunk_size=500):
        changed_now, lost_now, gained_now = loaded(changed), loaded(lost), loaded(gained)
        had |= (changed_now | lost_now) - touched
        has = (has - lost_now) | changed_now | gained_now
        touched |= changed_now | lost_now | gained_now
    return Net(changed=had & has, lost=had - has, gained=has - had)


def prune() -> int:
    """Deletes notes from before the oldest version that each project keeps. Returns how many."""
    gone = 0
    for project_id in PhoneMoves.objects.order_by().values_list("project_id", flat=True).distinct():
        oldest = Snapshot.objects.filter(cohort__project_id=project_id).aggregate(oldest=Min("phone_mark"))["oldest"]
        notes = PhoneMoves.objects.filter(project_id=project_id)
        if oldest is not None:
            notes = notes.filter(id__lte=oldest)
        gone += notes.delete()[0]
    return gone
