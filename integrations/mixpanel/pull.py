"""One pull of a cohort's members: page 0, then the others several at a time, in order of arrival.

Mixpanel's terms (query page of its docs, and what other clients met): page 0 opens a session; the other pages need
that session and the same parameters; `total` and `page_size` may come on page 0 alone; a page may be short before
the end, so where the total is known it decides how many pages there are, and an empty page ends it in any case.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import NamedTuple, Self

from integrations.http import BadAnswer, VendorError
from integrations.mixpanel.errors import TooManyAtOnce
from integrations.mixpanel.meter import Meter
from integrations.mixpanel.schemas import EngagePage
from integrations.wire import Halt

MOST_AT_ONCE = 5
"""Mixpanel's own limit of concurrent queries per project."""
MOST_PAGES = 100_000
"""Where no total says how many there are: an end for a server that never stops."""


@dataclass(frozen=True)
class Cursor:
    """Where a pull stands, for going on later: its session, what page 0 said, and the pages that were handed over."""

    session_id: str
    total: int | None
    page_size: int
    done: frozenset[int]


class _Turn(NamedTuple):
    page: int
    attempt: int = 0


_Slot = AbstractContextManager[None]


@dataclass(frozen=True)
class Asking:
    """What a pull needs of the client. `first` asks for page 0, metered and retried, and raises; `attempt` asks once
    for a page, in any thread and unmetered, and returns what went wrong; `delay_after` gives the seconds until a
    failed attempt (0 is the first) may be repeated, None for never."""

    first: Callable[[], EngagePage]
    attempt: Callable[[str, int, Halt], EngagePage | VendorError | None]
    delay_after: Callable[[VendorError, int], float | None]
    pause: Callable[[float], None] | None
    meter: Meter


class Members(Iterator[EngagePage]):
    """Iterates over the pages of one pull. Close it (or use it in `with`) when leaving early: its threads end then.

    Every page carries page 0's `session_id`, `total` and `page_size`. Raises SessionLost when the pull must begin
    again, and the other VendorErrors once a page has failed for good; the pages handed over so far stay good and
    `cursor` resumes behind them."""

    def __init__(self, asking: Asking, *, page_size: int, concurrency: int, start: Cursor | None = None) -> None:
        self._asking = asking
        self._asked_size = page_size
        self._window = max(1, min(concurrency, MOST_AT_ONCE))
        self._halt = Halt()
        self._again: deque[_Turn] = deque()
        self._busy: dict[Future[EngagePage | VendorError | None], tuple[_Turn, _Slot | None]] = {}
        self._done: set[int] = set(start.done) if start else set()
        self._session_id = start.session_id if start else None
        self._total = start.total if start else None
        self._page_size: int | None = start.page_size if start else None
        self._next = 1
        self._last = 0
        if start:
            if 0 not in start.done:
                raise ValueError("A pull is resumed behind page 0, which opened its session.")
            self._expect()
        self._pages = self._run(resumed=start is not None)

    @property
    def cursor(self) -> Cursor | None:
        """Where the pull stands after the page handed over last; None before page 0, and when there is no more."""
        if self._session_id is None or not self._page_size:
            return None
        return Cursor(self._session_id, self._total, self._page_size, frozenset(self._done))

    @property
    def expected_pages(self) -> int | None:
        """How many pages there will be, as far as Mixpanel has said."""
        return self._last + 1 if self._total is not None else None

    def __next__(self) -> EngagePage:
        return next(self._pages)

    def close(self) -> None:
        """Ends the pull: requests in flight are broken off, and the threads are gone when this returns."""
        self._pages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- The run ------------------------------------------------------------------------------------------------------
    def _run(self, *, resumed: bool) -> Generator[EngagePage, None, None]:
        if not resumed:
            first = self._asking.first()
            self._learn(first)
            yield self._hand_over(first)
        if self._next > self._last:
            return
        pool = ThreadPoolExecutor(self._window, thread_name_prefix="mixpanel-pull")
        try:
            failure = self._fill(pool)
            while self._busy and failure is None:
                wait(self._busy, return_when=FIRST_COMPLETED)
                pages, failure = self._collect(pool)
                # The next requests leave before the caller gets to work on these pages.
                failure = failure or self._fill(pool)
                for page in pages:
                    yield self._hand_over(page)
            if failure is not None:
                raise failure
        finally:
            self._halt.now()
            pool.shutdown(wait=True, cancel_futures=True)
            for _, slot in self._busy.values():
                _leave(slot)

    def _learn(self, first: EngagePage) -> None:
        """What page 0 says about the whole. A total smaller than the page itself is taken for none."""
        self._session_id = first.session_id
        self._total = first.total if first.total is not None and first.total >= first.received else None
        self._page_size = max(first.page_size or 0, first.received) or self._asked_size
        if self._total is None:
            short = first.page_size is not None and first.received < first.page_size
            self._last = 0 if not first.received or short or not first.session_id else MOST_PAGES
            self._window = 1  # How many there are is only known page by page.
            return
        if first.page_size is None and first.received:
            self._page_size = first.received
        self._last = 0 if not first.received else _pages(self._total, self._page_size) - 1
        if self._last > 0 and not self._session_id:
            raise BadAnswer("there is more, and no session to ask for it with")

    def _expect(self) -> None:
        """What a cursor says about the whole."""
        if self._total is None:
            self._window = 1
            self._last = MOST_PAGES
            self._next = max(self._done) + 1
        else:
            self._last = _pages(self._total, self._page_size or self._asked_size) - 1

    def _fill(self, pool: ThreadPoolExecutor) -> VendorError | None:
        """Sends requests out until the window is full."""
        while len(self._busy) < self._window:
            turn = self._next_turn()
            if turn is None:
                return None
            slot = self._asking.meter.query(counts=False, wait=not self._busy)
            try:
                slot.__enter__()
            except TooManyAtOnce as full:
                self._again.appendleft(turn)
                return None if self._busy else full
            except VendorError as refusal:
                return refusal
            future = pool.submit(self._asking.attempt, self._session_id or "", turn.page, self._halt)
            self._busy[future] = (turn, slot)
        return None

    def _next_turn(self) -> _Turn | None:
        while self._again:
            turn = self._again.popleft()
            if turn.page <= self._last:
                return turn
        while self._next in self._done:
            self._next += 1
        if self._next > self._last:
            return None
        self._next += 1
        return _Turn(self._next - 1)

    def _collect(self, pool: ThreadPoolExecutor) -> tuple[list[EngagePage], VendorError | None]:
        """What has come in: good pages, and the failure that ends the pull, if one does."""
        pages: list[EngagePage] = []
        failure: VendorError | None = None
        for future in [future for future in self._busy if future.done()]:
            turn, slot = self._busy.pop(future)
            _leave(slot)
            outcome = future.result()
            if outcome is None:  # A pause is over.
                self._again.append(turn)
            elif isinstance(outcome, EngagePage):
                pages.append(outcome)
                self._judge(outcome)
            else:
                failure = failure or self._again_or_failure(pool, turn, outcome)
        return pages, failure

    def _judge(self, page: EngagePage) -> None:
        """Whether this page moves the end of the pull."""
        size = self._page_size or self._asked_size
        if not page.received or (self._total is None and page.received < size):
            self._last = min(self._last, page.page)
        elif self._total is not None and page.page == self._last == _pages(self._total, size) - 1:
            # The last page was expected to be a part of one and is whole: one look beyond it, and no more.
            self._last += self._total % size != 0 and page.received >= size

    def _again_or_failure(self, pool: ThreadPoolExecutor, turn: _Turn, error: VendorError) -> VendorError | None:
        if isinstance(error, TooManyAtOnce):
            self._window = max(1, self._window - 1)
        seconds = self._asking.delay_after(error, turn.attempt)
        if seconds is None:
            return error
        pause = self._asking.pause or self._halt.pause
        self._busy[pool.submit(pause, seconds)] = (turn._replace(attempt=turn.attempt + 1), None)
        return None

    def _hand_over(self, page: EngagePage) -> EngagePage:
        self._done.add(page.page)
        return replace(page, session_id=self._session_id, total=self._total, page_size=self._page_size)


def _pages(total: int, size: int) -> int:
    return -(-total // size)


def _leave(slot: _Slot | None) -> None:
    if slot is not None:
        slot.__exit__(None, None, None)
