"""A provider in this process: groups, their states and a ledger, as its protocol promises, and faults on demand.

Tests of what we do with a provider's answers use it; whether SOLAPI's client keeps the protocol is shown against the
stand-in.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from integrations.messaging import (
    Balance,
    Capabilities,
    Channel,
    KakaoProfile,
    Kind,
    Loaded,
    Message,
    NotTaken,
    Outcome,
    Reason,
    Recalled,
    Refusal,
    Report,
    SenderNumber,
    Stopped,
    Template,
    TemplateStatus,
    Unclear,
    Verdict,
)
from integrations.senders import Listing

WAITING = Verdict(Outcome.WAITING)
DELIVERED = Verdict(Outcome.DELIVERED)
OFF = Verdict(Outcome.FAILED, Reason.PHONE_OFF, is_transient=True)
NOT_ON_KAKAO = Verdict(Outcome.FAILED, Reason.NOT_ON_KAKAO)
OPTED_OUT = Verdict(Outcome.FAILED, Reason.OPTED_OUT, is_opt_out=True)
BAD_NUMBER = Verdict(Outcome.FAILED, Reason.NUMBER_INVALID)
BAD_PROFILE = Verdict(Outcome.FAILED, Reason.PROFILE_UNUSABLE, stops_campaign=True)


@dataclass
class Group:
    """A group as the provider keeps it."""

    reference: str
    state: str = "pending"
    messages: dict[str, Message] = field(default_factory=dict)


class Provider:
    """The account. `faults` by step: a list of what to raise next, each (exception, whether the step is done first)."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.groups: dict[str, Group] = {}
        self.ledger: list[Message] = []
        """What really went out."""
        self.refuses: dict[str, Verdict] = {}
        """By number: what `load` won't take."""
        self.verdicts: dict[str, Verdict] = {}
        """By number: what became of it; delivered unless said."""
        self.default: Verdict = DELIVERED
        self.faults: dict[str, list[tuple[Exception, bool]]] = {}
        self.calls: Counter[str] = Counter()
        self.before: Any = None
        """Called with the name of a step before it is done."""
        self.listed_numbers = ["0212345678"]
        self.listed_profiles = ["KA01PF1"]
        self.listed_templates: list[Template] = []
        self.listed_opt_outs: list[str] = []
        self.money = Decimal(1_000_000)
        self.native_fallback = frozenset({Kind.ALIMTALK})
        self.most_at_once = 10_000
        self.can_recall = True
        self.is_connected = True
        self.lists: Listing | None = None
        """What it offered when it was last asked; None: it never was."""
        self.nudged: list[tuple[str, dict[str, Any]]] = []
        """Whom the code under test would have woken."""

    def fail(self, step: str, error: Exception, *, done: bool = False, times: int = 1) -> None:
        """The next `times` calls of `step` raise `error`; with `done` after having done it."""
        self.faults.setdefault(step, []).extend([(error, done)] * times)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        with self.lock:
            self.calls[name] += 1
            if self.before is not None:
                self.before(name)
            waiting = self.faults.get(name)
            error, done = waiting.pop(0) if waiting else (None, False)
            if error is not None and not done:
                raise error
            yield
            if error is not None:
                raise error

    @property
    def times(self) -> Counter[str]:
        """How often each number got something."""
        return Counter(message.to for message in self.ledger)


class InProcessMessenger:
    """The protocol on it."""

    provider = "in_process"

    def __init__(self, account: Provider) -> None:
        self._account = account
        self.capabilities = Capabilities(
            channels=frozenset(Channel),
            native_fallback=account.native_fallback,
            most_at_once=account.most_at_once,
            requests_per_second=1_000,
            can_recall=account.can_recall,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def open(self, reference: str) -> str:
        with self._account.step("open"):
            handle = f"G{len(self._account.groups)}"
            self._account.groups[handle] = Group(reference)
            return handle

    def load(self, handle: str, messages: Sequence[Message]) -> Loaded:
        with self._account.step("load"):
            group = self._account.groups[handle]
            if group.state != "pending":
                raise NotTaken("group_gone")
            refused = []
            for one in messages:
                verdict = self._account.refuses.get(one.to)
                if verdict is not None:
                    refused.append(Refusal(one.reference, "1011", verdict))
                else:
                    group.messages[one.reference] = one
            return Loaded({reference: f"M{handle}{reference}" for reference in group.messages}, refused)

    def dispatch(self, handle: str) -> None:
        with self._account.step("dispatch"):
            group = self._account.groups[handle]
            if group.state == "deleted":
                raise NotTaken("group_gone")
            if group.state == "pending":
                group.state = "sent"
                self._account.ledger.extend(group.messages.values())

    def recall(self, handle: str) -> Recalled:
        with self._account.step("recall"):
            group = self._account.groups[handle]
            if group.state == "sent":
                return Recalled.HAS_GONE
            group.state = "deleted"
            return Recalled.NEVER_GOES

    def reports(self, handle: str) -> Iterator[Report]:
        with self._account.step("reports"):
            group = self._account.groups[handle]
            found = list(group.messages.items()) if group.state == "sent" else []
        for reference, message in found:
            verdict = self._account.verdicts.get(message.to, self._account.default)
            yield Report(reference, f"M{handle}{reference}", "4000" if verdict is DELIVERED else "3000", verdict)


class InProcessCatalogue:
    """What the account has."""

    def __init__(self, account: Provider) -> None:
        self._account = account

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def profiles(self) -> list[KakaoProfile]:
        with self._account.step("profiles"):
            return [KakaoProfile(one, f"@{one}") for one in self._account.listed_profiles]

    def numbers(self) -> list[SenderNumber]:
        with self._account.step("numbers"):
            return [SenderNumber(one) for one in self._account.listed_numbers]

    def templates(self) -> list[Template]:
        with self._account.step("templates"):
            return list(self._account.listed_templates)

    def template(self, template_id: str) -> Template | None:
        with self._account.step("template"):
            return next((one for one in self._account.listed_templates if one.id == template_id), None)

    def balance(self) -> Balance:
        with self._account.step("balance"):
            return Balance(self._account.money)

    def prices(self) -> Mapping[Kind, Decimal]:
        with self._account.step("prices"):
            return dict.fromkeys(Kind, Decimal(10))

    def opt_outs(self) -> Iterator[str]:
        with self._account.step("opt_outs"):
            found = list(self._account.listed_opt_outs)
        yield from found

    def upload(self, picture: bytes, *, name: str, kind: Kind) -> str:
        with self._account.step("upload"):
            return f"FILE{len(picture)}"


def connect(account: Provider, monkeypatch: Any) -> None:
    """Makes every project's sender the account."""
    from integrations import senders

    @contextmanager
    def messenger_of(project: Any) -> Iterator[InProcessMessenger]:
        if not account.is_connected:
            raise Stopped("not_connected")
        with InProcessMessenger(account) as messenger:
            yield messenger

    def catalogue_of(project: Any) -> InProcessCatalogue:
        if not account.is_connected:
            raise Stopped("not_connected")
        return InProcessCatalogue(account)

    def listing(project: Any) -> Listing:
        return account.lists or Listing(problem="" if account.is_connected else "not_connected")

    monkeypatch.setattr(senders, "is_connected", lambda project: account.is_connected)
    monkeypatch.setattr(senders, "listing", listing)
    monkeypatch.setattr(senders, "messenger_of", messenger_of)
    monkeypatch.setattr(senders, "catalogue_of", catalogue_of)


def template(template_id: str, content: str, status: str = "approved") -> Template:
    """An 알림톡 template of the listed profile."""
    return Template(template_id, "KA01PF1", "도착 안내", content, (), (), TemplateStatus(status))


def unclear(code: str = "timed_out") -> Unclear:
    return Unclear(code)
