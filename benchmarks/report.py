"""A benchmark's line: our figure, the peer's in the same run, their ratio, and the bar."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measured thing. `bar` is the highest allowed ratio of ours to the peer's; None where none is set."""

    what: str
    ours: float
    peer: float
    bar: float | None
    unit: str = "s"
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else float("inf")

    @property
    def holds(self) -> bool:
        return self.bar is None or self.ratio <= self.bar

    def __str__(self) -> str:
        bar = "–" if self.bar is None else f"≤ {self.bar:g}"
        verdict = "" if self.bar is None else ("yes" if self.holds else "NO")
        return (
            f"| {self.what} | {self.ours:.3g} {self.unit} | {self.peer:.3g} {self.unit} | {self.ratio:.2f} | {bar} | "
            f"{verdict} | {self.note} |"
        )


HEAD = "| what | ours | peer | ratio | bar | holds | |\n|---|---|---|---|---|---|---|"
