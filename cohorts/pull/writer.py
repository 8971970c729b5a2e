"""Batches are written while the next pages come in: a thread with a database connection of its own.

Mixpanel and PostgreSQL then work at the same time, which is a third off a first refresh, and more where pages are
slow. On SQLite, which has one writer, and inside somebody's transaction the work is done where it is handed in."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from django.db import connection, connections


class Writer:
    """Does one piece of work at a time, in the order handed in; a second one waits for the first. Use it in `with`;
    a failure is raised at the next call, or at the end."""

    def __init__(self, *, aside: bool) -> None:
        """`aside`: whether there is enough to do for a thread to be worth it."""
        can = connection.vendor == "postgresql" and not connection.in_atomic_block
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer") if aside and can else None
        self._pending: Future[None] | None = None

    def do(self, work: Callable[..., None], *args: Any) -> None:
        """Hands work in. Raises what the work before it raised; this piece isn't begun then."""
        self.finish()
        if self._thread is None:
            work(*args)
        else:
            self._pending = self._thread.submit(work, *args)

    def finish(self) -> None:
        """Returns when all is done. Raises what the last work raised."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.finish()
        finally:
            if self._thread is not None:
                self._thread.submit(connections.close_all)
                self._thread.shutdown(wait=True)
