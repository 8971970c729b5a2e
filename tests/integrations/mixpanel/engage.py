"""A cohort behind a raw socket, with the one bad habit that a test wants."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, get_ident
from typing import Any

from integrations.mixpanel.client import MixpanelClient
from integrations.mixpanel.errors import HourlyBudgetSpent, TooManyAtOnce
from integrations.mixpanel.schemas import Account, Region
from notifly_console.lib.crypto import Secret
from tests.integrations.loopback import Asked, Loopback, answer

SECRET = "s3cret-그것-value"
ACCOUNT = Account(1000001, "console.1a2b3c.mp-service-account", Secret(SECRET), Region.EU)

CONCURRENT_429 = (
    "Query rate limit exceeded for project_id: 1000001. 6/5 queries running concurrently and "
    "9/60 queries running in the last hour. For more information, …"
)
HOURLY_429 = CONCURRENT_429.replace("6/5", "1/5").replace("9/60", "61/60")


@dataclass
class Engage:
    """Serves `people` profiles in pages of `size`. `trouble` may answer in its place: it is given the request and
    how often that page was asked before; it returns a whole answer, or a str to send before hanging up, or None to
    let the page through."""

    people: int
    size: int = 10
    total: Any = "people"
    echo_size: bool = True
    session: str | None = "s-1"
    short: dict[int, int] = field(default_factory=dict)
    trouble: Callable[[Asked, int], bytes | str | None] = lambda asked, before: None

    def __post_init__(self) -> None:
        self._times: dict[int, int] = {}
        self._lock = Lock()

    def __call__(self, asked: Asked, conn: socket.socket) -> bytes | None:
        with self._lock:
            before = self._times.get(asked.page, 0)
            self._times[asked.page] = before + 1
        said = self.trouble(asked, before)
        if said is not None:
            return said if isinstance(said, bytes) else conn.sendall(said.encode())
        return answer(200, self.page(asked.page))

    def page(self, number: int) -> dict[str, Any]:
        everyone = range(self.people)[number * self.size : (number + 1) * self.size]
        names = list(everyone)[: self.short.get(number, self.size)]
        page: dict[str, Any] = {
            "page": number,
            "status": "ok",
            "results": [{"$distinct_id": f"user-{n}", "$properties": {"n": n}} for n in names],
        }
        if number == 0:
            page["total"] = self.people if self.total == "people" else self.total
            if self.echo_size:
                page["page_size"] = self.size
            if self.session:
                page["session_id"] = self.session
        return {name: value for name, value in page.items() if value is not None}


@dataclass
class Ledger:
    """A meter that writes down what it is asked. `places` of it, and then it is full."""

    places: int = 5
    asked: list[tuple[bool, bool]] = field(default_factory=list)
    told: list[Exception] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    taken: int = 0
    most_taken: int = 0
    spent: Exception | None = None

    @contextmanager
    def query(self, *, counts: bool, wait: bool = True) -> Iterator[None]:
        self.asked.append((counts, wait))
        self.threads.add(get_ident())
        if self.spent is not None and len(self.asked) > 3:
            raise self.spent
        if self.taken >= self.places:
            assert not wait, "It would wait for ever: nobody else holds places here."
            raise TooManyAtOnce
        self.taken += 1
        self.most_taken = max(self.most_taken, self.taken)
        try:
            yield
        finally:
            self.threads.add(get_ident())
            self.taken -= 1

    def refused(self, error: HourlyBudgetSpent | TooManyAtOnce) -> None:
        self.threads.add(get_ident())
        self.told.append(error)


@dataclass
class Talk:
    """A client and the server it talks to."""

    client: MixpanelClient
    server: Loopback
    meter: Ledger
    waits: list[float]

    @property
    def pages_asked(self) -> list[int]:
        return [asked.page for asked in self.server.asked]


@contextmanager
def talking(settings: Any, reply: Any, **kwargs: Any) -> Iterator[Talk]:
    """A client whose waits are written down instead of slept."""
    meter, waits = kwargs.pop("meter", None) or Ledger(), []
    with Loopback(reply) as server:
        settings.MIXPANEL_API_URL = server.url
        with MixpanelClient(ACCOUNT, meter, wait=waits.append, **kwargs) as client:
            yield Talk(client, server, meter, waits)
    assert meter.taken == 0
