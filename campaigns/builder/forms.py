"""What is written in the builder, read from a form into a draft.

Reading is tolerant: a draft may be unfinished, so whatever a person can type is taken as it stands, and judged at the
review. Refused is only what no form of ours can send: a channel or an object that there isn't, a text longer than its
field. Names of fields are those of the template; a message's begin with its channel, so that the messages of all three
channels are kept side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext as _

from campaigns.message import limits
from campaigns.models import AudienceKind, Campaign, Picture, Upload
from campaigns.sending.schedule import When, timing_of
from cohorts.models import Cohort, UserGroup
from integrations.messaging import Channel
from notifly_console.lib.text import stored
from notifly_console.tenancy.access import Access

MOST_BUTTONS = limits.BUTTONS
LONGEST_TEXT = 10_000
"""Of a message as typed: above every channel's limit, which `message.check` knows."""
MOST_VARIABLES = 60


@dataclass
class Refusals:
    """What could not be taken, by field: nothing is saved while there is one."""

    by_field: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        self.by_field.setdefault(name, text)

    def __bool__(self) -> bool:
        return bool(self.by_field)


def onto(campaign: Campaign, post: QueryDict, access: Access) -> Refusals:
    """Puts what `post` says onto the draft, which is not saved; says what it would not take. The message itself is
    made of `kept` by `drafts.settle`."""
    refused = Refusals()
    campaign.name = _text(post, "name", 120, refused, _("캠페인 이름"))
    campaign.description = _text(post, "description", 2_000, refused, _("캠페인 설명"))
    campaign.channel = _channel(post, refused)
    campaign.timing = _timing(post)
    _audience(campaign, post, access, refused)
    written_for = post.get("message_of", "")
    if written_for in _MESSAGES:
        before = campaign.kept.get(written_for) or {}
        campaign.kept = campaign.kept | {written_for: _MESSAGES[written_for](post, access, refused, before)}
    return refused


# -- 1 and 2 ----------------------------------------------------------------------------------------------------------
def _text(post: QueryDict, name: str, longest: int, refused: Refusals, label: str) -> str:
    text = stored(post.get(name, ""), LONGEST_TEXT * 2).replace("\r\n", "\n")
    if len(text) > longest:
        refused.add(
            name,
            _("%(label)s은(는) %(limit)d자까지 쓸 수 있습니다.") % {"label": label, "limit": longest},
        )
        return text[:longest]
    return text


def _channel(post: QueryDict, refused: Refusals) -> str:
    wanted = post.get("channel", "")
    if wanted and wanted not in Channel.values:
        refused.add(
            "channel", _("아직 보낼 수 없는 채널입니다. 카카오 알림톡, 카카오 친구톡, 문자 중에서 골라 주세요.")
        )
        if post.get("audience") == AudienceKind.COHORT:
            refused.add("audience", _("외부 툴 연동 코호트는 카카오 알림톡, 카카오 친구톡, 문자에서만 쓸 수 있습니다."))
        return ""
    return wanted


def _timing(post: QueryDict) -> dict[str, Any]:
    """Whatever of it makes sense."""
    every = post.get("every", "")
    return timing_of(
        {
            "kind": When.LIVE if post.get("occasion") == "event" else post.get("timing", ""),
            "date": post.get("date", ""),
            "start": post.get("start", ""),
            "end": post.get("end", ""),
            "forever": bool(post.get("forever")),
            "time": post.get("time", ""),
            "weekdays": [int(day) for day in post.getlist("weekday") if day in set("0123456")],
            "every_weeks": int(every) if every.isascii() and every.isdecimal() and len(every) < 4 else 1,
        }
    ).as_json()


# -- 3 ----------------------------------------------------------------------------------------------------------------
def _audience(campaign: Campaign, post: QueryDict, access: Access, refused: Refusals) -> None:
    kind = post.get("audience", "")
    if kind not in AudienceKind.values:
        kind = ""
    campaign.audience_kind = kind
    _cohort(campaign, post.get("cohort", ""), access, refused)
    campaign.group = _object(UserGroup, post.get("group", ""), access)
    campaign.upload = _object(Upload, post.get("upload", ""), access)


def _cohort(campaign: Campaign, wanted: str, access: Access, refused: Refusals) -> None:
    if not wanted:
        campaign.cohort = None
        return
    found = wanted.isdecimal() and len(wanted) < 19 and access.all(Cohort).filter(source_id=int(wanted)).first()
    if not found:
        refused.add("cohort", _("고른 코호트를 찾을 수 없습니다. 목록에서 다시 골라 주세요."))
    elif found.vanished_at is not None and found.pk != campaign.cohort_id:
        refused.add("cohort", _("Mixpanel에 없는 코호트는 고를 수 없습니다."))
    else:
        campaign.cohort = found


def _object(model: type[Any], key: str, access: Access) -> Any:
    """The project's object of that id; None for an id that names none."""
    try:
        wanted = UUID(hex=key)
    except ValueError:
        return None
    return access.all(model).filter(pk=wanted).first()


# -- 4 ----------------------------------------------------------------------------------------------------------------
# A message is the JSON of its content (`message/content.py`), but with the fallback also while it is off. The page
# shows the chosen channel's part and names it in `message_of`; those of the others stay as they were kept.
TEMPLATE_FACTS = ("template_name", "template_text", "template_buttons", "template_variables")
Message = dict[str, Any]


def _alimtalk(post: QueryDict, access: Access, refused: Refusals, before: Message) -> Message:
    # No form brings what the template says: of the same one it stays.
    is_same = before.get("template") == post.get("alimtalk.template")
    return {
        **({name: before.get(name) for name in TEMPLATE_FACTS} if is_same else {}),
        "profile": post.get("alimtalk.profile", ""),
        "template": post.get("alimtalk.template", ""),
        "variables": _variables(post),
        **_fallback(post, "alimtalk", refused),
    }


def _friendtalk(post: QueryDict, access: Access, refused: Refusals, before: Message) -> Message:
    return {
        "profile": post.get("friendtalk.profile", ""),
        "text": _text(post, "friendtalk.text", LONGEST_TEXT, refused, _("메시지 내용")),
        "picture": _picture(post.get("friendtalk.picture", ""), access),
        "buttons": _buttons(post),
        "skips_missing": bool(post.get("friendtalk.skips_missing")),
        **_fallback(post, "friendtalk", refused),
    }


def _of_text(post: QueryDict, access: Access, refused: Refusals, before: Message) -> Message:
    return {
        "sender": post.get("text.sender", ""),
        "kind": post.get("text.kind", ""),
        "is_ad": {"yes": True, "no": False}.get(post.get("text.is_ad", "")),
        "title": _text(post, "text.title", 400, refused, _("제목")),
        "text": _text(post, "text.text", LONGEST_TEXT, refused, _("문자 내용")),
        "picture": _picture(post.get("text.picture", ""), access),
        "skips_missing": bool(post.get("text.skips_missing")),
    }


_MESSAGES: dict[str, Callable[[QueryDict, Access, Refusals, Message], Message]] = {
    Channel.ALIMTALK: _alimtalk,
    Channel.FRIENDTALK: _friendtalk,
    Channel.TEXT: _of_text,
}


def _variables(post: QueryDict) -> list[dict[str, Any]]:
    """What goes into the variables of the template, by the numbers of its fields."""
    found = []
    for n in range(MOST_VARIABLES):
        at = f"alimtalk.variables.{n}"
        if f"{at}.name" not in post:
            break
        found.append(
            {
                "name": stored(post.get(f"{at}.name", ""), 100),
                "text": stored(post.get(f"{at}.text", ""), 2_000),
                "default": stored(post.get(f"{at}.default", ""), 400),
                "skips_missing": post.get(f"{at}.missing") == "skip",
            }
        )
    return found


def _buttons(post: QueryDict) -> list[dict[str, str]]:
    """The buttons of a 친구톡, in the order of the form."""
    names, mobile, pc = (post.getlist(f"friendtalk.buttons.{part}") for part in ("name", "mobile_url", "pc_url"))
    return [
        {
            "name": stored(name, 100),
            "mobile_url": stored(mobile[at] if at < len(mobile) else "", 2_000),
            "pc_url": stored(pc[at] if at < len(pc) else "", 2_000),
        }
        for at, name in enumerate(names[:MOST_BUTTONS])
    ]


def _fallback(post: QueryDict, channel: str, refused: Refusals) -> dict[str, Any]:
    at = f"{channel}.fallback"
    return {
        "sender": post.get(f"{channel}.sender", ""),
        "has_fallback": bool(post.get(at)),
        "fallback": {
            "kind": "lms" if post.get(f"{at}.kind") == "lms" else "sms",
            "text": _text(post, f"{at}.text", LONGEST_TEXT, refused, _("대체 문자 내용")),
            "subject": _text(post, f"{at}.subject", 400, refused, _("제목")),
            "is_own": post.get(f"{at}.source") != "same",
        },
    }


def _picture(key: str, access: Access) -> str:
    found = _object(Picture, key, access)
    return found.pk.hex if found else ""
