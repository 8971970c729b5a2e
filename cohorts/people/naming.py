"""Names of profile properties, as real profiles have them: what a marketer can choose from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from pyroaring import BitMap64

from cohorts.models import Profile

SAMPLE = 300
"""Profiles that are looked at."""
NAMES = 200


@dataclass(frozen=True)
class Name:
    """A property's name, and how many of a hundred profiles have a value for it."""

    name: str
    percent: int


def names_among(project_id: UUID, people: BitMap64 | None = None) -> list[Name]:
    """The properties of a sample of `people` (without them: of the newest profiles), the fullest first."""
    rows = Profile.objects.filter(project_id=project_id)
    if people is not None:
        rows = rows.filter(pk__in=list(_spread(people)))
    looked_at = list(rows.order_by("-pk").values_list("properties", flat=True)[:SAMPLE])
    return _counted(looked_at)


def _spread(people: BitMap64) -> Iterable[int]:
    """Some of them from the whole of the set, not only its oldest."""
    step = max(len(people) // SAMPLE, 1)
    return (people[at] for at in range(0, min(len(people), step * SAMPLE), step))


def _counted(looked_at: list[dict[str, object]]) -> list[Name]:
    found: Counter[str] = Counter()
    for properties in looked_at:
        found.update(name for name, value in properties.items() if value not in (None, "", [], {}))
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMES]
    return [Name(name, round(100 * count / len(looked_at))) for name, count in ordered]
