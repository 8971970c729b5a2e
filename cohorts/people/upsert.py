"""Profiles into the table, a batch at a time: find who is known, insert the missing, rewrite the changed.

Ids are never burnt: bitmaps are small because ids are dense, and `ON CONFLICT` takes an id from the sequence for every
conflict. So the batch asks first (one query), takes exactly the ids it needs, and copies the new rows in with them.
PostgreSQL gets COPY, SQLite `executemany`; nothing outside this module knows.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import psycopg
import structlog
from django.db import IntegrityError, connection, transaction
from pyroaring import BitMap64

from cohorts.models import Profile
from cohorts.people import facets, phone_moves
from cohorts.people.profiles import ANONYMOUS, Contact, Mapping, Person, Reading, contact_of, is_anonymous
from cohorts.people.tally import Tally

log = structlog.get_logger(__name__)

TABLE = Profile._meta.db_table
_WRITTEN = (
    "distinct_id",
    "is_anonymous",
    "phone",
    "phone_raw",
    "phone_reason",
    "email",
    "email_raw",
    "email_reason",
    "marketing_consent",
    "night_consent",
    "properties",
    "digest",
    "updated_at",
)
_INSERTED = ("id", "project_id", "external_id", "created_at", *_WRITTEN)


_CHANGES = f"""CREATE TEMP TABLE IF NOT EXISTS profile_changes ON COMMIT DELETE ROWS
    AS SELECT {", ".join(("id", *_WRITTEN))} FROM {TABLE} WITH NO DATA"""  # noqa: S608


class Known(NamedTuple):
    """What the table holds of a profile, as far as a refresh asks."""

    external_id: str
    id: int
    digest: int
    phone_reason: str
    email_reason: str


_REASONS = itemgetter(3, 4)


def find(project_id: UUID, external_ids: Collection[str]) -> list[Known]:
    """The profiles of the project that have these external ids. (Plain tuples in the order of `Known`: making named
    ones would take as long as fetching them.)"""
    return _select(", ".join(Known._fields), project_id, external_ids)


def properties_of(project_id: UUID, external_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is known of those of these people who have a profile, by external id."""
    text = "properties::text" if connection.vendor == "postgresql" else "properties"
    return {name: orjson.loads(body) for name, body in _select(f"external_id, {text}", project_id, external_ids)}


def _select(columns: str, project_id: UUID, external_ids: Collection[str]) -> list[Any]:
    asked = orjson.dumps(list(external_ids)).decode()
    if connection.vendor == "postgresql":
        # One look into the unique index for each id, whatever the statistics say. Left to choose, the planner reads all
        # of the project's people while the table is young, and compares each with every id.
        statement = f"""SELECT found.* FROM jsonb_array_elements_text(%s::jsonb) AS asked (one), LATERAL (
            SELECT {columns} FROM {TABLE} WHERE project_id = %s AND external_id = asked.one OFFSET 0) AS found"""  # noqa: S608
        parameters = [asked, str(project_id)]
    else:
        statement = f"""SELECT {columns} FROM {TABLE} WHERE project_id = %s
            AND external_id IN (SELECT value FROM json_each(%s))"""  # noqa: S608
        parameters = [project_id.hex, asked]
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()  # type: ignore[no-any-return]


def distinct_ids(ids: Iterable[int]) -> dict[int, str]:
    """Which distinct id each of these profiles was last written from."""
    return dict(Profile.objects.filter(id__in=list(ids)).values_list("id", "distinct_id"))


def insert(project_id: UUID, people: Sequence[tuple[Person, Contact]], now: datetime) -> list[int]:
    """Writes profiles that aren't there yet; their ids, in the same order. To be called in a transaction.

    Raises IntegrityError, with nothing written, when somebody else has inserted one of them meanwhile: find again."""
    ids = _take_ids(len(people))
    with transaction.atomic():
        if connection.vendor == "postgresql":
            _copy(TABLE, _INSERTED, _new_rows(project_id, people, ids, now))
        else:
            _many(_insert_statement(), _new_rows(project_id.hex, people, ids, _sqlite_time(now)))
    return ids


def rewrite(people: Sequence[tuple[int, Person, Contact]], now: datetime) -> list[phone_moves.Moved]:
    """Writes what changed into the profiles with these ids; whose reachable number is another one by that. To be called
    in a transaction."""
    if connection.vendor != "postgresql":
        assignments = ", ".join(f"{name} = %s" for name in _WRITTEN)
        moment = _sqlite_time(now)
        numbers = dict(Profile.objects.filter(pk__in=[id_ for id_, *_ in people]).values_list("pk", "phone"))
        moved = [(id_, numbers.get(id_), contact[0][0]) for id_, _, contact in people]
        _many(
            f"UPDATE {TABLE} SET {assignments} WHERE id = %s",  # noqa: S608
            ((*_values(person, contact, moment), id_) for id_, person, contact in people),
        )
        return [one for one in moved if one[1] != one[2]]
    assignments = ", ".join(f"{name} = changed.{name}" for name in _WRITTEN)
    rows = ((id_, *_values(person, contact, now)) for id_, person, contact in people)
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES)
        _copy("profile_changes", ("id", *_WRITTEN), rows)
        # A pull and a push may rewrite the same people at once: each in the order of their ids, so that neither waits
        # for the other in a circle.
        cursor.execute(
            f"SELECT FROM {TABLE} WHERE id IN (SELECT id FROM profile_changes) ORDER BY id FOR NO KEY UPDATE"  # noqa: S608
        )
        cursor.execute(
            f"SELECT id, {TABLE}.phone, changed.phone FROM {TABLE} JOIN profile_changes AS changed USING (id)"  # noqa: S608
            f" WHERE {TABLE}.phone IS DISTINCT FROM changed.phone"
        )
        numbers_moved: list[phone_moves.Moved] = cursor.fetchall()
        cursor.execute(
            f"UPDATE {TABLE} SET {assignments} FROM profile_changes AS changed"  # noqa: S608
            f" WHERE {TABLE}.id = changed.id"
        )
        cursor.execute("TRUNCATE profile_changes")
    return numbers_moved


def commit_lazily() -> None:
    """Lets the current transaction's commit return before it is on disk. For what is only worth something together
    with a later, plain commit: PostgreSQL writes its log in order, so that one carries all before it; should the
    server fall in between, this batch and its place in the cursor are lost together and read again."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")


# -- The two together -------------------------------------------------------------------------------------------------
def upsert(
    project_id: UUID, reading: Reading, mapping: Mapping, seen: BitMap64, now: datetime
) -> tuple[BitMap64, Tally]:
    """Brings the people of some pages into the table: the ids that aren't in `seen` (the pull's members so far), and
    what became of the rows. To be called in a transaction."""
    while True:
        try:
            return _upsert(project_id, reading, mapping, seen, now)
        except IntegrityError:
            log.info("profiles_inserted_elsewhere", project=project_id.hex)


def _upsert(
    project_id: UUID, reading: Reading, mapping: Mapping, seen: BitMap64, now: datetime
) -> tuple[BitMap64, Tally]:
    tally = Tally(duplicates=reading.duplicates, merged=reading.merged, refused=Counter(reading.refused))
    people = reading.people
    traits: list[facets.Traits] = []
    known = find(project_id, people)
    ids = BitMap64([row[1] for row in known])
    again = ids & seen
    rewritten: list[tuple[int, Person]] = []
    if again:
        people = dict(people)
        known, rewritten = _met_before(again, people, known, tally)
    digests = {external_id: person[4] for external_id, person in people.items()}
    unchanged = [row for row in known if row[2] == digests[row[0]]]
    tally.unchanged = len(unchanged)
    tally.meet(map(_REASONS, unchanged))
    if len(unchanged) < len(known) or rewritten:
        differing = [(row[1], people[row[0]]) for row in known if row[2] != digests[row[0]]]
        tally.updated = len(differing)
        changed = [(id_, person, contact_of(person, mapping)) for id_, person in differing + rewritten]
        tally.meet((contact[0][2], contact[1][2]) for _, _, contact in changed)
        phone_moves.note(project_id, rewrite(changed, now))
        traits += facets.traits_of((id_, (person, contact)) for id_, person, contact in changed)
    new: list[Person] = []
    if len(known) < len(people):
        found = {row[0] for row in known}
        # In one order everywhere, so that two loads of the same people can't wait for each other.
        new = [people[external_id] for external_id in sorted(people.keys() - found)]
    if mapping.drop_unknown:
        tally.dropped = len(new)
    elif new:
        written = [(person, contact_of(person, mapping)) for person in new]
        tally.meet((contact[0][2], contact[1][2]) for _, contact in written)
        made = insert(project_id, written, now)
        ids.update(made)
        traits += facets.traits_of(zip(made, written, strict=True))
        tally.new = len(new)
    tally.anonymous = sum([one.startswith(ANONYMOUS) for one in people])
    if tally.dropped:
        tally.anonymous -= sum(is_anonymous(person.external_id) for person in new)
    # Last of all: whoever holds a row of these waits for no profile any more.
    facets.keep(project_id, traits)
    return ids - seen, tally


def _met_before(
    again: BitMap64, people: dict[str, Person], known: list[Known], tally: Tally
) -> tuple[list[Known], list[tuple[int, Person]]]:
    """Takes those out of `people` and `known` whose profile this pull has had before. Returns the rest of `known`, and
    those to be written all the same: of two distinct ids with one identity the smaller one counts, whatever page it
    came on."""
    written_from = distinct_ids(again)
    rest: list[Known] = []
    rewritten: list[tuple[int, Person]] = []
    for row in map(Known._make, known):
        if row.id not in again:
            rest.append(row)
            continue
        person = people.pop(row.external_id)
        if person.distinct_id == written_from[row.id]:
            tally.duplicates += 1
            continue
        tally.merged += 1
        if person.distinct_id < written_from[row.id]:
            tally.part(row.phone_reason, row.email_reason)
            rewritten.append((row.id, person))
    return rest, rewritten


# -- Inside -----------------------------------------------------------------------------------------------------------
def _new_rows(
    project: Any, people: Sequence[tuple[Person, Contact]], ids: Sequence[int], now: Any
) -> Iterator[tuple[Any, ...]]:
    for id_, (person, contact) in zip(ids, people, strict=True):
        yield (id_, project, person.external_id, now, *_values(person, contact, now))


def _insert_statement() -> str:
    places = ", ".join(["%s"] * len(_INSERTED))
    return f"INSERT INTO {TABLE} ({', '.join(_INSERTED)}) VALUES ({places})"  # noqa: S608


def _sqlite_time(moment: datetime) -> str | None:
    return connection.ops.adapt_datetimefield_value(moment)  # type: ignore[no-any-return]


def _values(person: Person, contact: Contact, now: Any) -> tuple[Any, ...]:
    phone, email, marketing_consent, night_consent = contact
    return (
        person.distinct_id,
        person.external_id.startswith(ANONYMOUS),
        *phone,
        *email,
        marketing_consent,
        night_consent,
        person.body.decode(),
        person.digest,
        now,
    )


def _take_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The name is looked up once, not for each id.
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [TABLE])
            cursor.execute(
                "SELECT array_agg(nextval(%s::regclass)) FROM generate_series(1, %s)", [cursor.fetchone()[0], count]
            )
            return list(cursor.fetchone()[0] or ())
        # Inserting them raises the sequence; until then the transaction has the file to itself.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [TABLE])
        row = cursor.fetchone()
        first = (row[0] if row else 0) + 1
        return list(range(first, first + count))


def _copy(table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    try:
        with _cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            write = copy.write_row
            for row in rows:
                write(row)
    except psycopg.errors.UniqueViolation as error:
        raise IntegrityError("somebody else inserted one of them") from error


def _many(statement: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)  # type: ignore[arg-type]


def _cursor() -> psycopg.Cursor:
    """A plain cursor on Django's connection, in its transaction: parameters go beside the statement, not into it."""
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection)
