"""What has to be mended, at the field of the builder where it is mended.

The rules know fields by the names of a content's parts; the form's begin with the channel. As one types only what is
wrong with something that was written is shown; what is missing is said when one wants to go on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.message.check import check
from campaigns.message.content import AlimtalkContent, content_of
from campaigns.message.facts import facts_of
from campaigns.message.validate import Problem
from campaigns.models import Campaign
from campaigns.rules import rules_of
from integrations.messaging import Channel
from integrations.senders import Listing

MISSING = {"required", "ad_undecided"}
"""Codes of what nobody has written yet."""
OF_PAGE = {
    "name", "description", "channel", "timing", "date", "start", "end", "time", "weekday", "every", "audience",
    "cohort", "upload", "version", "rules.sender_name", "rules.opt_out_number",
}  # fmt: skip
"""Fields that are called the same in the rules and in the form."""

LABELS: dict[str, Any] = {
    "name": gettext_lazy("캠페인 이름"),
    "description": gettext_lazy("캠페인 설명"),
    "channel": gettext_lazy("발송 채널"),
    "timing": gettext_lazy("발송 주기"),
    "date": gettext_lazy("발송일"),
    "start": gettext_lazy("시작일"),
    "end": gettext_lazy("종료일"),
    "time": gettext_lazy("발송 시간"),
    "weekday": gettext_lazy("발송 요일"),
    "every": gettext_lazy("주기 설정"),
    "audience": gettext_lazy("발송 대상"),
    "cohort": gettext_lazy("코호트 선택"),
    "upload": gettext_lazy("CSV 파일"),
    "version": gettext_lazy("저장"),
    "rules.sender_name": gettext_lazy("발송자 이름"),
    "rules.opt_out_number": gettext_lazy("무료 수신거부 번호"),
    "sender": gettext_lazy("발신 번호"),
    "profile": gettext_lazy("발신 프로필"),
    "template": gettext_lazy("알림톡 템플릿"),
    "variables": gettext_lazy("템플릿 변수"),
    "kind": gettext_lazy("문자 종류"),
    "is_ad": gettext_lazy("광고 여부"),
    "title": gettext_lazy("제목"),
    "text": gettext_lazy("메시지 내용"),
    "picture": gettext_lazy("사진"),
    "buttons": gettext_lazy("버튼"),
    "mobile_url": gettext_lazy("모바일 URL"),
    "pc_url": gettext_lazy("PC URL (선택)"),
    "fallback.text": gettext_lazy("대체 문자 내용"),
    "fallback.subject": gettext_lazy("대체 문자 제목"),
    "fallback.kind": gettext_lazy("대체 문자 종류"),
}


@dataclass(frozen=True)
class Shown:
    """A problem at a field of the form."""

    field: str
    text: str
    code: str = ""

    @property
    def label(self) -> str:
        """What the field is called on screen."""
        return label_of(self.field)


def label_of(field: str) -> str:
    """What a field of the form is called on screen: of `text.title` the title's, of `friendtalk.buttons.1.mobile_url`
    that of buttons with its number."""
    channel, _dot, inner = field.partition(".")
    name = inner if channel in Channel.values else field
    parts = name.split(".")
    numbers = [str(int(part) + 1) for part in parts if part.isdecimal()]
    known = next((LABELS[one] for one in (name, parts[0]) if one in LABELS), name)
    last = [str(LABELS[parts[-1]])] if len(parts) > 2 and parts[-1] in LABELS else []
    return " ".join([str(known), *numbers, *last])


def at_fields(campaign: Campaign, found: Iterable[Problem]) -> list[Shown]:
    """The problems of a draft as its form shows them, one for a field and text."""
    content = content_of(campaign.channel, campaign.message) if campaign.channel in Channel.values else None
    names = [one.name for one in content.variables] if isinstance(content, AlimtalkContent) else []
    shown = [Shown(_form_field(campaign.channel, one.field, names), _with_place(one), one.code) for one in found]
    return list(dict.fromkeys(shown))


def _with_place(problem: Problem) -> str:
    """The sentence, and where in the text it is meant."""
    is_placed = problem.code == "character" or problem.code.startswith("variable_")
    if problem.position is None or not is_placed:
        return problem.text
    return _("%(n)d번째 글자: %(text)s") % {"n": problem.position + 1, "text": problem.text}


def _form_field(channel: str, field: str, variables: list[str]) -> str:
    if field in OF_PAGE or not channel:
        return field
    first, _dot, rest = field.partition(".")
    if first == "variables" and rest in variables:
        return f"{channel}.variables.{variables.index(rest)}"
    if first in ("template_buttons", "template_text", "template_variables"):
        return f"{channel}.template"
    return f"{channel}.{field}"


def live(campaign: Campaign, listing: Listing) -> list[Shown]:
    """What is wrong with what has been written of the message so far."""
    if campaign.channel not in Channel.values:
        return []
    content = content_of(campaign.channel, campaign.message)
    found = check(content, rules_of(campaign.project), facts_of(campaign, listing))
    return at_fields(campaign, [one for one in found if one.code not in MISSING])
