"""What any messenger must do, whoever the provider is: the contract of `integrations/messaging.py`, against a provider
that breaks at each step, with the provider's own ledger as the judge.

A provider joins by a `Rig` in `RIGS`; `test_messengers.py` runs every test for each of them.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from integrations.messaging import Catalogue, Kind, Message, Messenger
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from integrations.solapi.catalogue import SolapiCatalogue
from integrations.solapi.client import Account, SolapiClient
from integrations.solapi.messenger import SolapiMessenger
from notifly_console.lib.crypto import Secret

SENDER = "0269001234"
ENDPOINTS = {
    "open": "groups/create",
    "load": "groups/add",
    "check": "groups/get",
    "dispatch": "groups/send",
    "ask": "groups/get",
    "delete": "groups/delete",
    "report": "groups/messages",
}
"""Steps of a hand-over, by what SOLAPI's stand-in calls them."""


class Rig(Protocol):
    """A provider's stand-in, and our messenger on it."""

    done: Sequence[str]
    """Faults after which the work is done although the answer doesn't say so."""
    undone: Sequence[str]
    """Faults after which nothing is done although the answer doesn't say so either."""
    said_no: Sequence[str]
    """Faults that say that nothing was done."""
    harmless: Sequence[str]
    """Oddities that leave no doubt."""

    def messenger(self) -> AbstractContextManager[Messenger]: ...
    def catalogue(self) -> AbstractContextManager[Catalogue]: ...
    def break_next(self, step: str, fault: str, **details: Any) -> None:
        """The next request of that step breaks."""

    def received(self) -> Counter[str]:
        """How many messages each number (E.164) got."""

    def text_to(self, number: str) -> str: ...
    def broke(self) -> None:
        """There is no money left."""

    def mend(self) -> None:
        """Nothing breaks any more."""

    def wait_for(self, step: str) -> None:
        """Until the provider is done with a request of that step."""


@dataclass
class SolapiRig:
    """SOLAPI's stand-in."""

    sandbox: Any
    done: Sequence[str] = (
        "done_then_cut",
        "done_then_reset",
        "done_then_500",
        "done_then_502",
        "cut_body",
        "nonsense",
        "empty_200",
        "html_200",
        "malformed",
    )
    undone: Sequence[str] = ("cut_before", "reset_before", "error_500", "text_502", "html_503")
    said_no: Sequence[str] = ("html_429", "rate_limited", "too_many_at_once")
    harmless: Sequence[str] = ("wrong_shape", "drip")
    account: Account = field(default_factory=lambda: Account(SOLAPI_API_KEY, Secret(SOLAPI_API_SECRET)))

    def messenger(self) -> SolapiMessenger:
        return SolapiMessenger(SolapiClient(self.account), requests_per_second=5.0)

    def catalogue(self) -> SolapiCatalogue:
        return SolapiCatalogue(SolapiClient(self.account))

    def break_next(self, step: str, fault: str, **details: Any) -> None:
        self.sandbox.world.faults.add(fault, endpoint=ENDPOINTS[step], **details)

    def received(self) -> Counter[str]:
        return Counter({f"+82{n[1:]}": count for n, count in self.sandbox.world.solapi.ledger.counts().items()})

    def text_to(self, number: str) -> str:
        (entry,) = self.sandbox.world.solapi.ledger.entries(to=f"0{number[3:]}")
        return str(entry.text)

    def broke(self) -> None:
        self.sandbox.world.solapi.account().balance = 0.0

    def mend(self) -> None:
        self.sandbox.world.faults.clear()

    def wait_for(self, step: str) -> None:
        until = time.monotonic() + 20
        while not self.sandbox.world.requests(ENDPOINTS[step], vendor="solapi"):
            assert time.monotonic() < until, "the provider never got to it"
            threading.Event().wait(0.02)


RIGS: dict[str, Callable[[Any], Rig]] = {"solapi": SolapiRig}


def people(count: int, first: int = 40_001_000, **fields: Any) -> list[Message]:
    """A text to each of `count` people, none of whom the stand-in has a script for."""
    numbers = [n for n in range(first, first + count * 2) if n % 10_000 > 5][:count]
    fields = {"kind": Kind.SMS, "sender": SENDER, "text": "안녕하세요", **fields}
    return [Message(reference=f"r{number}", to=f"+8210{number:08d}", **fields) for number in numbers]


def numbers_of(messages: Sequence[Message]) -> Counter[str]:
    return Counter(message.to for message in messages)
