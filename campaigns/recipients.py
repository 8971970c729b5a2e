"""Writes down who gets a run: one Recipient a person, with the values that their message needs, as they are now.

What the plan chose is kept in the run before the first row is written, and with every chunk how far it got: a worker
that takes over after a crash goes on with the very same people. The rows are written by the database itself, from
profiles to recipients, so that a million of them never pass through this process. Later refreshes change nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from django.db import connection
from django.db.models import NOT_PROVIDED
from pyroaring import BitMap64

from campaigns.audience import plan_run
from campaigns.funnel import Funnel, step_of
from campaigns.message import content_of
from campaigns.models import Recipient, Run
from campaigns.personalise import used_fields
from cohorts.membership import dumped, loaded
from cohorts.models import Profile
from cohorts.upsert import commit_lazily
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim

AT_ONCE = 20_000
RESERVED = {"$user_id": "external_id", "$email": "email", "$phone_number": "phone"}
"""Fields that mean the person's own columns (`campaigns/personalise.py`)."""


def freeze_into(run: Run, claim: Claim) -> int:
    """Writes the run's recipients, its size and its funnel; how many there are. Goes on where an earlier try stopped.

    The run's state is the caller's to change. Raises NoAudience; LeaseLost."""
    if run.chosen is None:
        _choose(run, claim)
    fields = used_fields(content_of(run.channel, run.message))
    for ids in _chunks(loaded(run.chosen or b""), after=run.frozen_upto):
        reached("before_frozen_chunk")
        with claim.transaction(frozen_upto=ids[-1]):
            commit_lazily()  # What `_settle` commits carries it along.
            _write(run, ids, fields)
            reached("in_frozen_chunk")
        run.frozen_upto = ids[-1]
    return _settle(run, claim)


def _choose(run: Run, claim: Claim) -> None:
    made = plan_run(run)
    run.chosen, run.funnel = dumped(BitMap64(made.chosen)), made.funnel.as_json()
    run.snapshot_id, run.snapshot_number = made.snapshot_id, made.snapshot_number
    with claim.transaction(
        chosen=run.chosen, funnel=run.funnel, snapshot_id=run.snapshot_id, snapshot_number=run.snapshot_number
    ):
        reached("in_choice")
    reached("after_choice")


def _settle(run: Run, claim: Claim) -> int:
    """Counts what was written. Who was chosen and isn't there changed in between: the funnel says so."""
    run.size = Recipient.objects.filter(run=run).count()
    funnel = Funnel.from_json(run.funnel)
    if run.size != funnel.size:
        sent = step_of("sent", run.size, {"changed": funnel.size - run.size})
        run.funnel = Funnel((*funnel.steps[:-1], sent)).as_json()
    with claim.transaction(size=run.size, funnel=run.funnel, chosen=b""):
        reached("in_freeze_settled")
    return run.size


def _chunks(chosen: BitMap64, after: int) -> Iterator[list[int]]:
    at = chosen.rank(after)
    while at < len(chosen):
        yield list(chosen[at : at + AT_ONCE])
        at += AT_ONCE


# -- From profiles to recipients, inside the database -----------------------------------------------------------------
def _write(run: Run, ids: Sequence[int], fields: Sequence[str]) -> None:
    """Of two who have one number by now the first is written; who lost theirs isn't."""
    values, parameters = values_expression(fields)
    own = {"run_id": run.pk, "phone": None, "external_id": None, "profile_id": None, "values": None}
    rest = {name: value for name, value in _blank().items() if name not in own}
    columns = ", ".join(f'"{name}"' for name in (*own, *rest))
    places = ", ".join(["%s"] * len(rest))
    statement = f"""INSERT INTO {Recipient._meta.db_table} ({columns})
        SELECT %s, phone, external_id, id, {values}, {places} FROM {Profile._meta.db_table}
        WHERE id {within(ids)[0]} AND project_id = %s AND phone IS NOT NULL ORDER BY id ON CONFLICT DO NOTHING"""  # noqa: S608
    project = run.project_id if connection.vendor == "postgresql" else run.project_id.hex
    with connection.cursor() as cursor:
        cursor.execute(statement, [run.pk, *parameters, *rest.values(), within(ids)[1], project])


def _blank() -> dict[str, Any]:
    """What a new recipient's other columns hold."""
    fields = [one for one in Recipient._meta.concrete_fields if not one.primary_key and not one.null]
    return {str(one.column): one.get_default() for one in fields if one.default is not NOT_PROVIDED or one.blank}


def within(ids: Sequence[int]) -> tuple[str, Any]:
    """The condition that an id is among `ids`, and its parameter: one, however many there are."""
    if connection.vendor == "postgresql":
        return "= ANY(%s)", list(ids)
    return "IN (SELECT value FROM json_each(%s))", orjson.dumps(list(ids)).decode()


def values_expression(fields: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for `{field: value}` of a profile, and its parameters. A property keeps its JSON type; one that the profile
    hasn't is null or left out."""
    if connection.vendor == "postgresql":
        # The names go in as parameters: they are whatever somebody called a property.
        pairs = ", ".join(f"%s::text, {RESERVED.get(one) or 'properties->(%s::text)'}" for one in fields)
        return f"jsonb_build_object({pairs})", [one for one in fields for _ in range(1 if one in RESERVED else 2)]
    own = [one for one in fields if one in RESERVED]
    others = [one for one in fields if one not in RESERVED]
    pairs = "".join(f"UNION ALL SELECT %s, json_quote({RESERVED[one]}) " for one in own)
    # json_each speaks SQL's types; this speaks JSON's again.
    text = "CASE type WHEN 'object' THEN value WHEN 'array' THEN value WHEN 'text' THEN json_quote(value)"
    text += " WHEN 'integer' THEN value WHEN 'real' THEN json_quote(value) ELSE type END"
    found = f"SELECT key, {text} AS text FROM json_each(properties) WHERE key IN (SELECT value FROM json_each(%s))"  # noqa: S608
    return f"(SELECT json_group_object(key, json(text)) FROM ({found} {pairs}))", [orjson.dumps(others).decode(), *own]  # noqa: S608
