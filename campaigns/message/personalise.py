"""The one language in which a message names what differs from person to person:

    {{ user["name"] | default: "고객" }}      {{ csv["쿠폰"] }}      {{ "now" | date: "%Y-%m-%d", "Asia/Seoul" }}

It is read by the parser below and by nothing else: no code, no attribute access, no format string, no other filter. A
value is put in as it is; whatever it holds (`{{`, `#{`, `%s`) stays text. (ASVS 1.3.7, 1.3.10)
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.message.values import as_text, national

CATEGORIES = ("user", "csv")
RESERVED = ("$user_id", "$email", "$phone_number")
"""Names of `user` that always mean the person's own id, e-mail address and phone number."""
FIELD_LENGTH = 255
ZONE = "Asia/Seoul"


class BadVariable(Exception):
    """What stands between the braces isn't in the language. `position` counts the text's characters from 0; `str()` is
    a sentence for the author that says what to write instead."""

    def __init__(self, code: str, position: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.position = position
        self.text = text


# -- The language -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a person's value."""

    category: str
    field: str
    default: str | None
    start: int
    end: int
    """Where it stands in the text."""

    def value(self, values: Mapping[str, Any], now: datetime | None = None) -> str:
        """What goes here for the person with these values; "" for nothing."""
        text = as_text(values.get(self.field))
        if not text:
            return self.default or ""
        return national(text) if self.field == "$phone_number" else text


@dataclass(frozen=True, slots=True)
class Moment:
    """A place for the date of sending."""

    pattern: str
    zone: str
    start: int
    end: int
    default: ClassVar[str | None] = None

    def value(self, values: Mapping[str, Any], now: datetime) -> str:
        """The moment in the pattern."""
        local = now.astimezone(ZoneInfo(self.zone))
        return _DIRECTIVE.sub(lambda found: _DATE_PARTS[found[1]](local), self.pattern)


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that is the same for everybody."""

    text: str
    start: int


Part = Literal | Slot | Moment


@dataclass(frozen=True, slots=True)
class Template:
    """A text that has been read."""

    parts: tuple[Part, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Its places for values, in order."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def fixed(self) -> str:
        """What of it is the same for everybody: the least that anybody gets."""
        return "".join(part.text for part in self.parts if isinstance(part, Literal))

    @property
    def may_miss(self) -> bool:
        """Whether a person without a value leaves a hole: a place without a default."""
        return any(not slot.default for slot in self.slots)

    def missing(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Fields that stay empty for the person with these values."""
        return tuple(slot.field for slot in self.slots if not slot.value(values))

    def render(
        self,
        values: Mapping[str, Any],
        now: datetime | None = None,
        shape: Callable[[str], str] | None = None,
    ) -> str:
        """The text for the person with these values ({field: JSON value}; one audience has one category, so the field
        suffices). A value that is missing and has no default leaves nothing. `shape` is applied to each value
        (`one_line`, `url_part`), never to the text around it."""
        pieces = []
        for part in self.parts:
            if isinstance(part, Literal):
                pieces.append(part.text)
                continue
            text = part.value(values, now or timezone.now())
            pieces.append(shape(text) if shape else text)
        return "".join(pieces)


_OPENING = re.compile(r"\{\{|\{%")
_TOKEN = re.compile(
    r"""\s*(?:(?P<end>\}\})|(?P<text>"[^"\n]*"|'[^'\n]*')|(?P<sign>[\[\]|:,])|(?P<name>[^\s\[\]|:,"'{}“”‘’]+))"""
)
_CURLY_QUOTES = re.compile(r"\s*[“”‘’＂＇]")
_DIRECTIVE = re.compile(r"%(-?.)", re.DOTALL)
_DATE_PARTS: dict[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "m": lambda at: f"{at.month:02}",
    "-m": lambda at: str(at.month),
    "d": lambda at: f"{at.day:02}",
    "-d": lambda at: str(at.day),
    "H": lambda at: f"{at.hour:02}",
    "-H": lambda at: str(at.hour),
    "M": lambda at: f"{at.minute:02}",
    "a": lambda at: "월화수목금토일"[at.weekday()],
    "%": lambda at: "%",
}


@lru_cache(maxsize=1024)
def parse(text: str) -> Template:
    """Reads a text. Raises BadVariable at the first place that isn't in the language."""
    parts: list[Part] = []
    at = 0
    while opening := _OPENING.search(text, at):
        if opening.start() > at:
            parts.append(Literal(text[at : opening.start()], at))
        if opening[0] == "{%":
            raise BadVariable(
                "tag",
                opening.start(),
                _('{% … %} 태그는 쓸 수 없습니다. {{ user["name"] | default: "고객" }}처럼 써 주세요.'),
            )
        part = _Reader(text, opening.start()).read()
        parts.append(part)
        at = part.end
    if at < len(text):
        parts.append(Literal(text[at:], at))
    return Template(tuple(parts))


_VARIABLE = re.compile(r"#\{([^{}]*)\}")


def parse_template_text(text: str, names: Iterable[str]) -> Template:
    """Reads a text of an 알림톡 template, whose places are `#{name}`, for the `names` that it has. Braces of ours mean
    nothing there."""
    known = frozenset(names)
    parts: list[Part] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        if found[1] not in known:
            continue
        if found.start() > at:
            parts.append(Literal(text[at : found.start()], at))
        parts.append(Slot("template", found[1], None, found.start(), found.end()))
        at = found.end()
    if at < len(text):
        parts.append(Literal(text[at:], at))
    return Template(tuple(parts))


class _Reader:
    """Reads one pair of braces."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.start = start
        self.at = start + 2
        self.token_at = self.at

    def read(self) -> Slot | Moment:
        kind, word = self.next()
        if kind == "name":
            return self.slot(word)
        if kind == "text" and word == "now":
            return self.moment()
        raise self.bad("expected_variable", _('변수는 {{ user["name"] }}이나 {{ csv["열 이름"] }}처럼 써 주세요.'))

    def slot(self, category: str) -> Slot:
        if category not in CATEGORIES:
            raise self.unknown_category(category)
        self.expect("[", _('%(category)s 다음에 ["이름"]을 써 주세요.') % {"category": category})
        kind, field = self.next()
        if kind != "text":
            raise self.bad(
                "unquoted",
                _('이름을 따옴표로 감싸 주세요: %(category)s["%(field)s"]') % {"category": category, "field": field},
            )
        if not field.strip() or len(field) > FIELD_LENGTH:
            raise self.bad("no_name", _("따옴표 안에 %(n)d자 이하의 이름을 써 주세요.") % {"n": FIELD_LENGTH})
        self.expect("]", _("이름 다음에 ]를 써 주세요."))
        default = None
        while self.filter_follows():
            default = self.default(default)
        return Slot(category, field, default, self.start, self.at)

    def default(self, before: str | None) -> str:
        name = self.filter_name()
        if name != "default":
            raise self.unknown_filter(name, 'default: "고객"')
        if before is not None:
            raise self.bad("default_twice", _("default는 한 번만 쓸 수 있습니다."))
        return self.argument('default: "고객"')

    def moment(self) -> Moment:
        if not self.filter_follows():
            raise self.bad("expected_variable", _('"now"는 {{ "now" | date: "%Y-%m-%d" }}처럼 써 주세요.'))
        name = self.filter_name()
        if name != "date":
            raise self.unknown_filter(name, 'date: "%Y-%m-%d"')
        pattern = self.argument('date: "%Y-%m-%d"')
        self.check_pattern(pattern)
        kind, word = self.next()
        zone = ZONE
        if (kind, word) == ("sign", ","):
            kind, zone = self.next()
            if kind != "text" or not _is_zone(zone):
                raise self.bad(
                    "zone", _('"%(zone)s"은(는) 시간대가 아닙니다. "Asia/Seoul"처럼 써 주세요.') % {"zone": zone}
                )
            kind, word = self.next()
        if kind != "end":
            raise self.unexpected(word)
        return Moment(pattern, zone, self.start, self.at)

    def check_pattern(self, pattern: str) -> None:
        for found in _DIRECTIVE.finditer(pattern):
            if found[1] not in _DATE_PARTS:
                raise self.bad(
                    "date_pattern",
                    _("날짜에 %(part)s은(는) 쓸 수 없습니다. 쓸 수 있는 것: %(known)s")
                    % {"part": found[0], "known": " ".join(f"%{name}" for name in _DATE_PARTS)},
                )
        if pattern.replace("%%", "").endswith("%"):
            raise self.bad("date_pattern", _("날짜 끝의 %에 짝이 없습니다."))

    # -- Tokens --
    def next(self) -> tuple[str, str]:
        """The next token as (kind, text); quotes are taken off."""
        token = _TOKEN.match(self.text, self.at)
        if token is None:
            curly = _CURLY_QUOTES.match(self.text, self.at)
            self.token_at = curly.end() - 1 if curly else self.start
            if curly:
                raise self.bad("curly_quotes", _('굽은 따옴표 대신 곧은 따옴표(")를 써 주세요.'))
            raise self.unclosed()
        kind = str(token.lastgroup)
        self.token_at, self.at = token.start(kind), token.end()
        text = token[kind]
        return kind, text[1:-1] if kind == "text" else text

    def expect(self, sign: str, otherwise: str) -> None:
        kind, word = self.next()
        if (kind, word) != ("sign", sign):
            raise self.bad("syntax", otherwise)

    def filter_follows(self) -> bool:
        kind, word = self.next()
        if (kind, word) == ("sign", "|"):
            return True
        if kind != "end":
            raise self.unexpected(word)
        return False

    def filter_name(self) -> str:
        kind, name = self.next()
        if kind != "name":
            raise self.bad("syntax", _('| 다음에 default: "고객"처럼 써 주세요.'))
        return name

    def argument(self, example: str) -> str:
        otherwise = _("%(example)s처럼 써 주세요.") % {"example": example}
        self.expect(":", otherwise)
        kind, text = self.next()
        if kind != "text":
            raise self.bad("unquoted", otherwise)
        return text

    # -- Complaints --
    def bad(self, code: str, text: str) -> BadVariable:
        return BadVariable(code, self.token_at, text)

    def unclosed(self) -> BadVariable:
        return BadVariable("unclosed", self.start, _("{{ 로 시작한 변수를 }} 로 닫아 주세요."))

    def unexpected(self, word: str) -> BadVariable:
        return self.bad("unexpected", _("여기에 %(word)s은(는) 올 수 없습니다. }} 로 닫아 주세요.") % {"word": word})

    def unknown_filter(self, name: str, instead: str) -> BadVariable:
        return self.bad(
            "unknown_filter",
            _("%(name)s 필터는 쓸 수 없습니다. 여기에는 %(instead)s만 쓸 수 있습니다.")
            % {"name": name, "instead": instead},
        )

    def unknown_category(self, name: str) -> BadVariable:
        category, dot, field = name.partition(".")
        if dot and category in CATEGORIES:
            return self.bad(
                "dotted",
                _('점으로 이을 수 없습니다. %(category)s["%(field)s"]로 써 주세요.')
                % {"category": category, "field": field or "name"},
            )
        if category in ("event", "device", "entry_event", "entry_csv"):
            return self.bad("unsupported", _("%(name)s 값은 예약 발송에서 쓸 수 없습니다.") % {"name": category})
        return self.bad(
            "unknown_category",
            _('%(name)s은(는) 알 수 없는 변수입니다. user["%(field)s"]나 csv["%(field)s"]로 써 주세요.')
            % {"name": name, "field": name},
        )


@lru_cache(maxsize=256)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


# -- What a message asks for ------------------------------------------------------------------------------------------
def slots_of(text: str) -> tuple[Slot, ...]:
    """The places for values in a text; none in one that can't be read."""
    try:
        return parse(text).slots
    except BadVariable:
        return ()


class Personalised(Protocol):
    """What has texts in the language: a content of `campaigns/message/check.py`."""

    def texts(self) -> Iterable[tuple[str, str]]:
        """(field of the form, text)"""


def used_fields(content: Personalised) -> tuple[str, ...]:
    """Names of the properties (or columns) that a message asks for, sorted; these are what a recipient's values are
    frozen for. A text that can't be read asks for nothing: `check` refuses it."""
    return tuple(sorted({slot.field for _field, text in content.texts() for slot in slots_of(text)}))
