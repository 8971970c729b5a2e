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

from cohorts.conditions import HasProperty, Operator, Type
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
    found: dict[HasProperty, BitMap64] = {one: BitMap64() for one in conditions}
    ordered = list(found)
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        for mask, ids in _ask(project_id, part, among):
            for bit, condition in enumerate(part):
                if mask >> bit & 1:
                    found[condition].update(ids)
    return found


def _ask(project_id: UUID, conditions: Sequence[HasProperty], among: BitMap64 | None) -> list[tuple[int, list[int]]]:
    """Pairs of a mask (bit n: the n-th condition holds) and the ids that it is true of."""
    is_postgres = connection.vendor == "postgresql"
    tests, parameters = [], []
    for condition in conditions:
        sql, values = (_postgres if is_postgres else _sqlite)(condition)
        tests.append(sql)
        parameters += values
    bits = " | ".join(
        f"(CASE WHEN {test} THEN CAST({1 << bit} AS BIGINT) ELSE 0 END)" for bit, test in enumerate(tests)
    )
    where = "project_id = %s"
    narrow: list[Any] = [str(project_id) if is_postgres else project_id.hex]
    if among is not None and len(among) <= FEW:
        where += " AND id = ANY(%s)" if is_postgres else " AND id IN (SELECT value FROM json_each(%s))"
        narrow.append(list(among) if is_postgres else orjson.dumps(list(among)).decode())
    gathered = "array_agg(id)" if is_postgres else "json_group_array(id)"
    statement = (
        f"SELECT mask, {gathered} FROM (SELECT id, {bits} AS mask FROM {TABLE} WHERE {where}) AS seen"  # noqa: S608
        " WHERE mask <> 0 GROUP BY mask"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *narrow])
        rows = cursor.fetchall()
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
        return "lower(properties ->> %s) = %s", [name, value]
    if condition.type == Type.NUMBER:
        # A CASE, since the planner may try a cast before the test that makes it safe.
        sql = (
            f"(CASE WHEN properties ->> %s ~ '{_NUMBER}' AND jsonb_typeof(properties -> %s) IN ('number', 'string')"
            f" THEN (properties ->> %s)::numeric END) {_COMPARE[operator]} %s::numeric"
        )
        return sql, [name, name, name, value]
    if condition.type == Type.LIST:
        within = " OR ".join(["properties -> %s @> %s::jsonb"] * len(_elements(value)))
        sql = f"jsonb_typeof(properties -> %s) = 'array' AND {'NOT ' if operator == Operator.LACKS else ''}({within})"
        return sql, [name, *(part for element in _elements(value) for part in (name, element))]
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
