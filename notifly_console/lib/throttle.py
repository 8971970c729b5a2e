"""Counting what somebody does in this process' own memory, for where neither the database nor the broker may be
asked. Each process counts for itself, so the limit of a console is this one times its processes."""

import threading
import time
from collections import OrderedDict

MOST_KEYS = 10_000


class Throttle:
    """At most `limit` things in any `seconds` for each key; the keys seen least lately are forgotten first."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._seen: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        """Seconds until the key may do one more; 0.0 when it may now."""
        now = time.monotonic()
        with self._lock:
            times = self._recent(key, now)
            return 0.0 if len(times) < self._limit else max(times[-self._limit] + self._seconds - now, 0.001)

    def count(self, key: str) -> None:
        """Notes that the key did one."""
        now = time.monotonic()
        with self._lock:
            times = self._recent(key, now)
            self._seen[key] = [*times[-self._limit :], now]
            self._seen.move_to_end(key)
            while len(self._seen) > MOST_KEYS:
                self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forgets everybody."""
        with self._lock:
            self._seen.clear()

    def _recent(self, key: str, now: float) -> list[float]:
        return [at for at in self._seen.get(key, ()) if now - at < self._seconds]
