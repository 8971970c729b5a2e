"""The states of recipients, batches and runs, and the arrows between them: forward only, and the database itself
refuses any other (`docs/sending.md` draws them).

People are moved by the batch, one statement each. Every statement names the state that it moves from, and the batch
that holds them: what a worker without the lease, a doubled message or a late report would do changes no row.
"""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection, connections
from django.db.models import Model
from django.db.models.functions import Now

from campaigns.models import Batch, BatchState, Recipient, RecipientState, Run, RunState, SkipReason
from cohorts.models import Profile
from integrations.messaging import Outcome, Reason, Refusal

R, B, S = RecipientState, BatchState, RunState

RECIPIENT: Mapping[str, tuple[str, ...]] = {
    # Refused: a test that the set-up doesn't let out. Unknown: the database is a backup's; who knows what went since?
    R.PENDING: (R.CLAIMED, R.SKIPPED, R.REFUSED, R.UNKNOWN),
    R.CLAIMED: (R.PENDING, R.SKIPPED, R.REFUSED, R.ACCEPTED, R.UNKNOWN),
    R.UNKNOWN: (R.PENDING, R.ACCEPTED, R.DELIVERED, R.FAILED),
    R.ACCEPTED: (R.DELIVERED, R.FAILED, R.UNKNOWN),
    R.FAILED: (R.DELIVERED, R.PENDING),  # pending: the fallback text, once
}
BATCH: Mapping[str, tuple[str, ...]] = {
    B.CLAIMED: (B.TRIED, B.RETURNED),
    B.TRIED: (B.SENT, B.RETURNED, B.UNKNOWN),
    B.UNKNOWN: (B.SENT, B.RETURNED, B.CLOSED),
    B.SENT: (B.CLOSED,),
}
RUN: Mapping[str, tuple[str, ...]] = {
    S.QUEUED: (S.FREEZING, S.SKIPPED, S.CANCELLED),
    S.FREEZING: (S.SENDING, S.SKIPPED, S.CANCELLED),
    S.SENDING: (S.DONE, S.CANCELLED),
}


# -- The database's own guard -----------------------------------------------------------------------------------------
def guards(vendor: str) -> list[str]:
    """The statements that make the database refuse every other arrow. May be run again."""
    return [statement for model, broken in _BROKEN.items() for statement in _guard(vendor, model, broken)]


def _allowed(arrows: Mapping[str, tuple[str, ...]]) -> str:
    pairs = [f"'{old}>{new}'" for old, all_new in arrows.items() for new in all_new]
    return f"(OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({', '.join(pairs)}))"


# A forbidden change, for each table. Kept to plain comparisons: they are evaluated for every row that is updated.
_BROKEN: Mapping[type[Model], str] = {
    Recipient: f"""{_allowed(RECIPIENT)}
        OR (OLD.was_replaced AND NOT NEW.was_replaced)
        OR (OLD.state = 'failed' AND NEW.state = 'pending' AND (OLD.was_replaced OR NOT NEW.was_replaced))
        OR (OLD.state = 'unknown' AND NEW.state = 'pending' AND OLD.settled_at IS NOT NULL)""",
    Batch: f"""{_allowed(BATCH)}
        OR (OLD.tried_at IS NOT NULL AND (NEW.tried_at IS NULL OR NEW.tried_at <> OLD.tried_at))
        OR NEW.fence < OLD.fence""",
    Run: f"{_allowed(RUN)} OR NEW.fence < OLD.fence",
}


def _guard(vendor: str, model: type[Model], broken: str) -> list[str]:
    table = model._meta.db_table
    name = f"{table}_arrows"
    drop = f"DROP TRIGGER IF EXISTS {name}"
    if vendor == "sqlite":
        return [
            drop,
            f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} WHEN {broken} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: there is no such arrow'); END",
        ]
    return [
        f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{table}: there is no arrow from % to %', OLD.state, NEW.state
                USING ERRCODE = 'check_violation';
        END $$""",
        f"{drop} ON {table}",
        f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({broken}) EXECUTE FUNCTION {name}()",
    ]


def install(using: str = "default", **_kwargs: Any) -> None:
    """Puts the guards into the database. Done after every `migrate`, not in one migration: SQLite drops a table's
    triggers whenever it alters the table, and the arrows belong to the code that walks them."""
    with connections[using].cursor() as cursor:
        for statement in guards(connections[using].vendor):
            cursor.execute(statement)


# -- Out of the waiting ------------------------------------------------------------------------------------------------
class Taken(NamedTuple):
    """A recipient in a worker's hand."""

    id: int
    profile_id: int | None
    external_id: str
    phone: str
    values: dict[str, str]
    was_replaced: bool
    """The fallback text is what is to be sent to them."""


_TABLE = Recipient._meta.db_table
_PROFILES = Profile._meta.db_table


def claim(batch_id: UUID, run_id: int, *, most: int, after: int = 0, only_night: bool = False) -> list[Taken]:
    """Moves up to `most` of the run's waiting people (whose id is above `after`) into the batch; the people, in order
    of their ids. With `only_night` only those whose profile agreed to advertising at night. To be called in the
    transaction that makes the batch. Several workers at the same time take different people."""
    night = f"AND profile_id IN (SELECT id FROM {_PROFILES} WHERE night_consent)" if only_night else ""  # noqa: S608
    lock = "FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    rows = _execute(
        f"""WITH taken AS MATERIALIZED (
            SELECT id FROM {_TABLE} WHERE run_id = %s AND state = 'pending' AND id > %s {night}
            ORDER BY id LIMIT %s {lock})
        UPDATE {_TABLE} SET state = 'claimed', batch_id = %s WHERE id IN (SELECT id FROM taken)
        RETURNING id, profile_id, external_id, phone, "values", was_replaced""",  # noqa: S608
        [run_id, after, most, _uuid(batch_id)],
        fetch=True,
    )
    people = [Taken._make([*row[:4], _json(row[4]), bool(row[5])]) for row in rows]
    return sorted(people, key=itemgetter(0))


def skip(batch_id: UUID, left: Mapping[int, SkipReason]) -> None:
    """Leaves these people out: they are claimed by the batch, and something came up."""
    _each(
        batch_id,
        "state = 'skipped', reason = v.reason, settled_at = {now}",
        [{"id": id_, "reason": reason.value} for id_, reason in left.items()],
        {"reason": "text"},
        moving="'claimed'",
    )


def refuse(batch_id: UUID, refusals: Mapping[int, Refusal]) -> None:
    """Notes whom the provider would not take at once."""
    rows = [{"id": id_, "reason": _reason(one.verdict.reason), "code": one.code[:16]} for id_, one in refusals.items()]
    _each(
        batch_id,
        "state = 'refused', reason = v.reason, code = v.code, settled_at = {now}",
        rows,
        {"reason": "text", "code": "text"},
        moving="'claimed'",
    )


def accept(batch_id: UUID, people: Mapping[int, tuple[str, str]]) -> int:
    """The provider has these: {id: (message id, kind of message)}. How many rows changed."""
    rows = [{"id": id_, "message_id": message_id[:64], "kind": kind} for id_, (message_id, kind) in people.items()]
    return _each(
        batch_id,
        "state = 'accepted', message_id = v.message_id, kind = v.kind, handed_at = {now}",
        rows,
        {"message_id": "text", "kind": "text"},
        moving="'claimed'",
    )


def lose(batch_id: UUID, kinds: Mapping[int, str] | None = None) -> int:
    """Nobody can tell whether the provider took the batch's people. `kinds` of their messages, where they are known."""
    if kinds:
        rows = [{"id": id_, "kind": kind} for id_, kind in kinds.items()]
        return _each(
            batch_id,
            "state = 'unknown', kind = v.kind, handed_at = {now}",
            rows,
            {"kind": "text"},
            moving="'claimed'",
        )
    held = Recipient.objects.filter(batch_id=batch_id, state=R.CLAIMED)
    return held.update(state=R.UNKNOWN, handed_at=Now())


def find(batch_id: UUID) -> int:
    """The provider does have the people that nobody was sure about."""
    return Recipient.objects.filter(batch_id=batch_id, state=R.UNKNOWN, settled_at=None).update(state=R.ACCEPTED)


def give_back(batch_id: UUID) -> int:
    """The batch's people wait again: provably nobody of them was or will be sent to by it."""
    held = Recipient.objects.filter(batch_id=batch_id, state__in=[R.CLAIMED, R.UNKNOWN], settled_at=None)
    return held.update(state=R.PENDING, batch=None, handed_at=None)


def cancel(run_id: int, most: int) -> int:
    """Leaves out up to `most` of those who still wait. How many."""
    waiting = Recipient.objects.filter(run_id=run_id, state=R.PENDING).order_by("id").values("id")[:most]
    return Recipient.objects.filter(id__in=waiting, state=R.PENDING).update(
        state=R.SKIPPED, reason=SkipReason.CANCELLED, settled_at=Now()
    )


# -- What became of them -----------------------------------------------------------------------------------------------
class Known(NamedTuple):
    """What is known of a recipient by a report."""

    id: int
    outcome: Outcome
    reason: str
    code: str
    message_id: str
    is_transient: bool
    was_replaced: bool
    replaced_by: str = ""
    """The kind of the text that went out instead, where it is known."""


def report(batch_id: UUID, known: Sequence[Known]) -> int:
    """Writes what reports say, forward only: whoever is delivered stays so, whoever failed may yet turn out delivered.
    How many rows changed; the same reports again change none."""
    rows = [
        {
            "id": one.id,
            "state": R.DELIVERED.value if one.outcome == Outcome.DELIVERED else R.FAILED.value,
            "reason": "" if one.outcome == Outcome.DELIVERED else one.reason,
            "code": one.code[:16],
            "message_id": one.message_id[:64],
            "is_transient": one.is_transient,
            "was_replaced": one.was_replaced,
            "kind": one.replaced_by if one.was_replaced else "",
        }
        for one in known
        if one.outcome in (Outcome.DELIVERED, Outcome.FAILED)
    ]
    return _each(
        batch_id,
        """state = v.state, reason = v.reason, code = v.code, is_transient = v.is_transient,
        was_replaced = {table}.was_replaced OR v.was_replaced, settled_at = {now},
        kind = CASE WHEN v.kind = '' THEN {table}.kind ELSE v.kind END,
        message_id = CASE WHEN v.message_id = '' THEN {table}.message_id ELSE v.message_id END""",
        rows,
        {
            **dict.fromkeys(("state", "reason", "code", "kind", "message_id"), "text"),
            **dict.fromkeys(("is_transient", "was_replaced"), "boolean"),
        },
        moving="'accepted', 'unknown'",
        also="OR ({table}.state = 'failed' AND v.state = 'delivered')",
    )


def replace(batch_id: UUID, ids: Collection[int]) -> int:
    """Lets those who failed wait again, for the fallback text. Whoever has had that chance doesn't get another."""
    rows = [{"id": id_} for id_ in ids]
    return _each(
        batch_id,
        """state = 'pending', was_replaced = {true}, batch_id = NULL, handed_at = NULL, settled_at = NULL,
        is_transient = {false}""",
        rows,
        {},
        moving="'failed'",
        where="AND NOT {table}.was_replaced",
    )


def give_up(batch_id: UUID) -> int:
    """No report came in all the time that a provider keeps them. How many are left unknown by that."""
    held = Recipient.objects.filter(batch_id=batch_id)
    silent = {"reason": Reason.NO_REPORT, "settled_at": Now()}
    late = held.filter(state=R.ACCEPTED).update(state=R.UNKNOWN, **silent)
    return late + held.filter(state=R.UNKNOWN, settled_at=None).update(**silent)


# -- One statement for many rows ---------------------------------------------------------------------------------------
def _each(
    batch_id: UUID,
    assignments: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    moving: str,
    also: str = "",
    where: str = "",
) -> int:
    """Updates the batch's people in one of the states `moving` by a value a row, which `v` names."""
    if not rows:
        return 0
    words = {"table": _TABLE, **_WORDS[connection.vendor]}
    given = orjson.dumps(list(rows)).decode()
    return int(
        _execute(
            f"""UPDATE {_TABLE} SET {assignments.format(**words)} FROM {_values(columns)}
            WHERE {_TABLE}.id = v.id AND {_TABLE}.batch_id = %s {where.format(**words)}
            AND ({_TABLE}.state IN ({moving}) {also.format(**words)})""",  # noqa: S608
            [given, _uuid(batch_id)],
        )
    )


_WORDS = {
    "postgresql": {"now": "statement_timestamp()", "true": "true", "false": "false"},
    "sqlite": {"now": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')", "true": "1", "false": "0"},
}


def _values(columns: Mapping[str, str]) -> str:
    if connection.vendor == "postgresql":
        typed = ", ".join(f"{name} {kind}" for name, kind in {"id": "bigint", **columns}.items())
        return f"jsonb_to_recordset(%s::jsonb) AS v({typed})"
    picked = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in ("id", *columns))
    return f"(SELECT {picked} FROM json_each(%s)) AS v"  # noqa: S608


def _execute(statement: str, parameters: list[Any], *, fetch: bool = False) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if fetch else cursor.rowcount


def _uuid(value: UUID) -> Any:
    return value if connection.vendor == "postgresql" else value.hex


def _json(value: Any) -> dict[str, str]:
    """A raw cursor gives JSON as text."""
    found: dict[str, str] = orjson.loads(value) if isinstance(value, (str, bytes)) else value
    return found


def _reason(reason: Reason | None) -> str:
    return (reason or Reason.OTHER).value
