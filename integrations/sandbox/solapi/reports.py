"""Reports by webhook: what became of messages, POSTed to whoever asked for it, more than once or in the wrong order
when that is wanted.

    world.solapi.reports.add("http://127.0.0.1:8000/hooks/…", secret="…")
    world.solapi.reports.flush()        # deliver what is due now, every try included

A thread delivers by itself as soon as there is an address. Only addresses of this machine are taken.
"""

import hashlib
import http.client
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from integrations.sandbox.solapi.codes import ACCEPTED, TEXTS
from integrations.sandbox.solapi.groups import COMPLETE, Group
from integrations.sandbox.solapi.outcomes import ON_ITS_WAY
from integrations.sandbox.solapi.shapes import group_as_json, message_as_json

if TYPE_CHECKING:
    from integrations.sandbox.solapi.book import Book

SINGLE, GROUP = "SINGLE-REPORT", "GROUP-REPORT"
EVENTS = (SINGLE, GROUP)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TRIES = 5
PATIENCE = 5.0
BEAT = 0.05
DELIVERIES_KEPT = 5_000
OF_MESSAGE = (
    "messageId", "groupId", "accountId", "type", "to", "from", "statusCode", "dateProcessed", "dateReported",
    "dateReceived", "networkCode", "networkName", "replacement", "kakaoOptions", "customFields",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that wants reports, and the secret whose SHA-1 comes with each."""

    id: str
    url: str
    secret: str
    events: tuple[str, ...] = EVENTS


@dataclass(slots=True)
class Delivery:
    """One POST: what it carries, how often it was tried, what the last answer was (0: none)."""

    hook: Hook
    event: str
    elements: list[dict[str, Any]]
    tries: int = 0
    status: int = 0
    due: float = 0.0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def as_json(self) -> dict[str, Any]:
        """Its fields, without the secret."""
        shown = asdict(self)
        shown["hook"] = self.hook.url
        return shown


class Reports:
    """Who is told, what they were told, what they are still to be told."""

    def __init__(self, book: "Book") -> None:
        self._book = book
        self._lock = threading.RLock()
        self._waiting: deque[Delivery] = deque()
        self._thread: threading.Thread | None = None
        self.hooks: dict[str, Hook] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT)
        """Every POST, each try of its own, oldest first."""

    # -- Addresses ----------------------------------------------------------------------------------------------------
    def add(self, url: str, secret: str = "", events: tuple[str, ...] = EVENTS) -> Hook:
        """Tell this address from now on. Raises ValueError for one that isn't on this machine."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise ValueError("url: only http://127.0.0.1, http://localhost and http://[::1] are told anything")
        unknown = set(events) - set(EVENTS)
        if unknown or not events:
            raise ValueError(f"events: some of {', '.join(EVENTS)}")
        hook = Hook(uuid.uuid4().hex, url, secret, tuple(events))
        with self._lock:
            if not self.hooks:
                self._book.settle_all()
                for group in self._book.ledger.groups():
                    group.told = group.settled
            self.hooks[hook.id] = hook
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sandbox-reports", daemon=True)
                self._thread.start()
        return hook

    def remove(self, hook_id: str) -> Hook:
        """Tell it no more. Raises KeyError."""
        with self._lock:
            hook = self.hooks.pop(hook_id)
            self._waiting = deque(one for one in self._waiting if one.hook is not hook)
        return hook

    # -- Telling ------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        ended = self._book.world.ended
        while not ended.wait(BEAT):
            if self.hooks:
                self._deliver(time.monotonic())

    def flush(self) -> int:
        """Deliver everything that is due, with all its tries, before returning. Returns how many POSTs it took."""
        before, posts = -1, 0
        while before != posts:
            before = posts
            posts += self._deliver(float("inf"))
        return posts

    def repeat(self, last: int) -> int:
        """Deliver once more what the last POSTs carried. Returns how many."""
        with self._lock:
            again = list({one.id: one for one in self.deliveries}.values())[-last:]
            self._waiting.extend(Delivery(one.hook, one.event, one.elements, tries=one.tries) for one in again)
        self.flush()
        return len(again)

    def _deliver(self, until: float) -> int:
        with self._lock:
            self._collect()
            due = [one for one in self._waiting if one.due <= until]
            for delivery in due:
                self._waiting.remove(delivery)
                self._post(delivery)
        return len(due)

    def _collect(self) -> None:
        """Queue what groups have to tell since the last time."""
        if not self.hooks:
            return
        self._book.settle_all()
        config = self._book.world.config
        groups = self._book.ledger.groups()
        for group in reversed(groups) if config.report_order == "backward" else groups:
            if group.told >= len(group) or (group.told == group.settled and group.status != COMPLETE):
                continue
            with group.lock:
                since, group.told = group.told, group.settled
                rows = list(self._rows(group, since))
            if config.report_order == "backward":
                rows.reverse()
            for start in range(0, len(rows), config.report_batch):
                self._queue(SINGLE, rows[start : start + config.report_batch])
            if config.report_order == "stale_last":
                stale = [row | {"statusCode": str(ON_ITS_WAY), "statusMessage": TEXTS[ON_ITS_WAY]} for row in rows]
                for start in range(0, len(stale), config.report_batch):
                    self._queue(SINGLE, stale[start : start + config.report_batch])
            if group.status == COMPLETE:
                with group.lock:
                    self._queue(GROUP, [group_as_json(group)])

    def _rows(self, group: Group, since: int) -> Iterator[dict[str, Any]]:
        for place in range(since, group.settled):
            code = group.fate(place).code
            if group.registered_code(place) == ACCEPTED and code != ON_ITS_WAY:
                shown = message_as_json(group, place)
                yield {name: shown[name] for name in OF_MESSAGE} | {"statusMessage": TEXTS.get(code, "")}

    def _queue(self, event: str, data: list[dict[str, Any]]) -> None:
        config = self._book.world.config
        elements = []
        for place, one in enumerate(data):
            wrapped = config.report_shape == "wrapped" or (config.report_shape == "mixed" and place % 2 == 0)
            stamped = {"eventDataId": uuid.uuid4().hex, "data": one, "retryCount": 0}
            elements.append(stamped if wrapped else one)
        for hook in self.hooks.values():
            if event in hook.events and elements:
                for _ in range(config.report_copies):
                    self._waiting.append(Delivery(hook, event, elements))

    def _post(self, delivery: Delivery) -> None:
        delivery.tries += 1
        elements = [
            {**one, "retryCount": delivery.tries - 1} if "eventDataId" in one else one for one in delivery.elements
        ]
        delivery.status = post(delivery.hook, delivery.event, elements)
        self.deliveries.append(Delivery(**{name: getattr(delivery, name) for name in Delivery.__slots__}))
        if delivery.status != 200 and delivery.tries < TRIES:
            delivery.due = time.monotonic() + self._book.world.config.report_retry_seconds
            self._waiting.append(delivery)


def post(hook: Hook, event: str, elements: list[dict[str, Any]]) -> int:
    """One POST to a webhook; the status of the answer, 0 when there was none."""
    parts = urlsplit(hook.url)
    body = orjson.dumps(elements)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "solapi-webhook",
        "X-Solapi-Event-Name": event,
        "X-Solapi-Secret": hashlib.sha1(hook.secret.encode()).hexdigest(),  # noqa: S324 - SOLAPI's own choice
    }
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PATIENCE)
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
