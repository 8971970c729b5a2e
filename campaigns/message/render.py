"""What each recipient reads, and how long it is in the carriers' bytes. Preview, price and sending all come through
here, so that they can't differ.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from django.utils import timezone

from campaigns.message.characters import Odd, byte_length, unencodable
from campaigns.message.compile import Left, Rendered, Renderer, compiled
from campaigns.message.content import AlimtalkContent, Content, FriendtalkContent, TextContent, is_ad
from campaigns.message.limits import REFERENCE_LENGTH
from campaigns.message.marks import SenderRules, marks_of, with_marks
from campaigns.models import SkipReason
from integrations.messaging import Kind, Message

__all__ = [
    "Left",
    "Odd",
    "Rendered",
    "Renderer",
    "Worst",
    "byte_length",
    "message_for",
    "render",
    "renderer",
    "unencodable",
    "with_marks",
    "worst",
]


def renderer(content: Content, rules: SenderRules) -> Renderer:
    """`content` compiled, for whoever renders many. Raises BadVariable for a text that can't be read: nothing is ever
    sent with its braces."""
    return compiled(content, marks_of(rules))


def render(
    content: Content, values: Mapping[str, Any], rules: SenderRules, now: datetime | None = None
) -> Rendered | Left:
    """What the person with these values ({field: JSON value}) gets. Raises BadVariable."""
    return renderer(content, rules).render(values, now or timezone.now())


class Person(NamedTuple):
    """Whom a message is for, where no `Recipient` row is at hand."""

    phone: str
    """E.164."""
    values: Mapping[str, Any]


class Addressed(Protocol):
    """A `Recipient`, or a `Person`."""

    @property
    def phone(self) -> str: ...
    @property
    def values(self) -> Mapping[str, Any]: ...


def message_for(
    recipient: Addressed,
    content: Content,
    rules: SenderRules,
    reference: str,
    pictures: Mapping[str, str],
    now: datetime | None = None,
) -> Message | Left:
    """The message as a provider takes it. `pictures` has the provider's ids of uploaded pictures by ours. Raises
    BadVariable; KeyError for a picture that wasn't uploaded; ValueError for a reference of more than 100 characters."""
    if len(reference) > REFERENCE_LENGTH:
        raise ValueError("reference is too long")
    rendered = render(content, recipient.values, rules, now)
    if isinstance(rendered, Left):
        return rendered
    is_kakao = not isinstance(content, TextContent)
    picture = "" if isinstance(content, AlimtalkContent) else content.picture
    return Message(
        reference=reference,
        to=recipient.phone,
        kind=rendered.kind,
        sender=content.sender if rendered.fallback or not is_kakao else "",
        text=rendered.text,
        subject=rendered.subject,
        image=pictures[picture] if picture else "",
        is_ad=is_ad(content),
        profile="" if isinstance(content, TextContent) else content.profile,
        template=content.template if isinstance(content, AlimtalkContent) else "",
        variables=rendered.variables,
        buttons=rendered.buttons if isinstance(content, FriendtalkContent) else (),
        fallback=rendered.fallback,
    )


# -- The worst real recipient -----------------------------------------------------------------------------------------
ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Worst:
    """What an audience makes of a message. `by_kind` and `left` add up to all of it."""

    longest_id: Any
    """Whose text is the longest; None when nobody gets one."""
    longest_bytes: int
    """How long: bytes of a text message, characters of a Kakao one."""
    by_kind: Mapping[Kind, int]
    left: Mapping[SkipReason, int]
    ids: Mapping[str, Any]
    """Whose of each Kind, SkipReason and ALTERED: a list, or a set where whoever asked made it one."""
    altered: int = 0
    """Of how many a value had characters that had to be replaced."""
    fallback: "Worst | None" = None
    """The same of the fallback; those in `left` get the Kakao message, and no text when that fails."""


class _Count:
    def __init__(self) -> None:
        self.longest_id: Any = None
        self.longest = 0
        self.by_kind: Counter[Kind] = Counter()
        self.left: Counter[SkipReason] = Counter()
        self.ids: dict[str, list[Any]] = {}
        self.altered = 0

    def add(self, id_: Any, count: int, kind: Kind, length: int) -> None:
        self.by_kind[kind] += count
        self.ids.setdefault(kind, []).append(id_)
        if length > self.longest or self.longest_id is None:
            self.longest, self.longest_id = length, id_

    def leave(self, id_: Any, count: int, reason: SkipReason) -> None:
        self.left[reason] += count
        self.ids.setdefault(reason, []).append(id_)

    def result(self, fallback: Worst | None) -> Worst:
        by_kind, left, ids = dict(self.by_kind), dict(self.left), self.ids
        return Worst(self.longest_id, self.longest, by_kind, left, ids, self.altered, fallback)


def worst(
    content: Content,
    rules: SenderRules,
    rows: Iterable[tuple[Any, Mapping[str, Any], int]],
    now: datetime | None = None,
) -> Worst:
    """Renders everybody and tells the longest, how many go out as what, and who is left out why. `rows` is a stream of
    (id, values, how many people it stands for); it is read once, and of it only ids are kept. Raises BadVariable."""
    ready = renderer(content, rules)
    now = now or timezone.now()
    own, other = _Count(), _Count()
    for id_, values, count in rows:
        rendered = ready.render(values, now)
        if isinstance(rendered, Left):
            own.leave(id_, count, rendered.reason)
            continue
        own.add(id_, count, rendered.kind, rendered.length)
        if rendered.is_altered:
            own.altered += count
            own.ids.setdefault(ALTERED, []).append(id_)
        if rendered.fallback:
            other.add(id_, count, rendered.fallback.kind, rendered.fallback_length)
        elif rendered.fallback_left:
            other.leave(id_, count, rendered.fallback_left)
    has_fallback = not isinstance(content, TextContent) and content.fallback is not None
    return own.result(other.result(None) if has_fallback else None)
