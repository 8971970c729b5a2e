"""SOLAPI's answers as typed values. Nothing inside the console sees a raw reply.

SOLAPI keeps few promises about its types: a list of messages is an object by message id, booleans come as 0 and 1,
counts as text, any value as null, prices as `{"82": []}`, and new fields appear. What isn't needed is never looked at;
what is needed and missing is a BadAnswer or a None, as each function says.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from integrations.http import BadAnswer
from integrations.messaging import Balance, Button, KakaoProfile, Kind, SenderNumber, Template, TemplateStatus
from notifly_console.lib import phone
from notifly_console.lib.text import stored

REFERENCE = "reference"
"""The custom field that carries our reference of a message or group."""
KOREA = timezone(timedelta(hours=9))
LONGEST = 20_000
MOST_OF_A_PRICE = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Group:
    """A message group. Counts are None where SOLAPI doesn't say."""

    id: str
    account: str
    status: str
    """PENDING, SENDING, SCHEDULED, COMPLETE, FAILED, DELETED; "" where it says none."""
    total: int | None
    accepted: int | None
    sent: int | None


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one message that was put into a group."""

    to: str
    message_id: str
    code: str
    reference: str


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as SOLAPI keeps it."""

    message_id: str
    reference: str
    code: str
    status: str
    type: str
    """What it is by now: of one that was replaced, the text message's."""
    was_replaced: bool
    at: datetime | None


# -- Groups and messages ----------------------------------------------------------------------------------------------
def parse_group(body: bytes) -> Group:
    """A group, whether it comes bare or as `groupInfo`. Raises BadAnswer for what names none."""
    found = _object(body)
    inner = found.get("groupInfo")
    found = {**found, **inner} if isinstance(inner, dict) else found
    group_id = _text(found.get("groupId") or found.get("_id"), 64)
    if not group_id:
        raise BadAnswer("no groupId")
    said = found.get("count")
    count: Mapping[str, Any] = said if isinstance(said, dict) else {}
    return Group(
        id=group_id,
        account=_text(found.get("accountId"), 32),
        status=_text(found.get("status"), 20).upper(),
        total=_whole(count.get("total")),
        accepted=_whole(count.get("registeredSuccess")),
        sent=_whole(count.get("sentTotal")),
    )


def parse_added(body: bytes) -> list[Added]:
    """What became of each message that was put in. Raises BadAnswer without a `resultList`."""
    return [
        Added(
            to=_text(item.get("to"), 32),
            message_id=_text(item.get("messageId"), 64),
            code=_text(item.get("statusCode"), 16),
            reference=_reference(item),
        )
        for item in _items(_object(body), "resultList")
    ]


def parse_messages(body: bytes) -> tuple[list[StoredMessage], str]:
    """A page of stored messages, and the key of the next page ("" at the end). Raises BadAnswer without a
    `messageList`."""
    found = _object(body)
    listed = found.get("messageList")
    items: list[tuple[str, Mapping[str, Any]]]
    if isinstance(listed, dict):
        items = [(key, item) for key, item in listed.items() if isinstance(item, dict)]
    else:
        items = [("", item) for item in _items(found, "messageList")]
    messages = [
        StoredMessage(
            message_id=_text(item.get("messageId") or key, 64),
            reference=_reference(item),
            code=_text(item.get("statusCode"), 16),
            status=_text(item.get("status"), 20).upper(),
            type=_text(item.get("type"), 20).upper(),
            was_replaced=_flag(item.get("replacement")),
            at=_moment(item.get("dateReceived") or item.get("dateReported") or item.get("dateProcessed")),
        )
        for key, item in items
    ]
    return messages, _next_key(found)


# -- What an account has ----------------------------------------------------------------------------------------------
def parse_profiles(body: bytes) -> tuple[list[KakaoProfile], str]:
    """A page of Kakao channels, and the key of the next page. Raises BadAnswer without a `channelList`."""
    found = _object(body)
    profiles = []
    for item in _items(found, "channelList"):
        if channel := _text(item.get("channelId") or item.get("pfId"), 64):
            name = _text(item.get("searchId"), 80) or _text(item.get("channelName"), 80) or channel
            profiles.append(KakaoProfile(channel, name, _text(item.get("phoneNumber"), 32)))
    return profiles, _next_key(found)


def parse_numbers(body: bytes) -> list[SenderNumber]:
    """The registered sender numbers; an array of digits, or of objects. Raises BadAnswer for another shape."""
    found = _json(body)
    if isinstance(found, dict):
        found = found.get("senderIds", found.get("numberList", found.get("numbers")))
    if not isinstance(found, list):
        raise BadAnswer("no list of numbers")
    numbers: dict[str, SenderNumber] = {}
    for item in found:
        kept = item if isinstance(item, dict) else {"phoneNumber": item, "status": "ACTIVE"}
        digits = re.sub(r"[^0-9]", "", _text(kept.get("phoneNumber"), 32))
        if digits:
            is_active = _text(kept.get("status"), 20).upper() in ("ACTIVE", "")
            numbers.setdefault(digits, SenderNumber(digits, _text(kept.get("name"), 80), is_active))
    return list(numbers.values())


def parse_templates(body: bytes) -> tuple[list[Template], str]:
    """A page of 알림톡 templates, and the key of the next page. Raises BadAnswer without a `templateList`."""
    found = _object(body) if body.lstrip()[:1] != b"[" else {"templateList": _json(body)}
    templates = [_template(item) for item in _items(found, "templateList")]
    return [template for template in templates if template.id], _next_key(found)


def parse_template(body: bytes) -> Template:
    """One template. Raises BadAnswer when it has no id."""
    template = _template(_object(body))
    if not template.id:
        raise BadAnswer("no templateId")
    return template


def parse_balance(body: bytes) -> tuple[Balance, str]:
    """The money, and the account that it belongs to ("" where SOLAPI doesn't say). Raises BadAnswer without a
    `balance`."""
    found = _object(body)
    cash = _money(found.get("balance"))
    if cash is None:
        raise BadAnswer("no balance")
    return Balance(cash, _money(found.get("point")) or Decimal(0)), _text(found.get("accountId"), 32)


PRICE_KEYS: dict[Kind, tuple[str, ...]] = {
    Kind.SMS: ("sms",),
    Kind.LMS: ("lms",),
    Kind.MMS: ("mms",),
    Kind.ALIMTALK: ("ata",),
    Kind.FRIENDTALK: ("bms_free", "bms_text"),
}


def parse_prices(body: bytes) -> Mapping[Kind, Decimal]:
    """Won for a message to Korea, by kind; a kind without a usable price is left out. Raises BadAnswer where there is
    not one."""
    for found in _price_lists(_json(body)):
        prices = {
            kind: price
            for kind, names in PRICE_KEYS.items()
            if (price := next((p for name in names if (p := _price(found.get(name))) is not None), None)) is not None
        }
        if prices:
            return prices
    raise BadAnswer("no price")


def parse_refusals(body: bytes) -> tuple[list[str], str]:
    """A page of the numbers (E.164) that called the 080 service, and the key of the next page. What is no mobile
    number of ours is left out. Raises BadAnswer without a `blackList`."""
    found = _object(body)
    numbers = (phone.normalise(_text(item.get("recipientNumber"), 32)).e164 for item in _items(found, "blackList"))
    return [number for number in numbers if number], _next_key(found)


def parse_file(body: bytes) -> str:
    """The id of an uploaded file. Raises BadAnswer without one."""
    file_id = _text(_object(body).get("fileId"), 64)
    if not file_id:
        raise BadAnswer("no fileId")
    return file_id


# -- Templates --------------------------------------------------------------------------------------------------------
VARIABLE = re.compile(r"#\{([^{}]+)\}")
LINKS = ("linkMo", "linkPc", "linkAnd", "linkIos")
_STATUSES = {
    "PENDING": TemplateStatus.PENDING,
    "INSPECTING": TemplateStatus.IN_REVIEW,
    "APPROVED": TemplateStatus.APPROVED,
    "REJECTED": TemplateStatus.REJECTED,
    "DORMANT": TemplateStatus.DORMANT,
    "BLOCKED": TemplateStatus.BLOCKED,
}


def _template(found: Mapping[str, Any]) -> Template:
    content, extra = _text(found.get("content")), _text(found.get("extra"))
    web, others, links = [], [], []
    for item in _list(found.get("buttons")):
        name = _text(item.get("buttonName") or item.get("name"), 60)
        urls = [_text(item.get(link), 1000) for link in LINKS]
        links += urls
        if _text(item.get("buttonType") or item.get("linkType"), 4) == "WL" and urls[0]:
            web.append(Button(name, urls[0], urls[1]))
        elif name:
            others.append(name)
    return Template(
        id=_id(found.get("templateId")),
        profile_id=_text(found.get("channelId") or found.get("pfId"), 64),
        name=_text(found.get("name"), 200),
        content=f"{content}\n\n{extra}" if extra else content,
        variables=_variables(found, content, extra, *links),
        buttons=tuple(web),
        status=_status(found),
        other_buttons=tuple(others),
        emphasis=_text(found.get("emphasizeTitle"), 100),
        code=_text(found.get("code"), 64),
        comments=tuple(_comments(found)),
        updated_at=_text(found.get("dateUpdated") or found.get("dateCreated"), 40),
    )


def _variables(found: Mapping[str, Any], *texts: str) -> tuple[str, ...]:
    """In order of first use; then those that SOLAPI lists and we don't see (of a list item, of a picture's title)."""
    parts = [*texts, _text(found.get("emphasizeTitle")), _text(found.get("header"))]
    seen = [name for part in parts for name in VARIABLE.findall(part)]
    listed = (_text(item.get("name"), 100) for item in _list(found.get("variables")))
    seen += [name.removeprefix("#{").removesuffix("}") for name in listed]
    return tuple(dict.fromkeys(name for name in seen if name))


def _status(found: Mapping[str, Any]) -> TemplateStatus:
    """What may be sent is what is approved and nothing else: a status that nobody knows doesn't let it go out."""
    if _flag(found.get("dormant")):
        return TemplateStatus.DORMANT
    if _flag(found.get("block")) or _flag(found.get("blocked")):
        return TemplateStatus.BLOCKED
    return _STATUSES.get(_text(found.get("status"), 20).upper(), TemplateStatus.BLOCKED)


def _comments(found: Mapping[str, Any]) -> Iterator[str]:
    comments = found.get("comments")
    for item in comments if isinstance(comments, list) else []:
        said = _text(item.get("content") if isinstance(item, dict) else item, 2000)
        if said:
            yield said


# -- Prices -----------------------------------------------------------------------------------------------------------
def _price_lists(found: Any) -> Iterator[Mapping[str, Any]]:
    """Whatever may be Korea's price list: the object itself, its "82", or Korea's in an array of countries."""
    if isinstance(found, dict):
        korea = found.get("82")
        if isinstance(korea, dict):
            yield korea
        yield found
        yield from _price_lists(found.get("price"))
    elif isinstance(found, list):
        for item in found:
            if isinstance(item, dict) and _text(item.get("countryId"), 8) in ("82", ""):
                yield item


def _price(value: Any) -> Decimal | None:
    if isinstance(value, dict):
        value = value.get("82")
    price = _money(value)
    return price if price is not None and 0 <= price < MOST_OF_A_PRICE else None


# -- Values -----------------------------------------------------------------------------------------------------------
def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("not JSON") from None


def _object(body: bytes) -> Mapping[str, Any]:
    found = _json(body)
    if not isinstance(found, dict):
        raise BadAnswer("not an object")
    return found


def _items(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list that must be there."""
    listed = found.get(name)
    if isinstance(listed, dict):
        listed = list(listed.values())
    if not isinstance(listed, list):
        raise BadAnswer(f"no {name}")
    return [item for item in listed if isinstance(item, dict)]


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any, longest: int = LONGEST) -> str:
    """Text fit to be stored; "" for null and for what isn't text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return stored(value, longest)


def _id(value: Any) -> str:
    """An id that goes into addresses of ours; "" for what isn't made for one."""
    text = _text(value, 65)
    return text if re.fullmatch("[A-Za-z0-9_-]{1,64}", text) else ""


def _reference(item: Mapping[str, Any]) -> str:
    fields = item.get("customFields")
    return _text(fields.get(REFERENCE), 100) if isinstance(fields, dict) else ""


def _next_key(found: Mapping[str, Any]) -> str:
    return _text(found.get("nextKey") or "", 128)


def _flag(value: Any) -> bool:
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in ("true", "1"))


def _whole(value: Any) -> int | None:
    number = _money(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _money(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 15 else None


def _moment(value: Any) -> datetime | None:
    """A time as SOLAPI writes it; one without a zone is Korea's."""
    try:
        moment = datetime.fromisoformat(_text(value, 40))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=KOREA)
