"""What audiences ask of profiles, as sets: who has a phone, who can be reached, who consented; and everybody's number.

A row holds it for 16,384 profile ids of a project: a Roaring bitmap for each question, and an array of the eight
digits after 010 of each reachable number, so that repeated numbers are found without asking the database for people.
`upsert` keeps the rows in the transaction in which it writes profiles; it locks a row before it changes it, so that two
writers of one project lose nothing. A process keeps what it has read, and asks only for rows with another version.

A profile that was deleted behind our back stays in the sets until `rebuild`; whoever reads people tolerates it.
"""

import secrets
from array import array
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, groupby
from operator import itemgetter
from uuid import UUID

import orjson
from django.db import transaction
from pyroaring import BitMap, BitMap64

from cohorts.models import FacetChunk, Profile
from cohorts.people.profiles import ANONYMOUS, Contact, Person
from notifly_console.lib.digits import as_bytes, from_bytes
from notifly_console.lib.phone import PREFIX

BITS = 14
SIZE = 1 << BITS
LOW = SIZE - 1
REASON = "phone:"
PROJECTS_KEPT = 4


Traits = tuple[int, str | None, str, bool, bool, bool, bool]
"""What the sets say of one profile: id, phone and why it can't be reached; then whether it has an e-mail address, is
anonymous, consents to advertising by day and at night. (Making named tuples would take longer than all the rest.)"""


def traits_of(rows: Iterable[tuple[int, tuple[Person, Contact]]]) -> list[Traits]:
    """Those of rows that are being written."""
    return [
        (id_, phone[0], phone[2], email[0] is not None, person[0].startswith(ANONYMOUS), marketing, night)
        for id_, (person, (phone, email, marketing, night)) in rows
    ]


# -- Writing ----------------------------------------------------------------------------------------------------------
def keep(project_id: UUID, people: Iterable[Traits]) -> None:
    """Brings profiles that were just written into the sets. To be called in their transaction, after everything else
    that locks profiles in it."""
    ordered = sorted(people, key=itemgetter(0))
    by_chunk = {number: list(group) for number, group in groupby(ordered, key=lambda one: one[0] >> BITS)}
    if not by_chunk:
        return
    for row in _locked(project_id, by_chunk):
        chunk = _Chunk.of(row)
        chunk.put(by_chunk[row.number])
        _store(row, chunk)


def forget(project_id: UUID, ids: Iterable[int]) -> None:
    """Takes profiles out of the sets. To be called in the transaction that deletes them."""
    by_chunk = {number: list(group) for number, group in groupby(sorted(ids), key=lambda id_: id_ >> BITS)}
    for row in _locked(project_id, by_chunk):
        chunk = _Chunk.of(row)
        chunk.take_out(by_chunk[row.number])
        _store(row, chunk)


def rebuild(project_id: UUID) -> int:
    """Makes the project's sets anew from its profiles, a row at a time; may run while others write. Returns how many
    profiles there are."""
    ids = Profile.objects.filter(project_id=project_id).order_by("pk").values_list("pk", flat=True)
    numbers = {row for row, _ in groupby(id_ >> BITS for id_ in ids.iterator(chunk_size=10_000))}
    numbers |= set(FacetChunk.objects.filter(project_id=project_id).values_list("number", flat=True))
    return sum(_rebuild(project_id, number) for number in sorted(numbers))


@transaction.atomic
def _rebuild(project_id: UUID, number: int) -> int:
    (row,) = _locked(project_id, [number])
    chunk = _Chunk()
    people = list(_traits(project_id, range(number << BITS, (number + 1) << BITS)))
    chunk.put(people)
    _store(row, chunk)
    return len(people)


def _traits(project_id: UUID, ids: range) -> Iterator[Traits]:
    fields = ("pk", "phone", "phone_reason", "email", "is_anonymous", "marketing_consent", "night_consent")
    found = Profile.objects.filter(project_id=project_id, pk__gte=ids.start, pk__lt=ids.stop).values_list(*fields)
    for id_, phone, reason, email, *flags in found:
        yield id_, phone, reason, email is not None, *flags


def _locked(project_id: UUID, numbers: Collection[int]) -> list[FacetChunk]:
    """The rows, made where there are none, in one order for everybody, and ours until the transaction ends."""
    ordered = sorted(numbers)
    rows = FacetChunk.objects.filter(project_id=project_id, number__in=ordered).select_for_update().order_by("number")
    found = list(rows)
    if len(found) == len(ordered):
        return found
    made = [FacetChunk(project_id=project_id, number=number) for number in ordered]
    FacetChunk.objects.bulk_create(made, ignore_conflicts=True)
    return list(rows.all())


def _store(row: FacetChunk, chunk: "_Chunk") -> None:
    sets, numbers = chunk.packed()
    if sets == bytes(row.sets) and numbers == bytes(row.digits):
        return
    # A stamp by chance, not by counting: after a rollback a count would come again, for something else.
    FacetChunk.objects.filter(pk=row.pk).update(sets=sets, digits=numbers, stamp=secrets.randbits(63))


# -- A row's content --------------------------------------------------------------------------------------------------
@dataclass
class _Chunk:
    """The sets by name, and the digits of SIZE numbers, 0 for who can't be reached."""

    sets: defaultdict[str, BitMap64] = field(default_factory=lambda: defaultdict(BitMap64))
    digits: array = field(default_factory=lambda: _no_digits())

    @classmethod
    def of(cls, row: FacetChunk) -> "_Chunk":
        chunk = cls()
        chunk.sets.update(_unpacked(bytes(row.sets)))
        if row.digits:
            chunk.digits = from_bytes(row.digits)
        return chunk

    def take_out(self, ids: Sequence[int]) -> None:
        """Forgets whatever was said of these ids."""
        gone = BitMap64(ids)
        for each in self.sets.values():
            each -= gone
        for id_ in ids:
            self.digits[id_ & LOW] = 0

    def put(self, people: Sequence[Traits]) -> None:
        """Says of these people what is true now, whatever was before."""
        ids = [one[0] for one in people]
        self.take_out(ids)
        sets, digits = self.sets, self.digits
        sets["known"].update(ids)
        sets["email"].update([one[0] for one in people if one[3]])
        sets["anonymous"].update([one[0] for one in people if one[4]])
        sets["marketing"].update([one[0] for one in people if one[5]])
        sets["night"].update([one[0] for one in people if one[6]])
        reached: list[int] = []
        reasons: defaultdict[str, list[int]] = defaultdict(list)
        for one in people:
            phone = one[1]
            if phone is None:
                reasons[one[2]].append(one[0])
            else:
                reached.append(one[0])
                digits[one[0] & LOW] = int(phone[PREFIX:])
        sets["reachable"].update(reached)
        for reason, those in reasons.items():
            sets[REASON + reason].update(those)

    def packed(self) -> tuple[bytes, bytes]:
        """As the row keeps it: a line of JSON that says which set is how long, then the sets; little-endian digits."""
        kept = sorted((name, one) for name, one in self.sets.items() if one)
        blobs = []
        for _name, one in kept:
            one.run_optimize()
            blobs.append(bytes(one.serialize()))
        head = orjson.dumps([[name, len(blob)] for (name, _), blob in zip(kept, blobs, strict=True)])
        return b"\n".join([head, b"".join(blobs)]), as_bytes(self.digits)


def _unpacked(stored: bytes) -> Iterator[tuple[str, BitMap64]]:
    head, _, body = stored.partition(b"\n")
    at = 0
    for name, length in orjson.loads(head) if head else ():
        yield name, BitMap64.deserialize(body[at : at + length])
        at += length


def _no_digits() -> array:
    return array("I", bytes(4 * SIZE))


# -- Reading ----------------------------------------------------------------------------------------------------------
NOBODY = BitMap64()


@dataclass(frozen=True)
class _Part:
    """A row as it was read."""

    stamp: int
    sets: dict[str, BitMap64]
    digits: array


@dataclass(frozen=True)
class Facets:
    """The sets of a project at one moment. They are shared: never change one in place."""

    parts: dict[int, _Part]

    @cached_property
    def known(self) -> BitMap64:
        """Every profile."""
        return self._merged("known")

    @cached_property
    def reachable(self) -> BitMap64:
        """Those with a mobile number that messages reach."""
        return self._merged("reachable")

    @cached_property
    def has_phone(self) -> BitMap64:
        """Those whose phone column says anything at all."""
        return self.known - self._merged(f"{REASON}missing")

    @cached_property
    def with_email(self) -> BitMap64:
        """Those with an e-mail address that can be used."""
        return self._merged("email")

    @cached_property
    def anonymous(self) -> BitMap64:
        """Devices that nobody has said the owner of."""
        return self._merged("anonymous")

    @cached_property
    def marketing(self) -> BitMap64:
        """Those who consented to advertising."""
        return self._merged("marketing")

    @cached_property
    def night(self) -> BitMap64:
        """Those who consented to advertising at night."""
        return self._merged("night")

    @cached_property
    def unreachable(self) -> dict[str, BitMap64]:
        """Those who have a phone that messages don't reach, by reason (`lib/phone.py:REASONS`)."""
        names = {name for part in self.parts.values() for name in part.sets if name.startswith(REASON)}
        return {name.removeprefix(REASON): self._merged(name) for name in sorted(names - {f"{REASON}missing"})}

    @cached_property
    def shared(self) -> BitMap64:
        """Those whose number another reachable profile of the project has, too."""
        seen, repeated = BitMap(), BitMap()
        for part in self.parts.values():
            here = BitMap(part.digits)
            repeated |= here & seen
            seen |= here
            repeated.update(_repeated(part.digits))
        repeated.discard(0)
        return self.having(frozenset(repeated))

    def digits_of(self, ids: BitMap64) -> array:
        """The eight digits after 010 of each of these reachable profiles, in the order of their ids."""
        found = array("I")
        for number, part in self.parts.items():
            start = number << BITS
            within = ids & BitMap64(range(start, start + SIZE))
            if within:
                found.extend(map(part.digits.__getitem__, within.shift(-start).to_array()))
        return found

    def having(self, numbers: Container[int]) -> BitMap64:
        """Whose eight digits are among `numbers` (0 isn't)."""
        found: list[int] = []
        for number, part in self.parts.items():
            start = number << BITS
            found += compress(range(start, start + SIZE), map(numbers.__contains__, part.digits))
        return BitMap64(found)

    def _merged(self, name: str) -> BitMap64:
        found = [part.sets[name] for part in self.parts.values() if name in part.sets]
        return BitMap64.union(*found) if len(found) > 1 else found[0] if found else NOBODY


def _repeated(digits: array) -> list[int]:
    """Whatever comes again."""
    seen: set[int] = set()
    add = seen.add
    return [one for one in digits if one in seen or add(one)]  # type: ignore[func-returns-value]


_kept: dict[UUID, Facets] = {}


def facets(project_id: UUID) -> Facets:
    """The project's sets as they are committed now. One statement where nothing changed since this process last asked,
    else two."""
    before = _kept.pop(project_id, None) or Facets({})
    rows = FacetChunk.objects.filter(project_id=project_id)
    stamps = dict(rows.order_by("number").values_list("number", "stamp"))
    fresh = {number for number, part in before.parts.items() if stamps.get(number) == part.stamp}
    now = before
    if len(fresh) < max(len(stamps), len(before.parts)):
        read = {row.number: _part(row) for row in rows.filter(number__in=stamps.keys() - fresh)}
        # In order of the numbers: whoever reads several in a row gets ids in order.
        found = before.parts | read
        now = Facets({number: found[number] for number in stamps if number in found})
    _kept[project_id] = now
    while len(_kept) > PROJECTS_KEPT:
        _kept.pop(next(iter(_kept)), None)
    return now


def _part(row: FacetChunk) -> _Part:
    return _Part(row.stamp, dict(_unpacked(bytes(row.sets))), from_bytes(row.digits) if row.digits else _no_digits())
