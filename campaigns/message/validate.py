"""The validators that all channels share, and those of a text message. Each is a function
(content, rules, facts) that yields what is wrong; `campaigns/message/check.py` has the table of which apply to what.
"""

import re
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from campaigns.message import limits, marks
from campaigns.message.characters import Odd, byte_length, unencodable
from campaigns.message.content import Content, TextContent, is_ad
from campaigns.message.marks import SenderRules
from campaigns.message.personalise import BadVariable, Literal, Template, parse
from integrations.messaging import Kind
from integrations.messaging import Template as KakaoTemplate


class Problem(NamedTuple):
    """Something that the author has to see. `text` is a sentence in the reader's language."""

    field: str
    """Which one: `text`, `title`, `buttons.0.name`, `variables.고객명`, `fallback.text`, `rules.sender_name`, …"""
    code: str
    text: str
    position: int | None = None
    """Characters from 0 in that field's text."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A picture as it was measured."""

    media_type: str
    width: int
    height: int
    size: int
    """Bytes."""
    is_progressive: bool = False
    """Of a JPEG."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the world; None where nothing is, and then it isn't checked."""

    profiles: Collection[str] | None = None
    """Ids of the Kakao channels that may send."""
    numbers: Collection[str] | None = None
    """Sender numbers that may be used, digits."""
    templates: Mapping[str, KakaoTemplate] | None = None
    """알림톡 templates by id, as they stand now."""
    pictures: Mapping[str, PictureFacts] | None = None
    """The project's pictures by id in hex."""
    category: str = ""
    """`user` or `csv`, by the audience; "" while none is chosen."""
    columns: Collection[str] | None = None
    """Of the audience's file."""


# -- Pieces that validators are made of -------------------------------------------------------------------------------
MOST_ODD = 20
"""Characters named one by one; whoever has mended twenty sees the next."""


def read(text: str) -> Template:
    """`text` as a template; where it can't be read (which `texts_can_be_read` says), as it stands."""
    try:
        return parse(text)
    except BadVariable:
        return Template((Literal(text, 0),)) if text else Template(())


def odd_characters(field: str, template: Template) -> Iterator[Problem]:
    """Characters of a text message that carriers can't carry, those of defaults included."""
    found: list[tuple[int, Odd]] = []
    for part in template.parts:
        if isinstance(part, Literal):
            found += [(part.start + odd.position, odd) for odd in unencodable(part.text)]
        else:
            found += [(part.start, odd) for odd in unencodable(getattr(part, "default", None) or "")]
    for position, odd in found[:MOST_ODD]:
        offer = (
            _("직접 고쳐 주세요.")
            if odd.replacement is None
            else _("‘%(new)s’(으)로 바꿀 수 있습니다.") % {"new": odd.replacement}
            if odd.replacement
            else _("빼면 보낼 수 있습니다.")
        )
        text = _("‘%(character)s’은(는) 문자로 보낼 수 없습니다. %(offer)s") % {
            "character": odd.character,
            "offer": offer,
        }
        yield Problem(field, "character", text, position)


def required(field: str, value: str, text: str) -> Iterator[Problem]:
    """Complains when nothing was given."""
    if not value.strip():
        yield Problem(field, "required", text)


def too_long(
    field: str, length: int, most: int, unit: str, advice: str = "", *, template: Template | None = None
) -> Iterator[Problem]:
    """Complains about a length over `most`. `unit` is a word: 자, 바이트. `template`: whose fixed text was counted,
    without what each person's values add."""
    if length > most:
        text = (
            _("%(most)s%(unit)s까지 쓸 수 있습니다. 변수에 들어갈 값을 빼고도 %(length)s%(unit)s입니다.")
            if template and template.slots
            else _("%(most)s%(unit)s까지 쓸 수 있습니다. 지금 %(length)s%(unit)s입니다.")
        ) % {"most": f"{most:,}", "length": f"{length:,}", "unit": unit}
        yield Problem(field, "too_long", f"{text} {advice}".rstrip())


# -- All channels -----------------------------------------------------------------------------------------------------
def was_readable(content: Content, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """Everything had the type that it should."""
    for field in content.unreadable:
        yield Problem(field, "unreadable", _("읽을 수 없는 값이라 비워 두었습니다. 다시 입력해 주세요."))


def texts_can_be_read(content: Content, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """Every variable is in the language and can have a value with this audience."""
    for field, text in content.texts():
        try:
            template = parse(text)
        except BadVariable as error:
            yield Problem(field, f"variable_{error.code}", error.text, error.position)
            continue
        for slot in template.slots:
            if facts.category and slot.category != facts.category:
                instead = (
                    _('CSV 파일로 보낼 때는 csv["%(name)s"]로 써 주세요.')
                    if facts.category == "csv"
                    else _('이 발송 대상에는 user["%(name)s"]로 써 주세요.')
                )
                yield Problem(field, "variable_category", instead % {"name": slot.field}, slot.start)
            elif slot.category == "csv" and facts.columns is not None and slot.field not in facts.columns:
                text = _("CSV 파일에 ‘%(name)s’ 열이 없습니다. 파일의 첫 줄에 있는 이름으로 써 주세요.") % {
                    "name": slot.field
                }
                yield Problem(field, "variable_column", text, slot.start)


_NUMBER = re.compile(r"(?:1[5-8][0-9]{6}|030[0-9]{5,9}|0(?!10[01]|70[01]|(?:2|[3-6][1-5])1[5-8][0-9]{6}$)[0-9]{7,10})")


def is_sender_number(number: str) -> bool:
    """Whether a number can be a registered sender (전기통신사업법 §84의2): digits only, 8 to 11 of them (030: to 12), a
    representative number exactly 8 without an area code, no emergency number, no range that doesn't exist."""
    return _NUMBER.fullmatch(number) is not None


def sender_number(number: str, facts: Facts) -> Iterator[Problem]:
    """A registered sender number was chosen."""
    if not number:
        yield Problem("sender", "required", _("발신 번호를 골라 주세요."))
    elif not is_sender_number(number):
        yield Problem(
            "sender", "sender_format", _("발신 번호가 될 수 없는 번호입니다. 등록된 번호 중에서 골라 주세요.")
        )
    elif facts.numbers is not None and number not in facts.numbers:
        yield Problem(
            "sender",
            "sender_unregistered",
            _("등록되지 않은 발신 번호입니다. 발신 정보에서 등록하거나 다른 번호를 골라 주세요."),
        )


# -- The law's marks --------------------------------------------------------------------------------------------------
def ad_rules(rules: SenderRules) -> Iterator[Problem]:
    """What an advertising text needs of the project: the sender's name and an 080 number (정보통신망법 제50조 ④)."""
    if not rules.sender_name.strip():
        yield Problem(
            "rules.sender_name", "required", _("광고에는 발송자 이름이 들어가야 합니다. 발송 규칙에 등록해 주세요.")
        )
    elif unencodable(rules.sender_name):
        yield Problem("rules.sender_name", "character", _("발송자 이름에 문자로 보낼 수 없는 글자가 있습니다."))
    if not rules.opt_out_number.strip():
        yield Problem(
            "rules.opt_out_number",
            "required",
            _("광고에는 무료 수신거부 번호가 들어가야 합니다. 발송 규칙에 080 번호를 등록해 주세요."),
        )
    elif not marks.is_opt_out_number(marks.marks_of(rules).opt_out_number):
        yield Problem(
            "rules.opt_out_number",
            "opt_out_format",
            _("무료 수신거부 번호는 080으로 시작하는 10~11자리 번호여야 합니다."),
        )


def typed_marks(field: str, text: str, *, is_ad: bool, drawn_by: str) -> Iterator[Problem]:
    """Marks that the author has typed: in an ad they would stand twice, in an information they'd make it an ad that
    skips consent and night; disguised ones break the law in both. `drawn_by` says who draws the real ones."""
    disguised = marks.disguised_mark(text)
    if disguised is not None:
        yield Problem(
            field,
            "ad_mark_disguised",
            _("광고 표시를 다르게 쓰면 법에 어긋납니다(정보통신망법 제50조). 지워 주세요."),
            disguised,
        )
    typed = marks.typed_mark(text)
    if typed is not None and is_ad:
        yield Problem(field, "ad_mark_typed", _("(광고)는 %(who)s 붙입니다. 지워 주세요.") % {"who": drawn_by}, typed)
    elif typed is not None:
        yield Problem(
            field,
            "ad_mark_without_ad",
            _("(광고)라고 쓴 메시지는 광고로 보내야 합니다. 광고로 바꾸거나 지워 주세요."),
            typed,
        )
    refusal = marks.typed_opt_out(text)
    if refusal is not None and is_ad:
        yield Problem(
            field, "opt_out_typed", _("무료수신거부 안내는 %(who)s 붙입니다. 지워 주세요.") % {"who": drawn_by}, refusal
        )


def by_console() -> str:
    """Who draws the marks of a text message."""
    return _("보낼 때 저절로")


# -- A text message, by itself or as a fallback -----------------------------------------------------------------------
def letter_body(
    field: str, template: Template, kind: str, project_marks: marks.Marks | None, *, may_grow: bool = False
) -> Iterator[Problem]:
    """The text fits: what is the same for everybody, with the marks of an ad, is within the kind's bytes and has no odd
    character. `may_grow`: an SMS may go as LMS for everybody."""
    yield from odd_characters(field, template)
    head, tail = (project_marks.head, project_marks.tail) if project_marks else ("", "")
    length = byte_length(head + template.fixed + tail)
    if kind == Kind.SMS and not may_grow:
        advice = _("줄이거나 LMS로 바꿔 주세요.")
        yield from too_long(field, length, limits.SMS_BYTES, _("바이트"), advice, template=template)
    else:
        yield from too_long(field, length, limits.LMS_BYTES, _("바이트"), template=template)


def letter_subject(field: str, text: str, kind: str, *, is_ad: bool) -> Iterator[Problem]:
    """A title only where there can be one, within its bytes."""
    if not text:
        return
    if kind == Kind.SMS:
        yield Problem(field, "title_on_sms", _("SMS에는 제목이 없습니다. 제목을 지우거나 LMS로 바꿔 주세요."))
        return
    template = read(text)
    yield from odd_characters(field, template)
    length = byte_length((marks.AD if is_ad else "") + template.fixed)
    yield from too_long(field, length, limits.SUBJECT_BYTES, _("바이트"), template=template)


def text_sender(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """From whom."""
    yield from sender_number(content.sender, facts)


def text_kind(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """SMS, LMS or MMS."""
    yield from required("kind", content.kind, _("문자 종류를 골라 주세요."))


def text_is_ad(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The author has said whether it is an ad; there is no default."""
    if content.is_ad is None:
        yield Problem("is_ad", "ad_undecided", _("광고인지 아닌지 골라 주세요."))
    elif content.is_ad:
        yield from ad_rules(rules)


def text_body(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The text itself."""
    yield from required("text", content.text, _("문자 내용을 써 주세요."))
    ad = is_ad(content)
    yield from letter_body("text", read(content.text), content.kind, marks.marks_of(rules) if ad else None)
    yield from typed_marks("text", content.text, is_ad=ad, drawn_by=by_console())


def text_title(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The title."""
    yield from letter_subject("title", content.title, content.kind, is_ad=is_ad(content))
    yield from typed_marks("title", content.title, is_ad=is_ad(content), drawn_by=by_console())


def text_picture(content: TextContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """An MMS has a picture that carriers take, the others have none."""
    if content.kind != Kind.MMS:
        if content.picture and content.kind:
            yield Problem(
                "picture", "picture_not_mms", _("사진은 MMS에만 넣을 수 있습니다. MMS로 바꾸거나 사진을 빼 주세요.")
            )
        return
    yield from required("picture", content.picture, _("MMS에 넣을 사진을 올려 주세요."))
    picture = yield from known_picture(content.picture, facts)
    if picture is None:
        return
    if picture.media_type != "image/jpeg":
        yield Problem("picture", "picture_type", _("MMS 사진은 JPG여야 합니다."))
    elif picture.is_progressive:
        yield Problem(
            "picture",
            "picture_progressive",
            _("프로그레시브 JPG는 일부 휴대폰에서 보이지 않습니다. 기본 JPG로 저장해 주세요."),
        )
    if picture.size > limits.MMS_PICTURE_BYTES:
        yield Problem("picture", "picture_size", _("MMS 사진은 200KB까지 보낼 수 있습니다."))
    if max(picture.width, picture.height) > limits.MMS_PICTURE_SIDE:
        yield Problem("picture", "picture_side", _("MMS 사진은 가로와 세로가 1,000픽셀까지입니다."))


def known_picture(picture: str, facts: Facts) -> Generator[Problem, None, PictureFacts | None]:
    """Complains about a picture that is gone; returns what is known of it."""
    if not picture or facts.pictures is None:
        return None
    if picture not in facts.pictures:
        yield Problem("picture", "picture_gone", _("사진을 찾을 수 없습니다. 다시 올려 주세요."))
    return facts.pictures.get(picture)
