"""What the pages of user groups show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.groups import groups, properties
from cohorts.groups.conditions import (
    OPERATORS,
    Definition,
    HasProperty,
    Operator,
    Synced,
    Type,
    definition_of,
    in_words,
)
from cohorts.membership import loaded
from cohorts.models import Cohort, GroupNesting, UserGroup
from cohorts.pages.group_forms import Compose
from cohorts.people.facets import facets
from cohorts.people.history import known_from
from notifly_console.lib.paging import Pages
from notifly_console.tenancy.access import Access

PAGE = 30
CHOICES = 8
SAMPLED = 200
NAMES_OFFERED = 200
OVERLAPPING = 4
"""Others in the picture of overlaps, at most: more sets make more columns than anybody reads."""
COLUMNS = 12


# -- The list ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class GroupRow:
    """A group as the list shows it."""

    group: UserGroup
    words: str


@dataclass(frozen=True)
class GroupPage:
    rows: list[GroupRow]
    total: int
    pages: Pages


def group_page(access: Access, text: str, number: int) -> GroupPage:
    """A page of the project's groups by name; those whose name holds `text`. Five statements whatever the size."""
    everything = access.all(UserGroup).select_related("partner_cohort")
    found = everything.filter(name__icontains=text) if text else everything
    matched = found.count()
    total = everything.count() if text else matched
    pages = Pages(matched, PAGE, number, lambda number: urlencode({"q": text, "page": number}))
    rows = list(found.order_by("name_key", "pk")[pages.slice])
    return GroupPage(_rows(access.project.pk, rows), total, pages)


def _rows(project_id: UUID, rows: list[UserGroup]) -> list[GroupRow]:
    definitions = [definition_of(one.definition) for one in rows]
    names = groups.names_of_all(project_id, definitions)
    return [GroupRow(one, summary(definition, names)) for one, definition in zip(rows, definitions, strict=True)]


def summary(definition: Definition, names: dict[int | str, str]) -> str:
    """A definition in one line."""
    parts = [_(" 그리고 ").join(in_words(one, names) for one in segment) for segment in definition.segments]
    text = _(" 또는 ").join(f"({part})" if len(parts) > 1 else part for part in parts)
    if definition.filters:
        text += _(" · 추가 필터: ") + _(" 그리고 ").join(in_words(one, names) for one in definition.filters)
    return text


# -- One group --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Words:
    """A definition as chips: segments of sentences, and the extra filters."""

    segments: list[list[str]]
    filters: list[str]


def words_of(project_id: UUID, definition: Definition) -> Words:
    """A definition's chips."""
    names = groups.names_of(project_id, definition)
    return Words(
        [[in_words(one, names) for one in segment] for segment in definition.segments],
        [in_words(one, names) for one in definition.filters],
    )


def used_in(group: UserGroup) -> list[UserGroup]:
    """The groups that ask about this one."""
    return [one.outer for one in GroupNesting.objects.filter(inner=group).select_related("outer")]


@dataclass(frozen=True)
class Forgotten:
    """A cohort of which it isn't known all the time that is asked about who joined and left."""

    cohort: Cohort
    known_from: datetime


def forgotten(project_id: UUID, definition: Definition) -> list[Forgotten]:
    """The cohorts of its Partner Sync conditions whose versions don't reach back as far as it asks."""
    asked = {(one.cohort, one.days) for one in definition if isinstance(one, Synced)}
    known = {cohort: known_from(project_id, cohort, days=days) for cohort, days in sorted(asked)}
    short = {cohort: since for cohort, since in known.items() if since is not None}
    found = Cohort.objects.filter(project_id=project_id, pk__in=short)
    return [Forgotten(cohort, short[cohort.pk]) for cohort in found]


# -- The builder ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    """A condition as the builder draws it."""

    place: str
    values: dict[str, Any]
    name: str
    """Of the cohort or group that was chosen; "" for none."""
    problem: str
    operators: list[tuple[str, Any]]
    needs_value: bool
    is_picking: bool
    has_focus: bool
    is_unseen: bool
    """Whether nobody of the sample has the property: most often a name that was mistyped."""

    @property
    def kind(self) -> str:
        return str(self.values.get("kind", ""))


@dataclass(frozen=True)
class SegmentLines:
    place: str
    number: int
    lines: list[Line]
    problem: str


def lines_of(project_id: UUID, compose: Compose, *, with_problems: bool) -> tuple[list[SegmentLines], list[Line]]:
    """The builder's rows: segments, and extra filters. Problems are named only once somebody tried to save."""
    definition = compose.definition
    names = groups.names_of(project_id, definition)
    problems = compose.problems_at() if with_problems else {}
    asked = {one.name for one in definition if isinstance(one, HasProperty)}
    unseen = asked.difference(sampled_names(project_id)) if asked else set()

    def line(where: str, at: int, values: dict[str, Any]) -> Line:
        place = f"{where}-{at}"
        chosen = values.get("group") if values.get("kind") == "group" else values.get("cohort")
        type_ = Type(values["type"]) if values.get("type") in Type.values else Type.TEXT
        problem = problems.get(place)
        return Line(
            place=place,
            values=values,
            name=names.get(chosen, "") if isinstance(chosen, int | str) else "",
            problem=problem.text if problem else "",
            operators=[(one.value, one.label) for one in OPERATORS[type_]],
            needs_value=values.get("operator") not in (Operator.EXISTS, Operator.MISSING),
            is_picking=compose.picking == place,
            has_focus=compose.focus == place,
            is_unseen=values.get("kind") == "property" and str(values.get("name", "")).strip() in unseen,
        )

    segments = []
    for number, segment in enumerate(compose.segments):
        where = f"segments-{number}"
        empty = problems.get(where)
        rows = [line(where, at, values) for at, values in enumerate(segment)]
        segments.append(SegmentLines(where, number + 1, rows, empty.text if empty else ""))
    return segments, [line("filters", at, values) for at, values in enumerate(compose.filters)]


@dataclass(frozen=True)
class Choice:
    """Something that a condition can ask about."""

    value: str
    name: str
    meta: str
    size: int | None


def choices(access: Access, kind: str, text: str, without: UUID | None = None) -> tuple[list[Choice], int]:
    """The first few cohorts (or, where `kind` is "group", groups that hold no groups) whose name or id has `text`, and
    how many there are."""
    text = text.replace("\0", "").strip()[:200]
    if kind == "group":
        nested = GroupNesting.objects.values("outer_id")
        found = access.all(UserGroup).filter(name__icontains=text).exclude(pk__in=nested)
        if without is not None:
            found = found.exclude(pk=without)
        rows = found.select_related("partner_cohort").order_by("name_key", "pk")[:CHOICES]
        shown = [Choice(one.pk.hex, one.name, "", one.known_size) for one in rows]
        return shown, found.count()
    asked = Q(name__icontains=text)
    if (digits := text.removeprefix(f"{Cohort.SOURCE}_")).isdecimal() and len(digits) < 19:
        asked |= Q(source_id=int(digits))
    cohorts = access.all(Cohort).filter(asked, current__isnull=False)
    first = cohorts.order_by("name_key", "pk")[:CHOICES]
    return [Choice(str(one.pk), one.name, one.screen_id, one.size) for one in first], cohorts.count()


def property_names(project_id: UUID) -> list[str]:
    """Names of properties to offer."""
    return sampled_names(project_id)[:NAMES_OFFERED]


def sampled_names(project_id: UUID) -> list[str]:
    """Names of the properties that a sample of the project's people have, the most frequent first."""
    known = facets(project_id).known
    step = max(1, len(known) // SAMPLED)
    sample = [known[at] for at in range(0, len(known), step)][:SAMPLED]
    return properties.names_of(project_id, sample)


# -- Overlap ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Column:
    """People who are in exactly these sets; `height` of 1000."""

    size: int
    height: int
    dots: list[bool]


@dataclass(frozen=True)
class Overlap:
    """How a group lies across some cohorts: sets by row, exclusive parts by column, the largest first."""

    names: list[str]
    sizes: list[int]
    columns: list[Column]
    more: int
    """Columns that weren't drawn."""


def overlap_of(group: UserGroup, members: BitMap64, others: Sequence[Cohort]) -> Overlap:
    """The picture of `members` across the current versions of `others`. Costs milliseconds, whatever the sizes."""
    sets = [members, *(loaded(one.current.members) for one in others if one.current is not None)]
    filled = sorted(((size, mask) for mask, size in _parts(sets)), key=lambda part: (-part[0], part[1]))
    largest = filled[0][0] if filled else 1
    return Overlap(
        names=[group.name, *(one.name for one in others)],
        sizes=[len(one) for one in sets],
        columns=[
            Column(size, max(4, round(1000 * size / largest)), [bool(mask >> bit & 1) for bit in range(len(sets))])
            for size, mask in filled[:COLUMNS]
        ],
        more=max(0, len(filled) - COLUMNS),
    )


def _parts(sets: Sequence[BitMap64]) -> list[tuple[int, int]]:
    """How many are in exactly these sets, for each choice of sets that somebody is in: (mask, size), bit n of the mask
    for the n-th set. The union is split by one set after the other, so that what nobody is in costs nothing, and each
    round walks no more people than there are."""
    *firsts, last = sets
    parts = [(0, BitMap64.union(*sets))]
    for bit, one in enumerate(firsts):
        split = [(mask | 1 << bit, ids & one) for mask, ids in parts]
        rest = [(mask, ids - one) for mask, ids in parts]
        parts = [part for part in (*split, *rest) if part[1]]
    within = [(mask, len(ids), ids.intersection_cardinality(last)) for mask, ids in parts]
    counted = [(mask | 1 << len(firsts), both) for mask, _all, both in within]
    counted += [(mask, everybody - both) for mask, everybody, both in within]
    return [(mask, size) for mask, size in counted if mask and size]


def neighbours(group: UserGroup, definition: Definition) -> list[Cohort]:
    """The cohorts that a group is drawn against: those that it asks about, then the ones lately looked at. A pushed
    cohort's group is that cohort, which says nothing beside it."""
    cohorts = Cohort.objects.filter(project_id=group.project_id, current__isnull=False).select_related("current")
    if group.partner_cohort_id is not None:
        cohorts = cohorts.exclude(pk=group.partner_cohort_id)
    asked = list(cohorts.filter(pk__in=definition.cohorts).order_by("-size")[:OVERLAPPING])
    rest = cohorts.exclude(pk__in=[one.pk for one in asked]).filter(vanished_at=None)
    lately = rest.order_by("-watched_at" if rest.filter(watched_at__isnull=False).exists() else "-size")
    return [*asked, *lately[: OVERLAPPING - len(asked)]]
