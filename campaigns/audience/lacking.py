"""Who has no value for a variable that the message doesn't go without ("skip who has none").

Most people are settled by the database: what begins with a letter or digit is a value, what is missing or empty is
none. The rest (blanks, emojis, lists, objects, odd characters) are settled by the renderer itself, so that the funnel
says what sending will do.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone
from pyroaring import BitMap64

from campaigns.audience.funnel import NO_VALUE
from campaigns.audience.uploads import rows_at
from campaigns.message.content import AlimtalkContent, Content
from campaigns.message.personalise import BadVariable, slots_of, used_fields
from campaigns.message.render import Left, Renderer, renderer
from campaigns.message.values import as_text
from campaigns.models import SkipReason, Upload
from campaigns.rules import rules_of
from campaigns.sql import LACKS, project_profiles, text_state, texts_of, those_profiles, values_expression
from notifly_console.tenancy.models import Project

FEW = 20_000
"""So many people are looked up by id at a time."""
MANY = 10 * FEW
"""Of more than so many, all of the project's people are walked instead."""
MOST_FIELDS = 30
NOBODY: dict[str, BitMap64] = {}


def needed_fields(content: Content) -> tuple[str, ...]:
    """Fields without which somebody is left out, sorted. A text that can't be read needs nothing."""
    found = {slot.field for text in _texts(content) for slot in slots_of(text) if not slot.default}
    return tuple(sorted(found))[:MOST_FIELDS]


def _texts(content: Content) -> Iterator[str]:
    if isinstance(content, AlimtalkContent):
        yield from (one.text for one in content.variables if one.skips_missing)
    elif content.skips_missing:
        yield from (text for name, text in content.texts() if not name.startswith("fallback"))


def people_lacking(project: Project, people: BitMap64, content: Content) -> dict[str, BitMap64]:
    """Of these profiles those whom `content` leaves out for a missing value, by reason. One statement, and another for
    the doubtful."""
    fields = needed_fields(content)
    ready = _renderer(content, project) if fields and people else None
    if ready is None:
        return NOBODY
    found: defaultdict[str, BitMap64] = defaultdict(BitMap64)
    doubtful = BitMap64()
    for mask, ids in chain.from_iterable(_ask(project.pk, fields, some) for some in _parts(people)):
        states = [mask >> 2 * place & 3 for place in range(len(fields))]
        if LACKS in states:
            found[NO_VALUE + fields[states.index(LACKS)]] |= people & BitMap64(ids)
        else:
            doubtful |= people & BitMap64(ids)
    now = timezone.now()
    for id_, values in values_of(project.pk, used_fields(content), doubtful):
        if reason := _reason(ready, fields, values, now):
            found[reason].add(id_)
    return dict(found)


def rows_lacking(upload: Upload, places: BitMap64, content: Content) -> dict[str, BitMap64]:
    """The same of a file's rows."""
    fields = needed_fields(content)
    ready = _renderer(content, upload.project) if fields else None
    if ready is None:
        return NOBODY
    found: defaultdict[str, list[int]] = defaultdict(list)
    now = timezone.now()
    for row in rows_at(upload, places):
        is_sure = all(says_something(row.values.get(one, "")) for one in fields)
        if not is_sure and (reason := _reason(ready, fields, row.values, now)):
            found[reason].append(row.place)
    return {reason: BitMap64(those) for reason, those in found.items()}


def says_something(text: str) -> bool:
    """Whether a text begins with what every channel carries (as `sql.text_state` has it)."""
    return "!" <= text < "\x7f" or "가" <= text < "힤"


def _renderer(content: Content, project: Project) -> Renderer | None:
    try:
        return renderer(content, rules_of(project))
    except BadVariable:
        return None


def _reason(ready: Renderer, fields: Sequence[str], values: Mapping[str, Any], now: datetime) -> str:
    """Why the person with these values is left out; "" if they aren't, or for something else."""
    rendered = ready.render(values, now)
    if not isinstance(rendered, Left) or rendered.reason != SkipReason.NO_VALUE:
        return ""
    return NO_VALUE + next((one for one in fields if not says_something(as_text(values.get(one)))), fields[0])


def _parts(people: BitMap64) -> Iterator[BitMap64]:
    if len(people) > MANY:
        yield people
        return
    for start in range(0, len(people), FEW):
        yield people[start : start + FEW]


# -- Asking the database ----------------------------------------------------------------------------------------------
def _ask(project_id: UUID, fields: Sequence[str], people: BitMap64) -> Iterable[tuple[int, Sequence[int]]]:
    """Pairs of the fields' states, two bits each, and the ids that have them; without those who have everything."""
    is_postgres = connection.vendor == "postgresql"
    texts, parameters = texts_of(fields)
    mask = " | ".join(f"({text_state(f'x{place}')} << {2 * place})" for place in range(len(fields)))
    source, narrow = project_profiles(project_id) if len(people) > MANY else those_profiles(list(people), project_id)
    gathered = "array_agg(id)" if is_postgres else "json_group_array(id)"
    # OFFSET 0: each property is taken out of its row once.
    statement = f"""SELECT mask, {gathered} FROM (SELECT id, {mask} AS mask FROM (
        SELECT id, {texts} FROM {source} LIMIT {2**62} OFFSET 0) AS taken) AS seen
        WHERE mask <> 0 GROUP BY mask"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *narrow])
        rows: list[tuple[int, Any]] = cursor.fetchall()
    return rows if is_postgres else [(found, orjson.loads(ids)) for found, ids in rows]


def values_of(project_id: UUID, fields: Sequence[str], ids: BitMap64) -> Iterator[tuple[int, dict[str, Any]]]:
    """The values of these profiles for `fields`, in the order of their ids."""
    expression, parameters = values_expression(fields)
    for start in range(0, len(ids), FEW):
        source, narrow = those_profiles(list(ids[start : start + FEW]), project_id)
        statement = f"SELECT id, {expression} FROM {source} ORDER BY id"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, *narrow])
            for id_, values in cursor.fetchall():
                yield id_, json.loads(values) if isinstance(values, str | bytes) else values
