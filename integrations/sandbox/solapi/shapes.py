"""Groups, messages, templates and the rest in the JSON that SOLAPI answers with, its unevenness included.

Fields may be null, a boolean may be 0 or 1, and there are fields that nobody documents: clients must bear all of it.
"""

import hashlib
from typing import Any

from integrations.sandbox.solapi.catalogue import OTHER_PRICES, PRICES, Account, Channel, Template
from integrations.sandbox.solapi.codes import ACCEPTED, ALIMTALK, KINDS, NUMBER_OF, TEXTS
from integrations.sandbox.solapi.groups import PENDING, SCHEDULED, Group
from integrations.sandbox.solapi.ids import as_iso
from integrations.sandbox.solapi.outcomes import ON_ITS_WAY, unpacked

ALL_KINDS = (*PRICES, *OTHER_PRICES)
CREATED = "2026-01-05T00:30:00.000Z"
NETWORKS = {"SMS": "KT", "LMS": "SKT", "MMS": "LGU+", "ATA": "KAKAO", "BMS_FREE": "KAKAO"}


def group_as_json(group: Group, price_shape: str = "map") -> dict[str, Any]:
    """A group as most calls on groups answer with it."""
    count = dict(zip(KINDS, group.by_kind, strict=True))
    waiting = group.registered - group.delivered - group.failed if group.sent is not None else 0
    price: Any = {**group.price, **OTHER_PRICES} if group.sent is not None else {}
    return {
        "count": {
            "total": group.registered + group.refused,
            "sentTotal": group.registered if group.sent is not None else 0,
            "sentFailed": group.failed,
            "sentSuccess": group.delivered,
            "sentPending": waiting,
            "sentReplacement": group.replaced,
            "refund": group.given_back,
            "registeredFailed": group.refused,
            "registeredSuccess": group.registered,
        },
        "countForCharge": {kind: {"82": count[kind.upper()]} if count.get(kind.upper()) else {} for kind in ALL_KINDS},
        "balance": {
            "requested": group.charged,
            "replacement": group.charged_for_replacement,
            "refund": group.refunded,
            "sum": group.charged + group.charged_for_replacement - group.refunded,
        },
        "point": {"requested": 0, "replacement": 0, "refund": 0, "sum": 0},
        "app": {"profit": dict.fromkeys(ALL_KINDS, 0), "appId": group.agent["appId"], "version": None},
        "sdkVersion": group.agent["sdkVersion"],
        "osPlatform": group.agent["osPlatform"],
        "serviceMethod": "MT",
        "log": list(group.log),
        "status": group.status,
        "scheduledDate": as_iso(group.scheduled),
        "dateSent": as_iso(group.sent),
        "dateCompleted": as_iso(group.completed),
        "isRefunded": group.given_back > 0,
        "flagUpdated": False,
        "prepaid": True,
        "strict": False,
        "masterAccountId": None,
        "allowDuplicates": group.allow_duplicates,
        "_id": group.id,
        "groupId": group.id,
        "accountId": group.account.id,
        "apiVersion": "4",
        "price": {"82": price or [] if price_shape == "empty_list" else price},
        "customFields": group.custom_fields,
        "hint": {},
        "dateCreated": as_iso(group.created),
        "dateUpdated": as_iso(group.updated),
    }


def message_as_json(group: Group, place: int) -> dict[str, Any]:
    """A message as the lists have it."""
    message, fate, kind = group.message(place), group.fate(place), group.kind(place)
    reported = group.reported_at(place) if place < group.settled and fate.code not in (ON_ITS_WAY,) else None
    options = message.get("kakaoOptions")
    log: list[dict[str, Any]] = [{"message": "메시지가 등록되었습니다.", "createAt": as_iso(group.added_at(place))}]
    if fate.first_code is not None:
        log.append(
            {"message": f"대체 발송: {TEXTS.get(fate.first_code, '')}", "createAt": as_iso(reported or group.sent)}
        )
    taken = group.registered_code(place) == ACCEPTED
    over = taken and reported is not None
    # Every other message has 0 and 1 for booleans: the documentation of the official client says that both occur.
    yes, no = (True, False) if place % 2 == 0 else (1, 0)
    status = "COMPLETE" if over or not taken else SCHEDULED if group.status == SCHEDULED else PENDING
    if taken and group.sent is not None and not over:
        status = "SENDING"
    return {
        "_id": group.message_id(place),
        "messageId": group.message_id(place),
        "groupId": group.id,
        "accountId": group.account.id,
        "type": fate.replacement or kind or message.get("type"),
        "country": "82",
        "to": message.get("to") if message.get("to") is not None else unpacked(group.number(place)),
        "from": message.get("from"),
        "text": message.get("text"),
        "subject": message.get("subject"),
        "imageId": message.get("imageId"),
        "kakaoOptions": options if isinstance(options, dict) else {"pfId": None, "templateId": None, "buttons": []},
        "naverOptions": None,
        "rcsOptions": None,
        "customFields": message.get("customFields") or {},
        "replacements": message.get("replacements") or [],
        "status": status,
        "statusCode": str(fate.code),
        "reason": TEXTS.get(fate.code) if fate.code not in (ACCEPTED, ON_ITS_WAY) else None,
        "networkName": NETWORKS.get(kind or "") if over else None,
        "networkCode": None,
        "replacement": yes if fate.replacement else no,
        "autoTypeDetect": no if message.get("autoTypeDetect") in (False, 0) else yes,
        "resendCount": 0,
        "currentQueue": None,
        "queues": [],
        "log": log,
        "clusterKey": None,
        "unavailableSenderNumber": None,
        "dateProcessed": as_iso(group.sent) if taken else None,
        "dateReported": as_iso(reported),
        "dateReceived": as_iso(reported) if fate.code == 4000 else None,
        "dateCreated": as_iso(group.added_at(place)),
        "dateUpdated": as_iso(reported or group.sent or group.added_at(place)),
    }


def template_as_json(account: Account, template: Template) -> dict[str, Any]:
    """An AlimTalk template."""
    return {
        "name": template.name,
        "channelId": template.channel,
        "channelGroupId": None,
        "content": template.content,
        "isHidden": template.dormant,
        "messageType": "BA",
        "emphasizeType": "NONE",
        "extra": None,
        "ad": None,
        "emphasizeTitle": None,
        "emphasizeSubtitle": None,
        "securityFlag": False,
        "imageId": None,
        "assignType": "CHANNEL",
        "buttons": list(template.buttons),
        "comments": [
            {"isAdmin": True, "memberId": "kakao", "content": comment, "dateCreated": template.created}
            for comment in template.comments
        ],
        "commentable": True,
        "quickReplies": [],
        "header": None,
        "highlight": None,
        "item": None,
        "templateId": template.id,
        "code": None if template.status != "APPROVED" else template.id[-9:].lower(),
        "status": template.status,
        "variables": [{"name": name} for name in template.variables],
        "accountId": account.id,
        "dateCreated": template.created,
        "dateUpdated": template.created,
        "dormant": template.dormant,
    }


def channel_as_json(account: Account, channel: Channel) -> dict[str, Any]:
    """A Kakao channel."""
    return {
        "channelId": channel.id,
        "searchId": channel.search_id,
        "accountId": account.id,
        "phoneNumber": channel.phone,
        "sharedAccountIds": [],
        "channelName": channel.name,
        "dateCreated": CREATED,
        "dateUpdated": CREATED,
    }


def sender_as_json(account: Account, number: str) -> dict[str, Any]:
    """A sender number with its registration."""
    return {
        "phoneNumber": number,
        "accountId": account.id,
        "handleKey": "SED" + hashlib.sha256(number.encode()).hexdigest()[:29].upper(),
        "status": "ACTIVE",
        "method": "DOCUMENT",
        "expireAt": f"{account.numbers[number]}T14:59:59.000Z",
        "log": [],
        "dateCreated": CREATED,
        "dateUpdated": CREATED,
    }


def denial_as_json(account: Account, number: str) -> dict[str, Any]:
    """Somebody who refused ads through the 080 number."""
    return {
        "handleKey": "BLK" + hashlib.sha256(number.encode()).hexdigest()[:29].upper(),
        "accountId": account.id,
        "type": "DENIAL",
        "senderNumber": next(iter(account.numbers), ""),
        "recipientNumber": number,
        "dateCreated": CREATED,
        "dateUpdated": CREATED,
    }


def blocked_as_json(account: Account, number: str) -> dict[str, Any]:
    """A number that the account blocks itself."""
    return {
        "blockNumberId": "BN" + hashlib.sha256(number.encode()).hexdigest()[:30].upper(),
        "accountId": account.id,
        "memo": account.blocked[number],
        "phoneNumber": number,
        "blockGroupIds": [BLOCK_GROUP],
        "dateCreated": CREATED,
        "dateUpdated": CREATED,
    }


BLOCK_GROUP = "BG260105000000000000000000000001"


def block_group_as_json(account: Account) -> dict[str, Any]:
    """The one list of blocked numbers."""
    return {
        "blockGroupId": BLOCK_GROUP,
        "accountId": account.id,
        "status": "ACTIVE",
        "name": "발송 금지",
        "useAll": True,
        "senderNumbers": [],
        "dateCreated": CREATED,
        "dateUpdated": CREATED,
    }


def is_kakao(kind: str | None) -> bool:
    """Whether a message of this kind goes through KakaoTalk."""
    return kind is not None and NUMBER_OF[kind] >= ALIMTALK
