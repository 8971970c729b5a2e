"""The model of the push (`tests/cohorts/push_model.py`) at length: `python -m benchmarks.push_model [RUNS] [STEPS]`,
2,000 runs of 50 steps unless told otherwise, in one process for each processor (`--processes`). Needs PostgreSQL
(`BENCH_DATABASE_URL`). Exits with 1, the shortest way there and the command that shows it again, when what is visible
isn't what was delivered.

The runs come in series of a hundred, the first with the seed 0 (`--seed`), so that each can be repeated by itself."""

import os
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from benchmarks.shares import search

RUNS_OF_A_SERIES = 100


def look(series: tuple[int, int, int], count: Callable[[int], None]) -> bool:
    """Makes a series of runs: (seed, runs, steps)."""
    from django.conf import settings
    from hypothesis import HealthCheck
    from hypothesis import seed as seeded
    from hypothesis import settings as hypothesis_settings
    from hypothesis.stateful import run_state_machine_as_test

    from integrations.sandbox.server import SandboxConfig, SandboxServer
    from tests.cohorts.push_model import PushModel

    seed, runs, steps = series

    class Machine(PushModel):
        looks = 0

        def check_invariants(self, *args: Any) -> None:
            if self.looks:  # The first look is before the first step.
                count(1)
            self.looks += 1
            super().check_invariants(*args)

        def teardown(self) -> None:
            count(0)

    with SandboxServer(SandboxConfig(people=100, seed=7), port=0) as server:
        settings.MIXPANEL_API_URL = server.url
        Machine.server = server
        try:
            run_state_machine_as_test(
                seeded(seed)(Machine),
                settings=hypothesis_settings(
                    max_examples=runs,
                    stateful_step_count=steps,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception:
            traceback.print_exc(file=sys.stdout)
            again = f"python -m benchmarks.push_model {runs} {steps} --seed {seed} --processes 1"
            print(f"Seen again by: {again}", flush=True)
            return False
    return True


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.push_model")
    parser.add_argument("runs", type=int, nargs="?", default=2000)
    parser.add_argument("steps", type=int, nargs="?", default=50)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    told: Any = parser.parse_args()
    size = min(RUNS_OF_A_SERIES, -(-told.runs // told.processes))
    shares = [
        (told.seed + number, min(size, told.runs - first), told.steps)
        for number, first in enumerate(range(0, told.runs, size))
    ]
    sys.exit(not search(look, shares, ("runs", "steps"), processes=told.processes))


if __name__ == "__main__":
    main()
