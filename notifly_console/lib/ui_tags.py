"""Template tags that every page uses: icons, numbers, times with their zone."""

from datetime import datetime
from functools import cache
from pathlib import Path

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()

ICONS = Path(__file__).resolve().parent / "icons"


@cache
def _shapes(name: str) -> str:
    """The drawing inside an icon file of ours. Raises FileNotFoundError for a name that isn't kept."""
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")].strip()


@register.simple_tag
@cache
def icon(name: str, extra: str = "") -> SafeString:
    """The line icon `name`, drawn in the text's colour and hidden from screen readers."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>',
        extra,
        mark_safe(_shapes(name)),  # noqa: S308 -- files of this repository
    )


@register.filter
def number(value: int | None) -> str:
    """12,480; an en dash for nothing."""
    return "–" if value is None else f"{value:,}"


def exact(moment: datetime) -> str:
    """2026-11-20 14:31:08 KST"""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


@register.filter(name="exact")
def exact_filter(moment: datetime | None) -> str:
    return exact(moment) if moment else ""


def relative(moment: datetime, now: datetime | None = None) -> str:
    """방금 전, 3분 전, 2시간 전, 어제 09:00, 8일 전; a moment to come is written as its time."""
    now = now or timezone.now()
    seconds = (now - moment).total_seconds()
    local = timezone.localtime(moment)
    days = (timezone.localtime(now).date() - local.date()).days
    if seconds < 0:
        return local.strftime("%H:%M") if days == 0 else formats.date_format(local, "Y-m-d H:i")
    if seconds < 60:
        return _("방금 전")
    if seconds < 3600:
        minutes = int(seconds // 60)
        return ngettext("%(n)d분 전", "%(n)d분 전", minutes) % {"n": minutes}
    if days == 0 or seconds < 6 * 3600:
        hours = int(seconds // 3600)
        return ngettext("%(n)d시간 전", "%(n)d시간 전", hours) % {"n": hours}
    if days == 1:
        return _("어제 %(time)s") % {"time": local.strftime("%H:%M")}
    if days < 30:
        return ngettext("%(n)d일 전", "%(n)d일 전", days) % {"n": days}
    return local.strftime("%Y-%m-%d")


@register.simple_tag
def ago(moment: datetime | None) -> SafeString:
    """A time as people say it, with the exact time and its zone on hover."""
    if moment is None:
        return mark_safe("–")
    text = exact(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        timezone.localtime(moment).isoformat(),
        text,
        relative(moment),
    )


@register.simple_tag
def at(moment: datetime | None) -> SafeString:
    """An exact time with its zone."""
    if moment is None:
        return mark_safe("–")
    return format_html('<time datetime="{}">{}</time>', timezone.localtime(moment).isoformat(), exact(moment))


@register.simple_tag(takes_context=True)
def may(context: template.Context, right: str) -> bool:
    """Whether the signed-in person has `right` in the current project: `{% may "refresh" as may_refresh %}`."""
    access = context.get("access")
    return access is not None and bool(access.may(right))
