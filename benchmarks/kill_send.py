"""Nobody twice, nobody lost: 60,000 people, four workers, one of them killed (or stopped beyond its lease) every
150 ms, and a provider that takes 7 of 100 groups without saying so. Then the same with the bug that most senders have,
until somebody got it twice.

`python -m benchmarks.kill_send [people]`. Needs PostgreSQL (`BENCH_DATABASE_URL`, made and dropped) and Redis
(`BENCH_REDIS_URL`). Exits with 1 when somebody got it twice, was lost or is stuck, or when the bug isn't noticed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.stage import DATABASE, ROOT, Stage, stage
from benchmarks.storm import Outcome, Storm

PEOPLE = 60_000
"""So many that a quick machine isn't through with them before `FEWEST_KILLS`."""
REDIS = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/14")
AMBIGUOUS = {"done_then_cut": 0.03, "done_then_500": 0.02, "done_then_reset": 0.02, "reset_before": 0.02}
FEWEST_KILLS = 200
HEAD = (
    "| design | people | killed | stopped | unclear | twice | lost | stuck | unknown | seconds |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    print(HEAD, flush=True)
    held = storm("as it is", people)
    noticed = not storm("planted: retry on timeout", people, planted="retry_on_timeout")
    if not noticed:
        print("The planted bug was not noticed.")
    sys.exit(0 if held and noticed else 1)


def storm(design: str, people: int, planted: str = "") -> bool:
    """Prints a line of the table; whether nobody got it twice, was lost, or is stuck."""
    with stage(20) as here, tempfile.TemporaryDirectory() as logs:
        here.environment.update(REDIS_URL=REDIS, SOLAPI_API_URL=f"{here.url}/solapi", SENDING_BATCH="250")
        here.environment["PLANTED_BUG"] = planted
        run_id = int(make_run(here, people))
        for kind, share in AMBIGUOUS.items():
            fault = {"kind": kind, "vendor": "solapi", "endpoint": "groups/send", "times": None, "share": share}
            here.control("faults", fault)
        seen = (lambda: bool(ledger_of(here)["repeated"])) if planted else None
        outcome = Storm(here.environment, DATABASE, run_id, Path(logs), limit_seconds=1_800, until=seen).rage()
        ledger = ledger_of(here)
        unclear = sum(one["struck"] for one in here.control("faults", method="GET"))
    return _judged(design, people, outcome, ledger, unclear)


def ledger_of(here: Stage) -> dict:
    """What the stand-in really sent."""
    return here.control("solapi/ledger", method="GET")


def _judged(design: str, people: int, outcome: Outcome, ledger: dict, unclear: int) -> bool:
    twice = len(ledger["repeated"])
    states = outcome.states
    stuck = sum(states.get(state, 0) for state in ("pending", "claimed", "accepted"))
    unknown = states.get("unknown", 0)
    lost = people - sum(states.values()) + max(0, states.get("delivered", 0) - (ledger["total"] - twice))
    cells = (design, people, outcome.kills, outcome.stops, unclear, twice, lost, stuck, unknown)
    print("| " + " | ".join(f"{one:,}" if isinstance(one, int) else one for one in cells), end="")
    print(f" | {outcome.seconds:.0f} |", flush=True)
    if not twice and outcome.kills < min(FEWEST_KILLS, people // 100):
        print(f"Only {outcome.kills} were killed: that shows little.")
    return twice == lost == stuck == unknown == 0


def make_run(here: Stage, people: int) -> str:
    command = [sys.executable, "-m", "benchmarks.make_run", here.project, str(people)]
    done = subprocess.run(command, cwd=ROOT, env=here.environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
