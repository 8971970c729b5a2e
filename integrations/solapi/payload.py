"""Our messages in SOLAPI's words.

`type` is always given and `autoTypeDetect` always off: a name that makes a text longer must not triple its price. Of
a Kakao message `disableSms` is always said, since its default sends a text. Buttons have two vocabularies: those of an
알림톡 and those of a brand message.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from integrations.messaging import Button, Kind, Message
from integrations.solapi.schemas import REFERENCE

MOST_MESSAGES = 5_000
MOST_BYTES = 14_000_000
"""SOLAPI takes 10,000 messages and 15 MB in one request; smaller ones are kinder, and sooner told apart."""

KINDS = {"SMS": Kind.SMS, "LMS": Kind.LMS, "MMS": Kind.MMS}
_TYPES = {kind: name for name, kind in KINDS.items()} | {Kind.ALIMTALK: "ATA", Kind.FRIENDTALK: "BMS_FREE"}


def national(e164: str) -> str:
    """A Korean number as SOLAPI wants it: 01012345678. What isn't Korean is given as it is, for SOLAPI to refuse."""
    return f"0{e164[3:]}" if e164.startswith("+82") else e164


def message_json(message: Message) -> dict[str, Any]:
    """One message of `PUT /messages/v4/groups/{id}/messages`."""
    made: dict[str, Any] = {
        "to": national(message.to),
        "type": _TYPES[message.kind],
        "autoTypeDetect": False,
        "country": "82",
        "customFields": {REFERENCE: message.reference},
    }
    if message.sender:
        made["from"] = message.sender
    if message.kind == Kind.ALIMTALK:
        return made | _alimtalk(message)
    made["text"] = message.text
    if message.kind == Kind.FRIENDTALK:
        return made | _brand_message(message)
    if message.subject and message.kind != Kind.SMS:
        made["subject"] = message.subject
    if message.kind == Kind.MMS:
        made["imageId"] = message.image
    return made


def _alimtalk(message: Message) -> dict[str, Any]:
    fallback = message.fallback if message.sender else None
    options: dict[str, Any] = {
        "pfId": message.profile,
        "templateId": message.template,
        "disableSms": fallback is None,
        "variables": {f"#{{{name}}}": value for name, value in message.variables.items()},
    }
    if message.buttons:
        options["buttons"] = [_alimtalk_button(button) for button in message.buttons]
    made: dict[str, Any] = {"kakaoOptions": options}
    if fallback is not None:
        text: dict[str, Any] = {
            "to": national(message.to),
            "from": message.sender,
            "type": _TYPES[fallback.kind],
            "autoTypeDetect": False,
            "text": fallback.text,
        }
        if fallback.subject and fallback.kind != Kind.SMS:
            text["subject"] = fallback.subject
        made["replacements"] = [text]
    return made


def _brand_message(message: Message) -> dict[str, Any]:
    """Free-form, to those of our list who are friends of the channel. Whether SOLAPI replaces a brand message by a
    text of itself is told differently by its own sources: so it is told not to, and the rooms above send theirs."""
    bubble: dict[str, Any] = {"targeting": "I", "chatBubbleType": "IMAGE" if message.image else "TEXT"}
    if message.image:
        bubble["imageId"] = message.image
    if message.buttons:
        bubble["buttons"] = [_brand_button(button) for button in message.buttons]
    return {"kakaoOptions": {"pfId": message.profile, "disableSms": True, "bms": bubble}}


def _alimtalk_button(button: Button) -> dict[str, str]:
    made = {"buttonType": "WL", "buttonName": button.name, "linkMo": button.mobile_url}
    return made | ({"linkPc": button.pc_url} if button.pc_url else {})


def _brand_button(button: Button) -> dict[str, str]:
    made = {"linkType": "WL", "name": button.name, "linkMobile": button.mobile_url}
    return made | ({"linkPc": button.pc_url} if button.pc_url else {})


def requests_of(messages: Sequence[Message]) -> Iterator[tuple[Sequence[Message], bytes]]:
    """The bodies that `messages` are put in with, each with those that it holds: at most `MOST_MESSAGES`, and at most
    `MOST_BYTES` unless a single message is larger."""
    parts: list[bytes] = []
    start = size = 0
    for place, message in enumerate(messages):
        part = orjson.dumps(message_json(message))
        if parts and (len(parts) == MOST_MESSAGES or size + len(part) > MOST_BYTES):
            yield messages[start:place], _body(parts)
            start, parts, size = place, [], 0
        parts.append(part)
        size += len(part) + 1
    if parts:
        yield messages[start:], _body(parts)


def _body(parts: list[bytes]) -> bytes:
    return b'{"messages":[' + b",".join(parts) + b"]}"
