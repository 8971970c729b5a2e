"""What every benchmark stands on: an empty PostgreSQL database with one connected project, and a stand-in Mixpanel in a
process of its own. Loopback only."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
DATABASE = os.environ.get("BENCH_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/notifly_bench")
CLIENTS = ROOT / ".venv-clients" / "bin" / "python"


@dataclass
class Stage:
    """A console on an empty database, connected to a stand-in."""

    url: str
    environment: dict[str, str]
    project: str

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Turns a handle of the stand-in (`docs/sandbox.md`)."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def manage(self, *arguments: str, **extra: str) -> str:
        """Runs a command of the console; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | extra,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"manage.py {' '.join(arguments)} failed:\n{done.stderr[-4000:]}")
        return done.stdout.strip()

    def run(self, module: str, *arguments: str) -> str:
        """Runs one of the benchmarks' modules in a fresh process; returns what it printed."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stderr[-4000:]}")
        return done.stdout.strip()

    def refresh(self) -> dict[str, Any]:
        """One refresh in a fresh process, as a worker runs it."""
        return self._json([sys.executable, "-m", "benchmarks.refresh_once", self.project], self.environment)

    def export(self, cohort: int, path: Path) -> dict[str, Any]:
        """The same cohort written to a file by `mixpanel-utils`."""
        path.unlink(missing_ok=True)
        peer = {
            "PEER_SECRET": "sandbox-secret",
            "PEER_USERNAME": "notifly-demo.1a2b3c.mp-service-account",
            "PEER_PROJECT": "2855235",
            "PATH": os.environ["PATH"],
        }
        return self._json([str(CLIENTS), "benchmarks/peers/export_cohort.py", self.url, str(cohort), str(path)], peer)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a statement on the benchmark's database."""
        with psycopg.connect(DATABASE, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def forget_people(self) -> None:
        """Back to a connected project that was never refreshed; asks the stand-in for a fresh hour, too."""
        self.sql(
            "TRUNCATE cohorts_pull, cohorts_refresh, cohorts_snapshot, cohorts_cohort, cohorts_profile,"
            " integrations_query CASCADE"
        )
        self.sql("VACUUM ANALYZE")
        self.next_hour()

    def next_hour(self) -> None:
        """A new hour for both sides' budgets."""
        self.sql("TRUNCATE integrations_query")
        self.control("clock", {"advance": 3700})

    @staticmethod
    def _json(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stderr[-4000:]}")
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return result


@contextmanager
def stage(people: int) -> Iterator[Stage]:
    """A stage with a stand-in of `people` people. Drops and makes the benchmark's database."""
    server, _, name = DATABASE.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DATABASE_URL": DATABASE,
        "MIXPANEL_API_URL": url,
        "SECRET_KEY": secrets.token_hex(32),
        "CREDENTIALS_KEYS": "b1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "MIXPANEL_SECRET": "sandbox-secret",
        "LOG_LEVEL": "ERROR",
    }
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "integrations.sandbox", "--port", str(port), "--people", str(people), "--seed", "1"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        here = Stage(url, environment, "")
        here.manage("migrate", "-v0")
        here.project = here.manage(
            "bootstrap", "--email", "bench@example.com", "--password", "a long enough secret", "--project", "Bench"
        )
        here.manage(
            *("connect_mixpanel", "--project", here.project, "--mixpanel-project", "2855235"),
            *("--username", "notifly-demo.1a2b3c.mp-service-account", "--region", "us"),
        )
        yield here
    finally:
        sandbox.terminate()
        sandbox.wait(timeout=10)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 60) -> None:
    """Returns when something listens on the port. Raises SystemExit when nothing does in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on port {port}.")
