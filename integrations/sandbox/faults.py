"""Faults on request: what to break, on which requests, how often.

world.faults.add("rate_limited", endpoint="engage", page=3)                     # once
world.faults.add("html_503", times=2)                                           # the next two requests
world.faults.add("cut_body", endpoint="engage", times=None, every=7, after=2)   # each 7th, past the first two
world.faults.add("done_then_cut", endpoint="groups/send", times=None, share=0.05)   # 5 in 100, always the same ones
"""

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from integrations.sandbox.chance import scattered

DOOR = {
    "rate_limited": "429, hourly budget (`retry_after`: seconds, or none)",
    "too_many_at_once": "429, concurrency (`retry_after`)",
    "bad_credentials_400": "400 `Unable to authenticate request`",
    "unauthorized": "401",
    "no_plan": "402 `Payment required`",
    "forbidden": "403",
    "not_found": "404",
}
"""Refusals before anything is worked out: they don't use up budget."""

BREAKDOWN = {
    "error_400": "400 with `text` as the error",
    "error_500": "500, JSON",
    "text_502": "502, plain text",
    "html_503": "503, an HTML page (`retry_after`)",
    "non_string_error": "400 whose `error` is an object",
}

TRANSPORT = {
    "slow": "waits `seconds` before the first byte",
    "drip": "sends the body in pieces over `seconds`",
    "cut": "closes the connection without an answer",
    "cut_body": "closes it half way through the body",
}

CONTENT = {
    "malformed": "200 with half a JSON document",
    "html_200": "200 with an HTML page",
    "lost_session": "the session is gone: 400, uncached",
    "duplicate_rows": "the last `rows` rows of the page before come again, in front",
    "short_rows": "`rows` rows fewer than `total` promises",
    "extra_rows": "`rows` rows more than `total`: people who are no members",
    "huge": "a body of at least `megabytes`",
    "no_results": "200, but without `results`",
}

UNDONE = {
    "html_429": "429 with an HTML page (`retry_after`); nothing is done",
    "cut_before": "closes the connection before anything is done",
    "reset_before": "resets it before anything is done",
    "slow_before": "waits `seconds`, and does the work only then, whether or not the client is still there",
}
"""SOLAPI only. Together with those of the first two kinds, they strike before any work."""

DONE = {
    "done_then_cut": "the work is done, and the connection closed without an answer (as `cut`)",
    "done_then_reset": "the same, by a reset",
    "done_then_500": "the work is done, and the answer is a 500, JSON",
    "done_then_502": "the work is done, and the answer is a 502, an HTML page",
    "half_done_then_cut": "of messages that are added, half are taken; then as `done_then_cut`",
    "nonsense": "200 with JSON that says nothing",
    "wrong_shape": "200 with the right fields in wrong types",
    "empty_200": "200 without a body",
}
"""SOLAPI only: the work is done, and the answer doesn't say so."""

KINDS = {**DOOR, **BREAKDOWN, **TRANSPORT, **CONTENT, **UNDONE, **DONE}
VENDORS = ("mixpanel", "solapi")


@dataclass(slots=True)
class Fault:
    """One fault, the requests that it is meant for, and how often it strikes.

    A criterion that is None matches everything. `endpoint` is `engage`, `cohorts/list`, … (`docs/sandbox.md`).
    `times` None is for ever; `after` lets that many matching requests pass first; of the rest every `every`-th is
    struck, and of those the `share` from 0 to 1, always the same ones.
    """

    kind: str
    endpoint: str | None = None
    page: int | None = None
    cohort: int | None = None
    project: int | None = None
    vendor: str | None = None
    times: int | None = 1
    every: int = 1
    after: int = 0
    share: float = 1.0
    seconds: float = 1.0
    rows: int = 1
    megabytes: float = 70.0
    retry_after: int | None = None
    text: str = "sandbox fault"
    id: int = 0
    seen: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind!r}; there are {', '.join(sorted(KINDS))}")
        if self.every < 1 or (self.times is not None and self.times < 1):
            raise ValueError("every and times start at 1 (times: null for always)")
        if not 0 < self.share <= 1:
            raise ValueError("share is more than 0, and 1 at most")
        if self.vendor not in (None, *VENDORS):
            raise ValueError(f"vendor is one of {', '.join(VENDORS)}")
        if self.kind in UNDONE or self.kind in DONE:
            self.vendor = "solapi"

    def strikes(
        self, endpoint: str, page: int | None, cohort: int | None, project: int | None, vendor: str = "mixpanel"
    ) -> bool:
        """Whether this request is hit. Counts it."""
        if self.vendor is not None and self.vendor != vendor:
            return False
        wanted = ((self.endpoint, endpoint), (self.page, page), (self.cohort, cohort), (self.project, project))
        if any(want is not None and want != is_ for want, is_ in wanted):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        if self.share < 1 and scattered(self.seen + self.id * 1_000_003) >= self.share:
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """All its fields, with how often it matched (`seen`) and hit (`struck`)."""
        return asdict(self)


class FaultBook:
    """The faults that are set. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._last_id = 0

    def add(self, kind: str, **details: Any) -> Fault:
        """Set a fault. Raises ValueError or TypeError with the reason when it makes no sense."""
        fault = Fault(kind, **details)
        with self._lock:
            self._last_id += 1
            fault.id = self._last_id
            self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> None:
        """Remove one fault, or all."""
        with self._lock:
            self._faults = [] if fault_id is None else [fault for fault in self._faults if fault.id != fault_id]

    def all(self) -> list[Fault]:
        """Every fault that was set, spent ones too."""
        with self._lock:
            return list(self._faults)

    def take(
        self,
        endpoint: str,
        page: int | None = None,
        cohort: int | None = None,
        project: int | None = None,
        vendor: str = "mixpanel",
    ) -> list[Fault]:
        """The faults that hit this request."""
        if not self._faults:
            return []
        with self._lock:
            return [fault for fault in self._faults if fault.strikes(endpoint, page, cohort, project, vendor)]


def first_of(faults: Iterable[Fault], kinds: Iterable[str]) -> Fault | None:
    """The first fault whose kind is among these."""
    return next((fault for fault in faults if fault.kind in kinds), None)
