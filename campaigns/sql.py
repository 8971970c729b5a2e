"""Pieces of SQL about profiles that both databases need in their own words."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from cohorts.models import Profile

PROFILES = Profile._meta.db_table
RESERVED = {"$user_id": "external_id", "$email": "email", "$phone_number": "phone"}
"""Fields that mean the person's own columns (`campaigns/message/personalise.py`)."""


Source = tuple[str, list[Any]]
"""What stands behind FROM, and its parameters."""


def project_profiles(project_id: UUID) -> Source:
    """All profiles of a project."""
    return f"{PROFILES} WHERE project_id = %s", project_parameter(project_id)


def those_profiles(ids: Sequence[int], project_id: UUID) -> Source:
    """A project's profiles with these ids: one parameter, however many there are.

    The project is asked for behind a fence (OFFSET 0): where PostgreSQL has no statistics yet, as after a first import,
    it would go through all of the project with the whole list for each row, 16 s for 5,000 ids."""
    if connection.vendor == "postgresql":
        return _fenced("id = ANY(%s)", [list(ids)], project_id)
    return _fenced("id IN (SELECT value FROM json_each(%s))", [orjson.dumps(list(ids)).decode()], project_id)


def profiles_between(first: int, last: int, project_id: UUID) -> Source:
    """A project's profiles from an id to another, both included."""
    return _fenced("id BETWEEN %s AND %s", [first, last], project_id)


def _fenced(condition: str, parameters: list[Any], project_id: UUID) -> Source:
    fenced = f"(SELECT * FROM {PROFILES} WHERE {condition} LIMIT {2**62} OFFSET 0) AS those WHERE project_id = %s"  # noqa: S608
    return fenced, [*parameters, *project_parameter(project_id)]


def project_parameter(project_id: UUID) -> list[Any]:
    """A project's id as the database's own type has it."""
    return [project_id if connection.vendor == "postgresql" else project_id.hex]


def values_expression(
    fields: Sequence[str], source: str = "properties", reserved: Mapping[str, str] = RESERVED
) -> tuple[str, list[Any]]:
    """SQL for `{field: value}` out of the JSON object `source`, and its parameters; `reserved` fields are columns. A
    value keeps its JSON type; a missing one is null or left out."""
    if connection.vendor == "postgresql":
        # The names go in as parameters: they are whatever somebody called a property.
        pairs = ", ".join(f"%s::text, {reserved.get(one) or f'{source}->(%s::text)'}" for one in fields)
        return f"jsonb_build_object({pairs})", [one for one in fields for _ in range(1 if one in reserved else 2)]
    own = [one for one in fields if one in reserved]
    others = [one for one in fields if one not in reserved]
    columns = "".join(f" UNION ALL SELECT %s, json_quote({reserved[one]})" for one in own)
    # json_each speaks SQL's types; this speaks JSON's again.
    text = "CASE type WHEN 'object' THEN value WHEN 'array' THEN value WHEN 'text' THEN json_quote(value)"
    text += " WHEN 'integer' THEN value WHEN 'real' THEN json_quote(value) ELSE type END"
    found = f"SELECT key, {text} AS text FROM json_each({source}) WHERE key IN (SELECT value FROM json_each(%s))"  # noqa: S608
    return f"(SELECT json_group_object(key, json(text)) FROM ({found}{columns}))", [orjson.dumps(others).decode(), *own]  # noqa: S608


# -- Values as text ---------------------------------------------------------------------------------------------------
HAS, LACKS, DOUBTFUL = 0, 1, 2


def texts_of(fields: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for the columns x0, x1 … with the values of a profile as text (null for none), and its parameters. To be read
    from in a subquery with an OFFSET, so that each is taken out of its row once."""
    is_postgres = connection.vendor == "postgresql"
    each = "CAST((SELECT p.value FROM json_each(properties) AS p WHERE p.key = %s) AS TEXT)"
    own = "properties->>(%s::text)" if is_postgres else each
    found = ", ".join(f"{RESERVED.get(name) or own} AS x{place}" for place, name in enumerate(fields))
    return found, [name for name in fields if name not in RESERVED]


def text_state(column: str) -> str:
    """SQL for whether a text of `texts_of` says something for sure: it begins with a printing ASCII character or a
    Korean syllable. Lists and objects (`[`, `{`) and numbers without end are doubtful."""
    text = f'{column} COLLATE "C"' if connection.vendor == "postgresql" else column
    ascii_ = f"{text} >= '!' AND {text} < '\x7f' AND {text} NOT LIKE '[%%' AND {text} NOT LIKE '{{%%'"
    short = f"({text} >= ':' OR (length({column}) <= 30 AND {column} NOT LIKE '%%e+%%'))"
    sure = f"({ascii_} AND {short}) OR ({text} >= '가' AND {text} < '힤')"
    return (
        f"(CASE WHEN {column} IS NULL OR {column} = '' THEN CAST({LACKS} AS BIGINT)"
        f" WHEN {sure} THEN {HAS} ELSE {DOUBTFUL} END)"
    )


_TEXT = "CAST('text' AS TEXT)"


def types_of(fields: Sequence[str]) -> Source:
    """SQL for the columns t0, t1 … with the JSON types of the same values, as each database names them."""
    is_postgres = connection.vendor == "postgresql"
    each = "(SELECT p.type FROM json_each(properties) AS p WHERE p.key = %s)"
    own = "jsonb_typeof(properties->(%s::text))" if is_postgres else each
    found = ", ".join(f"{_TEXT if name in RESERVED else own} AS t{place}" for place, name in enumerate(fields))
    return found, [name for name in fields if name not in RESERVED]


LONGEST_APART = 64
"""Bytes; a longer value stands as its digest, so that no sorting carries whole texts about."""


def alike(place: int, *, is_linked: bool) -> str:
    """SQL for what of the value in x0, t0 … can make a difference to a message (`campaigns/audience/measure.py`):
    nothing for none, lengths of a plain one, else the value itself. `is_linked`: it goes into a link."""
    x, t = f"x{place}", f"t{place}"
    is_postgres = connection.vendor == "postgresql"
    odd = "[^A-Za-z0-9_.~가-힣-]" if is_linked else "[^ -~가-힣]"
    no_odd = f"{x} COLLATE \"C\" !~ '{odd}'" if is_postgres else f"{x} NOT GLOB '*{odd}*'"
    edges = f"{x} NOT LIKE ' %%' AND {x} NOT LIKE '%% '"
    number = f"{t} IN ('number', 'integer') AND length({x}) <= 30 AND {x} NOT LIKE '%%.%%'"
    whole = f"{t}||':'||{x}"
    if is_postgres:
        whole = f"CASE WHEN octet_length({x}) > {LONGEST_APART} THEN {t}||'#'||md5({x}) ELSE {whole} END"
    octets = f"octet_length({x})" if is_postgres else f"length(CAST({x} AS BLOB))"
    lengths = f"{octets}||','||length({x})||CASE WHEN {x} LIKE '%% %%' THEN ' ' ELSE '' END"
    return (
        f"(CASE WHEN {x} IS NULL OR {x} = '' THEN ''"
        f" WHEN {no_odd} AND {edges} AND ({t} IN ('string', 'text') OR {number}) THEN {lengths} ELSE {whole} END)"
    )
