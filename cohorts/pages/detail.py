"""What 코호트 상세 정보 shows. Membership is read as bitmaps: the n-th member is found by rank, so that a page of a
million costs what a page of ten does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db.models import BigIntegerField, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.membership import loaded
from cohorts.models import Cohort, Profile, Snapshot, SnapshotState
from cohorts.people.lookup import beginning, is_findable
from notifly_console.lib.compiled import Compiled, Slot
from notifly_console.lib.masking import mask_contacts
from notifly_console.tenancy.access import OF_PROJECT

MEMBERS_SHOWN = 10
MOVES_SHOWN = 5
HISTORY_SHOWN = 30
FOUND_SHOWN = 20
SMALL = 10_000
"""Up to this many members, a search asks the database about these members; above it, about the whole project."""
CANDIDATES = 100_000
"""How many profiles a search by the beginning of an id looks at before it asks for a longer text."""
CHUNK = 2_000


@dataclass(frozen=True)
class Person:
    """A profile in a list: its id, masked where it is itself a phone number or an e-mail address, and the address of
    its page: "" for one that was deleted after the version was made."""

    address: str
    shown: str
    is_anonymous: bool = False


@dataclass(frozen=True)
class People:
    """A page of a set of profiles."""

    rows: list[Person]
    offset: int
    total: int
    page: int

    @property
    def first(self) -> int:
        return self.offset + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.offset + len(self.rows)

    @property
    def before(self) -> int | None:
        return max(0, self.offset - self.page) if self.offset > 0 else None

    @property
    def after(self) -> int | None:
        return self.offset + self.page if self.offset + self.page < self.total else None


@dataclass(frozen=True)
class Found:
    """What a search inside a cohort found. `more`: there are others; `tired`: it stopped looking before the end."""

    text: str
    rows: list[Person]
    more: bool
    tired: bool


Asked = tuple[bytes | memoryview | BitMap64, int, int]
"""A set (as it is stored, or loaded), from which rank on, and how many."""


def versions_of(cohort: Cohort) -> tuple[Snapshot | None, Snapshot | None]:
    """The cohort's current and its held version, bitmaps and all, with one statement."""
    found = {version.pk: version for version in _VERSIONS.rows(current=cohort.current_id, held=cohort.held_id)}
    return found.get(cohort.current_id or 0), found.get(cohort.held_id or 0)


_VERSIONS: Compiled[Snapshot] = Compiled(
    lambda: Snapshot.objects.filter(Q(pk=Slot("current", BigIntegerField())) | Q(pk=Slot("held", BigIntegerField())))
)


def people_at(cohort: Cohort, sets: dict[str, Asked]) -> dict[str, People]:
    """Pages of several bitmaps with one statement. An offset beyond the end is taken back to the last page."""
    ids: dict[str, tuple[list[int], int, int, int]] = {}
    for name, (raw, offset, limit) in sets.items():
        bitmap = raw if isinstance(raw, BitMap64) else loaded(raw)
        total = len(bitmap)
        offset = min(max(offset, 0), max(total - 1, 0) // limit * limit)
        ids[name] = (list(bitmap[offset : offset + limit]), offset, total, limit)
    people = _people(cohort, {key for keys, *_rest in ids.values() for key in keys})
    return {
        name: People([people.get(key) or Person("", _("삭제된 유저")) for key in keys], offset, total, limit)
        for name, (keys, offset, total, limit) in ids.items()
    }


def _people(cohort: Cohort, keys: set[int]) -> dict[int, Person]:
    values = {f"key{place}": key for place, key in enumerate(keys)}
    found = _profiles(len(keys)).rows(project=cohort.project_id, **values) if keys else []
    people = _persons(cohort, found)
    return {row[0]: person for row, person in zip(found, people, strict=True)}


def _persons(cohort: Cohort, rows: list[tuple[int, str, bool]]) -> list[Person]:
    below = reverse("cohorts:profiles", args=[cohort.project_id])
    return [Person(f"{below}{key}/", shown_id(external_id), anonymous) for key, external_id, anonymous in rows]


@lru_cache(maxsize=64)
def _profiles(count: int) -> Compiled[tuple[int, str, bool]]:
    """So many profiles, by `key0`, `key1` …"""
    keys: Any = [Slot(f"key{place}", BigIntegerField()) for place in range(count)]
    return Compiled(lambda: Profile.objects.filter(pk__in=keys, **OF_PROJECT).values_list(*_PERSON))


_PERSON = ("pk", "external_id", "is_anonymous")


def shown_id(external_id: str) -> str:
    """An id as it may be shown to everybody: ids that are a phone number or an address are masked like one."""
    return mask_contacts(external_id)


def find_members(cohort: Cohort, raw: bytes | memoryview, text: str, *, sees_contacts: bool) -> Found:
    """The members whose id begins with `text`; of ids that are a phone number or an address, only that very one for
    whoever sees contacts masked (`lookup.search` says why). One statement; bounded, whatever the sizes."""
    members = loaded(raw)
    asked = Profile.objects.filter(beginning("external_id", text), project_id=cohort.project_id)
    if is_small := len(members) <= SMALL:
        asked = asked.filter(pk__in=list(members)).order_by("external_id")
    looked_at = 0
    rows = []
    for row in asked.values_list(*_PERSON)[:CANDIDATES].iterator(chunk_size=CHUNK):
        looked_at += 1
        if row[0] in members and (sees_contacts or is_findable(row[1], text)):
            rows.append(row)
            if len(rows) > FOUND_SHOWN:
                break
    if not is_small:
        rows.sort(key=lambda row: row[1])
    people = _persons(cohort, rows[:FOUND_SHOWN])
    return Found(text, people, more=len(rows) > FOUND_SHOWN, tired=looked_at == CANDIDATES)


# -- Reach -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Reach:
    """Who of a version can be reached by phone and by e-mail, and why the others can't."""

    size: int
    phone: int
    email: int
    anonymous: int
    phone_reasons: list[tuple[str, int]] = field(default_factory=list)
    email_reasons: list[tuple[str, int]] = field(default_factory=list)

    @property
    def phone_percent(self) -> float:
        return 100 * self.phone / self.size if self.size else 0.0

    @property
    def email_percent(self) -> float:
        return 100 * self.email / self.size if self.size else 0.0


def reach_of(snapshot: Snapshot, phone_labels: dict[str, Any], email_labels: dict[str, Any]) -> Reach | None:
    """The version's reach with its reasons in the reader's language, the most frequent first; None where it wasn't
    counted."""
    counted = snapshot.reach
    if not counted:
        return None
    return Reach(
        size=snapshot.size,
        phone=counted.get("reachable", 0),
        email=counted.get("with_email", 0),
        anonymous=counted.get("anonymous", 0),
        phone_reasons=_labelled(counted.get("phone", {}), phone_labels),
        email_reasons=_labelled(counted.get("email", {}), email_labels),
    )


def _labelled(counts: dict[str, int], labels: dict[str, Any]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(str(labels.get(slug, slug)), count) for slug, count in ordered if count]


# -- History ---------------------------------------------------------------------------------------------------------
WIDTH, HEIGHT = 1300, 200


@dataclass(frozen=True)
class Chart:
    """Sizes over time, as numbers for an SVG of WIDTH × HEIGHT: attributes carry the lengths, words stay HTML."""

    line: str
    area: str
    end: str
    ticks: list[int]
    """Values of the horizontal rules, the highest first."""
    days: list[str]
    """First, middle and last day, as 11.26."""
    begin: str
    end_day: str
    first: int
    last: int


def history_of(cohort: Cohort) -> list[Snapshot]:
    """The last published versions with what brought them, the newest first, without their bitmaps."""
    return _HISTORY.rows(cohort=cohort.pk)


_OF_A_VERSION = (
    *("cohort_id", "number", "size", "joined_count", "left_count", "created_at", "state", "undoes", "restores"),
    *("returned_count", "decided_by", "refresh__requested_by", "session__session_id", "session__cohort_id"),
)
_HISTORY: Compiled[Snapshot] = Compiled(
    lambda: (
        Snapshot.objects.filter(cohort_id=Slot("cohort", BigIntegerField()), state=SnapshotState.PUBLISHED)
        .order_by("-number")
        .select_related("refresh", "session")
        .only(*_OF_A_VERSION)[:HISTORY_SHOWN]
    )
)


def chart_of(history: list[Snapshot]) -> Chart | None:
    """A chart of at least two versions; None for fewer."""
    return sizes_chart([(version.created_at, version.size) for version in reversed(history)])


def sizes_chart(points: list[tuple[datetime, int]]) -> Chart | None:
    """A chart of sizes at moments, the oldest first; None for fewer than two."""
    if len(points) < 2:
        return None
    low, high, step = _scale([size for _moment, size in points])
    begin, end = points[0][0], points[-1][0]
    span = (end - begin).total_seconds() or 1.0
    marks = [
        (round(WIDTH * (moment - begin).total_seconds() / span, 1), round(HEIGHT * (high - size) / (high - low), 1))
        for moment, size in points
    ]
    path = " ".join(f"{x:g} {y:g}" for x, y in marks)
    days = [timezone.localtime(moment) for moment in (begin, begin + (end - begin) / 2, end)]
    form = "%m.%d" if days[0].date() != days[-1].date() else "%H:%M"
    last_x, last_y = marks[-1]
    return Chart(
        line=f"M{path}",
        area=f"M{path}V{HEIGHT}H{marks[0][0]:g}Z",
        end=f"M{last_x:g} {last_y:g}h.01",
        ticks=list(range(high, low - 1, -step)),
        days=[day.strftime(form) for day in days],
        begin=f"{days[0]:%Y-%m-%d}",
        end_day=f"{days[-1]:%Y-%m-%d}",
        first=points[0][1],
        last=points[-1][1],
    )


def _scale(sizes: list[int]) -> tuple[int, int, int]:
    """The least, the greatest and the step of two equal round steps that hold all sizes."""
    least, most = min(sizes), max(sizes)
    step = 1
    for step in _round_steps():
        low = least // step * step
        if low + 2 * step >= most:
            return low, low + 2 * step, step
    return 0, 2 * step, step


def _round_steps() -> list[int]:
    return [digit * 10**power for power in range(12) for digit in (1, 2, 5)]


def export_sets(snapshot: Snapshot) -> dict[str, int]:
    """What of a version may be downloaded, with how many people each."""
    return {"members": snapshot.size, "joined": snapshot.joined_count, "left": snapshot.left_count}


def ids_in_chunks(people: BitMap64, size: int) -> Iterator[list[int]]:
    """The ids of a set in lists of `size`."""
    ids = iter(people)
    while chunk := list(islice(ids, size)):
        yield chunk
