"""Tags of the sender's pages."""

import re
from decimal import Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from integrations.messaging import TemplateStatus
from integrations.solapi.schemas import VARIABLE

register = template.Library()

CHIPS = {
    TemplateStatus.APPROVED: "chip--green",
    TemplateStatus.IN_REVIEW: "chip--yellow",
    TemplateStatus.PENDING: "chip--blue",
    TemplateStatus.REJECTED: "chip--red",
    TemplateStatus.BLOCKED: "chip--red",
}
_SHAPES = (
    (r"(1[5-9]\d\d)(\d{4})", r"\1-\2"),
    (r"(02)(\d{3,4})(\d{4})", r"\1-\2-\3"),
    (r"(0\d\d)(\d{3,4})(\d{4})", r"\1-\2-\3"),
)


@register.filter
def sender_number(digits: str) -> str:
    """02-6900-1234, 010-9000-1234, 1588-1234; whatever has another shape stays as it is."""
    for shape, written in _SHAPES:
        if re.fullmatch(shape, digits):
            return re.sub(shape, written, digits)
    return digits


@register.filter
def won(amount: Decimal | None) -> str:
    """12원, 10.5원; an en dash for nothing."""
    if amount is None:
        return "–"
    places = 0 if amount == amount.to_integral_value() else 1
    return _("%(amount)s원") % {"amount": f"{amount:,.{places}f}"}


@register.filter
def with_variables(text: str) -> SafeString:
    """A template's text with its `#{variables}` marked."""
    parts = []
    last = 0
    for found in VARIABLE.finditer(text):
        parts.append(("{}", text[last : found.start()]))
        parts.append(('<mark class="variable">{}</mark>', found[0]))
        last = found.end()
    parts.append(("{}", text[last:]))
    return format_html_join("", "{}", ((format_html(shape, value),) for shape, value in parts))


@register.simple_tag
def template_chip(status: TemplateStatus) -> SafeString:
    """Where a template stands, as a chip."""
    return format_html('<span class="chip {}">{}</span>', CHIPS.get(status, ""), status.label)
