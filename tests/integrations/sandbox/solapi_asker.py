"""The stand-in SOLAPI asked over its socket, by hand: signs, sends, and builds messages that are right."""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import requests

from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from integrations.sandbox.server import SandboxServer
from integrations.sandbox.solapi.catalogue import CHANNEL

SENDER = "0269001234"
ORDER_DONE = "KA01TP260112021000001OrderDone01"
VARIABLES = {"#{고객명}": "김하나", "#{주문번호}": "A-1", "#{상품명}": "밀키트", "#{결제금액}": "12,900"}


class SolapiAsker:
    """A careful client of few words."""

    def __init__(self, sandbox: SandboxServer, key: str = SOLAPI_API_KEY, secret: str = SOLAPI_API_SECRET) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.key, self.secret = key, secret
        self.http = requests.Session()
        self.http.trust_env = False

    def header(self, date: str | None = None, salt: str | None = None, secret: str | None = None) -> str:
        date = date or datetime.now(UTC).isoformat()
        salt = salt or uuid.uuid4().hex
        signed = hmac.new((secret or self.secret).encode(), (date + salt).encode(), hashlib.sha256).hexdigest()
        return f"HMAC-SHA256 apiKey={self.key}, date={date}, salt={salt}, signature={signed}"

    def ask(self, method: str, path: str, body: Any = None, header: str | None = None, **query: Any) -> Any:
        return self.http.request(
            method,
            f"{self.sandbox.solapi_url}/{path}",
            data=None if body is None else orjson.dumps(body),
            params=query,
            headers={"Authorization": header or self.header(), "Content-Type": "application/json"},
            timeout=30,
        )

    def get(self, path: str, **query: Any) -> Any:
        reply = self.ask("GET", path, **query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def group(self, **options: Any) -> str:
        return str(self.ask("POST", "messages/v4/groups", options).json()["groupId"])

    def add(self, group: str, *messages: Any) -> Any:
        reply = self.ask("PUT", f"messages/v4/groups/{group}/messages", {"messages": list(messages)})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def send(self, group: str) -> Any:
        return self.ask("POST", f"messages/v4/groups/{group}/send")

    def sent(self, *messages: Any, **options: Any) -> str:
        """A group with these messages, sent."""
        group = self.group(**options)
        self.add(group, *messages)
        assert self.send(group).status_code == 200
        return group

    def code(self, message: Any) -> str:
        """What a message is registered with."""
        return str(self.add(self.group(), message)["resultList"][0]["statusCode"])

    def messages(self, group: str) -> list[Any]:
        return list(self.get(f"messages/v4/groups/{group}/messages", limit=500)["messageList"].values())


def sms(to: str = "01040001000", **changes: Any) -> dict[str, Any]:
    return {"to": to, "from": SENDER, "type": "SMS", "autoTypeDetect": False, "text": "안녕하세요", **changes}


def lms(to: str = "01040001000", **changes: Any) -> dict[str, Any]:
    return sms(to, **{"type": "LMS", "subject": "하루식탁", **changes})


def alimtalk(to: str = "01040001000", options: Any = None, **changes: Any) -> dict[str, Any]:
    kakao = {"pfId": CHANNEL, "templateId": ORDER_DONE, "disableSms": True, "variables": VARIABLES, **(options or {})}
    return {"to": to, "type": "ATA", "autoTypeDetect": False, "kakaoOptions": kakao, **changes}


def brand(to: str = "01040001000", options: Any = None, bms: Any = None, **changes: Any) -> dict[str, Any]:
    free = {"targeting": "I", "chatBubbleType": "TEXT", **(bms or {})}
    kakao = {"pfId": CHANNEL, "disableSms": True, "bms": free, **(options or {})}
    return {"to": to, "type": "BMS_FREE", "text": "이번 주 반찬이 나왔어요 🍱", "kakaoOptions": kakao, **changes}
