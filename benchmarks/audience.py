"""Who gets it, for a cohort of a million: the funnel, the freeze; and a file of 100,000 rows beside GOV.UK Notify's
`RecipientCSV` reading one like it."""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Line
from benchmarks.stage import ROOT, Stage, stage

PEER = "BENCH_NOTIFY_PYTHON"
"""Names a Python that can import `notifications_utils`, which is in no package registry."""
QUOTED_SECONDS = 6.6
"""What the peer takes on two idle cores, for where it isn't at hand."""


def audience(people: int = 1_000_000) -> Iterator[Line]:
    """Funnel cold and warm, and freezing."""
    with stage(1_000) as here:
        seeded = json.loads(here.run("benchmarks.seed_audience", here.project, str(people)).splitlines()[-1])
        campaign = seeded["campaign"]
        runs = [once(here, "funnel", campaign) for _ in range(3)]
        figures = {name: median(run[name] for run in runs) for name in ("cold", "warm", "people", "measure", "needing")}
        against = "peer: the bar"
        yield Line(f"funnel of {people:,} members, cold", figures["cold"], 1.0, 1.0, note=against)
        yield Line("the same, warm", figures["warm"], 0.3, 1.0, note=against)
        yield Line("… with a variable that must have a value", figures["needing"], 1.0, None, note=against)
        yield Line("people behind one of its numbers", figures["people"], 0.3, None, note=against)
        yield Line("what everybody's text is (SMS, LMS)", figures["measure"], 1.0, None, note="peer: one second")
        yield Line("web process, MB", max(run["peak_mb"] for run in runs), 300, 1.0, unit="MB", note=against)
        frozen = once(here, "freeze", campaign)
        each = frozen["seconds"] / frozen["size"] * 1e6
        yield Line(
            f"freezing {frozen['size']:,} recipients, µs each", each, 20.0, 1.0, unit="µs", note="bar: 20 s a million"
        )
        processor = frozen["processor"] / frozen["size"] * 1e6
        yield Line("the same in processor time of worker and database", processor, 20.0, None, unit="µs")
        yield Line("worker, MB", frozen["peak_mb"], 300, 1.0, unit="MB", note=against)


def csv_file(rows: int = 100_000, rounds: int = 3) -> Iterator[Line]:
    """The same rows, with each country's numbers."""
    with stage(1_000) as here, tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.csv", Path(folder) / "theirs.csv"
        ours.write_bytes(table(rows, "phone_number", korean).encode("cp949"))
        theirs.write_text(table(rows, "phone number", british))
        found = [once(here, "csv", str(ours)) for _ in range(rounds)]
        if any(one["accepted"] + one["refused"] != rows for one in found):
            raise SystemExit(f"Rows were lost: {found[0]}")
        python = os.environ.get(PEER)
        peers = [peer(python, theirs)["seconds"] for _ in range(rounds)] if python else [QUOTED_SECONDS]
        note = "peer: RecipientCSV" if python else f"peer: RecipientCSV as quoted (no {PEER})"
        yield Line(
            f"{rows:,} rows with reasons", median(one["seconds"] for one in found), median(peers), 0.5, note=note
        )


def once(here: Stage, what: str, argument: str) -> dict[str, Any]:
    """One piece of work in a fresh process."""
    result: dict[str, Any] = json.loads(here.run("benchmarks.audience_once", what, argument).splitlines()[-1])
    return result


def peer(python: str, path: Path) -> dict[str, Any]:
    """The file read by the peer."""
    done = subprocess.run(
        [python, str(ROOT / "benchmarks/peers/recipient_csv.py"), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"The peer failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# -- Files ------------------------------------------------------------------------------------------------------------
def table(rows: int, column: str, number: Callable[[random.Random, int], str]) -> str:
    """A file of so many customers, seven in a hundred without a number that can be used."""
    dice = random.Random(1)
    lines = (
        f'{number(dice, n)},customer {n},CPN{n:06d},"{n % 90},000",2026-12-31\n' for n in range(rows)
    )  # fmt: skip
    return f"{column},name,coupon,amount,until\n" + "".join(lines)


def korean(dice: random.Random, n: int) -> str:
    digits = f"{20_000_000 + n * 7_368_787 % 80_000_000}"
    return spelled(
        dice, f"010-{digits[:4]}-{digits[4:]}", f"010{digits}", f"+82 10-{digits[:4]}-{digits[4:]}", "02-123-4567"
    )


def british(dice: random.Random, n: int) -> str:
    digits = f"{n % 1_000_000:06d}"
    return spelled(dice, f"07900 {digits}", f"07900{digits}", f"+447900{digits}", "020 7946 0000")


def spelled(dice: random.Random, usual: str, plain: str, international: str, landline: str) -> str:
    place = dice.random()
    if place < 0.6:
        return usual
    if place < 0.85:
        return plain
    if place < 0.93:
        return international
    return landline if place < 0.96 else "" if place < 0.98 else "1.0123E+10"
