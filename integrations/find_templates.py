"""Finding 알림톡 templates in a listing: by channel, status and words."""

from collections.abc import Mapping
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import urlencode

from integrations.messaging import Template, TemplateStatus
from integrations.senders import Listing

LONGEST_TEXT = 100
ORDER = list(TemplateStatus)
ORDER.sort(key=lambda status: status != TemplateStatus.APPROVED)


@dataclass(frozen=True)
class TemplateQuery:
    """What a person asked for; empty means all."""

    text: str = ""
    profile: str = ""
    status: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> "TemplateQuery":
        """The query of an address. What it can't mean is left out."""
        status = asked.get("status", "")
        return cls(
            text=asked.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT],
            profile=asked.get("channel", "")[:64],
            status=status if status in TemplateStatus.values else "",
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.text or self.profile or self.status)

    @property
    def address(self) -> str:
        """As a query string."""
        asked = {"q": self.text, "channel": self.profile, "status": self.status}
        return urlencode({name: value for name, value in asked.items() if value})


def found_in(listing: Listing, query: TemplateQuery) -> list[Template]:
    """Those that match: what can be sent first, then by name."""
    words = _plain(query.text).split()
    found = [
        template
        for template in listing.templates
        if (not query.profile or template.profile_id == query.profile)
        and (not query.status or template.status == query.status)
        and _has(template, words)
    ]
    return sorted(found, key=lambda template: (ORDER.index(template.status), template.name, template.id))


def _has(template: Template, words: list[str]) -> bool:
    text = _plain(" ".join((template.name, template.content, template.id, template.code)))
    return all(word in text for word in words)


def _plain(text: str) -> str:
    return normalize("NFC", text).casefold()
