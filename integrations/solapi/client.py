"""SOLAPI's API for one key pair: signed requests, typed answers, nothing repeated that may have been done.

Facts it stands on: `Authorization: HMAC-SHA256` over date and a new salt for each request (15 minutes of clock skew,
no signature twice); JSON both ways; a group is created, filled, sent; `send` on a group that was sent is refused (409);
lists are paged by `startKey`.
"""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol, Self, TypeVar
from urllib.parse import quote

import orjson
from django.conf import settings

from integrations.authorise import Signed
from integrations.http import Answer, BadAnswer, CutOff, Refused, Session, TimedOut
from integrations.messaging import Balance, KakaoProfile, Kind, SenderNumber, Template
from integrations.solapi import schemas
from integrations.solapi.errors import CLOCK, SIGNED_TWICE, NotYet
from integrations.solapi.schemas import Added, Group, StoredMessage
from notifly_console.lib.crypto import Secret

T = TypeVar("T")

HOST = "api.solapi.com"
PAGE = 500
MOST_PAGES = 4_000
CALL_SECONDS = 30.0
LONGEST_TURN_SECONDS = 5.0
"""A longer wait for one's turn belongs in the database, not in a worker that sleeps."""
READING_ATTEMPTS = 2


@dataclass(frozen=True)
class Account:
    """A key pair."""

    api_key: str
    secret: Secret


class Turns(Protocol):
    """Whose turn it is, over all workers of one account: `integrations/pace.py`."""

    def take(self, patience: float) -> float:
        """Seconds until our turn; where that is more than `patience`, no turn was taken."""

    def hold(self, seconds: float) -> None:
        """The other side asked everybody to wait."""


class NoTurns:
    """Everybody may go at once."""

    def take(self, patience: float) -> float:
        return 0.0

    def hold(self, seconds: float) -> None:
        return None


class Deadline:
    """Until when a call of the protocol must be over."""

    def __init__(self, seconds: float = CALL_SECONDS) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; never quite 0, which would mean no limit to a socket."""
        return max(0.05, self._until - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until


def base_url() -> str:
    """The operator's override, or SOLAPI."""
    return str(settings.SOLAPI_API_URL).rstrip("/") or f"https://{HOST}"


def open_session() -> Session:
    """A session that may talk to SOLAPI, or to the operator's override."""
    return Session([HOST], override=settings.SOLAPI_API_URL, threads=2)


class SolapiClient:
    """Asks SOLAPI on behalf of one account. Methods return typed values and raise VendorErrors: what they mean for a
    hand-over is for the caller to say (`errors.py`). One client belongs to one thread."""

    def __init__(self, account: Account, session: Session | None = None, turns: Turns | None = None) -> None:
        """A `session` that is given stays the caller's."""
        self._auth = Signed(account.api_key, account.secret)
        self._session = session or open_session()
        self._owns_session = session is None
        self._turns = turns or NoTurns()
        self.skew: timedelta | None = None
        """How far this machine's clock was ahead of SOLAPI's, when it last answered."""

    def close(self) -> None:
        """Closes the connections, unless the session was given."""
        if self._owns_session:
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    # -- Groups -------------------------------------------------------------------------------------------------------
    def create_group(self, reference: str, within: Deadline) -> Group:
        """A new empty group that refuses the same number twice."""
        asked = {"allowDuplicates": False, "customFields": {schemas.REFERENCE: reference}}
        return self._write("POST", "/messages/v4/groups", schemas.parse_group, within, orjson.dumps(asked))

    def add_messages(self, group_id: str, body: bytes, within: Deadline) -> list[Added]:
        """Puts messages (`payload.requests_of`) into a group that wasn't sent. What is refused stays in it, unsent."""
        return self._write("PUT", _group(group_id, "messages"), schemas.parse_added, within, body)

    def group(self, group_id: str, within: Deadline) -> Group:
        """Where a group stands."""
        return self._read(_group(group_id), schemas.parse_group, within)

    def send_group(self, group_id: str, within: Deadline) -> Group:
        """Sends it: what can't be taken back. Refused with 409 when it was sent before."""
        return self._write("POST", _group(group_id, "send"), schemas.parse_group, within)

    def delete_group(self, group_id: str, within: Deadline) -> Group:
        """Deletes a group that wasn't sent; it can't be sent then. Refused when it was."""
        return self._write("DELETE", _group(group_id), schemas.parse_group, within)

    def group_messages(self, group_id: str) -> Iterator[list[StoredMessage]]:
        """A group's messages, the refused ones too, a page at a time."""
        return self._pages(_group(group_id, "messages"), schemas.parse_messages)

    # -- What the account has -----------------------------------------------------------------------------------------
    def balance(self, within: Deadline) -> tuple[Balance, str]:
        """The money, and the account's id."""
        return self._read("/cash/v1/balance", schemas.parse_balance, within)

    def prices(self, within: Deadline) -> Mapping[Kind, Decimal]:
        """Won for a message to Korea, for this account."""
        return self._read("/pricing/v1/messaging", schemas.parse_prices, within)

    def profiles(self) -> Iterator[list[KakaoProfile]]:
        """The Kakao channels, a page at a time."""
        return self._pages("/kakao/v2/channels", schemas.parse_profiles)

    def numbers(self, within: Deadline) -> list[SenderNumber]:
        """The sender numbers that may be used."""
        return self._read("/senderid/v1/numbers/active", schemas.parse_numbers, within)

    def templates(self) -> Iterator[list[Template]]:
        """The 알림톡 templates, a page at a time."""
        return self._pages("/kakao/v2/templates", schemas.parse_templates)

    def sendable_templates(self, template_id: str = "") -> Iterator[list[Template]]:
        """Those of them that may be sent now, a page at a time."""
        wanted = {"templateId": template_id} if template_id else {}
        return self._pages("/kakao/v2/templates/sendable", schemas.parse_templates, wanted)

    def template(self, template_id: str, within: Deadline) -> Template:
        """One template."""
        return self._read(f"/kakao/v2/templates/{quote(template_id, safe='')}", schemas.parse_template, within)

    def refusals(self) -> Iterator[list[str]]:
        """Who called the 080 service (E.164), a page at a time."""
        return self._pages("/iam/v1/black", schemas.parse_refusals, {"type": "DENIAL"})

    def upload(self, picture: bytes, *, name: str, kind: str, within: Deadline) -> str:
        """Keeps a picture; its id. `kind`: MMS or BMS."""
        asked = {"file": base64.b64encode(picture).decode(), "name": name, "type": kind}
        return self._write("POST", "/storage/v1/files", schemas.parse_file, within, orjson.dumps(asked))

    # -- Asking -------------------------------------------------------------------------------------------------------
    def _pages(
        self, path: str, parse: Callable[[bytes], tuple[list[T], str]], params: Mapping[str, str] | None = None
    ) -> Iterator[list[T]]:
        """Pages until there is no next key. Raises BadAnswer for a list that goes in circles."""
        seen: set[str] = set()
        key = ""
        for _page in range(MOST_PAGES):
            asked = {**(params or {}), "limit": str(PAGE), **({"startKey": key} if key else {})}
            items, key = self._read(path, parse, Deadline(), asked)
            yield items
            if not key:
                return
            if key in seen:
                break
            seen.add(key)
        raise BadAnswer("the list has no end")

    def _read(
        self,
        path: str,
        parse: Callable[[bytes], T],
        within: Deadline,
        params: Mapping[str, str] | None = None,
    ) -> T:
        """A reading, which does no harm twice."""
        for attempt in range(1, READING_ATTEMPTS + 1):
            try:
                return parse(self._ask("GET", path, within, params=params).body)
            except (TimedOut, CutOff, Refused) as error:
                passing = not isinstance(error, Refused) or error.status in (502, 503, 504)
                if not passing or attempt == READING_ATTEMPTS or within.is_over:
                    raise
        raise AssertionError("unreachable")

    def _write(
        self, method: str, path: str, parse: Callable[[bytes], T], within: Deadline, body: bytes | None = None
    ) -> T:
        """A change, asked for once."""
        return parse(self._ask(method, path, within, body=body).body)

    def _ask(
        self,
        method: str,
        path: str,
        within: Deadline,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request, in its turn. Asked again, with another salt, only where SOLAPI refused the signature's time:
        nothing was looked at then. A signature that it had seen before is another matter: something on the way has
        sent the request twice, and the first of the two may have been done."""
        try:
            return self._once(method, path, within, params, body)
        except Refused as refused:
            again = CLOCK | SIGNED_TWICE if method == "GET" else CLOCK
            if refused.status != 403 or refused.slug not in again:
                raise
        return self._once(method, path, within, params, body)

    def _once(
        self, method: str, path: str, within: Deadline, params: Mapping[str, str] | None, body: bytes | None
    ) -> Answer:
        self._wait_for_turn(within)
        try:
            answer = self._session.call(
                method,
                base_url() + path,
                params=params,
                json_body=body,
                auth=self._auth,
                read_seconds=within.left(),
                total_seconds=within.left(),
            )
        except Refused as refused:
            self._note_clock(refused.date)
            if refused.status == 429:
                self._turns.hold(refused.retry_after or 1.0)
            raise
        self._note_clock(answer.date)
        return answer

    def _wait_for_turn(self, within: Deadline) -> None:
        patience = min(LONGEST_TURN_SECONDS, within.left())
        seconds = self._turns.take(patience)
        if seconds > patience:
            raise NotYet(seconds)
        if seconds > 0:
            time.sleep(seconds)

    def _note_clock(self, theirs: datetime | None) -> None:
        if theirs is not None:
            self.skew = datetime.now(UTC) - theirs


def _group(group_id: str, *rest: str) -> str:
    return "/".join(["/messages/v4/groups", quote(group_id, safe=""), *rest])
