"""`manage.py run` as a person uses it: a real console in a folder of its own, looked at from outside."""

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from redis import Redis

from notifly_console.celery import app
from notifly_console.lib import embedded
from notifly_console.run import leftovers
from tests.integrations.sandbox.solapi_asker import SolapiAsker, sms

pytestmark = pytest.mark.starts

ROOT = Path(__file__).resolve().parent.parent.parent
SOON = 120.0
"""Seconds after which something that should happen counts as not happening."""


class Console:
    """A console started by `manage.py run` in `var`; `out` is what its terminal shows."""

    def __init__(self, var: Path, **env: str) -> None:
        self.var = var
        self.port = env.get("PORT") or str(free_port())
        self.terminal = var.parent / f"terminal-{self.port}-{time.monotonic_ns()}.txt"
        with self.terminal.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"],
                cwd=ROOT,
                env=environment(var, **{**env, "PORT": self.port}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def out(self) -> str:
        return self.terminal.read_text()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    def wait_until_announced(self) -> "Console":
        wait(lambda: "Ctrl-C" in self.out or self.process.poll() is not None, self.explain)
        assert self.process.poll() is None, self.explain()
        return self

    def explain(self) -> str:
        logs = [f"{log.name}: {log.read_text()[-500:]}" for log in (self.var / "log").glob("*.log")]
        return self.out + "\n".join(logs)

    def told(self, what: str) -> str:
        """The value that the announcement gives for `what`."""
        found = re.search(rf"{what}\s+(\S+)", self.out)
        assert found, self.out
        return found.group(1)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(SOON)


def environment(var: Path, **more: str) -> dict[str, str]:
    """What a person's shell has, and nothing of the test's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    keys = {name: os.environ[name] for name in ("SECRET_KEY", "CREDENTIALS_KEYS")}
    return {**kept, **keys, "VAR_DIR": str(var), "SANDBOX_PEOPLE": "300", "PYTHONUNBUFFERED": "1", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(until: Callable[[], Any], explain: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + SOON
    while not until():
        assert time.monotonic() < deadline, "Waited in vain. " + explain()
        time.sleep(0.05)


def processes_of(var: Path) -> dict[int, str]:
    """The processes that were started with this `VAR_DIR`, and their command lines. (Valkey overwrites both its
    environment and its command line with a title, which names its socket.)"""
    given, socket_name = f"VAR_DIR={var}".encode(), os.fsencode(embedded.socket_path(var))
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if given in (entry / "environ").read_bytes().split(b"\0") or socket_name in command:
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode()
    return found


def failed_start(var: Path, **env: str) -> str:
    """What a console that can't start says: one sentence on one line, exit code 1, and it leaves nobody behind."""
    before = processes_of(var)
    done = subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=ROOT,
        env=environment(var, **{"PORT": str(free_port()), **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SOON,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert processes_of(var) == before
    return done.stderr.strip()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sign_in(console: Console) -> str:
    """The page that a person sees after signing in with what the terminal told them."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    form = browser.open(f"{console.address}/", timeout=10).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token, form
    values = {
        "csrfmiddlewaretoken": token.group(1),
        "login": console.told("E-mail"),
        "password": console.told("Password"),
    }
    request = urllib.request.Request(
        f"{console.address}/accounts/login/",
        data=urllib.parse.urlencode(values).encode(),
        headers={"Referer": f"{console.address}/accounts/login/"},
    )
    return str(browser.open(request, timeout=10).read().decode())


def statuses_of_reports(var: Path) -> set[int]:
    """What the console's webhook answers to the reports of a message that is sent through the stand-in SOLAPI."""
    stand_in = f"http://127.0.0.1:{(var / 'run' / 'sandbox_port.txt').read_text()}"
    solapi: Any = SimpleNamespace(world=None, solapi_url=f"{stand_in}/solapi")
    SolapiAsker(solapi).sent(sms("01020000001"))
    told: list[Any] = []

    def arrived() -> bool:
        told[:] = json.loads(get(f"{stand_in}/_sandbox/solapi/reports")[1])
        return any(one["event"] == "SINGLE-REPORT" for one in told)

    wait(arrived)
    return {one["status"] for one in told}


@pytest.fixture
def parts() -> Iterator[dict[str, str]]:
    """The database and the broker of this pass: none to name, or a fresh PostgreSQL database and the pass's Redis."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url is None:
        yield {}
        return
    name = f"run_{os.getpid()}"
    with psycopg.connect(url.rpartition("/")[0] + "/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            redis = os.environ.get("TEST_REDIS_URL")
            if redis:
                forget_tasks(redis)
            yield {"DATABASE_URL": f"{url.rpartition('/')[0]}/{name}", **({"REDIS_URL": redis} if redis else {})}
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def forget_tasks(url: str) -> None:
    """Other tests publish tasks that nobody takes. Thousands of them would be this console's first work, and a worker's
    child ends after some hundreds."""
    with Redis.from_url(url) as broker:
        broker.delete(*(queue.name for queue in app.conf.task_queues), "unacked", "unacked_index")


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "var"
    yield folder
    # Whatever went wrong, the machine is left as it was found.
    for pid in processes_of(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_newcomer_starts_signs_in_stops_and_starts_again(var: Path, parts: dict[str, str]) -> None:
    console = Console(var, **parts).wait_until_announced()
    assert console.told("Address") == console.address
    assert json.loads(get(f"{console.address}/readyz")[1])["status"] == "ok"
    assert "외부 툴 유저 코호트 관리" in sign_in(console)
    assert "Traceback" not in console.out
    running = " ".join(processes_of(var).values())
    assert [name for name in ("supervise", "sandbox", "celery", "beat", "gunicorn") if name not in running] == []
    password = console.told("Password")
    assert stat.S_IMODE((var / "demo_password.txt").stat().st_mode) == 0o600
    assert stat.S_IMODE((var / "demo_hook_secret.txt").stat().st_mode) == 0o600
    assert statuses_of_reports(var) == {200}

    refused = failed_start(var)
    assert f"already running at {console.address}" in refused

    assert console.stop(signal.SIGINT) == 0
    assert processes_of(var) == {}

    again = Console(var, **parts).wait_until_announced()
    assert again.told("Password") == password
    assert statuses_of_reports(var) == {200}
    assert "외부 툴 유저 코호트 관리" in sign_in(again)
    assert again.stop(signal.SIGTERM) == 0
    assert processes_of(var) == {}


@pytest.mark.once
def test_a_killed_console_is_cleaned_up_by_the_next_start(var: Path) -> None:
    console = Console(var).wait_until_announced()
    os.kill(console.process.pid, signal.SIGKILL)
    console.process.wait(SOON)
    assert processes_of(var)

    again = Console(var, PORT=console.port).wait_until_announced()
    assert "left over" in again.out
    assert json.loads(get(f"{again.address}/readyz")[1])["status"] == "ok"
    assert again.stop(signal.SIGHUP) == 0
    assert processes_of(var) == {}


@pytest.mark.once
def test_a_taken_port_is_one_sentence(var: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = failed_start(var, PORT=str(port))
    assert f"Port {port} is taken" in said


@pytest.mark.once
@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_one_sentence(var: Path, port: str) -> None:
    assert "PORT must be a number" in failed_start(var, PORT=port)


@pytest.mark.once
def test_a_database_that_refuses_is_one_sentence_without_the_password(var: Path) -> None:
    said = failed_start(var, DATABASE_URL=f"postgres://me:hunter2@127.0.0.1:{free_port()}/console")
    assert "DATABASE_URL" in said
    assert "nothing listens there" in said
    assert "hunter2" not in said


@pytest.mark.once
def test_servers_that_accept_and_say_nothing_are_given_up_on(var: Path) -> None:
    """The kernel accepts for a listener that never does: the worst kind of broken server."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "no answer in 3 seconds" in failed_start(var, DATABASE_URL=f"postgres://127.0.0.1:{port}/console")
        assert "no answer in 3 seconds" in failed_start(var, REDIS_URL=f"redis://127.0.0.1:{port}/0")


@pytest.mark.once
def test_a_redis_that_refuses_is_one_sentence_without_the_password(var: Path) -> None:
    said = failed_start(var, REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert "REDIS_URL" in said
    assert "nothing listens there" in said
    assert "hunter2" not in said


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:hunter2@127.0.0.1/console"),
        ("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:port/console"),
        ("REDIS_URL", "amqp://me:hunter2@127.0.0.1"),
        ("REDIS_URL", "redis://me:hunter2@127.0.0.1:port/0"),
        ("CREDENTIALS_KEYS", "hunter2"),
        ("CREDENTIALS_KEYS", "k1:aHVudGVyMg=="),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_not_shown(var: Path, name: str, value: str) -> None:
    said = failed_start(var, **{name: value})
    assert name in said
    assert "hunter2" not in said
    assert "aHVudGVyMg" not in said


@pytest.mark.once
def test_a_database_of_a_newer_version_is_left_alone(var: Path) -> None:
    var.mkdir()
    manage(var, "migrate", "--verbosity", "0")
    manage(
        var,
        "shell",
        "-c",
        "from django.db.migrations.recorder import MigrationRecorder as R; from django.db import connection as c; "
        "R(c).record_applied('cohorts', '9999_from_the_future')",
    )
    assert "cohorts.9999_from_the_future" in failed_start(var)


@pytest.mark.once
def test_a_secret_that_no_key_opens_is_an_error_at_start(var: Path) -> None:
    var.mkdir()
    manage(var, "migrate", "--verbosity", "0")
    make = (
        "from pathlib import Path; from notifly_console.run.demo import make_demo; make_demo(Path({!r}), connect=True)"
    )
    manage(var, "shell", "-c", make.format(str(var)))
    other = "k1:" + "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyMTI="
    said = failed_start(var, CREDENTIALS_KEYS=other)
    assert "The key k1 of CREDENTIALS_KEYS is not the one" in said
    assert "sandbox-secret" not in said
    missing = failed_start(var, CREDENTIALS_KEYS=other.replace("k1", "k2"))
    assert "the key k1, which is not in CREDENTIALS_KEYS" in missing


@pytest.mark.once
def test_the_embedded_broker_is_refused_where_others_reach_the_console(var: Path) -> None:
    assert "Set REDIS_URL" in failed_start(var, ALLOWED_HOSTS="console.example.com")


@pytest.mark.once
def test_a_folder_that_is_a_file_is_one_sentence(var: Path) -> None:
    var.write_text("in the way")
    assert "VAR_DIR" in failed_start(var)


@pytest.mark.once
@pytest.mark.skipif(embedded.valkey_binary() is None, reason="no embedded broker for this machine")
def test_a_folder_with_a_long_name_gets_a_short_socket(tmp_path: Path) -> None:
    path = embedded.socket_path(tmp_path / ("long" * 30))
    assert len(os.fsencode(path)) <= embedded.MAX_SOCKET_PATH


@pytest.mark.once
def test_only_the_noted_commands_count_as_orphans(tmp_path: Path) -> None:
    ours = [sys.executable, "-c", "import time; time.sleep(600)  # ours"]
    theirs = [sys.executable, "-c", "import time; time.sleep(600)  # theirs"]
    started = [subprocess.Popen(command) for command in (ours, theirs)]
    our, their = started
    try:
        leftovers.note_commands(tmp_path, [ours])
        wait(lambda: our.pid in {pid for pid, command in leftovers.processes() if command == " ".join(ours)})
        assert leftovers.end_orphans(tmp_path, None) == 1
        assert our.wait(SOON) == -signal.SIGTERM
        assert their.poll() is None
    finally:
        for process in started:
            process.kill()
            process.wait()


def manage(var: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(var),
        capture_output=True,
        text=True,
        timeout=SOON,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
