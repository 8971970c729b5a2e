"""Template tags that every page uses: icons, numbers, times with their zone."""

from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django import template
from django.template.defaulttags import URLNode
from django.template.defaulttags import url as django_url
from django.templatetags.i18n import TranslateNode, do_translate
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils import formats, timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

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


class Distance(NamedTuple):
    """How far a moment is from now: so many of a `unit`, or (`yesterday`, `day`, `today`, `ahead`) at its own time."""

    unit: str
    number: int = 0


def distance(moment: datetime, now: datetime) -> Distance:
    """How far `moment` is from `now`; one to come is told by the clock."""
    seconds = (now - moment).total_seconds()
    if 0 <= seconds < 60:
        return Distance("now")
    if 0 <= seconds < 3600:
        return Distance("minutes", int(seconds // 60))
    if 0 <= seconds < 6 * 3600:
        return Distance("hours", int(seconds // 3600))
    days = (timezone.localtime(now).date() - timezone.localtime(moment).date()).days
    if seconds < 0:
        return Distance("today" if days == 0 else "ahead")
    if days == 0:
        return Distance("hours", int(seconds // 3600))
    if days == 1:
        return Distance("yesterday")
    return Distance("days", days) if days < 30 else Distance("day")


def relative(moment: datetime, now: datetime | None = None) -> str:
    """방금 전, 3분 전, 2시간 전, 어제 09:00, 8일 전; a moment to come is written as its time."""
    unit, n = distance(moment, now or timezone.now())
    if unit == "now":
        return _("방금 전")
    if unit == "minutes":
        return ngettext("%(n)d분 전", "%(n)d분 전", n) % {"n": n}
    if unit == "hours":
        return ngettext("%(n)d시간 전", "%(n)d시간 전", n) % {"n": n}
    if unit == "days":
        return ngettext("%(n)d일 전", "%(n)d일 전", n) % {"n": n}
    local = timezone.localtime(moment)
    if unit == "yesterday":
        return _("어제 %(time)s") % {"time": local.strftime("%H:%M")}
    if unit == "day":
        return local.strftime("%Y-%m-%d")
    return local.strftime("%H:%M") if unit == "today" else formats.date_format(local, "Y-m-d H:i")


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


@register.simple_tag
def zone(project: Any) -> str:
    """A project's time zone by its name, with what clocks call it now: Asia/Seoul (KST, UTC+09:00)."""
    now = timezone.now().astimezone(project.zone)
    offset = now.strftime("%z")
    return f"{project.time_zone} ({now.tzname()}, UTC{offset[:3]}:{offset[3:5]})"


@register.simple_tag(takes_context=True)
def may(context: template.Context, right: str) -> bool:
    """Whether the signed-in person has `right` in the current project: `{% may "refresh" as may_refresh %}`."""
    access = context.get("access")
    return access is not None and bool(access.may(right))


class AddressNode(URLNode):
    """Django's `{% url %}`, which works an address out anew each time: here it is kept."""

    def render(self, context: template.Context) -> str:
        name = self.view_name.resolve(context)
        arguments = [argument.resolve(context) for argument in self.args]
        try:
            address = "" if self.kwargs else kept_address(get_script_prefix(), name, *arguments)
        except (NoReverseMatch, TypeError):  # nowhere, or an argument that can't be a key
            address = ""
        if not address:
            return str(super().render(context))
        if self.asvar:
            context[self.asvar] = address
            return ""
        return conditional_escape(address) if context.autoescape else address


@lru_cache(maxsize=8192)
def kept_address(prefix: str, name: str, *arguments: Any) -> str:
    """The address of a view below `prefix`, the one that the request came by: it doesn't change while we run."""
    return reverse(name, args=arguments)


def address_of(name: str, *arguments: Any) -> str:
    """The address of a view, as `{% url %}` writes it."""
    return kept_address(get_script_prefix(), name, *arguments)


@register.tag
def url(parser: Any, token: Any) -> AddressNode:
    """`{% url %}` as Django reads it."""
    node = django_url(parser, token)
    return AddressNode(node.view_name, node.args, node.kwargs, node.asvar)


class WordsNode(TranslateNode):
    """Django's `{% translate %}`, which looks a sentence up anew each time: here one without variables is kept in each
    language."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        said = self.filter_expression
        self.is_constant = not said.filters and getattr(said.var, "literal", None) is not None
        self.kept: dict[str | None, Any] = {}

    def render(self, context: template.Context) -> str:
        language = get_language()
        words = self.kept.get(language)
        if words is None:
            rendered = super().render(context)
            if not self.is_constant:
                return str(rendered)
            words = self.kept[language] = context[self.asvar] if self.asvar else rendered
        if self.asvar:
            context[self.asvar] = words
            return ""
        return str(words)


@register.tag("translate")
def translate(parser: Any, token: Any) -> WordsNode:
    """`{% translate %}` as Django reads it."""
    node = do_translate(parser, token)
    return WordsNode(node.filter_expression, node.noop, node.asvar, node.message_context)
