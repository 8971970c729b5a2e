"""The stand-in's custom webhook: cohorts that are pushed, by the rules that Mixpanel's documents give.

A sync sends the whole cohort first (`members`), then what has changed since its last success: `add_members` and
`remove_members`, both even when empty, at most 1,000 people a page. The snapshot that differences are made from moves
only when every page was answered with success; it is kept for three days, and then the whole cohort is sent again. A
429, a 5xx or no answer is tried again five times within a minute, and then the next run starts from the top; a 400,
401, 403 or 404 pauses the sync.

    sync = world.pushes.connect(url=…, username=…, password=…, cohort=2785620, properties=["$phone"])
    outcome = sync.run()
"""

import base64
import http.client
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyroaring import BitMap

from integrations.sandbox.accounts import PROJECT

if TYPE_CHECKING:
    from integrations.sandbox.world import World

PAGE = 1000
RETRIES = 5
FIRST_PAUSE_SECONDS = 2.0
"""Doubles each time: five tries in about a minute."""
SNAPSHOT_SECONDS = 3 * 24 * 3600.0
EVERY_SECONDS = 1800.0
MOST_RECURRING = 60
PAUSING = (400, 401, 403, 404)
AUTOMATIC = {"$email": "email", "$first_name": "first_name", "$last_name": "last_name"}
"""What comes without being asked for, under the webhook's own names."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Reply = tuple[int, bytes]
Send = Callable[[bytes], Reply]
"""Brings one page, and gives the answer's status and body; status 0 where there was none."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to: `state` is success, failure or paused; `said` what the receiver said when it wasn't."""

    state: str
    action: str = ""
    pages: int = 0
    added: int = 0
    removed: int = 0
    attempts: int = 0
    said: str = ""


@dataclass
class Sync:
    """One cohort on one connection."""

    world: "World"
    cohort: int
    send: Send
    project: int = PROJECT
    properties: tuple[str, ...] = ()
    recurring: bool = True
    first_action: str = "members"
    """The documents have both: `members` in the list of fields, `add_members` in the worked example."""
    page_size: int = PAGE
    wait: Callable[[float], Any] = field(default=lambda seconds: None)
    """Called between tries, with seconds."""
    snapshot: BitMap | None = None
    snapshot_at: float = 0.0
    paused: str = ""
    runs: int = 0
    last: Outcome | None = None

    def run(self) -> Outcome:
        """One sync, as the clock of Mixpanel starts it."""
        if self.paused:
            return Outcome("paused", said=self.paused)
        self.runs += 1
        members = self.world.books[self.project][self.cohort].members
        self.last = self._run(members)
        if self.last.state == "success":
            self.snapshot, self.snapshot_at = members, self.world.clock.now()
        elif self.last.state == "paused":
            self.paused = self.last.said or "paused"
        return self.last

    def resume(self) -> None:
        """What a person does in Mixpanel after a pause."""
        self.paused = ""

    def series(self, members: BitMap) -> list[tuple[str, BitMap]]:
        """What would be sent now: actions with their people."""
        before = self.snapshot
        if before is None or self.world.clock.now() - self.snapshot_at > SNAPSHOT_SECONDS:
            whole = [(self.first_action, members)]
            return whole if self.first_action == "members" else [*whole, ("remove_members", BitMap())]
        return [("add_members", members - before), ("remove_members", before - members)]

    def pages(self, action: str, people: BitMap, session: str) -> Iterator[bytes]:
        """The bodies of one action's pages; one where there is nobody."""
        cohort = self.world.books[self.project][self.cohort]
        total = max(1, -(-len(people) // self.page_size))
        for number in range(1, total + 1):
            some = people[(number - 1) * self.page_size : number * self.page_size]
            parameters = {
                "mixpanel_project_id": str(self.project),
                "mixpanel_integration_id": "0",
                "mixpanel_cohort_id": str(self.cohort),
                "mixpanel_cohort_name": cohort.name,
                "mixpanel_cohort_description": cohort.description,
                "mixpanel_session_id": session,
                "page_info": {"total_pages": total, "page_count": number},
                "members": [self._member(index) for index in some],
            }
            yield json.dumps({"action": action, "parameters": parameters}).encode()

    def as_json(self) -> dict[str, Any]:
        """How it stands, for the control plane."""
        return {
            "cohort": self.cohort,
            "recurring": self.recurring,
            "runs": self.runs,
            "paused": self.paused,
            "snapshot": None if self.snapshot is None else len(self.snapshot),
            "last": asdict(self.last) if self.last else None,
        }

    def _run(self, members: BitMap) -> Outcome:
        session = str(uuid.uuid4())
        series = self.series(members)
        sent = attempts = 0
        for action, people in series:
            for body in self.pages(action, people, session):
                state, said, tries = self._deliver(action, body)
                attempts += tries
                if state != "success":
                    return Outcome(state, action, sent, attempts=attempts, said=said)
                sent += 1
        joined = sum(len(people) for action, people in series if action != "remove_members")
        left = sum(len(people) for action, people in series if action == "remove_members")
        return Outcome("success", series[0][0], sent, joined, left, attempts)

    def _deliver(self, action: str, body: bytes) -> tuple[str, str, int]:
        """Brings one page, trying again: (state, what was said, tries)."""
        said = ""
        for attempt in range(1, RETRIES + 2):
            status, answer = self.send(body)
            said = _reason(answer) or f"HTTP {status}"
            if status == 200 and _succeeded(answer, action):
                return "success", "", attempt
            if status in PAUSING:
                return "paused", said, attempt
            if status and status != 429 and status < 500:
                return "failure", said, attempt
            if attempt <= RETRIES:
                self.wait(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        return "failure", said, RETRIES + 1

    def _member(self, index: int) -> dict[str, Any]:
        crowd = self.world.crowd
        profile = crowd.properties(index)
        member: dict[str, Any] = {"mixpanel_distinct_id": str(crowd.distinct_id(index))}
        member |= {name: profile[own] for own, name in AUTOMATIC.items() if own in profile}
        return member | {name: profile[name] for name in self.properties if name in profile}


def _succeeded(answer: bytes, action: str) -> bool:
    try:
        said = json.loads(answer)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("status") == "success" and said.get("action") == action


def _reason(answer: bytes) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        return ""
    error = said.get("error") if isinstance(said, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


# -- Over a socket ----------------------------------------------------------------------------------------------------
def over_http(url: str, username: str, password: str, seconds: float = 30.0) -> Send:
    """Sends to an address of this machine with HTTP Basic, on a connection of its own each time. Raises ValueError for
    an address elsewhere."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise ValueError("the stand-in pushes to http on this machine only")
    host, port, path = parts.hostname, parts.port or 80, parts.path or "/"
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json", "User-Agent": "sandbox"}

    def send(body: bytes) -> Reply:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    return send


class Pushes:
    """The syncs of one sandbox, by number."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.by_number: dict[int, Sync] = {}

    def connect(
        self, *, url: str, username: str, password: str, cohort: int, every: float = 0.0, **options: Any
    ) -> tuple[int, Sync]:
        """A new sync; with `every` it runs by itself, at once and then every so many seconds. `options`: other fields
        of `Sync`. Raises ValueError beyond 60 recurring ones, KeyError for an unknown cohort."""
        project = int(options.get("project", PROJECT))
        if cohort not in self._world.books[project]:
            raise KeyError(f"cohort {cohort}")
        recurring = [one for one in self.by_number.values() if one.recurring]
        if options.get("recurring", True) and len(recurring) >= MOST_RECURRING:
            raise ValueError(f"there are {MOST_RECURRING} recurring syncs already")
        ended = self._world.ended
        options["properties"] = tuple(options.get("properties", ()))
        sync = Sync(self._world, cohort, over_http(url, username, password), wait=ended.wait, **options)
        with self._lock:
            number = next(self._numbers)
            self.by_number[number] = sync
        if every:
            threading.Thread(target=_keep_running, args=(self, number, every, ended), daemon=True).start()
        return number, sync

    def disconnect(self, number: int) -> None:
        """Ends a sync. Raises KeyError."""
        del self.by_number[number]


def _keep_running(pushes: Pushes, number: int, every: float, ended: threading.Event) -> None:
    while (sync := pushes.by_number.get(number)) is not None and not ended.is_set():
        sync.run()
        ended.wait(every)


# -- The control plane ------------------------------------------------------------------------------------------------
def _pushes(world: "World", params: dict[str, Any]) -> Any:
    return {number: sync.as_json() for number, sync in world.pushes.by_number.items()}


def _change_pushes(world: "World", params: dict[str, Any]) -> Any:
    """`do`: connect (url, username, password, cohort, properties, recurring, every), run, resume."""
    do = str(params.pop("do"))
    if do == "connect":
        options = {
            name: params[name] for name in ("project", "properties", "recurring", "first_action") if name in params
        }
        number, sync = world.pushes.connect(
            url=str(params["url"]),
            username=str(params["username"]),
            password=str(params["password"]),
            cohort=int(params["cohort"]),
            every=float(params.get("every", 0)),
            **options,
        )
        return {"push": number, **sync.as_json()}
    sync = world.pushes.by_number[int(params["push"])]
    if do == "run":
        return asdict(sync.run())
    if do == "resume":
        sync.resume()
        return sync.as_json()
    raise ValueError("do: one of connect, run, resume")


def _remove_push(world: "World", params: dict[str, Any]) -> Any:
    world.pushes.disconnect(int(params["push"]))
    return _pushes(world, params)


PUSH_ROOMS: dict[tuple[str, str], Callable[["World", dict[str, Any]], Any]] = {
    ("GET", "pushes"): _pushes,
    ("POST", "pushes"): _change_pushes,
    ("DELETE", "pushes"): _remove_push,
}
