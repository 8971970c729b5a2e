"""What the client asks of whoever keeps Mixpanel's budget (60 queries a rolling hour and 5 at once, per project)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from integrations.mixpanel.errors import HourlyBudgetSpent, TooManyAtOnce


class Meter(Protocol):
    """Taken round each request to the Query API. The client calls it only in the thread that called the client (or
    that iterates `members`), never in its own threads, so an implementation may use that thread's database
    connection; several may be open at once in that thread, and they may close in another order than they opened."""

    def query(self, *, counts: bool, wait: bool = True) -> AbstractContextManager[None]:
        """Room for one request. `counts=False`: a follow-up page, which takes a place among those at once but none
        of the hour's queries. On entering, raises HourlyBudgetSpent when the hour is used up, and TooManyAtOnce when
        no place came free in bearable time; with `wait=False` it raises TooManyAtOnce at once instead of waiting
        (the caller holds places itself, and waiting while holding is how two pulls would block each other)."""
        ...

    def refused(self, error: HourlyBudgetSpent | TooManyAtOnce) -> None:
        """Told after Mixpanel answered 429, so that the shared budget learns what others have used."""
        ...


class Unmetered:
    """A meter that lets everything through: for tests, and for a look at an account that has no budget row yet."""

    @contextmanager
    def query(self, *, counts: bool, wait: bool = True) -> Iterator[None]:
        """Room at once."""
        yield

    def refused(self, error: HourlyBudgetSpent | TooManyAtOnce) -> None:
        """Nothing to learn."""
