"""Tags of the campaign pages."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import phonenumbers
from django import template
from django.template.loader import get_template
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.message.problems import Shown
from campaigns.sending.schedule import WEEKDAYS
from notifly_console.lib.masking import mask_phone
from notifly_console.lib.ui_tags import exact, icon

register = template.Library()

RULES = "rules."
"""How problems of the project's rules, rather than of the campaign, begin."""


@register.simple_tag(takes_context=True)
def error(context: template.Context, name: str) -> SafeString:
    """Where the problem of the field `name` stands, or will stand: a save sends it anew."""
    way = format_html(' <a href="{}">{}</a>', _rules(context), _("발송 규칙 열기")) if name.startswith(RULES) else ""
    texts = [(icon("circle-alert"), one.text, way) for one in context.get("problems") or () if one.field == name]
    return format_html(
        '<div class="field__errors" id="error-{}"{}>{}</div>',
        name,
        mark_safe(' hx-swap-oob="true"') if context.get("sends_errors") else "",
        format_html_join("", '<p class="field__error">{}<span>{}{}</span></p>', texts),
    )


@register.simple_tag(takes_context=True)
def place_of(context: template.Context, problem: Shown) -> str:
    """Where a problem is mended: at its field, or on the page of the project's rules."""
    return _rules(context) if problem.field.startswith(RULES) else f"#f-{problem.field}"


def _rules(context: template.Context) -> str:
    return reverse("campaigns:rules", args=[context["access"].project.id])


@register.simple_tag(takes_context=True)
def errors_anew(context: template.Context) -> SafeString:
    """All problems, each sent to the place of its field."""
    with context.push(sends_errors=True):
        fields = dict.fromkeys(one.field for one in context.get("problems") or ())
        return format_html_join("", "{}", ((error(context, field),) for field in fields))


@register.simple_tag(takes_context=True)
def invalid(context: template.Context, name: str) -> SafeString:
    """The attributes that bind a field to where its problem stands."""
    bad = any(one.field == name for one in context.get("problems") or ())
    return format_html(' aria-describedby="error-{}"{}', name, mark_safe(' aria-invalid="true"') if bad else "")


@register.simple_tag
def clock(moment: datetime) -> SafeString:
    """14:36 KST, with the date on hover."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact(moment), local.strftime("%H:%M %Z")
    )


@register.simple_tag
def day(moment: datetime) -> SafeString:
    """11월 23일(월) 09:00 KST"""
    local = timezone.localtime(moment)
    words = _("%(month)d월 %(day)d일(%(weekday)s)") % {
        "month": local.month,
        "day": local.day,
        "weekday": WEEKDAYS[local.weekday()],
    }
    return format_html('<time datetime="{}">{} {}</time>', local.isoformat(), words, local.strftime("%H:%M %Z"))


@register.simple_tag
def moment(at: datetime) -> str:
    """14:36:07 of today, 11-20 14:36 of this year, 2025-11-20 else: what stands in a narrow column."""
    local, now = timezone.localtime(at), timezone.localtime()
    if local.date() == now.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%m-%d %H:%M" if local.year == now.year else "%Y-%m-%d")


@register.simple_tag
def minute(at: datetime) -> SafeString:
    """2026-11-20 14:36, the seconds and the zone on hover."""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact(at), local.strftime("%Y-%m-%d %H:%M")
    )


@register.simple_tag
def before(distance: timedelta) -> str:
    """발송 3분 전에 읽음"""
    minutes = int(distance.total_seconds() // 60)
    if minutes < 1:
        return _("발송 직전에 읽음")
    if minutes < 120:
        return ngettext("발송 %(n)d분 전에 읽음", "발송 %(n)d분 전에 읽음", minutes) % {"n": minutes}
    hours = minutes // 60
    return ngettext("발송 %(n)d시간 전에 읽음", "발송 %(n)d시간 전에 읽음", hours) % {"n": hours}


@register.simple_tag
def marked(text: str, sought: str) -> SafeString:
    """`text` with each place where `sought` stands marked."""
    if not sought:
        return format_html("{}", text)
    pieces = re.split(f"({re.escape(sought)})", text, flags=re.IGNORECASE)
    return format_html_join(
        "", "{}{}{}", ((_MARK[at % 2][0], piece, _MARK[at % 2][1]) for at, piece in enumerate(pieces))
    )


_MARK = (("", ""), (mark_safe("<mark>"), mark_safe("</mark>")))


@register.filter
@lru_cache(maxsize=256)
def dialled(number: str) -> str:
    """02-1234-5678 of a registered number in digits."""
    try:
        parsed = phonenumbers.parse(number, "KR")
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))


@register.filter
def as_placeholder(name: str) -> str:
    """The name of a template's variable as the template writes it."""
    return f"#{{{name}}}"


@register.filter
def among(key: str, things: Iterable[Any]) -> bool:
    """Whether one of `things` has this id or number."""
    return any(key in (getattr(one, "id", None), getattr(one, "number", None)) for one in things or ())


@register.simple_tag
def placeholders(text: str) -> SafeString:
    """A template's text with each `#{name}` marked."""
    pieces = re.split(r"(#\{[^{}]*\})", text)
    return format_html_join(
        "", "{}{}{}", ((_VARIABLE[at % 2][0], piece, _VARIABLE[at % 2][1]) for at, piece in enumerate(pieces))
    )


_VARIABLE = (("", ""), (mark_safe('<b class="variable">'), mark_safe("</b>")))


@register.inclusion_tag("campaigns/message/_counter.html", takes_context=True)
def counter(context: template.Context, name: str) -> dict[str, Any]:
    """How long the text of the field `name` is, for the person of the preview and for the longest."""
    return _of_measured(context, name, "counters")


@register.inclusion_tag("campaigns/message/_notes.html", takes_context=True)
def notes(context: template.Context, name: str) -> dict[str, Any]:
    """What the field `name` makes of its readers, and what in it can't be sent."""
    return _of_measured(context, name, "notes")


@register.inclusion_tag("campaigns/message/_fill.html", takes_context=True)
def fill(context: template.Context, name: str) -> dict[str, Any]:
    """How many of the audience have a value for a variable."""
    return _of_measured(context, name, "fills")


@register.simple_tag(takes_context=True)
def measures_anew(context: template.Context) -> SafeString:
    """Everything that stands beside the editors, each sent to its place."""
    measured = context["measured"]
    places = (
        ("counter", measured.counters, measured.counters),
        ("notes", [*measured.editors, *measured.variables], measured.notes),
        ("fill", measured.variables, measured.fills),
    )
    pieces = [
        get_template(f"campaigns/message/_{what}.html").render({"name": name, "one": of.get(name), "oob": True})
        for what, names, of in places
        for name in names
    ]
    return mark_safe("".join(pieces))  # noqa: S308 -- templates of ours


def _of_measured(context: template.Context, name: str, what: str) -> dict[str, Any]:
    measured = context.get("measured")
    kept = {key: context.get(key) for key in ("access", "campaign", "parts")}
    return kept | {
        "oob": context.get("sends_measures"),
        "waits": context.get("measures_later"),
        "name": name,
        "one": getattr(measured, what).get(name) if measured else None,
    }


@register.simple_tag
def clock_only(moment: datetime | None) -> str:
    """오후 3:30, as a phone writes it."""
    return formats.date_format(timezone.localtime(moment or timezone.now()), _("A g:i"))


@register.simple_tag
def date_only(moment: datetime | None) -> str:
    """11월 20일 금요일, as a phone writes it."""
    return formats.date_format(timezone.localtime(moment or timezone.now()), _("n월 j일 l"))


_LINKS = re.compile(r"((?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)*\.(?:com|net|kr|example)(?:/\S*)?|\b0\d{8,10}\b)")


@register.simple_tag
def linked(text: str) -> SafeString:
    """`text` with what a phone would underline underlined."""
    return format_html_join(
        "", "{}{}{}", ((_UNDER[at % 2][0], piece, _UNDER[at % 2][1]) for at, piece in enumerate(_LINKS.split(text)))
    )


_UNDER = (("", ""), (mark_safe("<u>"), mark_safe("</u>")))


@register.filter
def wall_time(moment: datetime) -> str:
    """15:39 KST"""
    return timezone.localtime(moment).strftime("%H:%M %Z")


@register.filter
def won(amount: Any) -> str:
    """175,266원"""
    return _("%(amount)s원") % {"amount": f"{round(amount):,}"} if amount is not None else "–"


@register.filter
def masked_phone(phone: str) -> str:
    """010-****-5678"""
    return mask_phone(phone)
