"""Counters of a pull: what became of its rows, and how its members can be reached. Kept as JSON on the Pull row."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

COUNTED = (
    *("received", "new", "updated", "unchanged", "duplicates", "merged", "dropped", "beyond", "short"),
    *("anonymous", "carried_new", "carried_updated"),
)
GROUPED = ("refused", "phones", "emails")


@dataclass
class Tally:
    """`received` = new + updated + unchanged + duplicates + merged + dropped + all of `refused`.

    `duplicates` are rows of a person who was there before, `merged` those of another distinct id with an identity that
    was there before, `dropped` unknown ones that the project doesn't want, `refused` (by reason) rows without a usable
    id. `phones` and `emails` count members by reason, "" for those who can be reached; `anonymous` counts devices."""

    received: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    merged: int = 0
    dropped: int = 0
    beyond: int = 0
    short: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    anonymous: int = 0
    carried_new: int = 0
    carried_updated: int = 0
    """Written by a try of the same pull that had to begin again; this try finds them unchanged."""
    phones: Counter[str] = field(default_factory=Counter)
    emails: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Self:
        """From the JSON that `as_json` gave."""
        counts: dict[str, Any] = {name: kept.get(name, 0) for name in COUNTED}
        counts |= {name: Counter(kept.get(name, {})) for name in GROUPED}
        return cls(**counts)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        counts: dict[str, Any] = {name: getattr(self, name) for name in COUNTED}
        return counts | {name: dict(getattr(self, name)) for name in GROUPED}

    def add(self, other: "Tally") -> None:
        """Adds another's counts to these."""
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in GROUPED:
            getattr(self, name).update(getattr(other, name))

    def meet(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Counts members by their phone's and e-mail's reason."""
        for (phone, email), count in Counter(reasons).items():
            self.phones[phone] += count
            self.emails[email] += count

    def part(self, phone: str, email: str) -> None:
        """Takes back one that was counted."""
        self.phones[phone] -= 1
        self.emails[email] -= 1

    def begin_again(self) -> "Tally":
        """The counters for another try of the same pull."""
        return Tally(carried_new=self.carried_new + self.new, carried_updated=self.carried_updated + self.updated)

    def settle(self) -> None:
        """Counts what a former try wrote as written, once this one is through."""
        for name in ("new", "updated"):
            wrote = min(getattr(self, f"carried_{name}"), self.unchanged)
            setattr(self, name, getattr(self, name) + wrote)
            setattr(self, f"carried_{name}", 0)
            self.unchanged -= wrote

    @property
    def people(self) -> int:
        """How many different distinct ids came."""
        return self.received - self.duplicates

    @property
    def reach(self) -> dict[str, Any]:
        """As a snapshot keeps it."""
        return {
            "reachable": self.phones[""],
            "with_email": self.emails[""],
            "anonymous": self.anonymous,
            "phone": {reason: count for reason, count in sorted(self.phones.items()) if reason and count},
            "email": {reason: count for reason, count in sorted(self.emails.items()) if reason and count},
        }
