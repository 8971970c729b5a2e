"""수신거부: numbers that refused advertising from a project. Asked when an audience is planned, and again by number at
the moment of sending (정보통신망법 제50조 ②).

They come from people (`add`, `import_file`), from the provider's 080 service (`pull_from_provider`: as soon as there is
a sender, every six hours, and before each advertisement) and from single answers of the provider (`record_refusal`). A
pull only ever adds: that a list came back shorter is no sign that somebody wants advertising again.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from campaigns.audience.files import PHONE_COLUMN, BadFile, Rows, column_names, masked_cell, phone_place
from campaigns.models import OptOut, OptOutPull, OptOutSource
from integrations import senders
from integrations.messaging import Catalogue, SendError
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.celery import app
from notifly_console.lib.nudge import nudge
from notifly_console.lib.phone import PREFIX, REASONS, mobile, normalise
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

PULL = app.signature("campaigns.pull_opt_outs")
KEPT_FOR = timedelta(hours=6)
AGAIN_AFTER = timedelta(minutes=15)
"""Once the provider's list is read it serves so long; where it couldn't be read it is asked for again after this."""
AT_ONCE = 1_000
EXAMPLES = 1_000
FOUND_SHOWN = 50


class BadNumber(Exception):
    """What was entered is no number that messages reach; `reason` is one of `lib/phone.py:REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(REASONS.get(self.reason, self.reason))


# -- Asking -----------------------------------------------------------------------------------------------------------
def numbers(project_id: UUID, phones: Collection[str]) -> set[str]:
    """Which of these numbers (E.164) refused."""
    found: set[str] = set()
    for some in _some(phones):
        found.update(OptOut.objects.filter(project_id=project_id, phone__in=some).values_list("phone", flat=True))
    return found


def find(project: Project, text: str) -> list[OptOut]:
    """Rows of a number in any spelling, or of all that end with these four digits: the first FOUND_SHOWN, the newest
    first. A list that masks its numbers answers no other question about them."""
    rows = OptOut.objects.filter(project=project).order_by("-pk")
    if re.fullmatch(r"[0-9]{4}", text.strip()):
        return list(rows.filter(phone__endswith=text.strip())[:FOUND_SHOWN])
    e164, _raw, _reason = normalise(text)
    return list(rows.filter(phone=e164)) if e164 else []


def digits_by_source(project_id: UUID) -> dict[int, str]:
    """Of every mobile number that refused its eight digits after 010, and where we know it from."""
    refused = OptOut.objects.filter(project_id=project_id).values_list("phone", "source")
    return {int(phone[PREFIX:]): source for phone, source in refused.iterator(chunk_size=10_000) if mobile(phone)}


# -- People -----------------------------------------------------------------------------------------------------------
def add(
    project: Project, phone: str, *, note: str = "", actor: Any = None, request: HttpRequest | None = None
) -> tuple[OptOut, bool]:
    """Adds a number in any spelling; the row, and whether it is new. Raises BadNumber."""
    e164, _raw, reason = normalise(phone)
    if e164 is None:
        raise BadNumber(reason)
    with transaction.atomic():
        row, is_new = OptOut.objects.get_or_create(
            project=project,
            phone=e164,
            defaults={"source": OptOutSource.OWN, "note": note[:200], "added_by": _who(actor)},
        )
        if is_new:
            record(Action.OPT_OUT_ADDED, project_id=project.pk, actor=actor, request=request, count=1)
    return row, is_new


@dataclass(frozen=True)
class Imported:
    """What became of a file's rows. `examples`: [row number, reason, what stood there, masked] of the first refused."""

    added: int
    known: int
    refused: dict[str, int]
    examples: list[tuple[int, str, str]]


def import_file(project: Project, file: BinaryIO, *, actor: Any = None, request: HttpRequest | None = None) -> Imported:
    """Adds the numbers of a CSV file: of its column `phone_number`, or where it names no columns, of the first one with
    numbers. Raises BadFile, and then adds nothing."""
    good: dict[str, None] = {}
    refused: Counter[str] = Counter()
    examples: list[tuple[int, str, str]] = []
    for row, cell in _cells(Rows(file)):
        e164, raw, reason = normalise(cell)
        if e164 is not None:
            good[e164] = None
            continue
        refused[reason] += 1
        if len(examples) < EXAMPLES:
            examples.append((row, reason, masked_cell(raw)))
    with transaction.atomic():
        _seen, new = keep(project, good, OptOutSource.IMPORT, by=_who(actor))
        record(Action.OPT_OUTS_IMPORTED, project_id=project.pk, actor=actor, request=request, added=new)
    return Imported(new, len(good) - new, dict(refused), examples)


def _cells(rows: Rows) -> Iterator[tuple[int, str]]:
    """The number of each row, and the cell that should hold a phone number."""
    found = iter(rows)
    first = next(found)
    at = next((place for place, cell in enumerate(first) if normalise(cell).e164), None)
    if at is not None:
        yield 1, first[at]
    else:
        names = column_names(first)
        at = 0 if len(names) == 1 else phone_place(names, PHONE_COLUMN, found)
    for cells in found:
        yield rows.number, cells[at] if at < len(cells) else ""
    if rows.number < 2 and not normalise(first[at]).e164:
        raise BadFile("no_rows")


def remove(row: OptOut, *, reason: str = "", actor: Any = None, request: HttpRequest | None = None) -> None:
    """Takes a number off the list: advertising may reach it again, if its owner consented. The log keeps who did it and
    why."""
    with transaction.atomic():
        deleted, _by_model = OptOut.objects.filter(pk=row.pk).delete()
        if deleted:
            details = {"source": str(row.source)} | ({"reason": reason} if reason else {})
            record(Action.OPT_OUT_REMOVED, project_id=row.project_id, actor=actor, request=request, **details)


def keep(
    project: Project, phones: Iterable[str], source: OptOutSource, *, note: str = "", by: str = ""
) -> tuple[int, int]:
    """Adds numbers (E.164): how many there were, and how many of them are new. Safe to repeat."""
    seen = new = 0
    for some in _some(phones):
        known = numbers(project.pk, some)
        fresh = sorted(set(some) - known)
        seen += len(some)
        new += len(fresh)
        OptOut.objects.bulk_create(
            [OptOut(project=project, phone=one, source=source, note=note[:200], added_by=by) for one in fresh],
            ignore_conflicts=True,
        )
    return seen, new


# -- The provider -----------------------------------------------------------------------------------------------------
def pull_from_provider(project: Project) -> tuple[int, int]:
    """Takes over who refused at the provider's 080 service: how many, and how many of them are new. Raises NotTaken,
    Stopped (as `senders.catalogue_of`)."""
    try:
        with senders.catalogue_of(project) as catalogue:
            return take_over(project, catalogue)
    except SendError as error:
        tried = {"problem": error.code[:32], "tried_at": timezone.now()}
        OptOutPull.objects.update_or_create(project=project, defaults=tried)
        raise


def take_over(project: Project, catalogue: Catalogue) -> tuple[int, int]:
    """The same from an account that is open already."""
    seen, new = keep(project, catalogue.opt_outs(), OptOutSource.PROVIDER)
    now = timezone.now()
    done = {"pulled_at": now, "tried_at": now, "seen": seen, "problem": ""}
    OptOutPull.objects.update_or_create(project=project, defaults=done)
    return seen, new


def pull_due() -> int:
    """The same, each by a task of its own, for every project that has a sender and wasn't asked lately: what a funnel
    shows before a campaign should be what its launch finds. Returns how many."""
    now = timezone.now()
    lately = Q(problem="", tried_at__gt=now - KEPT_FOR) | ~Q(problem="") & Q(tried_at__gt=now - AGAIN_AFTER)
    asked = set(OptOutPull.objects.filter(lately).values_list("project_id", flat=True))
    due = [project_id for project_id in senders.projects() if project_id not in asked]
    for project_id in due:
        nudge(PULL, project_id=project_id.hex)
    return len(due)


def record_refusal(project: Project, phone: str) -> None:
    """The provider wouldn't send to this number (E.164), because its owner refused: our list must know."""
    OptOut.objects.get_or_create(project=project, phone=phone, defaults={"source": OptOutSource.PROVIDER})


# -- Inside -----------------------------------------------------------------------------------------------------------
def _some(phones: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(phones)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _who(actor: Any) -> str:
    return getattr(actor, "email", "")
