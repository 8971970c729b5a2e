"""수신거부: numbers that refused advertising from a project. Asked when an audience is planned, and again by number at
the moment of sending (정보통신망법 제50조 ②).

They come from people (`add`, `import_file`), from the provider's 080 service (`pull_from_provider`, nightly and before
each advertisement) and from single answers of the provider (`record_refusal`). A pull only ever adds: that a list came
back shorter is no sign that somebody wants advertising again.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.http import HttpRequest

from campaigns.models import OptOut, OptOutSource
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.phone import PREFIX, REASONS, mobile, normalise
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

AT_ONCE = 1_000


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


def remove(row: OptOut, *, actor: Any = None, request: HttpRequest | None = None) -> None:
    """Takes a number off the list: advertising may reach it again, if its owner consented. The log keeps who did."""
    with transaction.atomic():
        deleted, _by_model = OptOut.objects.filter(pk=row.pk).delete()
        if deleted:
            source = str(row.source)
            record(Action.OPT_OUT_REMOVED, project_id=row.project_id, actor=actor, request=request, source=source)


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
