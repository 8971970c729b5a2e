"""The cohort page and the largest cohort's dialog under sixteen connections, large against small in the same run."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.report import Line
from benchmarks.stage import ROOT, Stage, free_port, stage, wait_for

CONNECTIONS = 16
BAR_MS = 150.0


def cohort_pages(cohorts: int = 10_000, profiles: int = 1_000_000, seconds: float = 10) -> Iterator[Line]:
    """p95 of the cohort page and of the million-member dialog; the peer is the same page with ten small cohorts."""
    small = measured(10, 1_000, seconds)
    big = measured(cohorts, profiles, seconds)
    for page in big:
        yield Line(
            f"p95 of {page}, {cohorts:,} cohorts, {profiles:,} profiles, {CONNECTIONS} connections",
            big[page],
            small[page],
            None,
            unit="ms",
            note="peer: 10 cohorts, 1,000 profiles",
        )
        yield Line(f"the same against its bar ({page})", big[page], BAR_MS, 1.0, unit="ms", note="peer: the bar")


def measured(cohorts: int, profiles: int, seconds: float) -> dict[str, float]:
    """{page: p95 in milliseconds} on a freshly seeded console."""
    with stage(100) as here:
        command = [sys.executable, "-m", "benchmarks.seed_pages", here.project, str(cohorts), str(profiles)]
        seeded = Stage._json(command, here.environment)
        here.sql("VACUUM ANALYZE")
        with web(here) as port:
            base = f"/projects/{here.project}"
            pages = {
                "the cohort page": f"{base}/cohorts/",
                "the cohort page by size": f"{base}/cohorts/?sort=-size",
                "the largest cohort's dialog": f"{base}/cohorts/mixpanel_{seeded['biggest']}/",
            }
            return {name: p95(port, path, seeded["cookie"], seconds) for name, path in pages.items()}


@contextmanager
def web(here: Stage) -> Iterator[int]:
    """The console behind gunicorn as `make run` starts it, on a free port."""
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "notifly_console.wsgi", "-b", f"127.0.0.1:{port}", "-k", "gthread"),
            *("-w", "3", "--threads", "2", "--no-control-socket", "--log-level", "error"),
        ],
        cwd=ROOT,
        env=here.environment,
    )
    try:
        wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=15)


def p95(port: int, path: str, cookie: str, seconds: float) -> float:
    """The 95th percentile in milliseconds of `CONNECTIONS` keep-alive clients asking for `path` as fast as they can."""
    times: list[float] = []
    problems: list[str] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() < end and not problems:
            began = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
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
    ordered = sorted(times)
    print(
        json.dumps({"path": path.rpartition("/projects/")[2][32:], "requests": len(times), "seconds": seconds}),
        file=sys.stderr,
    )
    return ordered[int(len(ordered) * 0.95)]
