"""Property conditions as one question to the database: who has which of them, in one walk over the project's people.

Both databases answer alike: JSON null is missing, what is missing or of another type matches no comparison (not even a
"not"), texts that are numbers count as numbers, numbers and booleans count as their text.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from pyroaring import BitMap64

from cohorts.groups.conditions import HasProperty, Operator, Type
from cohorts.models import Profile

TABLE = Profile._meta.db_table
AT_ONCE = 60
"""Conditions in one walk; their results are bits of one number."""
FEW = 20_000
"""So many candidates are looked up by id; more, and all people are walked."""
_COMPARE = {
    Operator.EQUALS: "=",
    Operator.DIFFERS: "<>",
    Operator.AT_LEAST: ">=",
    Operator.AT_MOST: "<=",
    Operator.MORE: ">",
    Operator.LESS: "<",
}
_NUMBER = r"^\s*[+-]?[0-9]{1,18}(\.[0-9]{1,18})?\s*$"


def having(
    project_id: UUID, conditions: Sequence[HasProperty], among: BitMap64 | None = None
) -> dict[HasProperty, BitMap64]:
    """For each condition, the profiles that match it; only those of `among`, where it is given and small enough that
    looking them up is quicker (then, and only then, others may be left out)."""
    if len(set(conditions)) == 1:
        return {conditions[0]: having_all(project_id, conditions, among)}
    found: dict[HasProperty, BitMap64] = {one: BitMap64() for one in conditions}
    ordered = list(found)
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        for mask, ids in _ask(project_id, part, among):
            for bit, condition in enumerate(part):
                if mask >> bit & 1:
                    found[condition].update(ids)
    return found


def having_all(project_id: UUID, conditions: Sequence[HasProperty], among: BitMap64 | None = None) -> BitMap64:
    """The profiles that match all of the conditions. Whoever fails one isn't asked about the others, so that this is
    the quicker question where it is the question."""
    test, parameters = _tests(conditions)
    source, narrow = _source(project_id, among)
    gathered = "array_agg(id)" if connection.vendor == "postgresql" else "json_group_array(id)"
    statement = f"SELECT {gathered} FROM {source} AND {' AND '.join(f'({one})' for one in test)}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*narrow, *parameters])
        (ids,) = cursor.fetchone()
    return BitMap64(ids if connection.vendor == "postgresql" else orjson.loads(ids)) if ids else BitMap64()


def _tests(conditions: Sequence[HasProperty]) -> tuple[list[str], list[Any]]:
    tests, parameters = [], []
    for condition in conditions:
        sql, values = (_postgres if connection.vendor == "postgresql" else _sqlite)(condition)
        tests.append(sql)
        parameters += values
    return tests, parameters


def _source(project_id: UUID, among: BitMap64 | None) -> tuple[str, list[Any]]:
    """What stands behind FROM, down to a condition. Few people are looked up behind a fence (OFFSET 0): where
    PostgreSQL has no statistics yet it would go through all of the project with the whole list for each row."""
    is_postgres = connection.vendor == "postgresql"
    project = str(project_id) if is_postgres else project_id.hex
    if among is None or len(among) > FEW:
        return f"{TABLE} WHERE project_id = %s", [project]
    ids = list(among)
    test, those = ("= ANY(%s)", ids) if is_postgres else ("IN (SELECT value FROM json_each(%s))", _json(ids))
    fenced = f"(SELECT * FROM {TABLE} WHERE id {test} LIMIT {2**62} OFFSET 0) AS those"  # noqa: S608
    return f"{fenced} WHERE project_id = %s", [those, project]


def _json(ids: list[int]) -> str:
    return orjson.dumps(ids).decode()


def _ask(project_id: UUID, conditions: Sequence[HasProperty], among: BitMap64 | None) -> list[tuple[int, list[int]]]:
    """Pairs of a mask (bit n: the n-th condition holds) and the ids that it is true of."""
    is_postgres = connection.vendor == "postgresql"
    tests, parameters = _tests(conditions)
    bits = " | ".join(
        f"(CASE WHEN {test} THEN CAST({1 << bit} AS BIGINT) ELSE 0 END)" for bit, test in enumerate(tests)
    )
    source, narrow = _source(project_id, among)
    gathered = "array_agg(id)" if is_postgres else "json_group_array(id)"
    # Those who match nothing are let pass too: to leave them out, the database would reckon each mask twice.
    statement = f"SELECT {bits} AS mask, {gathered} FROM {source} GROUP BY 1"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *narrow])
        rows = [(mask, ids) for mask, ids in cursor.fetchall() if mask]
    return rows if is_postgres else [(mask, orjson.loads(ids)) for mask, ids in rows]


# -- PostgreSQL -------------------------------------------------------------------------------------------------------
def _postgres(condition: HasProperty) -> tuple[str, list[Any]]:
    """A test that is true, false or null, with its parameters."""
    name, operator, value = condition.name, condition.operator, condition.value
    if operator == Operator.EXISTS:
        return "properties ->> %s IS NOT NULL", [name]
    if operator == Operator.MISSING:
        return "properties ->> %s IS NULL", [name]
    if condition.type == Type.BOOLEAN:
        # What is a boolean already needn't become a text first.
        sql = (
            "CASE properties -> %s WHEN 'true'::jsonb THEN %s = 'true' WHEN 'false'::jsonb THEN %s = 'false'"
            " ELSE lower(properties ->> %s) = %s END"
        )
        return sql, [name, value, value, name, value]
    if condition.type == Type.NUMBER:
        # A CASE, since the planner may try a cast before the test that makes it safe.
        sql = (
            "(CASE jsonb_typeof(properties -> %s) WHEN 'number' THEN (properties -> %s)::numeric WHEN 'string' THEN"
            f" (CASE WHEN properties ->> %s ~ '{_NUMBER}' THEN (properties ->> %s)::numeric END) END)"
            f" {_COMPARE[operator]} %s::numeric"
        )
        return sql, [name, name, name, name, value]
    if condition.type == Type.LIST:
        within = " OR ".join(["properties -> %s @> %s::jsonb"] * len(_elements(value)))
        sql = f"jsonb_typeof(properties -> %s) = 'array' AND {'NOT ' if operator == Operator.LACKS else ''}({within})"
        return sql, [name, *(part for element in _elements(value) for part in (name, element))]
    if operator == Operator.EQUALS and not _reads_like_another_type(value):
        return "properties -> %s = %s::jsonb", [name, orjson.dumps(value).decode()]
    scalar = "jsonb_typeof(properties -> %s) NOT IN ('array', 'object')"
    text = {
        Operator.EQUALS: "properties ->> %s = %s",
        Operator.DIFFERS: "properties ->> %s <> %s",
        Operator.CONTAINS: "position(lower(%s) IN lower(properties ->> %s)) > 0",
        Operator.LACKS: "position(lower(%s) IN lower(properties ->> %s)) = 0",
        Operator.BEGINS: "starts_with(lower(properties ->> %s), lower(%s))",
    }[operator]
    pair = [value, name] if operator in (Operator.CONTAINS, Operator.LACKS) else [name, value]
    return f"{scalar} AND {text}", [name, *pair]


def _reads_like_another_type(value: str) -> bool:
    """Whether a number or a boolean may read like this text."""
    return value in ("true", "false") or (bool(value) and value[0] in "-0123456789")


def _elements(value: str) -> list[str]:
    """What an element of a list may be that reads like `value`, as JSON arrays of one."""
    found = [orjson.dumps([value]).decode()]
    if value in ("true", "false"):
        found.append(f"[{value}]")
    try:
        number = orjson.loads(value)
    except orjson.JSONDecodeError:
        return found
    if isinstance(number, int | float) and not isinstance(number, bool):
        found.append(f"[{value}]")
    return found


# -- SQLite -----------------------------------------------------------------------------------------------------------
def _sqlite(condition: HasProperty) -> tuple[str, list[Any]]:
    """As `_postgres`. `json_each` finds a property whatever its name is; a path would trip over quotation marks."""
    name, operator, value = condition.name, condition.operator, condition.value
    if operator in (Operator.EXISTS, Operator.MISSING):
        there = "EXISTS (SELECT 1 FROM json_each(properties) AS p WHERE p.key = %s AND p.type <> 'null')"
        return f"{'NOT ' if operator == Operator.MISSING else ''}{there}", [name]
    test, values = _sqlite_test(condition.type, operator, value)
    return f"EXISTS (SELECT 1 FROM json_each(properties) AS p WHERE p.key = %s AND {test})", [name, *values]  # noqa: S608


_SQLITE_TEXT = (
    "(CASE p.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'integer' THEN CAST(p.value AS TEXT)"
    " WHEN 'real' THEN CAST(p.value AS TEXT) WHEN 'text' THEN p.value END)"
)
# Digits and at most one point among them, as _NUMBER has it for PostgreSQL.
_SQLITE_IS_NUMBER = (
    "(p.type IN ('integer', 'real') OR (p.type = 'text' AND length(trim(p.value)) < 38"
    " AND length(trim(p.value)) - length(ltrim(trim(p.value), '+-')) < 2"
    " AND ltrim(trim(p.value), '+-') GLOB '[0-9]*' AND trim(p.value) GLOB '*[0-9]'"
    " AND ltrim(trim(p.value), '+-') NOT GLOB '*[^0-9.]*'"
    " AND length(p.value) - length(replace(p.value, '.', '')) < 2))"
)


def _sqlite_test(type_: Type, operator: Operator, value: str) -> tuple[str, list[Any]]:
    if type_ == Type.BOOLEAN:
        return f"lower({_SQLITE_TEXT}) = %s", [value]
    if type_ == Type.NUMBER:
        return f"{_SQLITE_IS_NUMBER} AND CAST(p.value AS REAL) {_COMPARE[operator]} CAST(%s AS REAL)", [value]
    if type_ == Type.LIST:
        element = _SQLITE_TEXT.replace("p.", "e.")
        there = f"EXISTS (SELECT 1 FROM json_each(p.value) AS e WHERE {element} = %s)"  # noqa: S608
        return f"p.type = 'array' AND {'NOT ' if operator == Operator.LACKS else ''}{there}", [value]
    tests = {
        Operator.EQUALS: f"{_SQLITE_TEXT} = %s",
        Operator.DIFFERS: f"{_SQLITE_TEXT} <> %s",
        Operator.CONTAINS: f"instr(lower({_SQLITE_TEXT}), lower(%s)) > 0",
        Operator.LACKS: f"instr(lower({_SQLITE_TEXT}), lower(%s)) = 0",
        Operator.BEGINS: f"instr(lower({_SQLITE_TEXT}), lower(%s)) = 1",
    }
    return tests[operator], [value]


def names_of(project_id: UUID, among: Sequence[int]) -> list[str]:
    """The property names that these profiles have, the most frequent first: what a builder offers."""
    counts: dict[str, int] = {}
    for properties in Profile.objects.filter(project_id=project_id, pk__in=among).values_list("properties", flat=True):
        for name in properties:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))
