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


def within(ids: Sequence[int]) -> tuple[str, Any]:
    """The condition that an id is among `ids`, and its parameter: one, however many there are."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", list(ids)
    return "IN (SELECT value FROM json_each(%s))", orjson.dumps(list(ids)).decode()


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


def octets(column: str) -> str:
    """SQL for how many bytes of UTF-8 a text of `texts_of` has; 0 for none."""
    length = f"octet_length({column})" if connection.vendor == "postgresql" else f"length(CAST({column} AS BLOB))"
    return f"coalesce({length}, 0)"
