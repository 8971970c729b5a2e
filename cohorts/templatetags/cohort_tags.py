"""Tags of the cohort pages."""

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django import template
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cohorts.models import Cohort, DriftKind
from cohorts.pages import detail
from cohorts.pages.push_queries import UNUSABLE
from cohorts.pages.queries import STATES, ListQuery, Row
from cohorts.versions.compare import SETS
from integrations import failures
from notifly_console.lib import phone
from notifly_console.lib.ui_tags import Distance, address_of, distance

register = template.Library()


@register.simple_tag
def failure(code: str) -> failures.Failure:
    """The failure `code` as a sentence and a remedy."""
    return failures.sentence(code)


@register.simple_tag
def sort_address(query: ListQuery, key: str) -> str:
    """The query string that sorts by `key`: numbers and times the greatest first, and the other way round when it is
    sorted by already."""
    descending = not query.descending if query.sort == key else key in ("size", "refreshed")
    return query.address(sort=key, descending=descending)


@register.simple_tag
def phone_reason(slug: str) -> str:
    """Why a profile can't get text messages, in the reader's language."""
    return str(phone.REASONS.get(slug, slug))


@register.simple_tag
def shown_id(external_id: str) -> str:
    """An id as everybody may see it: masked where it is itself a phone number or an address."""
    return detail.shown_id(external_id)


@register.simple_tag
def unusable_reason(slug: str) -> str:
    """Why a pushed member couldn't be taken, in the reader's language."""
    return str(UNUSABLE.get(slug, slug))


@register.simple_tag(takes_context=True)
def people_address(context: template.Context, what: str) -> str:
    """Where the next page of a list of people comes from: of a cohort, of what two of its versions differ by,
    or of those who were on one of its roads only."""
    access, cohort, difference = context["access"], context["cohort"], context.get("difference")
    if difference is not None:
        numbers = difference.older.number, difference.newer.number
        return address_of("cohorts:difference_people", access.project.id, cohort.source_id, *numbers, what)
    if context.get("shown_drift") is not None:
        return address_of("cohorts:drift_people", access.project.id, cohort.source_id, what)
    return address_of("cohorts:people", access.project.id, cohort.source_id, what)


@register.simple_tag
def id_list(people: list[detail.Person]) -> SafeString:
    """The ids of people, one a line, each the way to its profile."""
    anonymous = format_html('<span class="badge">{}</span>', _("익명"))
    lines = (
        (
            format_html('<a href="{}">{}</a>', one.address, one.shown)
            if one.address
            else format_html('<span class="muted">{}</span>', one.shown),
            anonymous if one.is_anonymous else "",
        )
        for one in people
    )
    return format_html('<ul class="id-list">{}</ul>', format_html_join("", "<li>{}{}</li>", lines))


@register.simple_tag
def people_label(what: str) -> str:
    """What a list of people is called."""
    kind = what.partition("-")[2]
    if kind in DriftKind.values:
        return str(DriftKind(kind).label)
    words = {"members": _("사용자 ID 페이지"), "held_joined": _("들어올 사람"), "held_left": _("나갈 사람"), **SETS}
    return str(words.get(what, what))


class Calm(NamedTuple):
    """All that the row of a cohort shows while nothing is wrong with it and no refresh has it in turn."""

    place: tuple[str | None, str]
    """Language and time zone."""
    project_id: UUID
    source_id: int
    screen_id: str
    name: str
    description: str
    size: int | None
    reported_size: int | None
    number: int
    joined_count: int
    left_count: int
    refreshed_at: datetime | None
    refreshed: Distance | None
    """How long ago: the one part of a row that changes by itself."""
    state: str
    SOURCE: str = Cohort.SOURCE


@register.simple_tag(takes_context=True)
def cohort_rows(context: template.Context, rows: list[Row]) -> SafeString:
    """The table's rows."""
    place, now = (get_language(), timezone.get_current_timezone_name()), timezone.now()
    drawn = []
    for row in rows:
        one = row.cohort
        if row.has_note or row.pull is not None:
            drawing = get_template("cohorts/list/_row.html").template  # type: ignore[attr-defined]
            with context.push(row=row, cohort=one, address=_address(one), state=row.state):
                drawn.append(drawing.render(context))
            continue
        ago = distance(one.refreshed_at, now) if one.refreshed_at else None
        drawn.append(
            _drawn(
                Calm(
                    *(place, one.project_id, one.source_id, one.screen_id, one.name, one.description, one.size),
                    *(one.reported_size, one.number, one.joined_count, one.left_count, one.refreshed_at, ago),
                    row.state.slug,
                )
            )
        )
    return SafeString("".join(drawn))


@lru_cache(maxsize=4096)
def _drawn(calm: Calm) -> SafeString:
    """A calm row, drawn once for as long as it shows the same: fifty of them were most of a page's time."""
    return SafeString(
        get_template("cohorts/list/_row.html").render(
            {"cohort": calm, "address": _address(calm), "row": None, "state": STATES[calm.state]}
        )
    )


def _address(cohort: Cohort | Calm) -> str:
    return reverse("cohorts:cohort", args=[cohort.project_id, cohort.source_id])
