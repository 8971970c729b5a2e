"""What Mixpanel pushes: pages accepted a second, members applied a second, and whether the right people are in."""

import base64
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.pages import processor_ms, web
from benchmarks.push_once import A_PAGE, page
from benchmarks.report import Line
from benchmarks.stage import DATABASE, ROOT, Stage, free_port, stage, wait_for

CONNECTIONS = 8
MARK = "session-000000000000"
WARM_PAGES = 15
"""Of each connection before anything is measured: processes are loaded by their first pages."""


def accept(seconds: float = 15) -> Iterator[Line]:
    """Pages of a thousand members (about 208 kB) from eight connections, beside the least that a webhook can do."""
    with stage(100) as here:
        pair = json.loads(here.manage("issue_key", "--project", here.project))
        word = f"{pair['access_key']}:{pair['secret_key']}"
        body = json.dumps(page(MARK, 1, 1, range(A_PAGE))).encode()
        with web(here) as (port, server):
            ours, ours_ms = load(port, server, f"/mixpanel/projects/{here.project}/cohorts", word, body, seconds)
        kept = here.sql("SELECT count(*) FROM integrations_inboundpage")[0][0]
        sent = len(ours) + CONNECTIONS * (WARM_PAGES - 1)
        if kept != sent:
            raise SystemExit(f"{sent} pages were acknowledged, and {kept} are there.")
        here.sql("CREATE TABLE peer_page (id bigserial PRIMARY KEY, body bytea)")
        with bare_receiver(word) as (port, server):
            peer, peer_ms = load(port, server, "/", word, body, seconds)
        size = f"{len(body) // 1024} kB, {CONNECTIONS} connections"
        yield Line(
            f"accept a page ({size}), time for each",
            1000 * seconds / len(ours),
            1000 * seconds / len(peer),
            None,
            unit="ms",
            note="peer: parse, insert, answer, and nothing else",
        )
        yield Line("the same against its bar (120 pages/s)", 1000 * seconds / len(ours), 1000 / 120, 1.0, unit="ms")
        yield Line("p95 of an accepted page", p95(ours), 100.0, 1.0, unit="ms", note="peer: the bar")
        yield Line(
            "processor time of the web processes, a page",
            ours_ms / len(ours),
            peer_ms / len(peer),
            None,
            unit="ms",
            note="what is left when the machine is busy with other things",
        )
        yield Line("p95 beside the peer's", p95(ours), p95(peer), None, unit="ms")


def flood(seconds: float = 30) -> Iterator[Line]:
    """How long a person waits for the sign-in page while five times as many connections push as Mixpanel may have, as
    fast as they can, beside the same page before; and whether every acknowledged page is there."""
    with stage(100) as here:
        pair = json.loads(here.manage("issue_key", "--project", here.project))
        word = f"{pair['access_key']}:{pair['secret_key']}"
        with web(here) as (port, _server):
            look(port, 2)
            idle = look(port, seconds / 3)
            # A process of their own: they mustn't hold up whoever measures.
            told: multiprocessing.Queue[tuple[int, int]] = multiprocessing.Queue()
            asked = (port, f"/mixpanel/projects/{here.project}/cohorts", word, seconds + 2, told)
            pushers = multiprocessing.Process(target=push_as_fast_as_you_can, args=asked)
            pushers.start()
            time.sleep(1)
            busy = look(port, seconds)
            taken, put_off = told.get(timeout=seconds + 60)
            pushers.join()
        kept = here.sql("SELECT count(*) FROM integrations_inboundpage")[0][0]
        if kept < taken:
            raise SystemExit(f"{taken} pages were acknowledged, and {kept} are there.")
        note = f"{taken:,} pages taken, {put_off:,} asked to come again, {FLOODING} connections"
        yield Line(
            "p95 of the sign-in page in a flood, idle beside it", p95(busy), p95(idle), 2.0, unit="ms", note=note
        )


FLOODING = 40


def look(port: int, seconds: float) -> list[float]:
    """Milliseconds of the sign-in page, asked for ten times a second on a connection of its own each."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/accounts/login/")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"The sign-in page answered {answer.status}.")
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(max(0.0, 0.1 - (time.perf_counter() - began)))
    return times


def push_as_fast_as_you_can(port: int, path: str, word: str, seconds: float, told: Any) -> None:
    """`FLOODING` connections; tells how many pages were taken, and how many were to come again."""
    body = json.dumps(page(MARK, 1, 1, range(A_PAGE))).encode()
    headers = {"Authorization": f"Basic {base64.b64encode(word.encode()).decode()}", "Content-Type": "application/json"}
    answers: list[int] = []
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        counted = itertools.count()
        while time.perf_counter() < end:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.suppress(OSError, http.client.HTTPException):
                status = 200
                while status == 200 and time.perf_counter() < end:
                    mine = body.replace(MARK.encode(), f"session-{number:02d}{next(counted):010d}".encode(), 1)
                    connection.request("POST", path, mine, headers)
                    answer = connection.getresponse()
                    answer.read()
                    status = answer.status
                    answers.append(status)
            connection.close()
            time.sleep(0.05)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(FLOODING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.put((answers.count(200), answers.count(503)))


def apply(pages: int = 300) -> Iterator[Line]:
    """A session of so many thousand members by one worker, all new and then all known."""
    with stage(100) as here:
        command = [sys.executable, "-m", "benchmarks.push_once", here.project, str(pages)]
        here.sql("VACUUM ANALYZE")
        new = Stage._json(command, here.environment)
        here.sql("VACUUM ANALYZE")
        known = Stage._json(command, here.environment)
        people = (pages - 1) * A_PAGE
        for words, result in (("new", new), ("known", known)):
            if result["size"] != pages * A_PAGE:
                raise SystemExit(f"The cohort has {result['size']:,} members instead of {pages * A_PAGE:,}.")
            each = 1e6 * result["before_last"] / people
            yield Line(
                f"apply {people:,} members, {words}, µs each",
                each,
                1e6 / 30_000,
                1.0,
                unit="µs",
                note="peer: the bar, 30,000/s",
            )
            yield Line(
                f"the same, the worker's processor time ({words})",
                1e6 * result["cpu"] / people,
                1e6 / 30_000,
                1.0,
                unit="µs",
                note="what is left when the machine is busy with other things",
            )
        yield Line("known members beside new ones", known["before_last"], new["before_last"], None)
        yield Line("from the last page to the visible version", new["after_last"], 60.0, 1.0, note="peer: the bar")
        yield Line("worker's peak memory, MB", new["peak_kb"] / 1024, 300.0, 1.0, unit="MB", note="peer: the bar")


def million() -> Iterator[Line]:
    """The same with a million."""
    yield from apply(1000)


def correct() -> Iterator[Line]:
    """A hundred pages shuffled and repeated, one of them missing, then a sync of what is left of the cohort: how many
    people are in who shouldn't be, or aren't in who should, beside a receiver that adds whatever comes."""
    with stage(100) as here:
        result = Stage._json([sys.executable, "-m", "benchmarks.push_correct", here.project], here.environment)
        yield Line(
            "people wrongly visible after 99 of 100 pages", result["ours_partial"], result["peer_partial"], 0.0, unit=""
        )
        yield Line(
            "people wrongly in or out after the re-sync", result["ours_after"], result["peer_after"], 0.0, unit=""
        )


def load(port: int, server: int, path: str, word: str, body: bytes, seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each acknowledged page, and of the server's processor time. Every page is another one."""
    headers = {
        "Authorization": f"Basic {base64.b64encode(word.encode()).decode()}",
        "Content-Type": "application/json",
    }
    times: list[float] = []
    problems: list[str] = []
    warm = threading.Barrier(CONNECTIONS + 1)

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for count in range(1, 1_000_000):
            if count == WARM_PAGES:
                warm.wait()
                end = time.perf_counter() + seconds
            if problems or (count >= WARM_PAGES and time.perf_counter() >= end):
                return
            mine = body.replace(MARK.encode(), f"session-{number:02d}{count:010d}".encode(), 1)
            began = time.perf_counter()
            connection.request("POST", path, mine, headers)
            answer = connection.getresponse()
            said = answer.read()
            if count >= WARM_PAGES:
                times.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                problems.append(f"{answer.status}: {said[:300]!r}")
                warm.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    with contextlib.suppress(threading.BrokenBarrierError):
        warm.wait()
    before = processor_ms(server)
    for thread in threads:
        thread.join()
    if problems:
        raise SystemExit(problems[0])
    return times, processor_ms(server) - before


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


@contextmanager
def bare_receiver(word: str) -> Iterator[tuple[int, int]]:
    """The peer, on the same server with as many processes and threads."""
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "benchmarks.peers.bare_receiver:application"),
            *("-b", f"127.0.0.1:{port}", "-k", "gthread", "-w", "2", "--threads", "4"),
            *("--no-control-socket", "--log-level", "error"),
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": DATABASE, "PEER_PAIR": word},
    )
    try:
        wait_for(port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(timeout=15)
