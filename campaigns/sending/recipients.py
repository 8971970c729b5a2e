"""Writes down who gets a run: one Recipient a person, with the values that their message needs, as they are now.

What the plan chose is kept in the run before the first row is written, and with every chunk how far it got: a worker
that takes over after a crash goes on with the very same people. The rows are written by the database itself, from
profiles to recipients, so that a million of them never pass through this process. Later refreshes change nothing.
"""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any

from django.db import connection
from django.db.models import NOT_PROVIDED
from pyroaring import BitMap64

from campaigns.audience import left_out
from campaigns.audience.funnel import Funnel, step_of
from campaigns.audience.keep_versions import KEPT_DAYS
from campaigns.audience.plan import plan_run
from campaigns.audience.price import estimate_run
from campaigns.audience.uploads import lines_of
from campaigns.message.check import content_of
from campaigns.message.personalise import BadVariable, used_fields
from campaigns.models import Recipient, Run
from campaigns.sql import those_profiles, values_expression
from cohorts.membership import dumped, loaded
from cohorts.people.upsert import commit_lazily
from cohorts.versions import retain
from integrations.messaging import Stopped
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim

AT_ONCE = 20_000
LINES_AT_ONCE = 5_000
RECIPIENTS = Recipient._meta.db_table


def freeze_into(run: Run, claim: Claim) -> int:
    """Writes the run's recipients, its size and its funnel; how many there are. Goes on where an earlier try stopped.

    The run's state is the caller's to change. Raises NoAudience; LeaseLost; Stopped: "ceiling" when it may cost more
    than the project allows, "content" when the message can't be read; nothing is kept then."""
    if run.chosen is None:
        _choose(run, claim)
    left = loaded(run.chosen or b"") - BitMap64(range(run.frozen_upto + 1))
    fields = used_fields(content_of(run.channel, run.message))
    statements = _from_file(run, left, fields) if run.upload_id else _from_profiles(run, left, fields)
    for upto, statement, parameters in statements:
        reached("before_frozen_chunk")
        with claim.transaction(frozen_upto=upto), connection.cursor() as cursor:
            commit_lazily()  # What `_settle` commits carries it along.
            cursor.execute(statement, parameters)
            reached("in_frozen_chunk")
        run.frozen_upto = upto
    return _settle(run, claim)


def _choose(run: Run, claim: Claim) -> None:
    made = plan_run(run)
    try:
        price = estimate_run(run, made)
    except BadVariable as error:
        raise Stopped("content") from error
    if price.exceeds_ceiling:
        raise Stopped("ceiling")
    kept = {
        "chosen": dumped(BitMap64(made.chosen)),
        "funnel": made.funnel.as_json(),
        "snapshot_id": made.snapshot_id,
        "snapshot_number": made.snapshot_number,
        "upload_id": made.upload_id,
        "expected_won": price.worst_won if price.is_known else None,
        "unit_prices": price.unit_prices,
    }
    with claim.transaction(**kept):
        if made.snapshot_id is not None:
            retain.keep_until([made.snapshot_id], days=KEPT_DAYS)
        left_out.keep(run, made.left_out)
        reached("in_choice")
    for name, value in kept.items():
        setattr(run, name, value)
    reached("after_choice")


def _settle(run: Run, claim: Claim) -> int:
    """Counts what was written. Who was chosen and isn't there changed in between: the funnel says so."""
    run.size = Recipient.objects.filter(run=run).count()
    funnel = Funnel.from_json(run.funnel)
    if run.size != funnel.size:
        sent = step_of("sent", run.size, {"changed": funnel.size - run.size})
        run.funnel = Funnel((*funnel.steps[:-1], sent)).as_json()
    changed = _changed(run) if run.size != funnel.size else BitMap64()
    with claim.transaction(size=run.size, funnel=run.funnel, chosen=b""):
        left_out.keep(run, {("sent", "changed"): changed})
        reached("in_freeze_settled")
    return run.size


def _changed(run: Run) -> BitMap64:
    """Who was chosen and isn't written; of a file nobody, whose rows don't change."""
    if run.upload_id:
        return BitMap64()
    written = Recipient.objects.filter(run=run, profile_id__isnull=False).values_list("profile_id", flat=True)
    return loaded(run.chosen or b"") - BitMap64(id_ for id_ in written.iterator(chunk_size=AT_ONCE) if id_)


# -- Statements that write some of them, and how far each gets --------------------------------------------------------
Statement = tuple[int, str, list[Any]]


def _from_profiles(run: Run, left: BitMap64, fields: Sequence[str]) -> Iterator[Statement]:
    """Inside the database. Of two who have one number by now the first is written; who lost theirs isn't."""
    values, parameters = values_expression(fields)
    insert, rest = _insert(values, phone="phone", external_id="external_id", profile_id="id", once_of_id="%s")
    once_of = run.campaign_id if run.joined is not None else None
    own = [Recipient._meta.get_field("once_of").get_db_prep_save(once_of, connection)]
    by_number = 'phone COLLATE "C"' if connection.vendor == "postgresql" else "phone"
    for start in range(0, len(left), AT_ONCE):
        ids = list(left[start : start + AT_ONCE])
        people, narrow = those_profiles(ids, run.project_id)
        # By number: the index that keeps numbers apart is then written in runs, a tenth off the whole.
        source = f"FROM {people} AND phone IS NOT NULL ORDER BY {by_number}, id"
        yield ids[-1], f"{insert} {source} ON CONFLICT DO NOTHING", [run.pk, *own, *parameters, *rest, *narrow]


def _from_file(run: Run, left: BitMap64, fields: Sequence[str]) -> Iterator[Statement]:
    """The file's lines go to the database as they are stored: nothing is parsed here."""
    is_postgres = connection.vendor == "postgresql"
    cells = "line.value->2" if is_postgres else "json_extract(line.value, '$[2]')"
    number = "line.value->>0" if is_postgres else "json_extract(line.value, '$[0]')"
    values, parameters = values_expression(fields, source=cells, reserved={})
    insert, rest = _insert(values, phone=number, external_id="''", profile_id="NULL")
    source = "FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS line (value, key)" if is_postgres else ""
    source = f"{source or 'FROM json_each(%s) AS line'} WHERE true ORDER BY line.key ON CONFLICT DO NOTHING"
    if not left:
        return
    assert run.upload
    lines = zip(count(left.min()), lines_of(run.upload, left.min() - 1))
    chosen = ((place, line) for place, line in lines if place in left)
    while some := list(islice(chosen, LINES_AT_ONCE)):
        array = b"[" + b",".join(line for _place, line in some) + b"]"
        yield some[-1][0], f"{insert} {source}", [run.pk, *parameters, *rest, array.decode()]


def _insert(values: str, **own: str) -> tuple[str, list[Any]]:
    """The beginning of an INSERT … SELECT: the run's id, `own` columns by what they come from, and the values; then
    parameters for what a new recipient's other columns hold."""
    fields = [one for one in Recipient._meta.concrete_fields if not one.primary_key and not one.null]
    default = {str(one.column): one.get_default() for one in fields if one.default is not NOT_PROVIDED or one.blank}
    rest = {name: value for name, value in default.items() if name not in {"values", *own}}
    columns = ", ".join(f'"{name}"' for name in ("run_id", *own, "values", *rest))
    selected = ", ".join(["%s", *own.values(), values, *["%s"] * len(rest)])
    return f"INSERT INTO {RECIPIENTS} ({columns}) SELECT {selected}", list(rest.values())
