"""A refresh of 100,000 and of 1,000,000 members, against `mixpanel-utils` exporting the same cohort in the same run."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import Line
from benchmarks.stage import Stage, stage

EVERYBODY = 2_785_600
MEGABYTE = 1_048_576


def hundred_thousand(rounds: int = 3, people: int = 100_000) -> Iterator[Line]:
    """First, unchanged, slow network, and one 429 in the middle."""
    with stage(people) as here, tempfile.TemporaryDirectory() as folder:
        only_everybody(here, people)
        path = Path(folder) / "export.json"
        warm(here, path, people)
        firsts, unchanged, exports = [], [], []
        for _ in range(rounds):
            here.forget_people()
            firsts.append(checked(here.refresh(), people)["seconds"])
            here.next_hour()
            exports.append(here.export(EVERYBODY, path)["seconds"])
            unchanged.append(checked(here.refresh(), people)["seconds"])
        peer = median(exports)
        yield Line(f"first refresh, {people:,} members", median(firsts), peer, 1.3)
        yield Line(f"unchanged refresh, {people:,} members", median(unchanged), peer, 0.9)
        yield from slow_network(here, path, people)
        yield from one_refusal(here, path, people)


def slow_network(here: Stage, path: Path, people: int) -> Iterator[Line]:
    """Each page takes 100 ms longer."""
    here.forget_people()
    here.control("config", {"latency_ms": 100.0})
    ours = checked(here.refresh(), people)["seconds"]
    here.next_hour()
    peer = here.export(EVERYBODY, path)["seconds"]
    here.control("config", {"latency_ms": 0.0})
    yield Line(f"first refresh, {people:,} members, 100 ms a page", ours, peer, 0.5)


def one_refusal(here: Stage, path: Path, people: int) -> Iterator[Line]:
    """The fortieth page is refused once with a 429 for too many at once."""

    def refused(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        here.control("faults", {"kind": "too_many_at_once", "endpoint": "engage", "page": 40, "times": 1})
        try:
            return run()
        finally:
            here.control("faults", method="DELETE")

    here.forget_people()
    ours = checked(refused(here.refresh), people)
    here.next_hour()
    peer = refused(lambda: here.export(EVERYBODY, path))
    words = (
        "completes" if peer["rows"] == people else f"ends with {peer['rows']:,} rows ({peer['failure'] or 'silent'})"
    )
    yield Line(
        "one 429 in the middle", ours["seconds"], peer["seconds"], None, note=f"ours completes; the exporter {words}"
    )


def million(smaller: int = 100_000, people: int = 1_000_000) -> Iterator[Line]:
    """Time for each member against that at 100,000, memory, and what a version adds to the database."""
    with stage(people) as here:
        only_everybody(here, smaller)
        here.refresh()
        here.forget_people()
        small = checked(here.refresh(), smaller)
        here.forget_people()
        here.control("cohorts", {"do": "set_members", "cohort": EVERYBODY, "members": {"range": [0, people]}})
        big = checked(here.refresh(), people)
        yield Line(
            "1,000,000 members, microseconds for each member",
            big["seconds"] / people * 1e6,
            small["seconds"] / smaller * 1e6,
            1.2,
            unit="µs",
            note="peer: the same at 100,000",
        )
        yield Line("worker's peak memory, MB", big["peak_kb"] / 1024, 300, 1.0, unit="MB", note="peer: the bar")
        size = here.sql(
            'SELECT max(pg_column_size(members)+pg_column_size(joined)+pg_column_size("left")) FROM cohorts_snapshot'
        )
        yield Line("membership of a version, MB", size[0][0] / MEGABYTE, 2.0, 1.0, unit="MB", note="peer: the bar")
        here.next_hour()
        again = checked(here.refresh(), people)
        yield Line(
            "1,000,000 members unchanged, µs for each member",
            again["seconds"] / people * 1e6,
            small["seconds"] / smaller * 1e6,
            None,
            unit="µs",
        )


def only_everybody(here: Stage, members: int) -> None:
    """Leaves the stand-in with one cohort of `members` people."""
    here.control("cohorts", method="DELETE")
    here.control("cohorts", {"do": "add", "id": EVERYBODY, "name": "전체 고객", "members": {"range": [0, members]}})


def warm(here: Stage, path: Path, people: int) -> None:
    """Lets the stand-in render its pages once, so that neither side pays for that."""
    exported = here.export(EVERYBODY, path)
    if exported["rows"] != people:
        raise SystemExit(f"The peer exported {exported['rows']:,} of {people:,} rows: {exported['failure']}")


def checked(result: dict[str, Any], people: int) -> dict[str, Any]:
    """The result of a refresh that really brought `people` people. Raises SystemExit otherwise."""
    if result["state"] != "succeeded" or result["receipt"].get("received") != people:
        raise SystemExit(f"The refresh didn't succeed: {result}")
    return result
