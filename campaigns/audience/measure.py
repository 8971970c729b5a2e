"""What an audience makes of a message: how many go out as what kind, who gets nothing and why, whose is the longest.

Exact, without rendering a million messages. A value of printable ASCII and whole Korean syllables (a *plain* one) makes
a difference by nothing but how long it is and whether it has a space: whoever's values are alike in that gets a message
of the same kind and length, and one of each sort is rendered. Every other value (a list, a number with a point, an
emoji, a character that carriers lack) is a sort of its own. The database does the sorting; for a file it is done here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.core.cache import caches
from django.db import connection
from pyroaring import BitMap64

from campaigns.audience.funnel import Plan
from campaigns.audience.lacking import values_of
from campaigns.audience.uploads import rows_at
from campaigns.message.check import Content
from campaigns.message.content import FriendtalkContent
from campaigns.message.marks import SenderRules
from campaigns.message.personalise import slots_of, used_fields
from campaigns.message.render import Worst, worst
from campaigns.models import AudienceKind, Upload
from campaigns.sql import alike, profiles_between, texts_of, those_profiles, types_of

AT_ONCE = 50_000
MOST_SORTS = 100_000
"""So many are kept apart at a time: where nearly everybody is a sort of their own, memory stays bounded."""
MANY = 20_000
"""What the database says of so many people is kept for a minute: a page, its counters and the launch ask once."""
KEPT_SECONDS = 60
KEPT_SORTS = 5_000


class Sort(NamedTuple):
    """People whose messages are of one kind and length, and the values of one of them."""

    people: BitMap64
    values: Mapping[str, Any]


def measure(content: Content, rules: SenderRules, plan: Plan) -> Worst:
    """The message for everybody whom `plan` chose; ids are those of `plan.chosen`. Raises BadVariable."""
    behind: dict[int, BitMap64] = {}

    def rows() -> Iterator[tuple[int, Mapping[str, Any], int]]:
        for sort in sorts_of(content, plan):
            first = sort.people.min()
            behind[first] = sort.people
            yield first, sort.values, len(sort.people)

    return _with_everybody(worst(content, rules, rows()), behind)


def _with_everybody(found: Worst, behind: Mapping[int, BitMap64]) -> Worst:
    """Whoever was rendered stands for all of their sort."""
    ids = {key: BitMap64.union(*map(behind.__getitem__, firsts)) for key, firsts in found.ids.items()}
    return replace(found, ids=ids, fallback=_with_everybody(found.fallback, behind) if found.fallback else None)


def sorts_of(content: Content, plan: Plan) -> Iterable[Sort]:
    """Everybody whom `plan` chose, each in one sort."""
    fields = used_fields(content)
    if not plan.chosen:
        return ()
    if not fields:
        return (Sort(plan.chosen, {}),)
    linked = _linked(content)
    if len(plan.chosen) < MANY:
        return _sorts(plan, fields, linked)
    key = _key(plan, fields, linked)
    kept: Sequence[Sort] | None = caches["drawn"].get(key)
    if kept is None:
        kept = list(_sorts(plan, fields, linked))
        if len(kept) <= KEPT_SORTS:
            caches["drawn"].set(key, kept, timeout=KEPT_SECONDS)
    return kept


def is_known(content: Content, plan: Plan) -> bool:
    """Whether measuring takes no time to speak of: few people, the same for everybody, or asked just now."""
    fields = used_fields(content)
    if len(plan.chosen) < MANY or not fields:
        return True
    return _key(plan, fields, _linked(content)) in caches["drawn"]


def _key(plan: Plan, fields: Sequence[str], linked: frozenset[str]) -> str:
    whom = sha256(plan.chosen.serialize()).hexdigest()
    what = sha256(orjson.dumps([plan.kind, plan.upload_id, fields, sorted(linked)])).hexdigest()
    return f"sorts:{plan.project_id}:{what}:{whom}"


def _linked(content: Content) -> frozenset[str]:
    """Fields that go into a link, where a sign may take three times its place."""
    if not isinstance(content, FriendtalkContent):
        return frozenset()
    found: set[str] = set()
    for button in content.buttons:
        for url in (button.mobile_url, button.pc_url):
            found.update(slot.field for slot in slots_of(url))
    return frozenset(found)


def _sorts(plan: Plan, fields: Sequence[str], linked: frozenset[str]) -> Iterator[Sort]:
    if plan.kind == AudienceKind.CSV:
        return _of_file(plan, fields, linked)
    return _of_profiles(plan, fields, linked)


# -- People -----------------------------------------------------------------------------------------------------------
def _of_profiles(plan: Plan, fields: Sequence[str], linked: frozenset[str]) -> Iterator[Sort]:
    found: dict[Any, BitMap64] = {}
    for start in range(0, len(plan.chosen), AT_ONCE):
        for sort, people in _ask(plan, plan.chosen[start : start + AT_ONCE], fields, linked):
            if sort in found:
                found[sort] |= people
            else:
                found[sort] = people
        if len(found) > MOST_SORTS:
            yield from _with_values(plan.project_id, fields, found.values())
            found = {}
    yield from _with_values(plan.project_id, fields, found.values())


def _ask(
    plan: Plan, some: BitMap64, fields: Sequence[str], linked: frozenset[str]
) -> Iterator[tuple[tuple[Any, ...], BitMap64]]:
    """Pairs of what the values of people are like, and who they are."""
    first, last = some.min(), some.max()
    is_dense = last - first < 2 * len(some)
    source, narrow = (
        profiles_between(first, last, plan.project_id) if is_dense else those_profiles(list(some), plan.project_id)
    )
    texts, names = texts_of(fields)
    types, other_names = types_of(fields)
    columns = ", ".join(f"s{place}" for place in range(len(fields)))
    sorts = ", ".join(f"{alike(place, is_linked=name in linked)} AS s{place}" for place, name in enumerate(fields))
    is_postgres = connection.vendor == "postgresql"
    gathered = "array_agg(id)" if is_postgres else "json_group_array(id)"
    statement = f"""SELECT {gathered}, {columns} FROM (SELECT id, {sorts} FROM (
        SELECT id, {texts}, {types} FROM {source} LIMIT {2**62} OFFSET 0) AS taken) AS seen GROUP BY {columns}"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*names, *other_names, *narrow])
        for ids, *sort in cursor.fetchall():
            people = some & BitMap64(ids if is_postgres else orjson.loads(ids))
            if people:
                yield tuple(sort), people


def _with_values(project_id: UUID, fields: Sequence[str], found: Iterable[BitMap64]) -> Iterator[Sort]:
    by_first = {people.min(): people for people in found}
    for id_, values in values_of(project_id, fields, BitMap64(by_first)):
        yield Sort(by_first[id_], values)


# -- Rows of a file ---------------------------------------------------------------------------------------------------
_PLAIN: Callable[[str], Any] = re.compile("[!-~가-힣](?:[ -~가-힣]*[!-~가-힣])?").fullmatch
_PLAIN_IN_LINK: Callable[[str], Any] = re.compile("[A-Za-z0-9_.~가-힣-]+").fullmatch


def _of_file(plan: Plan, fields: Sequence[str], linked: frozenset[str]) -> Iterator[Sort]:
    assert plan.upload_id
    rules = [(name, _PLAIN_IN_LINK if name in linked else _PLAIN) for name in fields]
    found: dict[Any, tuple[list[int], Mapping[str, Any]]] = {}
    for row in rows_at(Upload.objects.get(pk=plan.upload_id), plan.chosen):
        sort = tuple([_like(row.values.get(name, ""), is_plain) for name, is_plain in rules])
        if sort in found:
            found[sort][0].append(row.place)
            continue
        if len(found) >= MOST_SORTS:
            yield from (Sort(BitMap64(places), values) for places, values in found.values())
            found = {}
        found[sort] = [row.place], {name: row.values.get(name) for name in fields}
    yield from (Sort(BitMap64(places), values) for places, values in found.values())


def _like(text: str, is_plain: Callable[[str], Any]) -> Any:
    return (len(text), len(text.encode()), " " in text) if is_plain(text) else text
