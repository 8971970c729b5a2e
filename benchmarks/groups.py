"""User groups over a million profiles: a group of five conditions, and what ten cohorts of a million have in common."""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.report import Line
from benchmarks.stage import Stage, stage

NOTE = "peer: the bar"


def user_groups(people: int = 1_000_000) -> Iterator[Line]:
    """Both figures, each from a fresh process."""
    with stage(1_000) as here:
        here.run("benchmarks.seed_audience", here.project, str(people))
        once(here, "seed")
        group = once(here, "group")
        yield Line(f"group of five conditions over {people:,} profiles", group["everybody"], 1.0, 1.0, note=NOTE)
        yield Line("the same, within a cohort of half of them", group["half"], 1.0, 1.0, note=NOTE)
        overlap = once(here, "overlap")
        yield Line(f"overlap of ten cohorts of {people:,}", overlap["seconds"], 0.2, 1.0, note=NOTE)
        yield Line("web process, MB", max(group["peak_mb"], overlap["peak_mb"]), 300, None, unit="MB", note=NOTE)


def once(here: Stage, what: str) -> dict[str, Any]:
    """One piece of work in a fresh process."""
    found: dict[str, Any] = json.loads(here.run("benchmarks.groups_once", what, here.project).splitlines()[-1])
    return found
