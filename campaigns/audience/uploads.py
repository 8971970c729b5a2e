"""A CSV file as an audience: read once, row by row, whatever spreadsheet wrote it.

What is wrong with the file as a whole is a BadFile, before anything is kept; what is wrong with a row leaves that row
out with its number and reason, so that the author sees it before anything is sent. Rows are numbered as spreadsheets
number them: the names of the columns are row 1. A cell stays text: nothing in it is ever evaluated, and what reads like
a formula is made harmless where it is exported again.
"""

import zlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import orjson
from django.db.models import Exists, OuterRef, ProtectedError
from django.utils import timezone
from pyroaring import BitMap, BitMap64

from campaigns.audience.files import PHONE_COLUMN, BadFile, Rows, column_names, masked_cell, phone_place
from campaigns.models import Campaign, Run, Upload
from cohorts.membership import dumped
from notifly_console.lib import consent, phone
from notifly_console.lib.digits import as_bytes
from notifly_console.lib.phone import PREFIX
from notifly_console.tenancy.models import Project

CONSENT_COLUMN = "marketing_consent"
"""Where a file has it, it says who consented to advertising; where it hasn't, the project's own profiles do."""
EXAMPLES = 100
KEPT_BEFORE = 1_000
"""So many refused rows were kept of a file once."""
UNUSED_KEPT = timedelta(hours=24)
PRUNED_AT_ONCE = 100
SHIFTED = "shifted"
"""Reason of a row with more cells than there are columns: a comma somewhere made one cell two, and what follows would
go to the wrong places."""


def read_csv(project: Project, name: str, file: BinaryIO, by: str, *, phone_column: str = PHONE_COLUMN) -> Upload:
    """Reads a file into an Upload and saves it. `phone_column`: the one with the numbers, if it is called otherwise.

    Raises BadFile when nothing of it can be used."""
    taken = _take(Rows(file), phone_column)
    return Upload.objects.create(
        project=project,
        name=name[:255],
        columns=taken.columns,
        rows=taken.lines.finish(),
        digits=as_bytes(taken.digits),
        consented=None if taken.consented is None else dumped(BitMap64(taken.consented)),
        accepted=len(taken.digits),
        refused_rows=taken.refused.finish(),
        refused={"counts": dict(taken.reasons), "examples": taken.examples},
        added_by=by,
    )


# -- Reading ----------------------------------------------------------------------------------------------------------
class _Lines:
    """JSON lines, deflated as they come."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(3)
        self._pending: list[bytes] = []
        self._done: list[bytes] = []

    def add(self, line: bytes) -> None:
        self._pending.append(line)
        if len(self._pending) >= 1_000:
            self._flush()

    def finish(self) -> bytes:
        self._flush()
        return b"".join([*self._done, self._deflate.flush()])

    def _flush(self) -> None:
        if self._pending:
            self._done.append(self._deflate.compress(b"\n".join([*self._pending, b""])))
            self._pending.clear()


@dataclass
class _Taken:
    columns: list[str]
    lines: _Lines = field(default_factory=_Lines)
    digits: array = field(default_factory=lambda: array("I"))
    consented: BitMap | None = None
    """Places (from 1) of the rows that say yes; None where the file has no column for it."""
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[list[Any]] = field(default_factory=list)
    refused: _Lines = field(default_factory=_Lines)

    def refuse(self, row: int, reason: str, stood_there: str) -> None:
        self.reasons[reason] += 1
        line = [row, reason, masked_cell(stood_there)]
        self.refused.add(orjson.dumps(line))
        if len(self.examples) < EXAMPLES:
            self.examples.append(line)


def _take(rows: Rows, phone_column: str) -> _Taken:
    found = iter(rows)
    names = column_names(next(found, []))
    taken = _Taken([name for name in names if name])
    at = phone_place(names, phone_column, found)
    agrees = names.index(CONSENT_COLUMN) if CONSENT_COLUMN in names else None
    if agrees is not None:
        taken.consented = BitMap()
    kept = [(place, name) for place, name in enumerate(names) if name]
    has_gaps = len(kept) < len(names)
    seen = BitMap()
    normalise, dumps, add, width = phone.normalise, orjson.dumps, taken.lines.add, len(names)
    for cells in found:
        if len(cells) != width:
            if len(cells) > width and any(cells[width:]):
                taken.refuse(rows.number, SHIFTED, cells[at] if at < len(cells) else "")
                continue
            cells = (cells + [""] * width)[:width]
        e164, raw, reason = normalise(cells[at])
        if e164 is None:
            taken.refuse(rows.number, reason, raw)
            continue
        digits = int(e164[PREFIX:])
        if digits in seen:
            taken.refuse(rows.number, "same_number", raw)
            continue
        seen.add(digits)
        taken.digits.append(digits)
        values = {name: cells[place] for place, name in kept} if has_gaps else dict(zip(names, cells, strict=True))
        add(dumps([e164, rows.number, values]))
        if agrees is not None and consent.is_given(cells[agrees]):
            taken.consented.add(len(taken.digits))  # type: ignore[union-attr]
    if not taken.digits and not taken.reasons:
        raise BadFile("no_rows")
    return taken


# -- Forgetting -------------------------------------------------------------------------------------------------------
def prune() -> int:
    """Deletes files that no campaign and no run has used for a day: they are people's numbers. Returns how many."""
    used = [Exists(model._base_manager.filter(upload=OuterRef("pk"))) for model in (Campaign, Run)]
    old = Upload.objects.filter(created_at__lt=timezone.now() - UNUSED_KEPT)
    unused = old.exclude(used[0] | used[1]).order_by("created_at").values_list("pk", flat=True)[:PRUNED_AT_ONCE]
    deleted = 0
    for pk in list(unused):
        try:
            deleted += Upload.objects.filter(pk=pk).delete()[0]
        except ProtectedError:
            continue  # Somebody chose it just now.
    return deleted


# -- What was read ----------------------------------------------------------------------------------------------------
class FileRow(NamedTuple):
    """A row with a usable number."""

    place: int
    """Among the usable ones, from 1."""
    phone: str
    number: int
    """As a spreadsheet numbers it."""
    values: dict[str, str]


def rows_at(upload: Upload, places: BitMap64) -> Iterator[FileRow]:
    """The rows at these places, in order. Reads on from the first to the last of them, and keeps none."""
    if not places:
        return
    first, last = places.min(), places.max()
    for place, line in enumerate(islice(lines_of(upload, first - 1), last - first + 1), first):
        if place in places:
            yield FileRow(place, *orjson.loads(line))


def refused_of(upload: Upload, reason: str) -> Iterator[tuple[int, str, str]]:
    """The rows that can't be used for this reason, in order: number, reason, what stood there, masked. Of a file from
    before all were kept the first thousand of them."""
    if upload.refused_rows is None:
        yield from (tuple(one) for one in upload.refused.get("examples", []) if one[1] == reason)
        return
    mark = b"," + orjson.dumps(reason) + b","
    for line in _inflated(upload.refused_rows):
        if mark in line and (one := orjson.loads(line))[1] == reason:
            yield tuple(one)


def refused_known(upload_id: UUID, count: int) -> int:
    """How many of so many refused rows `refused_of` gives at most."""
    is_old = Upload.objects.filter(pk=upload_id, refused_rows=None).exists()
    return min(count, KEPT_BEFORE) if is_old else count


def lines_of(upload: Upload, after: int = 0) -> Iterator[bytes]:
    """The JSON lines `[phone, row number, {column: value}]` behind the place `after`. Never all of them at once."""
    return _inflated(upload.rows, after)


def _inflated(deflated: Any, after: int = 0) -> Iterator[bytes]:
    inflate = zlib.decompressobj()
    rest, place = b"", 0
    stored = memoryview(deflated)
    for start in range(0, len(stored), 1 << 16):
        *lines, rest = (rest + inflate.decompress(stored[start : start + (1 << 16)])).split(b"\n")
        skipped = min(len(lines), max(0, after - place))
        place += len(lines)
        yield from lines[skipped:]
