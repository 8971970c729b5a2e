"""Leases with a fence: one worker at a time on a row, and a dead or stalled one can do no harm.

The row has `fence`, `lease_until` and `attempts`. A claim is one conditional UPDATE that raises the fence; each later
write names the fence it was given and renews the lease, and a worker that finds its write changed no row stops. Only
the database's clock is asked, so that workers need not agree on the time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import DatabaseError, connections, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

log = structlog.get_logger(__name__)

LEASE_SECONDS = 60
BEAT_SHARE = 0.25
"""Of a lease: how much of it passes before it is renewed."""


class LeaseLost(Exception):
    """Somebody else has the row now. What was being written must not be written."""


def from_now(seconds: float) -> Combinable:
    """A moment by the database's clock, for use in a query."""
    return Now() + timedelta(seconds=seconds)


def expired() -> Q:
    """The condition that a row's lease ran out: whoever had it is dead or stuck."""
    return Q(lease_until__lt=Now())


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until `lease_until`, as long as nobody has raised the fence."""

    row: QuerySet[Any]
    fence: int
    seconds: float = LEASE_SECONDS

    def write(self, **changes: Any) -> None:
        """Changes the row and renews the lease. Raises LeaseLost. In a transaction it also locks the row, so that
        what else is written there is written by its holder: put it first."""
        changes.setdefault("lease_until", from_now(self.seconds))
        if self.row.filter(fence=self.fence, lease_until__isnull=False).update(**changes) != 1:
            raise LeaseLost

    @contextmanager
    def transaction(self, **changes: Any) -> Iterator[None]:
        """A transaction that only the holder gets through, with these changes of the row. Raises LeaseLost."""
        with transaction.atomic():
            self.write(**changes)
            yield

    def release(self, **changes: Any) -> None:
        """Gives the row back, with these changes. Raises LeaseLost."""
        self.write(lease_until=None, **changes)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renews the lease from a thread while this one waits for an answer. It dies with the process, and with
        SIGSTOP it stops with it."""
        done = threading.Event()
        every = self.seconds * BEAT_SHARE
        thread = threading.Thread(target=self._beat, args=(done, every), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _beat(self, done: threading.Event, every: float) -> None:
        try:
            while not done.wait(every):
                try:
                    self.write()
                except LeaseLost:
                    return  # The next write of the worker itself will find out.
                except DatabaseError as error:
                    log.warning("lease_not_renewed", error=type(error).__name__)
        finally:
            connections.close_all()


def claim(row: QuerySet[Any], *, ready: Q, seconds: float = LEASE_SECONDS, **changes: Any) -> Claim | None:
    """Takes `row` (a queryset of one) for `seconds` if `ready` holds for it, or if its lease ran out; None when it
    isn't to be had. The attempt is counted and committed before any work, so that a row which kills its workers is
    found out."""
    with transaction.atomic():
        taken = row.filter(ready | expired()).update(
            fence=F("fence") + 1, attempts=F("attempts") + 1, lease_until=from_now(seconds), **changes
        )
        if taken != 1:
            return None
        return Claim(row, row.values_list("fence", flat=True).get(), seconds)
