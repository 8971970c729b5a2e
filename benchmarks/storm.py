"""A storm over the workers that send a run: one is killed, or stopped beyond its lease, every few milliseconds."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
TO_SEND = ("pending", "claimed")
OPEN = (*TO_SEND, "accepted", "unknown")
LEASE_SECONDS = 1.0
SENDING = {
    "SENDING_LEASE_SECONDS": str(LEASE_SECONDS),
    "SENDING_SETTLE_SECONDS": "0.5",
    "SENDING_ASK_SECONDS": "0.5",
    "SENDING_PAUSE_SECONDS": "0.2",
    "SENDING_MOST_LOST": "100000",
    "SOLAPI_REQUESTS_PER_SECOND": "100000",
}
"""Times that are short against the storm's."""


@dataclass
class Outcome:
    """What a storm left."""

    seconds: float = 0.0
    kills: int = 0
    stops: int = 0
    states: dict[str, int] = field(default_factory=dict)
    """How many people of the run are in each state."""
    calm: bool = False
    """Whether nobody waits to be sent to any more: then the storm is over, and what is unclear must clear up."""
    over: bool = False
    """Whether everybody's end is known."""


@dataclass(frozen=True)
class Storm:
    """`every` so many seconds a worker is hit: with SIGSTOP in `stop_share` of cases, else with SIGKILL. So it goes
    until nobody waits to be sent to, or `until` says that enough was seen."""

    environment: Mapping[str, str]
    database_url: str
    run_id: int
    logs: Path
    workers: int = 4
    every: float = 0.15
    most: int = 1_000_000
    """So many workers are hit at most."""
    stop_share: float = 0.2
    limit_seconds: float = 300.0
    seed: int = 1
    talks: bool = bool(os.environ.get("STORM_TALKS"))
    until: Callable[[], bool] | None = None

    def rage(self) -> Outcome:
        """Starts workers and hits them until everybody's end is known, or the time is up."""
        errors = self.logs / "nursery.log"
        with errors.open("w", encoding="utf-8") as log:
            nursery = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.nursery", str(self.logs)],
                cwd=ROOT,
                env={**self.environment, **SENDING},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with (
            _Pack(nursery, self.workers, errors) as pack,
            psycopg.connect(self.database_url, autocommit=True) as database,
        ):
            return self._rage(pack, database)

    def _rage(self, pack: "_Pack", database: psycopg.Connection) -> Outcome:
        outcome, dice = Outcome(), random.Random(self.seed)
        began = time.monotonic()
        looked_at = hit_at = began
        while not outcome.over and time.monotonic() - began < self.limit_seconds:
            pack.wake_stopped()
            if time.monotonic() >= hit_at and not outcome.calm:
                hit_at = time.monotonic() + self.every
                outcome.calm = outcome.kills + outcome.stops + 1 >= self.most
                if dice.random() < self.stop_share:
                    outcome.stops += pack.stop(dice)
                else:
                    outcome.kills += pack.kill(dice)
            if time.monotonic() >= looked_at:
                looked_at = time.monotonic() + 0.5
                outcome.states = states(database, self.run_id)
                outcome.calm |= not any(outcome.states.get(state) for state in TO_SEND)
                outcome.over = not any(outcome.states.get(state) for state in OPEN)
                if self.until is not None and self.until():
                    break
                if self.talks:
                    print(f"{time.monotonic() - began:6.1f} s  {outcome.kills} killed  {outcome.states}", flush=True)
            time.sleep(0.01)
        outcome.seconds = time.monotonic() - began
        return outcome


def states(database: psycopg.Connection, run_id: int) -> dict[str, int]:
    """How many people of the run are in each state."""
    counted = "SELECT state, count(*) FROM campaigns_recipient WHERE run_id = %s GROUP BY state"
    return dict(database.execute(counted, [run_id]).fetchall())


class _Pack:
    """The workers, by pid. A killed or a stopped one is replaced at once; a stopped one wakes after its lease, goes on
    for a moment, and is killed."""

    def __init__(self, nursery: "subprocess.Popen[str]", size: int, errors: Path) -> None:
        self._nursery = nursery
        self._errors = errors
        self._size = size
        self._awake: list[int] = []
        self._stopped: list[tuple[float, int]] = []
        self._woken: list[tuple[float, int]] = []
        self._others: list[int] = []

    def __enter__(self) -> "_Pack":
        self._others.append(self._fork("clock"))
        self._awake = [self._fork("worker") for _ in range(self._size)]
        return self

    def __exit__(self, *details: object) -> None:
        for pid in (*self._awake, *self._others, *(pid for _, pid in (*self._stopped, *self._woken))):
            _signal(pid, signal.SIGKILL)  # Not buried yet: the pid is still ours.
        self._nursery.kill()
        self._nursery.wait()

    def kill(self, dice: random.Random) -> int:
        self._end(self._awake.pop(dice.randrange(len(self._awake))))
        self._awake.append(self._fork("worker"))
        return 1

    def stop(self, dice: random.Random) -> int:
        pid = self._awake.pop(dice.randrange(len(self._awake)))
        _signal(pid, signal.SIGSTOP)
        self._stopped.append((time.monotonic() + 2.5 * LEASE_SECONDS, pid))
        self._awake.append(self._fork("worker"))
        return 1

    def wake_stopped(self) -> None:
        now = time.monotonic()
        for one in [one for one in self._stopped if one[0] < now]:
            self._stopped.remove(one)
            _signal(one[1], signal.SIGCONT)
            self._woken.append((now + LEASE_SECONDS, one[1]))
        for one in [one for one in self._woken if one[0] < now]:
            self._woken.remove(one)
            self._end(one[1])

    def _end(self, pid: int) -> None:
        _signal(pid, signal.SIGKILL)
        self._say(f"bury {pid}")

    def _fork(self, what: str) -> int:
        self._say(what)
        assert self._nursery.stdout
        answer = self._nursery.stdout.readline()
        if not answer:
            raise RuntimeError(f"The nursery ended:\n{self._errors.read_text(encoding='utf-8')[-2000:]}")
        return int(answer)

    def _say(self, words: str) -> None:
        assert self._nursery.stdin
        self._nursery.stdin.write(f"{words}\n")
        self._nursery.stdin.flush()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
