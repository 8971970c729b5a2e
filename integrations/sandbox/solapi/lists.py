"""SOLAPI's other calls: money, channels, templates, sender numbers, files, opt-outs, statistics."""

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from integrations.sandbox.solapi.book import Refused
from integrations.sandbox.solapi.call import Call
from integrations.sandbox.solapi.catalogue import MARK_UP, OTHER_PRICES, PRICES
from integrations.sandbox.solapi.codes import ACCEPTED
from integrations.sandbox.solapi.ids import KST, as_iso
from integrations.sandbox.solapi.reports import EVENTS, Hook
from integrations.sandbox.solapi.shapes import (
    ALL_KINDS,
    CREATED,
    block_group_as_json,
    blocked_as_json,
    channel_as_json,
    denial_as_json,
    sender_as_json,
    template_as_json,
)

COUNTRY = {"countryName": "Korea, South", "countryId": "82", "dateCreated": CREATED, "dateUpdated": CREATED}
LARGEST_FILES = {"MMS": 200, "KAKAO": 500, "BMS": 5_000, "BMS_WIDE": 5_000, "DOCUMENT": 2_000}
"""In kilobytes."""
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
FILES_KEPT = 200


# -- Money ------------------------------------------------------------------------------------------------------------
def balance(call: Call) -> Any:
    """What the account still has."""
    call.book.settle_all()
    alert = {"notificationBalance": "10000", "currentBalance": "0", "balances": [], "channels": [], "enabled": False}
    return {
        "lowBalanceAlert": alert,
        "point": 0,
        "minimumCash": 0,
        "rechargeTo": 0,
        "rechargeTryCount": 0,
        "autoRecharge": 0,
        "accountId": call.account.id,
        "balance": call.account.balance,
        "deposit": 0,
        "balanceOnly": 0,
    }


def prices(call: Call) -> Any:
    """What a message costs this account, by kind, for Korea."""
    return {**PRICES, **OTHER_PRICES, **COUNTRY}


def default_prices(call: Call) -> Any:
    """What it costs anybody."""
    return {kind: round(price * MARK_UP, 1) for kind, price in (PRICES | OTHER_PRICES).items()} | COUNTRY


def quota(call: Call) -> Any:
    """How many messages a day."""
    midnight = call.book.now - (call.book.now + 9 * 3_600) % 86_400
    used = sum(group.registered for group in call.book.groups_of(call.account) if (group.sent or 0) >= midnight)
    return {"accountId": call.account.id, "quota": 1_000_000, "used": used, "limit": 1_000_000, "type": "DAILY"}


# -- Kakao ------------------------------------------------------------------------------------------------------------
def _listed(call: Call, name: str, rows: Iterable[Any], key: str, filters: Iterable[str]) -> Any:
    """A page of rows that agree with the filters."""
    names = list(filters)
    agreeing = [row for row in rows if all(call.matches(one, _text(row.get(one))) for one in names)]
    found, following = call.page(agreeing, lambda row: str(row[key]))
    return {"startKey": call.one("startKey"), "limit": call.limit, "nextKey": following, name: found}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def channels(call: Call) -> Any:
    """The account's channels."""
    rows = [channel_as_json(call.account, channel) for channel in call.account.channels]
    return _listed(call, "channelList", rows, "channelId", ("channelId", "searchId", "phoneNumber", "dateCreated"))


def channel(call: Call) -> Any:
    """One channel."""
    for own in call.account.channels:
        if own.id == call.path[0]:
            return channel_as_json(call.account, own)
    raise Refused(404, "ResourceNotFound", "채널을 찾을 수 없습니다.")


def templates(call: Call) -> Any:
    """The account's AlimTalk templates."""
    rows = [template_as_json(call.account, template) for template in call.account.templates.values()]
    names = ("name", "channelId", "templateId", "isHidden", "status", "dateCreated")
    return _listed(call, "templateList", rows, "templateId", names)


def sendable(call: Call) -> Any:
    """Those that can be sent now."""
    own = call.account.templates.values()
    rows = [template_as_json(call.account, template) for template in own if template.sendable]
    return _listed(call, "templateList", rows, "templateId", ("name", "channelId", "templateId"))


def template(call: Call) -> Any:
    """One template."""
    found = call.account.templates.get(call.path[0])
    if found is None:
        raise Refused(404, "ResourceNotFound", "템플릿을 찾을 수 없습니다.")
    return template_as_json(call.account, found)


def brand_templates(call: Call) -> Any:
    """Templates of brand messages: this shop has none, it writes freely."""
    return _listed(call, "brandTemplateList", [], "templateId", ())


# -- Numbers ----------------------------------------------------------------------------------------------------------
def active_numbers(call: Call) -> Any:
    """The registered sender numbers."""
    return list(call.account.numbers)


def numbers(call: Call) -> Any:
    """The same, with their registration."""
    rows = [sender_as_json(call.account, number) for number in call.account.numbers]
    return _listed(call, "senderIds", rows, "handleKey", ("phoneNumber", "status"))


def denials(call: Call) -> Any:
    """Who refused ads through the 080 number."""
    if call.one("type") not in (None, "DENIAL"):
        raise Refused(400, "ValidationError", "type 은 DENIAL 이어야 됩니다.")
    rows = [denial_as_json(call.account, number) for number in sorted(call.account.opted_out)]
    return _listed(call, "blackList", rows, "handleKey", ("senderNumber", "recipientNumber", "dateCreated"))


def block_groups(call: Call) -> Any:
    """The lists of blocked numbers."""
    return _listed(call, "blockGroups", [block_group_as_json(call.account)], "blockGroupId", ("status", "name"))


def block_numbers(call: Call) -> Any:
    """The blocked numbers."""
    rows = [blocked_as_json(call.account, number) for number in call.account.blocked]
    return _listed(call, "blockNumbers", rows, "blockNumberId", ("phoneNumber", "memo", "blockNumberId"))


# -- Webhooks ---------------------------------------------------------------------------------------------------------
def hooks(call: Call) -> Any:
    """The addresses that are told what became of messages. (How SOLAPI names these fields isn't documented.)"""
    return {"webhookList": [_hook_as_json(hook) for hook in call.book.reports.hooks.values()]}


def add_hook(call: Call) -> Any:
    """One more."""
    events = call.body.get("eventNames") or call.body.get("eventName") or list(EVENTS)
    names = tuple(events) if isinstance(events, list) else (str(events),)
    try:
        hook = call.book.reports.add(str(call.body.get("url") or ""), str(call.body.get("secret") or ""), names)
    except ValueError as error:
        raise Refused(400, "ValidationError", str(error)) from error
    return _hook_as_json(hook)


def remove_hook(call: Call) -> Any:
    """One fewer."""
    try:
        return _hook_as_json(call.book.reports.remove(call.path[0]))
    except KeyError as error:
        raise Refused(404, "ResourceNotFound", "웹훅을 찾을 수 없습니다.") from error


def _hook_as_json(hook: Hook) -> dict[str, Any]:
    return {"webhookId": hook.id, "url": hook.url, "eventNames": list(hook.events)}


# -- Files ------------------------------------------------------------------------------------------------------------
def upload(call: Call) -> Any:
    """Keep a picture. Raises Refused for one of the wrong kind or size."""
    kind = str(call.body.get("type") or "MMS")
    if kind not in LARGEST_FILES:
        raise Refused(400, "ValidationError", f"type 은 {', '.join(LARGEST_FILES)} 중 하나여야 됩니다.")
    try:
        content = base64.b64decode(str(call.body.get("file") or ""), validate=True)
    except binascii.Error as error:
        raise Refused(400, "ValidationError", "file 은 base64 형식이어야 됩니다.") from error
    is_jpeg, is_png = content.startswith(JPEG), content.startswith(PNG)
    if kind != "DOCUMENT" and not (is_jpeg or (is_png and kind != "MMS")):
        raise Refused(400, "InvalidFileFormat", "지원하지 않는 이미지 형식입니다.")
    if len(content) > LARGEST_FILES[kind] * 1024:
        raise Refused(413, "FileSizeExceeded", f"파일 크기는 {LARGEST_FILES[kind]}KB를 넘을 수 없습니다.")
    now = as_iso(call.book.now)
    digest = hashlib.sha256(content + kind.encode() + str(call.book.now).encode()).hexdigest()
    file_id = f"ST01FZ{digest[:26].upper()}"
    name = str(call.body.get("name") or f"{file_id}.jpg")
    file: dict[str, Any] = {
        "kakao": {"daou": None, "biztalk": None},
        "type": kind,
        "originalName": name,
        "link": call.body.get("link"),
        "fileId": file_id,
        "name": name,
        "url": f"/storage/{file_id}",
        "accountId": call.account.id,
        "references": [],
        "dateCreated": now,
        "dateUpdated": now,
    }
    with call.account.lock:
        call.account.files[file_id] = file | {"content": content}
        while len(call.account.files) > FILES_KEPT:
            del call.account.files[next(iter(call.account.files))]
    return file


# -- Statistics -------------------------------------------------------------------------------------------------------
def statistics(call: Call) -> Any:
    """How many messages of which kind were sent, arrived and failed, by month and day."""
    call.book.settle_all()
    since, until = call.date("startDate"), call.date("endDate")
    days: dict[str, tuple[Counter[str], Counter[str], Counter[str], Counter[str]]] = {}
    money: Counter[str] = Counter()
    refunds: Counter[str] = Counter()
    for group in call.book.groups_of(call.account):
        if group.sent is None or (since is not None and group.sent < since) or (until or group.sent) < group.sent:
            continue
        day = _day(group.sent)
        total, arrived, failed, codes = days.setdefault(day, (Counter(), Counter(), Counter(), Counter()))
        money[day] += int(group.charged + group.charged_for_replacement - group.refunded)
        refunds[day] += int(group.refunded)
        with group.lock:
            for place in range(len(group)):
                if group.registered_code(place) != ACCEPTED:
                    continue
                kind, code = str(group.kind(place)).lower(), group.fate(place).code
                total[kind] += 1
                codes[f"{code} {kind}"] += 1
                if code not in (3000, 2000):
                    (arrived if code == 4000 else failed)[kind] += 1
    periods = [_day_period(day, days[day], money[day], refunds[day]) for day in sorted(days)]
    months = [_month(month, [one for one in periods if one["month"] == month]) for month in _months(periods)]
    spent = sum(money.values())
    return {
        "balance": spent,
        "point": 0,
        "deposit": 0,
        "monthlyBalanceAvg": spent / max(len(months), 1),
        "monthlyPointAvg": 0,
        "monthPeriod": months,
        **_sums(periods),
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, KST).strftime("%Y/%m/%d")


def _months(periods: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(one["month"] for one in periods))


def _by_kind(counts: Counter[str]) -> dict[str, int]:
    return {"total": sum(counts.values())} | {kind: counts[kind] for kind in ALL_KINDS}


def _day_period(
    day: str, counts: tuple[Counter[str], Counter[str], Counter[str], Counter[str]], spent: int, refund: int
) -> dict[str, Any]:
    codes: dict[str, dict[str, int]] = {}
    for name, count in counts[3].items():
        code, _, kind = name.partition(" ")
        codes.setdefault(code, {})[kind] = count
    return {
        "_id": day,
        "month": day[:7],
        "date": day,
        "balance": spent,
        "point": 0,
        "statusCode": codes,
        "refund": {"balance": refund, "point": 0},
        "total": _by_kind(counts[0]),
        "successed": _by_kind(counts[1]),
        "failed": _by_kind(counts[2]),
    }


def _sums(periods: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {
        part: {kind: sum(one[part][kind] for one in periods) for kind in ("total", *ALL_KINDS)}
        for part in ("total", "successed", "failed")
    }


def _month(month: str, periods: list[dict[str, Any]]) -> dict[str, Any]:
    spent = sum(one["balance"] for one in periods)
    refund = sum(one["refund"]["balance"] for one in periods)
    return {
        "date": month,
        "balance": spent,
        "balanceAvg": spent / len(periods),
        "point": 0,
        "pointAvg": 0,
        "dayPeriod": periods,
        "refund": {"balance": refund, "balanceAvg": refund / len(periods), "point": 0, "pointAvg": 0},
        **_sums(periods),
    }
