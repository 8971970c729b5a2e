"""Clients that send a byte now and then, or far too much, against the web server as `make run` starts it: pages answer
all the same."""

import http.client
import itertools
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from django.conf import settings

from notifly_console.run import plan
from tests.integrations.pushing import basic, page

pytestmark = [pytest.mark.processes, pytest.mark.once]

CROWD = 20
"""Slow clients of each kind at once; the server has eight threads."""
WHOLE_SECONDS = 4.0
GRACE_SECONDS = 1.0
PATIENT = 5.0
"""Longer than any answer may take, shorter than the slow ones last."""


class Console:
    """A console on a fresh database, its web server with shorter patience than it has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "SECRET_KEY"}}
        self.environment = kept | {
            "CREDENTIALS_KEYS": os.environ["CREDENTIALS_KEYS"],
            "VAR_DIR": str(folder),
            "LOG_LEVEL": "ERROR",
        }
        self.manage("migrate", "-v0")
        owner = ("--email", "a@b.example", "--password", "a long secret")
        self.project = self.manage("bootstrap", *owner, "--project", "P")
        pair = json.loads(self.manage("issue_key", "--project", self.project))
        self.pair = (pair["access_key"], pair["secret_key"])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def manage(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR, env=self.environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def start(self) -> None:
        shortened = (
            "from notifly_console import serve\n"
            f"serve.WHOLE_SECONDS, serve.GRACE_SECONDS, serve.SLOWEST = {WHOLE_SECONDS}, {GRACE_SECONDS}, 1024 * 1024\n"
            # However busy the machine is, the other process has its turn meanwhile.
            "serve.GIVES_WAY_SECONDS = 0.1\n"
            "from gunicorn.app.wsgiapp import run; run()"
        )
        arguments = plan.web_command(self.port)[3:]
        self.said = (self.folder / "web.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", shortened, *arguments],
            cwd=settings.BASE_DIR, env=self.environment, stdout=self.said, stderr=subprocess.STDOUT,
        )  # fmt: skip
        until = time.monotonic() + 60
        while self.get("/healthz") != 200:
            assert time.monotonic() < until, "the web server doesn't answer"
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.said.close()

    def get(self, path: str = "/accounts/login/") -> int:
        """The status of a page; 0 for none within PATIENT."""
        return self.ask("GET", path)

    def push(self, body: bytes, pair: tuple[str, str] | None = None) -> int:
        return self.ask("POST", self.webhook, body, {"Authorization": basic(pair or self.pair)})

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENT)
        try:
            client.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            answer = client.getresponse()
            answer.read()
        except OSError:
            return 0
        else:
            return answer.status
        finally:
            client.close()

    @property
    def webhook(self) -> str:
        return f"/mixpanel/projects/{self.project}/cohorts"

    def head(self, length: int, pair: tuple[str, str] | None = None, more: str = "") -> bytes:
        return (
            f"POST {self.webhook} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(pair or self.pair)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
        ).encode()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    made = Console(tmp_path_factory.mktemp("console"))
    made.start()
    yield made
    made.stop()


class Crowd:
    """Slow clients: each sends `first`, then a byte of `rest` every twentieth of a second until it is let go of."""

    def __init__(self, port: int, first: bytes, rest: bytes, count: int = CROWD) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        for one in self.sockets:
            one.sendall(first)
        self.rest, self.stop = rest, threading.Event()
        self.thread = threading.Thread(target=self._drip, daemon=True)

    def _drip(self) -> None:
        for byte in self.rest:
            for one in self.sockets:
                with suppress(OSError):
                    one.send(bytes([byte]))
            if self.stop.wait(0.05):
                return

    def ends(self) -> list[bytes]:
        """What each was told in the end."""
        said = []
        for one in self.sockets:
            one.settimeout(WHOLE_SECONDS + 2 * PATIENT)
            try:
                said.append(one.recv(4096))
            except ConnectionError:
                said.append(b"")
        return said

    def __enter__(self) -> "Crowd":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(10)
        for one in self.sockets:
            one.close()


Begun = Callable[[Console], tuple[bytes, bytes]]
SLOW: dict[str, Begun] = {
    "nothing at all": lambda _console: (b"", b""),
    "a head a byte at a time": lambda _console: (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-Slow: yes\r\n" * 1000),
    "a body a byte at a time": lambda console: (console.head(200_000), b" " * 10_000),
    "a body that never comes": lambda console: (console.head(200_000), b""),
    "a body with a wrong key": lambda console: (console.head(200_000, ("0" * 32, "wrong")), b" " * 10_000),
    "a body that waits to be asked": lambda console: (console.head(200_000, more="Expect: 100-continue\r\n"), b""),
}


def test_slow_clients_keep_nobody_from_a_page(console: Console) -> None:
    with ExitStack() as stack:
        crowds = {how: stack.enter_context(Crowd(console.port, *begun(console))) for how, begun in SLOW.items()}
        statuses = [console.get() for _ in range(8)]
        pushed = console.push(json.dumps(page([1])).encode())
        told = {how: crowd.ends() for how, crowd in crowds.items()}
    assert statuses == [200] * 8
    assert pushed == 200
    for how, said in told.items():
        ends = {one.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")[9:12] for one in said}
        assert ends <= ({b"503", b""} if "body" in how else {b""}), how


def test_a_large_body_that_stops_is_cut_off_and_to_be_sent_again(console: Console) -> None:
    """One that is too large to gather takes a thread: few of them, for a moment."""
    first = console.head(8_000_000) + b" " * 5_000_000
    with Crowd(console.port, first, b"", count=12) as crowd:
        statuses = [console.get() for _ in range(8)]
        told = crowd.ends()
    assert statuses == [200] * 8
    assert {one[9:12] for one in told} == {b"503"}
    assert all(b"Retry-After" in one for one in told)
    assert console.push(json.dumps(page([2], note="x" * 6_000_000)).encode()) == 200, "one that comes in full is taken"


def test_a_large_body_whose_key_is_wrong_is_refused_unread(console: Console) -> None:
    with Crowd(console.port, console.head(8_000_000, ("0" * 32, "wrong")) + b" " * 4_200_000, b"", count=8) as crowd:
        assert [console.get() for _ in range(8)] == [200] * 8
        assert {one[9:12] for one in crowd.ends()} <= {b"401", b"429"}


@pytest.mark.parametrize("path", ["the webhook", "/accounts/login/", "/healthz"])
def test_what_says_that_it_is_too_large_is_answered_at_once_and_not_waited_for(console: Console, path: str) -> None:
    head = console.head(1_000_000_000)
    if path.startswith("/"):
        head = head.replace(console.webhook.encode(), path.encode())
    began = time.monotonic()
    with Crowd(console.port, head, b"", count=200) as crowd:
        assert [console.get() for _ in range(8)] == [200] * 8
        told = {one[9:12] for one in crowd.ends()}
    assert told <= ({b"413", b"503"} if path == "the webhook" else {b"200", b"400", b"403", b"405", b"413"}), told
    assert time.monotonic() - began < PATIENT


class Flood:
    """Clients that push as fast as they are answered, each another page."""

    def __init__(self, console: Console, pair: tuple[str, str] | None, count: int, name: str) -> None:
        self.console, self.pair, self.name = console, pair, name
        self.stop, self.statuses = threading.Event(), Counter[int]()
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def _run(self, number: int) -> None:
        for turn in itertools.count():
            if self.stop.is_set():
                return
            body = json.dumps(page([number], session=f"{self.name}-{number}-{turn}")).encode()
            self.statuses[self.console.push(body, self.pair)] += 1

    def __enter__(self) -> "Flood":
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for one in self.threads:
            one.join(30)


def test_a_flood_keeps_nobody_from_a_page_and_no_right_key_out(console: Console) -> None:
    with Flood(console, ("0" * 32, "wrong"), 20, "wrong") as wrong, Flood(console, None, 40, "right") as right:
        statuses = [console.get() for _ in range(15)]
    assert statuses == [200] * 15
    assert set(wrong.statuses) <= {401, 429, 503}
    assert wrong.statuses[429] > wrong.statuses[401], "they are throttled"
    assert set(right.statuses) == {200, 503}, "taken, or to be sent again"
    with sqlite3.connect(console.folder / "console.sqlite3") as database:
        asked = "SELECT count(*) FROM integrations_inboundpage WHERE envelope LIKE '%right-%'"
        assert database.execute(asked).fetchone() == (right.statuses[200],), "what was acknowledged is there"


def test_requests_one_behind_the_other_are_each_answered(console: Console) -> None:
    body = json.dumps(page([3], session="behind")).encode()
    with socket.create_connection(("127.0.0.1", console.port), timeout=PATIENT) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + console.head(len(body)) + body)
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = b""
        while piece := one.recv(65536):
            said += piece
    assert said.count(b"HTTP/1.1 200 OK") == 3


def held_by_each_process(console: Console) -> list[int]:
    """How many connections to the console each of its processes has, closed by us or not."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in table if row[1].endswith(f":{console.port:04X}") and row[3] in ("01", "08")}
    children = f"/proc/{console.process.pid}/task/{console.process.pid}/children"
    held = []
    for pid in Path(children).read_text().split():
        targets = Counter[str]()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                targets[os.readlink(descriptor)] += 1
        held.append(sum(targets[one] for one in ours))
    return held


def most_in_one_process(console: Console, connections: int = 12) -> int:
    """Of so many connections opened at once, while there are no others."""
    wait_until(lambda: sum(held_by_each_process(console)) == 0)
    with ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(socket.create_connection(("127.0.0.1", console.port)))
        wait_until(lambda: sum(held_by_each_process(console)) == connections)
        return max(held_by_each_process(console))


def wait_until(it_holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not it_holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who holds a connection is read from Linux's /proc")
def test_connections_are_shared_out_evenly(console: Console) -> None:
    """Each stays with the process that took it: with most of them in one, the other would have nothing to do."""
    wait_until(lambda: most_in_one_process(console) <= 7)  # At first one of them may still be starting.
    assert [most_in_one_process(console) <= 7 for _ in range(3)] == [True] * 3


def test_no_end_of_a_head_is_nobody(console: Console) -> None:
    with socket.create_connection(("127.0.0.1", console.port), timeout=PATIENT) as one:
        with suppress(OSError):
            one.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 40_000)
        with suppress(ConnectionError):
            assert one.recv(100) == b""
    assert console.get("/healthz") == 200


def test_the_web_server_logs_no_fault(console: Console) -> None:
    """After all of the above."""
    console.said.flush()
    assert "Traceback" not in (console.folder / "web.log").read_text()


def test_a_worker_that_stops_answers_what_has_begun(console: Console) -> None:
    body = json.dumps(page([1], session="last")).encode()
    with socket.create_connection(("127.0.0.1", console.port), timeout=PATIENT) as one:
        one.sendall(console.head(len(body)) + body[:10])
        assert console.get("/healthz") == 200
        console.process.terminate()
        one.sendall(body[10:])
        assert one.recv(4096)[9:12] == b"200"
    console.stop()
    console.start()
