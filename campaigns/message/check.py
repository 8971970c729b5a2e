"""What a campaign says and whether it may be said: the one door to a message's content and its rules.

`check` is a table of validators; limits stand in `limits.py`, their sources in docs/channels.md. Pure: what
the world knows (the provider's lists, the picture's size, the file's columns) is handed in as `Facts`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from campaigns.message import limits, marks
from campaigns.message.characters import byte_length, character_length, rare
from campaigns.message.content import (
    AlimtalkContent,
    Content,
    FallbackText,
    FriendtalkContent,
    TextContent,
    Variable,
    content_of,
    is_ad,
)
from campaigns.message.marks import SenderRules
from campaigns.message.personalise import Literal
from campaigns.message.validate import (
    Facts,
    PictureFacts,
    Problem,
    is_sender_number,
    read,
    text_body,
    text_is_ad,
    text_kind,
    text_picture,
    text_sender,
    text_title,
    texts_can_be_read,
    was_readable,
)
from campaigns.message.validate_kakao import (
    alimtalk_body,
    alimtalk_buttons,
    alimtalk_template,
    alimtalk_variables,
    fallback,
    friendtalk_body,
    friendtalk_buttons,
    friendtalk_picture,
    kakao_profile,
)
from integrations.messaging import Kind

__all__ = [
    "AlimtalkContent",
    "Content",
    "Facts",
    "FallbackText",
    "FriendtalkContent",
    "PictureFacts",
    "Problem",
    "TextContent",
    "Variable",
    "check",
    "content_of",
    "is_ad",
    "is_sender_number",
    "warnings",
]

Validator = Callable[[Any, SenderRules, Facts], Iterator[Problem]]

VALIDATORS: dict[type, tuple[Validator, ...]] = {
    AlimtalkContent: (
        was_readable,
        kakao_profile,
        alimtalk_template,
        alimtalk_variables,
        texts_can_be_read,
        alimtalk_body,
        alimtalk_buttons,
        fallback,
    ),
    FriendtalkContent: (
        was_readable,
        kakao_profile,
        texts_can_be_read,
        friendtalk_body,
        friendtalk_picture,
        friendtalk_buttons,
        fallback,
    ),
    TextContent: (
        was_readable,
        text_sender,
        text_kind,
        text_is_ad,
        text_title,
        texts_can_be_read,
        text_body,
        text_picture,
    ),
}

NOTHING_KNOWN = Facts()


def check(content: Content, rules: SenderRules, facts: Facts = NOTHING_KNOWN) -> list[Problem]:
    """Whatever keeps `content` from being sent, in the order of the form; empty when it may go. What depends on a
    person's values (somebody's name makes it too long) is `render.worst`'s to tell."""
    return [problem for validator in VALIDATORS[type(content)] for problem in validator(content, rules, facts)]


# -- Worth a look, but no obstacle ------------------------------------------------------------------------------------
def warnings(content: Content, rules: SenderRules) -> list[Problem]:
    """What the author may want to know; nothing here keeps a message from being sent."""
    found = [*_holes(content), *_foreign_variables(content)]
    if isinstance(content, TextContent):
        found += [*_rare("text", content.text), *_rare("title", content.title), *_near_the_edge(content, rules)]
    elif content.fallback and content.fallback.is_own:
        found += _rare("fallback.text", content.fallback.text)
    if isinstance(content, AlimtalkContent):
        found += _grown_variables(content)
    return found


def _holes(content: Content) -> Iterator[Problem]:
    if isinstance(content, AlimtalkContent) or content.skips_missing:
        return
    for field, text in content.texts():
        for slot in read(text).slots:
            if not slot.default:
                sentence = _("‘%(name)s’ 값이 없는 사람에게는 빈칸으로 나갑니다. 기본값을 쓰면 빈칸이 생기지 않습니다.")
                yield Problem(field, "no_default", sentence % {"name": slot.field}, slot.start)


def _foreign_variables(content: Content) -> Iterator[Problem]:
    for field, text in content.texts():
        at = text.find("#{")
        if at >= 0:
            sentence = _("#{…}는 알림톡 템플릿에서만 값으로 바뀝니다. 여기에서는 쓴 그대로 나갑니다.")
            yield Problem(field, "template_variable", sentence, at)


def _rare(field: str, text: str) -> Iterator[Problem]:
    for part in read(text).parts:
        for odd in rare(part.text) if isinstance(part, Literal) else ():
            sentence = _("‘%(character)s’은(는) 일부 통신사에서 깨질 수 있습니다.") % {"character": odd.character}
            yield Problem(field, "rare_character", sentence, part.start + odd.position)


def _near_the_edge(content: TextContent, rules: SenderRules) -> Iterator[Problem]:
    # A line break is one byte here, two in some carriers' systems (channels-kr §2.6).
    if content.kind != Kind.SMS:
        return
    fixed = read(content.text).fixed
    whole = marks.with_marks(fixed, Kind.SMS, rules) if is_ad(content) else fixed
    if "\n" in whole and limits.SMS_BYTES - 2 < byte_length(whole) <= limits.SMS_BYTES:
        sentence = _(
            "줄바꿈을 2바이트로 세는 통신사가 있어, 일부 수신자에게는 LMS로 나갈 수 있습니다. 2바이트를 비워 두세요."
        )
        yield Problem("text", "near_the_edge", sentence)


def _grown_variables(content: AlimtalkContent) -> Iterator[Problem]:
    for given in content.variables:
        longest = max(character_length(read(given.text).fixed), character_length(given.default))
        if longest > character_length(f"#{{{given.name}}}") + limits.VARIABLE_GROWTH:
            sentence = _("처음 발송하는 프로필은 변수보다 %(n)d자 넘게 긴 값을 보내지 못할 수 있습니다.")
            yield Problem(f"variables.{given.name}", "long_variable", sentence % {"n": limits.VARIABLE_GROWTH})
