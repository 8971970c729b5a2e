"""A content made ready to be rendered many times: what is the same for everybody is measured once, and each person
costs a few microseconds. The sum of the pieces is exact, since CP949 and UTF-16 encode each character by itself.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

from campaigns.characters import byte_length, character_length, mended, unencodable
from campaigns.content import AlimtalkContent, Content, FallbackText, FriendtalkContent, TextContent, Variable, is_ad
from campaigns.limits import (
    ALIMTALK_CHARACTERS,
    ALIMTALK_LINK,
    FRIENDTALK_BREAKS,
    FRIENDTALK_CHARACTERS,
    FRIENDTALK_LINK,
    LMS_BYTES,
    SMS_BYTES,
    SUBJECT_BYTES,
)
from campaigns.marks import AD, Marks
from campaigns.models import SkipReason
from campaigns.personalise import Literal, Slot, Template, one_line, parse, parse_template_text, url_part
from integrations.messaging import Button, Fallback, Kind


class Rendered(NamedTuple):
    """What one person gets."""

    kind: Kind
    text: str
    """With the marks of an ad."""
    subject: str
    length: int
    """Of the text: bytes of a text message, else characters."""
    variables: Mapping[str, str]
    """Of an 알림톡, by name without `#{}`."""
    buttons: tuple[Button, ...]
    fallback: Fallback | None
    fallback_length: int
    """Bytes; 0 without one."""
    fallback_left: SkipReason | None
    """Why this person has no fallback although the campaign has one."""
    is_altered: bool
    """A value held characters that no text message can carry, and they were replaced."""


class Left(NamedTuple):
    """This person gets nothing, and why."""

    reason: SkipReason


class Renderer(Protocol):
    """A content, compiled."""

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        """What the person with these values gets at the moment `now`."""


# -- One text ---------------------------------------------------------------------------------------------------------
Measure = Callable[[str], tuple[str, int]]
"""A person's value as it goes in, and its length. Raises UnicodeEncodeError when it can't go in."""


def _carried(value: str) -> tuple[str, int]:
    """For a text message: bytes. What carriers lack is replaced: the author can't mend somebody's name."""
    if value.isascii():
        return value, len(value)
    try:
        return value, len(value.encode("cp949"))
    except UnicodeEncodeError:
        value = mended(value).strip()
        return value, len(value.encode("cp949"))


def _carried_line(value: str) -> tuple[str, int]:
    return _carried(one_line(value))


def _shown(value: str) -> tuple[str, int]:
    """For KakaoTalk: characters."""
    return value, len(value) if value.isascii() else len(value.encode("utf-16-le")) >> 1


def _shown_line(value: str) -> tuple[str, int]:
    return _shown(one_line(value))


def _linked(value: str) -> tuple[str, int]:
    value = url_part(value)
    return value, len(value)


class _Line(NamedTuple):
    text: str
    length: int
    is_altered: bool
    is_hollow: bool
    """Nothing but what is the same for everybody."""
    has_hole: bool
    """A value was missing and had no default."""


class _Text:
    """A text with its fixed parts measured."""

    __slots__ = ("_fixed", "_is_sendable", "_measure", "_parts", "is_blank")

    def __init__(self, template: Template, measure: Measure, head: str = "", tail: str = "") -> None:
        fixed = f"{head}{template.fixed}{tail}"
        is_carried = measure in (_carried, _carried_line)
        self._is_sendable = not (is_carried and unencodable(fixed))
        self._fixed = byte_length(fixed) if is_carried else character_length(fixed)
        self._measure = measure
        self._parts = (head, *(part.text if isinstance(part, Literal) else part for part in template.parts), tail)
        self.is_blank = not template.fixed.strip()

    def fill(self, values: Mapping[str, Any], now: datetime) -> _Line | None:
        """The text for one person; None when it has characters that can't be sent."""
        if not self._is_sendable:
            return None
        length, is_altered, is_hollow, has_hole = self._fixed, False, True, False
        pieces: list[str] = []
        try:
            for part in self._parts:
                if isinstance(part, str):
                    pieces.append(part)
                    continue
                given = part.value(values) if isinstance(part, Slot) else part.value(now)
                value, size = self._measure(given)
                is_altered |= value != given
                if not value and isinstance(part, Slot) and part.default:
                    value, size = self._measure(part.default)
                pieces.append(value)
                length += size
                has_hole |= not value
                is_hollow &= not value
        except UnicodeEncodeError:
            return None
        return _Line("".join(pieces), length, is_altered, is_hollow, has_hole)


# -- A text message, by itself or as a fallback -----------------------------------------------------------------------
class _Written(NamedTuple):
    kind: Kind
    text: str
    subject: str
    length: int
    is_altered: bool


class _Letter:
    """A text message, compiled. `marks` are those of an ad; None for information."""

    __slots__ = ("_body", "_kind", "_skips", "_subject")

    def __init__(self, kind: str, body: Template, subject: str, marks: Marks | None, *, skips: bool) -> None:
        self._kind = Kind(kind or Kind.SMS)
        self._skips = skips
        self._body = _Text(body, _carried, marks.head if marks else "", marks.tail if marks else "")
        has_subject = bool(subject) and self._kind != Kind.SMS
        self._subject = _Text(parse(subject), _carried_line, AD if marks else "") if has_subject else None

    def write(self, values: Mapping[str, Any], now: datetime) -> _Written | SkipReason:
        """What one person reads."""
        body = self._body.fill(values, now)
        subject = self._subject.fill(values, now) if self._subject else _NO_LINE
        if body is None or subject is None:
            return SkipReason.CHARACTERS
        if (self._skips and (body.has_hole or subject.has_hole)) or (self._body.is_blank and body.is_hollow):
            return SkipReason.NO_VALUE
        kind = Kind.LMS if self._kind == Kind.SMS and body.length > SMS_BYTES else self._kind
        if body.length > LMS_BYTES or subject.length > SUBJECT_BYTES:
            return SkipReason.TOO_LONG
        title = "" if subject.text == AD else subject.text
        return _Written(kind, body.text, title, body.length, body.is_altered or subject.is_altered)


_NO_LINE = _Line("", 0, False, True, False)


class _TextRenderer:
    def __init__(self, content: TextContent, marks: Marks) -> None:
        ad_marks = marks if is_ad(content) else None
        self._letter = _Letter(content.kind, parse(content.text), content.title, ad_marks, skips=content.skips_missing)

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        written = self._letter.write(values, now)
        if isinstance(written, SkipReason):
            return Left(written)
        kind, text, subject, length, is_altered = written
        return Rendered(kind, text, subject, length, {}, (), None, 0, None, is_altered)


# -- Kakao ------------------------------------------------------------------------------------------------------------
class _Kakao:
    """What both Kakao channels share: a message with or without a fallback."""

    def __init__(self, fallback: FallbackText | None, kakao_text: Template, marks: Marks | None) -> None:
        self._is_own = fallback is not None and fallback.is_own
        self._letter = (
            _Letter(
                fallback.kind,
                parse(fallback.text) if fallback.is_own else kakao_text,
                fallback.subject,
                marks,
                skips=False,
            )
            if fallback
            else None
        )

    def with_fallback(
        self, rendered: Rendered, values: Mapping[str, Any], kakao_values: Mapping[str, Any], now: datetime
    ) -> Rendered:
        """`rendered` with the text that goes out instead: own text asks for `values`, the Kakao text for its own."""
        if self._letter is None:
            return rendered
        written = self._letter.write(values if self._is_own else kakao_values, now)
        if isinstance(written, SkipReason):
            return rendered._replace(fallback_left=written)
        kind, text, subject, length, is_altered = written
        return rendered._replace(fallback=Fallback(kind, text, subject), fallback_length=length, is_altered=is_altered)


class _FriendtalkRenderer(_Kakao):
    def __init__(self, content: FriendtalkContent, marks: Marks) -> None:
        body = parse(content.text)
        super().__init__(content.fallback, body, marks)
        self._body = _Text(body, _shown)
        self._skips = content.skips_missing
        self._buttons = tuple(
            (one.name, _Text(parse(one.mobile_url), _linked), _Text(parse(one.pc_url), _linked))
            for one in content.buttons
        )

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        body = self._body.fill(values, now)
        if body is None:
            return Left(SkipReason.CHARACTERS)
        if (self._skips and body.has_hole) or (self._body.is_blank and body.is_hollow):
            return Left(SkipReason.NO_VALUE)
        if body.length > FRIENDTALK_CHARACTERS or body.text.count("\n") > FRIENDTALK_BREAKS:
            return Left(SkipReason.TOO_LONG)
        buttons = []
        for name, mobile, pc in self._buttons:
            links = mobile.fill(values, now), pc.fill(values, now)
            if links[0] is None or links[1] is None:
                return Left(SkipReason.CHARACTERS)
            if self._skips and (links[0].has_hole or links[1].has_hole):
                return Left(SkipReason.NO_VALUE)
            if max(links[0].length, links[1].length) > FRIENDTALK_LINK:
                return Left(SkipReason.TOO_LONG)
            buttons.append(Button(name, links[0].text, links[1].text))
        rendered = Rendered(
            Kind.FRIENDTALK, body.text, "", body.length, {}, tuple(buttons), None, 0, None, is_altered=False
        )
        return self.with_fallback(rendered, values, values, now)


class _AlimtalkRenderer(_Kakao):
    def __init__(self, content: AlimtalkContent, marks: Marks) -> None:
        names = content.template_variables
        body = parse_template_text(content.template_text, names)
        super().__init__(content.fallback, body, None)
        self._body = _Text(body, _shown)
        self._variables = tuple(
            (given, _Text(parse(given.text), _shown_line))
            for given in (content.variable(name) or Variable(name) for name in names)
        )
        self._buttons = tuple(
            (one.name, _linked_template(one.mobile_url, names), _linked_template(one.pc_url, names))
            for one in content.template_buttons
        )

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        variables: dict[str, str] = {}
        for given, text in self._variables:
            line = text.fill(values, now)
            if line is None:
                return Left(SkipReason.CHARACTERS)
            is_missing = line.has_hole or not line.text
            filled = ("" if given.skips_missing else given.default) if is_missing else line.text
            if not filled:
                return Left(SkipReason.NO_VALUE)
            variables[given.name] = filled
        body = self._body.fill(variables, now)
        if body is None:
            return Left(SkipReason.CHARACTERS)
        if body.length > ALIMTALK_CHARACTERS:
            return Left(SkipReason.TOO_LONG)
        buttons = []
        for name, *links in self._buttons:
            mobile, pc = (link.fill(variables, now) for link in links)
            if mobile is None or pc is None or any(map(str.isspace, chain(mobile.text, pc.text))):
                return Left(SkipReason.CHARACTERS)
            if max(mobile.length, pc.length) > ALIMTALK_LINK:
                return Left(SkipReason.TOO_LONG)
            buttons.append(Button(name, mobile.text, pc.text))
        rendered = Rendered(
            Kind.ALIMTALK, body.text, "", body.length, variables, tuple(buttons), None, 0, None, is_altered=False
        )
        return self.with_fallback(rendered, values, variables, now)


def _linked_template(url: str, names: tuple[str, ...]) -> _Text:
    # Kakao fills a template's links itself, with the variables as they are.
    return _Text(parse_template_text(url, names), _shown)


# -- The door --
@lru_cache(maxsize=64)
def compiled(content: Content, marks: Marks) -> Renderer:
    """`content` with the marks of a project's ads. Raises BadVariable for a text that can't be read."""
    if isinstance(content, TextContent):
        return _TextRenderer(content, marks)
    if isinstance(content, FriendtalkContent):
        return _FriendtalkRenderer(content, marks)
    return _AlimtalkRenderer(content, marks)
