"""The state of one sandbox, with the handles that tests and the control plane turn."""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from pyroaring import BitMap

from integrations.sandbox.accounts import ACCOUNTS, EU_PROJECT, PROJECT, PROJECTS, Account, Project
from integrations.sandbox.faults import FaultBook
from integrations.sandbox.mixpanel.cohorts import Cohorts, catalogue
from integrations.sandbox.mixpanel.pusher import Pushes
from integrations.sandbox.people import Crowd
from integrations.sandbox.solapi.book import Book

HOUR = 3600.0
LOG_ENTRIES = 20_000
SESSIONS = 10_000
CHOICES = {
    "profileless_rows": ("empty", "missing", "mixed"),
    "all_users_adds": ("profileless", "everybody"),
    "short_of_money": ("send", "add"),
    "price_shape": ("map", "empty_list"),
    "report_shape": ("wrapped", "flat", "mixed"),
    "report_order": ("forward", "backward", "stale_last"),
}
CROWD_FIELDS = ("people", "seed", "phone_share", "mobile_share")


@dataclass(slots=True)
class SandboxConfig:
    """How the sandbox behaves. Where a real vendor's behaviour is unknown, both ways are a field here."""

    people: int = 20_000
    seed: int = 1
    phone_share: float = 1.0
    mobile_share: float = 0.35
    queries_per_hour: int = 60
    concurrent_queries: int = 5
    pages_count: bool = False
    """Whether a page that belongs to a session uses up one of the queries of the hour."""
    rejected_count: bool = False
    """Whether a query that is refused for the hourly limit counts towards it."""
    retry_after: bool = False
    """Whether a 429 carries Retry-After."""
    session_seconds: float = HOUR
    total_on_every_page: bool = True
    session_on_last_page: bool = True
    page_size: int = 1000
    max_page_size: int = 40_000
    profileless_rows: str = "mixed"
    """`empty`: `$properties` is `{}`; `missing`: there is none; `mixed`: they take turns."""
    all_users_adds: str = "profileless"
    """What `include_all_users` adds: `profileless` members, or `everybody` in the project."""
    foreign_project_status: int = 401
    unknown_cohort_status: int = 400
    analyst_lists_accounts: bool = True
    latency_ms: float = 0.0
    """Added to every answer of the Query API."""
    cache_megabytes: float = 96.0
    # -- SOLAPI
    report_seconds: float = 0.0
    """From the moment a group is sent until the first of its messages is reported on."""
    reports_per_second: float = 0.0
    """How fast the reports of a group follow each other; 0: all at once."""
    failure_share: float = 0.0
    """How many of the messages to ordinary numbers fail, from 0 to 1; always the same numbers."""
    kakao_night: bool = False
    """Whether brand messages fail (3108) before 08:00 and from 20:50, Korean time, by the sandbox's clock."""
    brand_fallback: bool = True
    """Whether a brand message that can't be delivered is replaced by a text message, unless `disableSms`."""
    rare_syllables: bool = False
    """Whether a text message may have syllables outside KS X 1001."""
    short_of_money: str = "send"
    """With an empty account, what refuses: `send` (402), or already `add` (1030 for each message)."""
    price_shape: str = "map"
    """`price` of a group: `{"82": {…}}`, or `{"82": []}` as in SOLAPI's own samples."""
    report_batch: int = 100
    """How many messages one POST to a webhook tells of."""
    report_shape: str = "wrapped"
    """An element of it: `wrapped` (`{"eventDataId", "data", "retryCount"}`), `flat` (the message), or `mixed`."""
    report_copies: int = 1
    """How often each POST comes."""
    report_order: str = "forward"
    """`backward`: the newest first; `stale_last`: after the final reports come those with 3000."""
    report_retry_seconds: float = 1.0
    """After how long a POST is tried again that wasn't answered with 200; 5 tries in all."""
    clock_skew_seconds: float = 0.0
    """How far SOLAPI's clock is ahead of the real time when it judges a signature."""

    @classmethod
    def for_demo(cls, people: int, seed: int) -> "SandboxConfig":
        """What a person tries: reports that take a moment, some failures, no brand messages at night."""
        return cls(
            people=people,
            seed=seed,
            report_seconds=2.0,
            reports_per_second=2_000.0,
            failure_share=0.03,
            kakao_night=True,
        )

    def changed(self, changes: dict[str, Any]) -> "SandboxConfig":
        """A copy with these fields. Raises ValueError for an unknown field or a value of another type."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"no such setting: {name}; there are {', '.join(known)}")
            wanted = float if isinstance(known[name], float) else type(known[name])
            if not isinstance(value, int | float if wanted is float else wanted) or (
                isinstance(value, bool) and wanted is not bool
            ):
                raise ValueError(f"{name} must be of type {wanted.__name__}")
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}")
        return replace(self, **changes)


class Clock:
    """The sandbox's time: the real one plus what it was advanced by, so that hours pass without waiting."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def move_to(self, moment: str | float) -> float:
        """Make it this moment: seconds since 1970, or ISO 8601 with a zone. Returns the new now.

        Raises ValueError for a text that is no such moment.
        """
        if isinstance(moment, str):
            at = datetime.fromisoformat(moment)
            if at.tzinfo is None:
                raise ValueError("a moment needs its zone, as in 2026-11-25T12:00+09:00")
            moment = at.timestamp()
        self.ahead = moment - time.time()
        return moment

    def advance(self, seconds: float) -> float:
        """Let time pass. Returns the new now."""
        self.ahead += seconds
        return self.now()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request and its answer. Holds no Authorization header."""

    at: float
    method: str
    path: str
    endpoint: str | None
    region: str | None
    username: str | None
    project: int | None
    cohort: int | None
    page: int | None
    params: dict[str, Any]
    status: int
    faults: tuple[str, ...]
    vendor: str = "mixpanel"

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


class Meter:
    """The query limits of one project: so many in a rolling hour, so many at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hour: deque[float] = deque()
        self.running = 0
        self.peak = 0
        self.answered = 0
        self.refused = 0

    def enter(self, world: "World", project_id: int, counts: bool) -> tuple[str, int] | None:
        """Begin a query. None when it may run (then call `leave`), else the 429's text and seconds to wait."""
        config, now = world.config, world.clock.now()
        with self._lock:
            while self._hour and self._hour[0] <= now - HOUR:
                self._hour.popleft()
            at_once, in_hour = self.running + 1, len(self._hour) + (1 if counts else 0)
            busy, spent = at_once > config.concurrent_queries, in_hour > config.queries_per_hour and counts
            if not busy and not spent:
                self.running = at_once
                self.peak = max(self.peak, at_once)
                self.answered += 1
                if counts:
                    self._hour.append(now)
                return None
            self.refused += 1
            wait = int(self._hour[0] + HOUR - now) + 1 if spent and self._hour else 1
            if config.rejected_count and counts:
                self._hour.append(now)
        return rate_limit_text(config, project_id, at_once, in_hour), wait

    def leave(self) -> None:
        """The query is over."""
        with self._lock:
            self.running -= 1

    def used(self, now: float) -> int:
        """Queries of the last hour."""
        with self._lock:
            return sum(1 for at in self._hour if at > now - HOUR)

    def spend(self, now: float, queries: int) -> None:
        """Somebody else in the company used this many queries just now."""
        with self._lock:
            self._hour.extend([now] * queries)


def rate_limit_text(config: SandboxConfig, project_id: int, at_once: int, in_hour: int) -> str:
    """The sentence of a 429, shaped like the captured ones: the counters tell which limit was hit."""
    return (
        f"Query rate limit exceeded for project_id: {project_id}. {at_once}/{config.concurrent_queries} queries"
        f" running concurrently and {in_hour}/{config.queries_per_hour} queries running in the last hour."
        " For more information, see the rate limits page of the documentation."
    )


@dataclass(frozen=True, slots=True)
class Session:
    """A paged query: what was asked, and who was in the answer at that moment."""

    project: int
    asked: tuple[tuple[str, str], ...]
    members: BitMap
    profileless: int
    cohort: int | None
    group: bool
    page_size: int
    opened: float

    @property
    def total(self) -> int:
        """Rows over all pages."""
        return len(self.members) + self.profileless


class PageCache:
    """Rendered rows, the least recently used dropped first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Any, bytes] = OrderedDict()
        self._size = 0

    def get(self, key: Any) -> bytes | None:
        """The rows kept under this key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return None

    def put(self, key: Any, rows: bytes, limit: float) -> None:
        """Keep these rows, within `limit` bytes for all."""
        with self._lock:
            if key in self._kept or len(rows) > limit:
                return
            self._kept[key] = rows
            self._size += len(rows)
            while self._size > limit:
                self._size -= len(self._kept.popitem(last=False)[1])


class World:
    """Everything that one sandbox knows and remembers."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self._initial = config or SandboxConfig()
        self.pages = PageCache()
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Back to the beginning: settings, clock, people, cohorts, faults, budget, sessions, log, all that was sent.
        Ends slow answers."""
        self.ended.set()
        with self.lock:
            self.ended = threading.Event()
            self.config = replace(self._initial)
            self.clock = Clock()
            self.faults = FaultBook()
            self.log: deque[LogEntry] = deque(maxlen=LOG_ENTRIES)
            self.meters: dict[int, Meter] = {}
            self.sessions: OrderedDict[str, Session] = OrderedDict()
            self.opened = 0
            self.projects: dict[int, Project] = {project.id: project for project in PROJECTS}
            self.accounts: list[Account] = list(ACCOUNTS)
            self._populate()
            self.solapi = Book(self)
            self.pushes = Pushes(self)

    def _populate(self) -> None:
        config = self.config
        self.crowd = Crowd(config.people, config.seed, config.phone_share, config.mobile_share)
        self.books = {project: Cohorts(self.crowd) for project in self.projects}
        self.books[PROJECT] = catalogue(self.crowd)
        self.books[EU_PROJECT].add("Alle Kunden", range(min(500, config.people)), id=3_500_001)

    @property
    def cohorts(self) -> Cohorts:
        """The cohorts of the main project."""
        return self.books[PROJECT]

    def configure(self, **changes: Any) -> SandboxConfig:
        """Change settings. One that makes other people (`people`, `seed`, shares) also starts the cohorts anew.

        Raises ValueError for an unknown name or a wrong type.
        """
        with self.lock:
            self.config = self.config.changed(changes)
            if any(name in changes for name in CROWD_FIELDS):
                self._populate()
        return self.config

    def meter(self, project_id: int = PROJECT) -> Meter:
        """The budget of a project."""
        with self.lock:
            return self.meters.setdefault(project_id, Meter())

    # -- Sessions -----------------------------------------------------------------------------------------------------
    def open_session(self, session: Session) -> str:
        """Remember a paged query; returns its id."""
        with self.lock:
            self.opened += 1
            session_id = f"{int(session.opened)}-{self.opened:06d}Sb"
            self.sessions[session_id] = session
            while len(self.sessions) > SESSIONS:
                self.sessions.popitem(last=False)
        return session_id

    def find_session(self, session_id: str) -> Session | None:
        """The paged query of this id, unless it has expired."""
        session = self.sessions.get(session_id)
        if session and self.clock.now() - session.opened > self.config.session_seconds:
            self.sessions.pop(session_id, None)
            return None
        return session

    def forget_sessions(self) -> None:
        """Every pull that is under way has to start again."""
        with self.lock:
            self.sessions.clear()

    # -- What happened ------------------------------------------------------------------------------------------------
    def requests(self, endpoint: str | None = None, **wanted: Any) -> list[LogEntry]:
        """Requests so far; only those of one endpoint, and with these values (`cohort=…`, `page=…`, `status=…`)."""
        return [
            entry
            for entry in list(self.log)
            if (endpoint is None or entry.endpoint == endpoint)
            and all(getattr(entry, name) == value for name, value in wanted.items())
        ]

    def state(self) -> dict[str, Any]:
        """Counters at a glance."""
        now = self.clock.now()
        return {
            "now": now,
            "people": self.crowd.people,
            "cohorts": {str(project): len(book) for project, book in self.books.items()},
            "sessions": len(self.sessions),
            "requests": len(self.log),
            "projects": {
                str(project): {
                    "used_this_hour": meter.used(now),
                    "running": meter.running,
                    "peak_running": meter.peak,
                    "answered": meter.answered,
                    "refused": meter.refused,
                }
                for project, meter in list(self.meters.items())
            },
        }
