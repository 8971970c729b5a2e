"""The validators of the two Kakao channels and of the text that goes out instead."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from campaigns.message import limits, marks
from campaigns.message.characters import character_length
from campaigns.message.content import AlimtalkContent, FallbackText, FriendtalkContent, Variable
from campaigns.message.marks import SenderRules
from campaigns.message.personalise import Literal, Slot, Template, parse_template_text
from campaigns.message.validate import (
    Facts,
    Problem,
    ad_rules,
    by_console,
    known_picture,
    letter_body,
    letter_subject,
    read,
    required,
    sender_number,
    too_long,
    typed_marks,
)
from integrations.messaging import Button

_VARIABLE = re.compile(r"#\{|\{\{")
_HTTP = re.compile(r"https?://\S", re.IGNORECASE)
_HOST = re.compile(r"https?://[^\s/?#@:.]+(?:\.[^\s/?#@:.]+)+(?::[0-9]{1,5})?", re.IGNORECASE)


# -- Both -------------------------------------------------------------------------------------------------------------
def kakao_profile(content: AlimtalkContent | FriendtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """A registered Kakao channel was chosen."""
    if not content.profile:
        yield Problem("profile", "required", _("발신 프로필을 골라 주세요."))
    elif facts.profiles is not None and content.profile not in facts.profiles:
        yield Problem(
            "profile",
            "profile_unregistered",
            _("등록되지 않은 발신 프로필입니다. 발신 정보에서 확인하거나 다른 프로필을 골라 주세요."),
        )


def button_names(field: str, buttons: tuple[Button, ...]) -> Iterator[Problem]:
    """At most five buttons, each with a short name that is the same for everybody."""
    if len(buttons) > limits.BUTTONS:
        yield Problem(field, "too_many_buttons", _("버튼은 %(n)d개까지 넣을 수 있습니다.") % {"n": limits.BUTTONS})
    for n, button in enumerate(buttons):
        at = f"{field}.{n}.name"
        yield from required(at, button.name, _("버튼 이름을 써 주세요."))
        yield from too_long(at, character_length(button.name), limits.BUTTON_NAME, _("자"))
        if found := _VARIABLE.search(button.name):
            yield Problem(at, "button_variable", _("버튼 이름에는 변수를 쓸 수 없습니다."), found.start())


def fallback(content: AlimtalkContent | FriendtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The text that goes out instead has a sender, fits, and carries the marks of an ad where the message is one."""
    text = content.fallback
    if text is None:
        return
    is_ad = isinstance(content, FriendtalkContent)
    yield from sender_number(content.sender, facts)
    if is_ad:
        yield from ad_rules(rules)
    project_marks = marks.marks_of(rules) if is_ad else None
    if text.is_own:
        yield from required("fallback.text", text.text, _("대체 문자 내용을 써 주세요."))
        yield from letter_body("fallback.text", read(text.text), text.kind, project_marks)
        yield from typed_marks("fallback.text", text.text, is_ad=is_ad, drawn_by=by_console())
    else:
        yield from _kakao_text_as_letter(content, text, project_marks)
    yield from letter_subject("fallback.subject", text.subject, text.kind, is_ad=is_ad)
    yield from typed_marks("fallback.subject", text.subject, is_ad=is_ad, drawn_by=by_console())


def _kakao_text_as_letter(
    content: AlimtalkContent | FriendtalkContent, text: FallbackText, project_marks: marks.Marks | None
) -> Iterator[Problem]:
    template = (
        read(content.text)
        if isinstance(content, FriendtalkContent)
        else parse_template_text(content.template_text, content.template_variables)
    )
    for problem in letter_body("fallback.text", template, text.kind, project_marks, may_grow=True):
        advice = _("카카오 메시지를 그대로 보낼 수 없습니다. 대체 문자 내용을 따로 써 주세요.")
        yield problem._replace(code=f"kakao_{problem.code}", text=f"{problem.text} {advice}", position=None)


# -- 친구톡 -----------------------------------------------------------------------------------------------------------
def friendtalk_body(content: FriendtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The text: within 1,300 characters and 99 line breaks, without marks of its own."""
    yield from required("text", content.text, _("메시지 내용을 써 주세요."))
    template = read(content.text)
    length = character_length(template.fixed)
    yield from too_long("text", length, limits.FRIENDTALK_CHARACTERS, _("자"), template=template)
    breaks = template.fixed.count("\n")
    if breaks > limits.FRIENDTALK_BREAKS:
        text = _("줄바꿈은 %(most)d번까지 할 수 있습니다. 지금 %(n)d번입니다.")
        yield Problem("text", "too_many_breaks", text % {"most": limits.FRIENDTALK_BREAKS, "n": breaks})
    yield from typed_marks("text", content.text, is_ad=True, drawn_by=_("카카오톡이"))


def friendtalk_picture(content: FriendtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """A picture that Kakao takes: JPG or PNG, at least 500 pixels wide, between 2:1 and 3:4, at most 5 MB."""
    picture = yield from known_picture(content.picture, facts)
    if picture is None:
        return
    if picture.media_type not in ("image/jpeg", "image/png"):
        yield Problem("picture", "picture_type", _("친구톡 이미지는 JPG나 PNG여야 합니다."))
    if picture.size > limits.FRIENDTALK_PICTURE_BYTES:
        yield Problem("picture", "picture_size", _("친구톡 이미지는 5MB까지 보낼 수 있습니다."))
    if picture.width < limits.FRIENDTALK_PICTURE_WIDTH:
        yield Problem("picture", "picture_side", _("친구톡 이미지는 가로가 500픽셀 이상이어야 합니다."))
    ratio = picture.width / max(picture.height, 1)
    if not limits.FRIENDTALK_PICTURE_TALLEST <= ratio <= limits.FRIENDTALK_PICTURE_WIDEST:
        yield Problem("picture", "picture_ratio", _("친구톡 이미지의 가로세로 비율은 2:1에서 3:4 사이여야 합니다."))


def friendtalk_buttons(content: FriendtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """Web-link buttons whose address stands fast; only path and query may be personal."""
    yield from button_names("buttons", content.buttons)
    for n, button in enumerate(content.buttons):
        yield from required(f"buttons.{n}.mobile_url", button.mobile_url, _("모바일 URL을 써 주세요."))
        for name, url in (("mobile_url", button.mobile_url), ("pc_url", button.pc_url)):
            if url:
                yield from _link(f"buttons.{n}.{name}", read(url))


def _link(field: str, template: Template) -> Iterator[Problem]:
    yield from too_long(field, character_length(template.fixed), limits.FRIENDTALK_LINK, _("자"), template=template)
    first = template.parts[0]
    host = _HOST.match(first.text) if isinstance(first, Literal) else None
    if host is None or not isinstance(first, Literal):
        yield Problem(field, "link", _("링크는 http:// 또는 https://와 주소로 시작해야 합니다."), 0)
        return
    rest = first.text[host.end() :]
    if (rest and rest[0] not in "/?#") or (not rest and len(template.parts) > 1):
        text = _("주소 부분에는 변수를 쓸 수 없습니다. 주소 다음에 /를 쓰고 그 뒤에 넣어 주세요.")
        yield Problem(field, "link_host", text, host.end())
    for part in template.parts:
        blank = re.search(r"\s", part.text) if isinstance(part, Literal) else None
        if blank:
            yield Problem(field, "link_blank", _("링크에는 빈칸을 쓸 수 없습니다."), part.start + blank.start())
            return


# -- 알림톡 -----------------------------------------------------------------------------------------------------------
def alimtalk_template(content: AlimtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """An approved template of this channel was chosen, and it still reads as it did then."""
    if not content.template:
        yield Problem("template", "required", _("알림톡 템플릿을 골라 주세요."))
        return
    if facts.templates is None:
        return
    now = facts.templates.get(content.template)
    if now is None:
        yield Problem("template", "template_gone", _("발송 플랫폼에 이 템플릿이 없습니다. 다른 템플릿을 골라 주세요."))
        return
    if now.profile_id and content.profile and now.profile_id != content.profile:
        yield Problem(
            "template", "template_other_profile", _("다른 발신 프로필의 템플릿입니다. 템플릿을 다시 골라 주세요.")
        )
    if not now.is_sendable:
        text = _("‘%(status)s’ 상태의 템플릿은 보낼 수 없습니다. 승인된 템플릿을 골라 주세요.") % {
            "status": now.status.label
        }
        yield Problem("template", "template_unsendable", text)
    before = (content.template_text, content.template_variables, content.template_buttons)
    if before != (now.content, tuple(now.variables), tuple(now.buttons)):
        yield Problem("template", "template_changed", _("템플릿이 고른 뒤에 바뀌었습니다. 템플릿을 다시 골라 주세요."))


def alimtalk_variables(content: AlimtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """Every `#{name}` gets one line for everybody: a value, a default, or the person is left out."""
    names = content.template_variables
    if len(names) > limits.ALIMTALK_VARIABLES:
        text = _("템플릿 변수는 %(n)d개까지 쓸 수 있습니다.") % {"n": limits.ALIMTALK_VARIABLES}
        yield Problem("template", "too_many_variables", text)
    for name in names:
        field = f"variables.{name}"
        if "." in name or not name.strip():
            text = _("#{%(name)s}처럼 점이 들어간 변수는 보낼 수 없습니다. 템플릿의 변수 이름을 바꿔 주세요.") % {
                "name": name
            }
            yield Problem("template", "variable_name", text)
        given = content.variable(name) or Variable(name)
        yield from required(field, given.text, _("#{%(name)s}에 들어갈 값을 써 주세요.") % {"name": name})
        if "\n" in given.text:
            text = _("템플릿 변수에는 줄바꿈을 넣을 수 없습니다.")
            yield Problem(field, "variable_break", text, given.text.index("\n"))
        if read(given.text).may_miss and not given.skips_missing and not given.default:
            text = _("값이 없는 사람에게 쓸 기본값을 쓰거나, 그 사람을 빼도록 골라 주세요.")
            yield Problem(field, "variable_default", text)


def alimtalk_body(content: AlimtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """Even the shortest filling keeps the text within 1,000 characters."""
    if content.template:
        yield from required(
            "template", content.template_text, _("템플릿에 내용이 없습니다. 템플릿을 다시 골라 주세요.")
        )
    body = parse_template_text(content.template_text, content.template_variables)
    least = {name: _least(content, name) for name in content.template_variables}
    length = sum(
        character_length(part.text) if isinstance(part, Literal) else least.get(part.field, 0)
        for part in body.parts
        if isinstance(part, Literal | Slot)
    )
    yield from too_long("template", length, limits.ALIMTALK_CHARACTERS, _("자"))


def _least(content: AlimtalkContent, name: str) -> int:
    given = content.variable(name)
    return character_length(read(given.text).fixed) if given else 0


def alimtalk_buttons(content: AlimtalkContent, rules: SenderRules, facts: Facts) -> Iterator[Problem]:
    """The template's own buttons can go out."""
    yield from button_names("template_buttons", content.template_buttons)
    for n, button in enumerate(content.template_buttons):
        for name, url in (("mobile_url", button.mobile_url), ("pc_url", button.pc_url)):
            field = f"template_buttons.{n}.{name}"
            yield from too_long(field, character_length(url), limits.ALIMTALK_LINK, _("자"))
            if url and not _HTTP.match(url):
                yield Problem(field, "link", _("링크는 http:// 또는 https://로 시작해야 합니다."), 0)
