"""What a campaign says, read from the JSON of `Campaign.message`: one frozen shape for each channel.

Reading never fails: what has the wrong type counts as empty and is named in `unreadable`, so that `check` can complain.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from campaigns.message.characters import tidy
from integrations.messaging import Button, Channel, Kind, Template

TEXT_KINDS = (Kind.SMS, Kind.LMS, Kind.MMS)
LONGEST = 20_000
"""More characters than any channel takes; beyond, a text is cut (and refused for its length anyhow)."""
MOST_ITEMS = 200


class Reader:
    """Takes typed values out of untrusted JSON and remembers what didn't fit."""

    def __init__(self, json: Any, prefix: str = "", unreadable: list[str] | None = None) -> None:
        self.unreadable: list[str] = [] if unreadable is None else unreadable
        self.prefix = prefix
        self.json: dict[str, Any] = json if isinstance(json, dict) else {}
        if json is not None and not isinstance(json, dict):
            self.unreadable.append(prefix.rstrip("."))

    def text(self, name: str) -> str:
        """Text of several lines, tidy."""
        return tidy(self.exactly(name))

    def line(self, name: str) -> str:
        """Text of one line, without blanks around it."""
        return self.text(name).replace("\n", " ").strip()

    def exactly(self, name: str) -> str:
        """Text as it is, but for what no database takes."""
        value = self.json.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.spoilt(name)
            return ""
        return value[:LONGEST].replace("\x00", "").encode("utf-8", "ignore").decode()

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of `known`; "" for nothing."""
        value = self.exactly(name)
        if value and value not in known:
            self.spoilt(name)
            return ""
        return value

    def flag(self, name: str) -> bool | None:
        """True, false, or None where nothing was chosen."""
        value = self.json.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.spoilt(name)
        return None

    def items(self, name: str) -> list["Reader"]:
        """The objects of a list."""
        value = self.json.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.spoilt(name)
            return []
        if len(value) > MOST_ITEMS:
            self.spoilt(name)
        return [
            Reader(item if isinstance(item, dict) else (), f"{self.prefix}{name}.{n}.", self.unreadable)
            for n, item in enumerate(value[:MOST_ITEMS])
        ]

    def part(self, name: str) -> "Reader | None":
        """An object inside; None where there is none."""
        value = self.json.get(name)
        return None if value is None else Reader(value, f"{self.prefix}{name}.", self.unreadable)

    def spoilt(self, name: str) -> None:
        """Notes that a value had the wrong type."""
        self.unreadable.append(f"{self.prefix}{name}")


def _buttons(reader: Reader, name: str) -> tuple[Button, ...]:
    return tuple(Button(b.line("name"), b.line("mobile_url"), b.line("pc_url")) for b in reader.items(name))


def _buttons_json(buttons: tuple[Button, ...]) -> list[dict[str, str]]:
    return [{"name": one.name, "mobile_url": one.mobile_url, "pc_url": one.pc_url} for one in buttons]


# -- 실패 시 대체 문자 메시지 -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class FallbackText:
    """The text message that goes out where a Kakao message can't be delivered."""

    kind: str = Kind.SMS
    """`sms` (longer ones go as LMS, each recipient for itself) or `lms`."""
    text: str = ""
    subject: str = ""
    """Of an LMS."""
    is_own: bool = True
    """Own text; else the Kakao message's text goes out again and `text` is kept for a change of mind."""

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """From a reader that stands on it."""
        return cls(
            kind=reader.choice("kind", (Kind.SMS, Kind.LMS)) or Kind.SMS,
            text=reader.text("text"),
            subject=reader.line("subject"),
            is_own=reader.flag("is_own") is not False,
        )

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"kind": str(self.kind), "text": self.text, "subject": self.subject, "is_own": self.is_own}

    def texts(self) -> Iterator[tuple[str, str]]:
        """(field, text) of what may be personalised."""
        if self.is_own:
            yield "fallback.text", self.text
        if self.kind == Kind.LMS:
            yield "fallback.subject", self.subject


def _fallback(reader: Reader) -> FallbackText | None:
    part = reader.part("fallback")
    return FallbackText.read(part) if part else None


# -- 카카오 알림톡 ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Variable:
    """What goes into one `#{name}` of a template."""

    name: str
    text: str = ""
    """In the language of `personalise`."""
    default: str = ""
    """Goes in, as it is, for a person for whom `text` has no value."""
    skips_missing: bool = False
    """Such a person is left out instead."""

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {"name": self.name, "text": self.text, "default": self.default, "skips_missing": self.skips_missing}


@dataclass(frozen=True, slots=True)
class AlimtalkContent:
    """An approved template with its variables filled in. The template's text, buttons and variables are as they were
    when it was chosen; whether they still are is checked again before each sending."""

    profile: str = ""
    """The Kakao channel's id at the provider."""
    template: str = ""
    """The template's id at the provider."""
    template_name: str = ""
    template_text: str = ""
    template_buttons: tuple[Button, ...] = ()
    template_variables: tuple[str, ...] = ()
    """Names without `#{}`, in order of first use."""
    variables: tuple[Variable, ...] = ()
    sender: str = ""
    """Of the fallback; digits."""
    fallback: FallbackText | None = None
    unreadable: tuple[str, ...] = field(default=(), compare=False)

    channel = Channel.ALIMTALK

    @classmethod
    def read(cls, json: Any) -> Self:
        """From stored or posted JSON."""
        reader = Reader(json)
        variables = tuple(
            Variable(
                name=one.exactly("name"),
                text=one.text("text"),
                default=one.line("default"),
                skips_missing=one.flag("skips_missing") is True,
            )
            for one in reader.items("variables")
        )
        names = reader.json.get("template_variables") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            reader.spoilt("template_variables")
            names = []
        return cls(
            profile=reader.line("profile"),
            template=reader.line("template"),
            template_name=reader.line("template_name"),
            template_text=reader.exactly("template_text"),
            template_buttons=_buttons(reader, "template_buttons"),
            template_variables=tuple(tidy(name) for name in names[:MOST_ITEMS]),
            variables=variables,
            sender=reader.line("sender"),
            fallback=_fallback(reader),
            unreadable=tuple(reader.unreadable),
        )

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "profile": self.profile,
            "template": self.template,
            "template_name": self.template_name,
            "template_text": self.template_text,
            "template_buttons": _buttons_json(self.template_buttons),
            "template_variables": list(self.template_variables),
            "variables": [one.as_json() for one in self.variables],
            "sender": self.sender,
            "fallback": self.fallback.as_json() if self.fallback else None,
        }

    def texts(self) -> Iterator[tuple[str, str]]:
        """(field, text) of what may be personalised."""
        for one in self.variables:
            yield f"variables.{one.name}", one.text
        if self.fallback:
            yield from self.fallback.texts()

    def with_template(self, template: Template) -> Self:
        """The same with another template, or with what its own reads by now. What was given for variables is kept."""
        return replace(
            self,
            profile=template.profile_id or self.profile,
            template=template.id,
            template_name=template.name,
            template_text=template.content,
            template_buttons=tuple(template.buttons),
            template_variables=tuple(template.variables),
        )

    def variable(self, name: str) -> Variable | None:
        """What was given for `#{name}`."""
        return next((one for one in self.variables if one.name == name), None)


# -- 카카오 친구톡 ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class FriendtalkContent:
    """A free-form brand message to the channel's friends (targeting I): always an ad, text with or without a picture,
    web-link buttons."""

    profile: str = ""
    text: str = ""
    picture: str = ""
    """Id of a `Picture`, in hex; "" for none."""
    buttons: tuple[Button, ...] = ()
    """Their links may be personalised, their names not."""
    skips_missing: bool = False
    """A person for whom a variable has neither value nor default is left out; else it leaves nothing in the text."""
    sender: str = ""
    fallback: FallbackText | None = None
    unreadable: tuple[str, ...] = field(default=(), compare=False)

    channel = Channel.FRIENDTALK

    @classmethod
    def read(cls, json: Any) -> Self:
        """From stored or posted JSON."""
        reader = Reader(json)
        return cls(
            profile=reader.line("profile"),
            text=reader.text("text"),
            picture=reader.line("picture"),
            buttons=_buttons(reader, "buttons"),
            skips_missing=reader.flag("skips_missing") is True,
            sender=reader.line("sender"),
            fallback=_fallback(reader),
            unreadable=tuple(reader.unreadable),
        )

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "profile": self.profile,
            "text": self.text,
            "picture": self.picture,
            "buttons": _buttons_json(self.buttons),
            "skips_missing": self.skips_missing,
            "sender": self.sender,
            "fallback": self.fallback.as_json() if self.fallback else None,
        }

    def texts(self) -> Iterator[tuple[str, str]]:
        """(field, text) of what may be personalised."""
        yield "text", self.text
        for n, button in enumerate(self.buttons):
            yield f"buttons.{n}.mobile_url", button.mobile_url
            yield f"buttons.{n}.pc_url", button.pc_url
        if self.fallback:
            yield from self.fallback.texts()


# -- 문자 -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class TextContent:
    """An SMS, LMS or MMS."""

    sender: str = ""
    """A registered number, digits."""
    kind: str = ""
    """As the author chose it; an SMS that grows over 90 bytes for a recipient goes to that one as LMS."""
    is_ad: bool | None = None
    """None until the author has said so: there is no default."""
    title: str = ""
    """Of an LMS or MMS."""
    text: str = ""
    """Without the marks of an ad, which are added."""
    picture: str = ""
    skips_missing: bool = False
    """As for 친구톡."""
    unreadable: tuple[str, ...] = field(default=(), compare=False)

    channel = Channel.TEXT

    @classmethod
    def read(cls, json: Any) -> Self:
        """From stored or posted JSON."""
        reader = Reader(json)
        return cls(
            sender=reader.line("sender"),
            kind=reader.choice("kind", TEXT_KINDS),
            is_ad=reader.flag("is_ad"),
            title=reader.line("title"),
            text=reader.text("text"),
            picture=reader.line("picture"),
            skips_missing=reader.flag("skips_missing") is True,
            unreadable=tuple(reader.unreadable),
        )

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "sender": self.sender,
            "kind": str(self.kind),
            "is_ad": self.is_ad,
            "title": self.title,
            "text": self.text,
            "picture": self.picture,
            "skips_missing": self.skips_missing,
        }

    def texts(self) -> Iterator[tuple[str, str]]:
        """(field, text) of what may be personalised."""
        yield "text", self.text
        if self.kind != Kind.SMS:
            yield "title", self.title


Content = AlimtalkContent | FriendtalkContent | TextContent

_SHAPES: dict[str, type[AlimtalkContent] | type[FriendtalkContent] | type[TextContent]] = {
    Channel.ALIMTALK: AlimtalkContent,
    Channel.FRIENDTALK: FriendtalkContent,
    Channel.TEXT: TextContent,
}


def content_of(channel: str, json: Any) -> Content:
    """The content of a campaign on `channel` from stored or posted JSON, whatever that holds. Raises KeyError for an
    unknown channel."""
    return _SHAPES[channel].read(json)


def is_written(content: Content) -> bool:
    """Whether there is anything to say yet: an empty text isn't one without values, nor is a template whose variables
    have still to be filled in."""
    if not isinstance(content, AlimtalkContent):
        return bool(content.text.strip())
    given = [content.variable(name) for name in content.template_variables]
    return bool(content.template_text.strip()) and all(one and (one.text or one.default) for one in given)


def is_ad(content: Content) -> bool:
    """Whether the law's rules for advertising apply. 친구톡 always is an ad, 알림톡 never; a text message whose author
    hasn't said is treated as one."""
    if isinstance(content, TextContent):
        return content.is_ad is not False
    return isinstance(content, FriendtalkContent)
