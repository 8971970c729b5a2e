"""The cohort page and the largest cohort's dialog under sixteen connections, large against small in the same run."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Line
from benchmarks.stage import ROOT, Stage, free_port, stage, wait_for
from notifly_console.run.plan import WORKER

CONNECTIONS = 16
BAR_MS = 150.0
WARM_UP_SECONDS = 1.0
"""Not counted: each process draws its first pages slowly."""


def cohort_pages(cohorts: int = 10_000, profiles: int = 1_000_000, seconds: float = 10) -> Iterator[Line]:
    """p95 of the cohort page and of the million-member dialog; the peer is the same page with ten small cohorts."""
    small = measured(10, 1_000, seconds)
    big = measured(cohorts, profiles, seconds)
    for page in big:
        ours, peers = big[page], small[page]
        yield Line(
            f"p95 of {page}, {cohorts:,} cohorts, {profiles:,} profiles, {CONNECTIONS} connections",
            ours.p95,
            peers.p95,
            None,
            unit="ms",
            note="peer: 10 cohorts, 1,000 profiles",
        )
        yield Line(f"the same against its bar ({page})", ours.p95, BAR_MS, 1.0, unit="ms", note="peer: the bar")
        if ours.processor and peers.processor:
            note = "of the web processes, whatever else the machine does"
            yield Line(f"processor time of {page}", ours.processor, peers.processor, None, unit="ms", note=note)


@dataclass(frozen=True)
class Measured:
    """Milliseconds: the 95th percentile, and the web processes' processor time for each page (0 where it can't be
    told: it is read from /proc)."""

    p95: float
    processor: float


def measured(cohorts: int, profiles: int, seconds: float) -> dict[str, Measured]:
    """What each page takes on a freshly seeded console."""
    with stage(100) as here:
        command = [sys.executable, "-m", "benchmarks.seed_pages", here.project, str(cohorts), str(profiles)]
        seeded = Stage._json(command, here.environment)
        here.sql("VACUUM ANALYZE")
        with web(here) as (port, server):
            base = f"/projects/{here.project}"
            biggest = f"{base}/cohorts/mixpanel_{seeded['biggest']}/"
            in_list = {"HX-Request": "true", "HX-Target": "dialogs"}
            in_dialog = {"HX-Request": "true", "HX-Target": "versions"}
            pages: dict[str, tuple[str, dict[str, str]]] = {
                "the cohort page": (f"{base}/cohorts/", {}),
                "the cohort page by size": (f"{base}/cohorts/?sort=-size", {}),
                "the largest cohort's dialog": (biggest, in_list),
                "its versions, when they come into view": (biggest, in_dialog),
                "the largest cohort's page of its own": (biggest, {}),
            }
            sign_in = {"Cookie": seeded["cookie"]}
            return {
                name: ask(port, server, path, sign_in | headers, seconds) for name, (path, headers) in pages.items()
            }


@contextmanager
def web(here: Stage) -> Iterator[tuple[int, int]]:
    """The console behind gunicorn as `make run` starts it: a free port, and the process id."""
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "notifly_console.wsgi", "-b", f"127.0.0.1:{port}", "-k", WORKER),
            *("-w", "2", "--threads", "4", "--no-control-socket", "--log-level", "error"),
        ],
        cwd=ROOT,
        env=here.environment,
    )
    try:
        wait_for(port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(timeout=15)


def ask(port: int, server: int, path: str, headers: dict[str, str], seconds: float) -> Measured:
    """`CONNECTIONS` keep-alive clients ask for `path` as fast as they can."""
    load(port, path, headers, WARM_UP_SECONDS)
    before = processor_ms(server)
    times = load(port, path, headers, seconds)
    spent = processor_ms(server) - before
    print(
        json.dumps({"path": path.rpartition("/projects/")[2][32:], "requests": len(times), "seconds": seconds}),
        file=sys.stderr,
    )
    return Measured(sorted(times)[int(len(times) * 0.95)], spent / len(times))


def load(port: int, path: str, headers: dict[str, str], seconds: float) -> list[float]:
    """How long each answer took, in milliseconds. Raises SystemExit for one that isn't 200."""
    times: list[float] = []
    problems: list[str] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() < end and not problems:
            began = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            times.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                problems.append(f"{path} answered {answer.status}: {body[:300]!r}")

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise SystemExit(problems[0])
    return times


def processor_ms(parent: int) -> float:
    """Processor time of a process and its children so far; 0 where there is no /proc."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text(encoding="utf-8").partition(" ")
        except OSError:
            continue
        fields = rest.rpartition(")")[2].split()
        if parent in (int(number), int(fields[1])):
            ticks += int(fields[11]) + int(fields[12])
    return 1000 * ticks / os.sysconf("SC_CLK_TCK")
