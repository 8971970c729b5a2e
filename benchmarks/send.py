"""How fast a campaign is handed over: our own part with a provider that takes no time, against django-post-office with
a backend that takes none, on the same PostgreSQL in the same run; then through sockets to the stand-in SOLAPI, and what
a console's pages feel of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.kill_send import REDIS, make_run
from benchmarks.pages import BAR_MS, CONNECTIONS, ask, web
from benchmarks.report import Line
from benchmarks.stage import CLIENTS, DATABASE, ROOT, Stage, stage

WORKERS = 2
BAR = 10_000


def engine(people: int = 200_000) -> Iterator[Line]:
    """People a second, memory, and through sockets."""
    with stage(20) as here:
        prepare(here)
        ours = send(here, people, "instant")
        peer = post_office(people // 10)
        rate, its_rate = people / ours["seconds"], peer["sent"] / peer["seconds"]
        yield Line(
            "sending, µs a person (instant provider)",
            1e6 / rate,
            1e6 / its_rate,
            1.0,
            unit="µs",
            note="peer: django-post-office to a backend that does nothing",
        )
        yield Line(
            "the same against its bar", 1e6 / rate, 1e6 / BAR, 1.0, unit="µs", note="peer: 10,000 people a second"
        )
        yield Line("a sending worker's peak memory", ours["peak_kb"] / 1024, 300, 1.0, unit="MB", note="peer: the bar")
        through = send(here, people // 4)
        yield Line(
            "sending through sockets to the stand-in, µs a person",
            through["seconds"] / (people // 4) * 1e6,
            1e6 / BAR,
            None,
            unit="µs",
            note="the stand-in runs on the same two cores",
        )


def interference(people: int = 400_000, seconds: float = 8) -> Iterator[Line]:
    """p95 of the campaign list under sixteen connections while a campaign goes out."""
    with stage(20) as here:
        prepare(here)
        command = [sys.executable, "-m", "benchmarks.seed_pages", here.project, "10", "1000"]
        seeded = Stage._json(command, here.environment)
        run_id = make_run(here, people)
        with web(here) as (port, server), ThreadPoolExecutor() as pool:
            page = f"/projects/{here.project}/campaigns/"
            idle = ask(port, server, page, {"Cookie": seeded["cookie"]}, seconds).p95
            sending = pool.submit(work, here, run_id)
            busy = ask(port, server, page, {"Cookie": seeded["cookie"]}, seconds).p95
            here.sql(f"UPDATE campaigns_run SET state = 'cancelled', finished_at = now() WHERE id = {int(run_id)}")
            sending.result()
        yield Line(
            f"p95 of the campaign list while sending, {CONNECTIONS} connections",
            busy,
            idle,
            2.0,
            unit="ms",
            note="peer: the same, idle",
        )
        yield Line("the same against its bar", busy, 2 * BAR_MS, 1.0, unit="ms", note="peer: the bar, 300 ms")


def prepare(here: Stage) -> None:
    """Points the console at the stand-in, as fast as it answers."""
    here.environment.update(REDIS_URL=REDIS, SOLAPI_API_URL=f"{here.url}/solapi", SOLAPI_REQUESTS_PER_SECOND="100000")


def send(here: Stage, people: int, *how: str) -> dict[str, float]:
    """Sends a run of so many with WORKERS workers: seconds of the slowest, and the largest peak memory."""
    return work(here, make_run(here, people), *how)


def work(here: Stage, run_id: str, *how: str) -> dict[str, float]:
    """The same of a run that is there."""
    here.sql("VACUUM ANALYZE")
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.send_once", run_id, *how],
            cwd=ROOT,
            env=here.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WORKERS)
    ]
    for one in workers:
        assert one.stdout
        one.stdout.readline()
    for one in workers:
        assert one.stdin
        one.stdin.write("go\n")
        one.stdin.flush()
    results = [json.loads(one.communicate()[0]) for one in workers]
    return {name: max(one[name] for one in results) for name in ("seconds", "peak_kb")}


def post_office(people: int) -> dict[str, float]:
    """django-post-office with as many processes."""
    command = [str(CLIENTS), "-m", "benchmarks.peers.post_office", DATABASE, str(people), str(WORKERS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
