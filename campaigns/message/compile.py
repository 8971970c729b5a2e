"""A content made ready to be rendered many times: what is the same for everybody is measured once, and each person
costs a few microseconds. The sum of the pieces is exact, since CP949 and UTF-16 encode each character by itself.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from campaigns.message.characters import byte_length, character_length, mended, unencodable
from campaigns.message.content import (
    AlimtalkContent,
    Content,
    FallbackText,
    FriendtalkContent,
    TextContent,
    Variable,
    is_ad,
)
from campaigns.message.limits import (
    ALIMTALK_CHARACTERS,
    ALIMTALK_LINK,
    FRIENDTALK_BREAKS,
    FRIENDTALK_CHARACTERS,
    FRIENDTALK_LINK,
    LMS_BYTES,
    SMS_BYTES,
    SUBJECT_BYTES,
)
from campaigns.message.marks import AD, Marks
from campaigns.message.personalise import Literal, Slot, Template, parse, parse_template_text
from campaigns.message.values import one_line, url_part
from campaigns.models import SkipReason
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


_Line = tuple[str, int, bool, bool, bool]
"""A person's text, its length; whether a value was altered; whether a value was missing that has no default; whether
nothing but what is the same for everybody is left. (A bare tuple: a million people come through here.)"""


class _Text:
    """A text with its fixed parts measured."""

    __slots__ = ("_fixed", "_is_sendable", "_measure", "_pieces", "_places", "is_blank", "is_personal")

    def __init__(self, template: Template, measure: Measure, head: str = "", tail: str = "") -> None:
        fixed = f"{head}{template.fixed}{tail}"
        is_carried = measure in (_carried, _carried_line)
        self._is_sendable = not (is_carried and unencodable(fixed))
        self._fixed = byte_length(fixed) if is_carried else character_length(fixed)
        self._measure = measure
        self._pieces = [head, *(part.text if isinstance(part, Literal) else "" for part in template.parts), tail]
        self._places = [(n, part) for n, part in enumerate(template.parts, 1) if not isinstance(part, Literal)]
        self.is_blank = not template.fixed.strip()
        self.is_personal = bool(self._places)

    def fill(self, values: Mapping[str, Any], now: datetime) -> _Line | None:
        """The text for one person; None when it has characters that can't be sent."""
        if not self._is_sendable:
            return None
        length, is_altered, has_hole, is_hollow = self._fixed, False, False, True
        measure = self._measure
        pieces = self._pieces.copy()
        try:
            for at, place in self._places:
                given = place.value(values, now)
                value, size = measure(given)
                if value is not given and value != given:
                    is_altered = True
                    if not value and place.default:
                        value, size = measure(place.default)
                if value:
                    pieces[at] = value
                    length += size
                    is_hollow = False
                else:
                    has_hole = True
        except UnicodeEncodeError:
            return None
        return "".join(pieces), length, is_altered, has_hole, is_hollow


class _Form:
    """A text of an 알림톡 template. What goes into its places has been filled and measured before."""

    __slots__ = ("_fixed", "_pieces", "_places", "is_personal")

    def __init__(self, template: Template) -> None:
        self._fixed = character_length(template.fixed)
        self._pieces = [part.text if isinstance(part, Literal) else "" for part in template.parts]
        self._places = [(n, part.field) for n, part in enumerate(template.parts) if isinstance(part, Slot)]
        self.is_personal = bool(self._places)

    def fill(self, variables: Mapping[str, str], lengths: Mapping[str, int]) -> tuple[str, int]:
        """The text and its length."""
        length = self._fixed
        pieces = self._pieces.copy()
        for at, name in self._places:
            pieces[at] = variables[name]
            length += lengths[name]
        return "".join(pieces), length


# -- A text message, by itself or as a fallback -----------------------------------------------------------------------
_Written = tuple[Kind, str, str, int, bool]
"""Kind, text, title, bytes of the text, whether a value was altered."""
_Shown = tuple[Kind, str, str, int, Mapping[str, str], tuple[Button, ...]]
"""The first fields of `Rendered`, of a Kakao message."""


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
        text, length, is_altered, has_hole, is_hollow = body
        title, title_length, title_is_altered, title_has_hole, _ = subject
        if (self._skips and (has_hole or title_has_hole)) or (is_hollow and self._body.is_blank):
            return SkipReason.NO_VALUE
        if length > LMS_BYTES or title_length > SUBJECT_BYTES:
            return SkipReason.TOO_LONG
        kind = Kind.LMS if length > SMS_BYTES and self._kind is Kind.SMS else self._kind
        return kind, text, "" if title == AD else title, length, is_altered or title_is_altered


_NO_LINE: _Line = ("", 0, False, False, True)


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
class _Instead:
    """The fallback of a Kakao message, or none: own text asks for the person's values, the Kakao text for its own."""

    def __init__(self, fallback: FallbackText | None, kakao_text: Template, marks: Marks | None) -> None:
        self._letter = None
        self.is_own = fallback is not None and fallback.is_own
        if fallback:
            body = parse(fallback.text) if fallback.is_own else kakao_text
            self._letter = _Letter(fallback.kind, body, fallback.subject, marks, skips=False)

    def complete(self, kakao: _Shown, values: Mapping[str, Any], now: datetime) -> Rendered:
        """`kakao` with the text that goes out instead."""
        if self._letter is None:
            return Rendered(*kakao, None, 0, None, is_altered=False)
        written = self._letter.write(values, now)
        if isinstance(written, SkipReason):
            return Rendered(*kakao, None, 0, written, is_altered=False)
        kind, text, subject, length, is_altered = written
        return Rendered(*kakao, Fallback(kind, text, subject), length, None, is_altered)


class _FriendtalkRenderer:
    def __init__(self, content: FriendtalkContent, marks: Marks) -> None:
        body = parse(content.text)
        self._instead = _Instead(content.fallback, body, marks)
        self._body = _Text(body, _shown)
        self._skips = content.skips_missing
        self._buttons = tuple(
            (one, _Text(parse(one.mobile_url), _linked), _Text(parse(one.pc_url), _linked)) for one in content.buttons
        )

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        body = self._body.fill(values, now)
        if body is None:
            return Left(SkipReason.CHARACTERS)
        text, length, _altered, has_hole, is_hollow = body
        if (has_hole and self._skips) or (is_hollow and self._body.is_blank):
            return Left(SkipReason.NO_VALUE)
        if length > FRIENDTALK_CHARACTERS or text.count("\n") > FRIENDTALK_BREAKS:
            return Left(SkipReason.TOO_LONG)
        buttons = []
        for button, mobile, pc in self._buttons:
            filled = self._button(button, mobile, pc, values, now)
            if isinstance(filled, SkipReason):
                return Left(filled)
            buttons.append(filled)
        return self._instead.complete((Kind.FRIENDTALK, text, "", length, {}, tuple(buttons)), values, now)

    def _button(
        self, button: Button, mobile: _Text, pc: _Text, values: Mapping[str, Any], now: datetime
    ) -> Button | SkipReason:
        if not (mobile.is_personal or pc.is_personal):
            return button
        urls = []
        for text in (mobile, pc):
            line = text.fill(values, now)
            if line is None:
                return SkipReason.CHARACTERS
            url, length, _altered, has_hole, _hollow = line
            if has_hole and self._skips:
                return SkipReason.NO_VALUE
            if length > FRIENDTALK_LINK:
                return SkipReason.TOO_LONG
            urls.append(url)
        return Button(button.name, *urls)


_BLANK = re.compile(r"\s").search


class _TemplateLink:
    """A web link of a template. Kakao fills it itself, with the variables as they are: they must leave it a link."""

    __slots__ = ("_button", "_is_personal", "_mobile", "_pc")

    def __init__(self, button: Button, names: tuple[str, ...]) -> None:
        self._button = button
        self._mobile = _Form(parse_template_text(button.mobile_url, names))
        self._pc = _Form(parse_template_text(button.pc_url, names))
        self._is_personal = self._mobile.is_personal or self._pc.is_personal

    def fill(self, variables: Mapping[str, str], lengths: Mapping[str, int]) -> Button | SkipReason:
        """The button of one person."""
        if not self._is_personal:
            return self._button
        mobile, mobile_length = self._mobile.fill(variables, lengths)
        pc, pc_length = self._pc.fill(variables, lengths)
        if mobile_length > ALIMTALK_LINK or pc_length > ALIMTALK_LINK:
            return SkipReason.TOO_LONG
        if _BLANK(mobile) or _BLANK(pc):
            return SkipReason.CHARACTERS
        return Button(self._button.name, mobile, pc)


class _AlimtalkRenderer:
    def __init__(self, content: AlimtalkContent) -> None:
        names = content.template_variables
        body = parse_template_text(content.template_text, names)
        self._instead = _Instead(content.fallback, body, None)
        self._body = _Form(body)
        given = [content.variable(name) or Variable(name) for name in names]
        self._variables = tuple(
            (one.name, _Text(parse(one.text), _shown_line), "" if one.skips_missing else one.default) for one in given
        )
        self._links = tuple(_TemplateLink(one, names) for one in content.template_buttons)

    def render(self, values: Mapping[str, Any], now: datetime) -> Rendered | Left:
        variables: dict[str, str] = {}
        lengths: dict[str, int] = {}
        for name, text, default in self._variables:
            line = text.fill(values, now)
            filled, length, _altered, has_hole, _hollow = line or _NO_LINE
            if has_hole or not filled:
                filled, length = _shown(default)
            if not filled:
                return Left(SkipReason.NO_VALUE)
            variables[name], lengths[name] = filled, length
        body, length = self._body.fill(variables, lengths)
        if length > ALIMTALK_CHARACTERS:
            return Left(SkipReason.TOO_LONG)
        buttons = []
        for link in self._links:
            button = link.fill(variables, lengths)
            if isinstance(button, SkipReason):
                return Left(button)
            buttons.append(button)
        kakao = (Kind.ALIMTALK, body, "", length, variables, tuple(buttons))
        return self._instead.complete(kakao, values if self._instead.is_own else variables, now)


# -- The door -------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=64)
def compiled(content: Content, marks: Marks) -> Renderer:
    """`content` with the marks of a project's ads. Raises BadVariable for a text that can't be read."""
    if isinstance(content, TextContent):
        return _TextRenderer(content, marks)
    if isinstance(content, FriendtalkContent):
        return _FriendtalkRenderer(content, marks)
    return _AlimtalkRenderer(content)
