"""Tags of the campaign pages."""

import re
from datetime import datetime

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from notifly_console.lib.ui_tags import exact, icon

register = template.Library()


@register.simple_tag(takes_context=True)
def error(context: template.Context, name: str) -> SafeString:
    """Where the problem of the field `name` stands, or will stand: a save sends it anew."""
    texts = [(icon("circle-alert"), one.text) for one in context.get("problems") or () if one.field == name]
    return format_html(
        '<div class="field__errors" id="error-{}"{}>{}</div>',
        name,
        mark_safe(' hx-swap-oob="true"') if context.get("oob") else "",
        format_html_join("", '<p class="field__error">{}<span>{}</span></p>', texts),
    )


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
    words = formats.date_format(local, _("n월 j일(D) H:i"))
    return format_html('<time datetime="{}">{} {}</time>', local.isoformat(), words, local.strftime("%Z"))


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
