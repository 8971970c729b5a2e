"""A message group of the stand-in SOLAPI: what was put into it, what it may do next, what became of its messages.

A message costs about eleven bytes and its share of a compressed block, so that a million fit in well under 200 MB.
What became of them is worked out when somebody asks, from the time that has passed.
"""

import threading
import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from integrations.sandbox.solapi.catalogue import PRICES, Account, Template
from integrations.sandbox.solapi.checks import check
from integrations.sandbox.solapi.codes import ACCEPTED, ALIMTALK, KINDS, UNKNOWN_KIND
from integrations.sandbox.solapi.ids import korean_stamp, pair_of_pairs
from integrations.sandbox.solapi.outcomes import DELIVERED, ON_ITS_WAY, OUT_OF_HOURS, outcome, packed
from integrations.sandbox.solapi.text_checks import BYTES_OF_SMS, Rules, text_bytes

PENDING, SENDING, SCHEDULED, COMPLETE, FAILED, DELETED = (
    "PENDING", "SENDING", "SCHEDULED", "COMPLETE", "FAILED", "DELETED",
)  # fmt: skip
GROUP_LIMIT = 1_000_000
LOG_ENTRIES = 60
REMOVED = 0
WORTH_COMPRESSING = 4_096
BLOCKS_UNPACKED = 6

KIND_BITS = 0b0111
REPLACEABLE = 0b1000
"""A text message follows when Kakao can't deliver."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message, where it isn't simply delivered.

    `first_code` is Kakao's, of a message that was replaced by a text message of `replacement` (an SMS or LMS).
    """

    code: int
    first_code: int | None = None
    replacement: str | None = None


fate_of = lru_cache(maxsize=1024)(Fate)
"""The same object for the same fate: a million messages share a few."""


class Blocks:
    """The messages as they came, in compressed blocks; the few used last are kept open."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._blocks: list[bytes] = []
        self._open: OrderedDict[int, list[Any]] = OrderedDict()

    def add(self, start: int, messages: list[Any]) -> None:
        """Keep these messages, the first of which is number `start` of the group."""
        block = orjson.dumps(messages)
        if len(block) > WORTH_COMPRESSING:
            block = zlib.compress(block, 1)
        self._starts.append(start)
        self._blocks.append(block)

    def message(self, place: int) -> dict[str, Any]:
        """The message of this number."""
        number = bisect_right(self._starts, place) - 1
        messages = self._open.get(number)
        if messages is None:
            block = self._blocks[number]
            messages = orjson.loads(block if block[:1] == b"[" else zlib.decompress(block))
            self._open[number] = messages
            while len(self._open) > BLOCKS_UNPACKED:
                self._open.popitem(last=False)
        found: dict[str, Any] = messages[place - self._starts[number]]
        return found

    def close(self) -> None:
        """Let go of what is unpacked."""
        self._open.clear()


class Group:
    """One group. Its methods that change or count messages want `lock` to be held."""

    def __init__(self, key: str, account: Account, now: float, options: dict[str, Any]) -> None:
        stamp = korean_stamp(now)
        self.id = f"G4V{stamp}{key}{key[::-1][:4]}"
        self.key = key
        self.account = account
        self.created = self.updated = now
        self.allow_duplicates = bool(options.get("allowDuplicates"))
        self.custom_fields: dict[str, Any] = options.get("customFields") or {}
        self.agent = {name: options.get(name) for name in ("appId", "sdkVersion", "osPlatform")}
        self.status = PENDING
        self.scheduled: float | None = None
        self.sent: float | None = None
        self.completed: float | None = None
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_ENTRIES)
        self.lock = threading.RLock()
        self._prefix = f"M4V{stamp}{key}"
        self._to = array("q")
        self._code = array("H")
        self._kind = array("B")
        self._times: list[tuple[int, float]] = []
        self._blocks = Blocks()
        self._seen: set[str] = set()
        self.registered = self.refused = 0
        self.by_kind = [0] * len(KINDS)
        self.price = dict(PRICES)
        self.charged = self.charged_for_replacement = self.refunded = 0.0
        # -- Once sent: up to `settled` it is known what became of the messages, up to `told` webhooks were told.
        self.settled = self.told = 0
        self.failed = self.delivered = self.replaced = self.stuck = self.given_back = 0
        self._fates: dict[int, Fate] = {}
        self._after = self._apart = self._failure_share = 0.0
        self._night = False
        self._brand_fallback = True

    def __len__(self) -> int:
        """Messages, refused and removed ones too."""
        return len(self._code)

    # -- Putting messages in ------------------------------------------------------------------------------------------
    def add(self, messages: list[Any], rules: Rules, now: float) -> int:
        """Register these messages. Returns the number of the first; the codes are in the group then."""
        start = len(self._code)
        to_, code_, kind_, seen = self._to, self._code, self._kind, self._seen
        by_kind = self.by_kind
        accepted = 0
        for message in messages:
            if type(message) is not dict:
                to_.append(0)
                code_.append(1011)
                kind_.append(UNKNOWN_KIND)
                continue
            code, kind = check(message, rules)
            if code in (1010, 1011, 1025, 1058):
                to_.append(_number_or_none(message.get("to")))
                code_.append(code)
                kind_.append(kind)
                continue
            to = message["to"]
            if code == ACCEPTED:
                if self.allow_duplicates:
                    pass
                elif to in seen:
                    code = 1026
                else:
                    seen.add(to)
                if code == ACCEPTED:
                    accepted += 1
                    by_kind[kind] += 1
                    if kind >= ALIMTALK and message.get("from") and not message["kakaoOptions"].get("disableSms"):
                        kind |= REPLACEABLE
            to_.append(packed(to))
            code_.append(code)
            kind_.append(kind)
        self.registered += accepted
        self.refused += len(messages) - accepted
        self._blocks.add(start, messages)
        self._times.append((start, now))
        self.updated = now
        return start

    def remove(self, place: int, now: float) -> bool:
        """Take one message out again. False when there is none."""
        if not 0 <= place < len(self._code) or self._code[place] == REMOVED:
            return False
        if self._code[place] == ACCEPTED:
            self.registered -= 1
            self.by_kind[self._kind[place] & KIND_BITS] -= 1
            self._seen.discard(str(self._to[place])[1:])
        else:
            self.refused -= 1
        self._code[place] = REMOVED
        self.updated = now
        return True

    # -- What is in it ------------------------------------------------------------------------------------------------
    def message_id(self, place: int) -> str:
        """The id of a message."""
        return self._prefix + pair_of_pairs(place)

    def registered_code(self, place: int) -> int:
        """The code with which the message was registered; REMOVED for one that was taken out."""
        return self._code[place]

    def kind(self, place: int) -> str | None:
        """SMS, LMS, MMS, ATA or BMS_FREE; None when it is none of these."""
        kind = self._kind[place] & KIND_BITS
        return KINDS[kind] if kind < len(KINDS) else None

    def number(self, place: int) -> int:
        """The recipient's number, packed; 0 for what is no number."""
        return self._to[place]

    def message(self, place: int) -> dict[str, Any]:
        """The message as it came; empty for one that was no object."""
        found = self._blocks.message(place)
        return found if isinstance(found, dict) else {}

    def added_at(self, place: int) -> float:
        """When the message came."""
        return self._times[bisect_right(self._times, (place, float("inf"))) - 1][1]

    def accepted_numbers(self) -> Iterator[int]:
        """The packed number of each message that was taken."""
        return (number for number, code in zip(self._to, self._code, strict=True) if code == ACCEPTED)

    def cost(self) -> float:
        """What sending it takes from the balance."""
        return sum(count * self.price[kind.lower()] for kind, count in zip(KINDS, self.by_kind, strict=True))

    # -- Sending, and what comes of it --------------------------------------------------------------------------------
    def begin(
        self, now: float, *, after: float, apart: float, failure_share: float, night: bool, fallback: bool
    ) -> None:
        """It goes out now. Reports come `after` seconds, each `apart` seconds behind the one before."""
        self.status, self.sent, self.updated = SENDING, now, now
        self._seen = set()
        self._blocks.close()
        self._after, self._apart, self._failure_share = after, apart, failure_share
        self._night, self._brand_fallback = night, fallback

    def reported_at(self, place: int) -> float | None:
        """When the report of this message comes; None for a group that wasn't sent."""
        return None if self.sent is None else self.sent + self._after + place * self._apart

    def updated_at(self, place: int) -> float:
        """When something last happened to this message. Call `settle` first."""
        if self.sent is None or self._code[place] != ACCEPTED:
            return self.added_at(place)
        return self.sent + self._after + place * self._apart if place < self.settled else self.sent

    def settle(self, now: float, outcomes: dict[int, int]) -> float:
        """Work out what became of the messages whose reports have come. Returns what the account gets back for it."""
        if self.status != SENDING or self.sent is None:
            return 0.0
        since = now - self.sent - self._after
        total = len(self._code)
        until = 0 if since < 0 else total if self._apart <= 0 else min(total, int(since / self._apart) + 1)
        back = 0.0
        for place in range(self.settled, until):
            if self._code[place] != ACCEPTED:
                continue
            number, kind = self._to[place], KINDS[self._kind[place] & KIND_BITS]
            code = OUT_OF_HOURS if self._night and kind == "BMS_FREE" else outcomes.get(number, 0)
            code = code or outcome(number, kind, self._failure_share)
            if code == DELIVERED:
                self.delivered += 1
            elif code == ON_ITS_WAY:
                self.stuck += 1
                self._fates[place] = fate_of(code)
            else:
                back += self._failing(place, kind, code)
        if until > self.settled:
            self.settled, self.updated = until, now
        if until == total and not self.stuck:
            self.status, self.completed = COMPLETE, now
        return back

    def _failing(self, place: int, kind: str, code: int) -> float:
        """A message that can't be delivered: it costs nothing, but a text message that replaces it does."""
        back = self.price[kind.lower()]
        self.given_back += 1
        self.refunded += back
        if not self._kind[place] & REPLACEABLE or (kind == "BMS_FREE" and not self._brand_fallback):
            self.failed += 1
            self._fates[place] = fate_of(code)
            return back
        _text, _subject, replacement = self.replacement(place)
        fare = self.price[replacement.lower()]
        after = outcome(self._to[place], replacement, self._failure_share)
        self.replaced += 1
        self._fates[place] = fate_of(after, code, replacement)
        if after == DELIVERED:
            self.delivered += 1
        elif after == ON_ITS_WAY:
            self.stuck += 1
        else:
            self.failed += 1
            return back
        self.charged_for_replacement += fare
        return back - fare

    def replacement(self, place: int) -> tuple[str, str, str]:
        """Text, subject and kind of the message that replaces a Kakao message."""
        message = self.message(place)
        own: dict[str, Any] = next(iter(message.get("replacements") or ()), {})
        text = own.get("text") or message.get("text") or self.rendered(place)
        subject = own.get("subject") or message.get("subject") or ""
        kind = str(own.get("type") or ("SMS" if text_bytes(text) <= BYTES_OF_SMS and not subject else "LMS"))
        return text, subject, kind if kind in ("SMS", "LMS") else "LMS"

    def template(self, options: dict[str, Any]) -> Template | None:
        """The template of an AlimTalk, deleted or not."""
        wanted = str(options.get("templateId"))
        return self.account.templates.get(wanted) or self.account.former_templates.get(wanted)

    def rendered(self, place: int) -> str:
        """The text as the recipient reads it."""
        message = self.message(place)
        options = message.get("kakaoOptions")
        if self._kind[place] & KIND_BITS == ALIMTALK and isinstance(options, dict):
            variables, text = options.get("variables"), message.get("text")
            template = self.template(options)
            if template is not None and (variables is not None or text is None):
                return template.rendered(variables or {})
        return str(message.get("text") or "")

    def fate(self, place: int) -> Fate:
        """Where the message stands now. Call `settle` first."""
        code = self._code[place]
        if code != ACCEPTED or self.sent is None:
            return fate_of(code)
        if place >= self.settled:
            return fate_of(ON_ITS_WAY)
        return self._fates.get(place) or fate_of(DELIVERED)


def _number_or_none(to: Any) -> int:
    return packed(to) if isinstance(to, str) and to.isascii() and to.isdecimal() and len(to) < 18 else 0
