"""The versions of a cohort, and what two of them differ by: who joined, who left, whose phone is another or gone."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap64

from cohorts.membership import loaded
from cohorts.models import Cohort, Snapshot, SnapshotState
from cohorts.people import identity, phone_moves

SHOWN = 10
"""Versions in 코호트 상세 정보; their own page has them all."""
PEOPLE_SHOWN = 10

SETS: dict[str, str | Promise] = {
    "joined": _("들어온 사람"),
    "left": _("나간 사람"),
    "phone_changed": _("전화번호가 바뀐 사람"),
    "phone_lost": _("전화번호가 없어진 사람"),
    "phone_gained": _("전화번호가 생긴 사람"),
}
"""What two versions can differ by, by the name in an address."""


@dataclass(frozen=True)
class Line:
    """A version as it is listed."""

    version: Snapshot
    before: int | None
    """The number of the version before it, if that is still kept."""
    is_current: bool


def kept(cohort: Cohort) -> QuerySet[Snapshot]:
    """The published versions that are kept, the newest first."""
    return Snapshot.objects.filter(cohort=cohort, state=SnapshotState.PUBLISHED).order_by("-number")


def page_of(cohort: Cohort, part: slice) -> list[Line]:
    """Some of `kept`, without their bitmaps."""
    with_roads = kept(cohort).select_related("refresh", "session")
    light = with_roads.defer("members", "joined", "left", "session__members", "refresh__receipt")
    # With one more, which the last one is compared with.
    return lines_of(cohort, list(light[part.start : part.stop + 1]))[: part.stop - part.start]


def lines_of(cohort: Cohort, newest: Sequence[Snapshot]) -> list[Line]:
    """Such versions as they are listed."""
    befores = [*(version.number for version in newest[1:]), None][: len(newest)]
    return [
        Line(version, before, version.pk == cohort.current_id) for version, before in zip(newest, befores, strict=True)
    ]


@dataclass(frozen=True)
class Difference:
    """What lies between two versions."""

    older: Snapshot
    newer: Snapshot
    sets: dict[str, BitMap64]
    """By the names of SETS; without those of phones where nobody knows."""

    @property
    def knows_phones(self) -> bool:
        return "phone_changed" in self.sets

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(people) for name, people in self.sets.items()}


def difference(cohort: Cohort, one: int, other: int) -> Difference | None:
    """What the versions of these numbers differ by, from the older to the newer; None where one isn't there.

    People who have become part of others since count as those. Phones are compared of people who are in both; with the
    current version, up to now."""
    if one == other:
        return None
    published = Snapshot.objects.filter(cohort=cohort, state=SnapshotState.PUBLISHED, number__in=[one, other])
    found = sorted(published, key=lambda version: version.number)
    if len(found) != 2:
        return None
    older, newer = found
    before, after = (
        identity.resolved(cohort.project_id, loaded(version.members), since=version.created_at) for version in found
    )
    sets = {"joined": after - before, "left": before - after}
    return Difference(older, newer, sets | _phones(cohort, older, newer, before & after))


def _phones(cohort: Cohort, older: Snapshot, newer: Snapshot, both: BitMap64) -> dict[str, BitMap64]:
    if older.phone_mark is None or newer.phone_mark is None:
        return {}
    until = None if newer.pk == cohort.current_id else newer.phone_mark
    net = phone_moves.between(cohort.project_id, older.phone_mark, until)
    return {
        "phone_changed": net.changed & both,
        "phone_lost": net.lost & both,
        "phone_gained": net.gained & both,
    }
