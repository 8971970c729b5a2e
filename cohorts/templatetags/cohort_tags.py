"""Tags of the cohort pages."""

from django import template

from cohorts.queries import ListQuery
from integrations import failures
from notifly_console.lib import phone

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
