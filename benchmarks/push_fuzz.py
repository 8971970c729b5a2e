"""Hostile bodies against the webhook (`tests/integrations/hostile.py`) in great number: `python -m benchmarks.push_fuzz
[BODIES]`, 200,000 unless told otherwise, in one process for each processor (`--processes`). Needs PostgreSQL
(`BENCH_DATABASE_URL`). Exits with 1 upon a fault of ours; the smallest body that brings it about is kept in a file.

The bodies come in series of a thousand, the first with the seed 0 (`--seed`); each series begins with empty tables."""

import os
import sys
import tempfile
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.shares import empty, search

BODIES_OF_A_SERIES = 1000


def look(series: tuple[int, int], count: Callable[[int], None]) -> bool:
    """Sends a series of bodies: (seed, bodies)."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded

    from notifly_console.tenancy.models import Project
    from tests import factories
    from tests.integrations.hostile import bodies, survive
    from tests.integrations.pushing import Pusher, forget

    def fresh() -> Pusher:
        empty()
        forget()
        project = Project.objects.create(name="fuzz")
        return Pusher(project.id, factories.api_key(project))

    seed, number = series
    pusher = fresh()
    failing = b""

    @seeded(seed)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=bodies())
    def send(body: bytes) -> None:
        nonlocal pusher, failing
        count(0)
        try:
            status = survive(pusher, body)
        except Exception:
            failing, pusher = body, fresh()  # What lies there now would be the next body's fault.
            raise
        count(1 if status == 200 else 2)

    try:
        send()
    except Exception:
        traceback.print_exc(file=sys.stdout)
        kept = Path(tempfile.gettempdir()) / f"push-fuzz-{seed}.body"
        kept.write_bytes(failing)
        again = f"python -m benchmarks.push_fuzz {number} --seed {seed} --processes 1"
        print(f"The body is in {kept}. Seen again by: {again}", flush=True)
        return False
    return True


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.push_fuzz")
    parser.add_argument("bodies", type=int, nargs="?", default=200_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    told: Any = parser.parse_args()
    size = BODIES_OF_A_SERIES
    shares = [
        (told.seed + number, min(size, told.bodies - first)) for number, first in enumerate(range(0, told.bodies, size))
    ]
    sys.exit(not search(look, shares, ("bodies", "taken", "refused"), processes=told.processes))


if __name__ == "__main__":
    main()
