"""Reading the audit log: one project's entries, the newest first."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.utils import timezone

from notifly_console.audit.models import Entry

PAGE = 50


@dataclass(frozen=True)
class Question:
    """What is looked for. `since` and `until` are days in the console's time zone, both included."""

    actor: str = ""
    action: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Answer:
    """One page. `older` and `newer` are where the neighbouring pages begin; None where there is none."""

    entries: list[Entry]
    older: int | None
    newer: int | None


def find(project_id: UUID, question: Question, *, before: int | None = None, after: int | None = None) -> Answer:
    """The entries next to a place in the log: below the entry `before`, or above the entry `after`.

    Paged by entry and not by count, so that a page neither slows down with depth nor shifts while entries are added.
    """
    entries = Entry.objects.filter(project_id=project_id)
    if question.actor:
        entries = entries.filter(actor=question.actor)
    if question.action:
        entries = entries.filter(action=question.action)
    if question.since:
        entries = entries.filter(at__gte=_begin(question.since))
    if question.until and question.until < date.max:
        entries = entries.filter(at__lt=_begin(question.until + timedelta(days=1)))
    if after is not None:
        found = list(entries.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
        rows = found[:PAGE][::-1]
        older_exists, newer_exists = True, len(found) > PAGE
    else:
        below = entries.filter(pk__lt=before) if before is not None else entries
        found = list(below.order_by("-pk")[: PAGE + 1])
        rows = found[:PAGE]
        older_exists, newer_exists = len(found) > PAGE, before is not None
    return Answer(
        entries=rows,
        older=rows[-1].pk if rows and older_exists else None,
        newer=rows[0].pk if rows and newer_exists else None,
    )


def actors(project_id: UUID, limit: int = 200) -> list[str]:
    """Who stands in the project's log, in alphabetical order."""
    names = Entry.objects.filter(project_id=project_id).order_by("actor").values_list("actor", flat=True)
    return list(names.distinct()[:limit])


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
