"""A session for a person who waits: all its calls end by one deadline."""

import time
from collections.abc import Collection
from typing import Any

from integrations.http import Answer, Session


class Hurried(Session):
    """A session whose calls all end `seconds` from now. For `with`."""

    def __init__(self, seconds: float, hosts: Collection[str], *, override: str) -> None:
        super().__init__(hosts, override=override)
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the deadline; never quite 0, which would mean no limit to a socket."""
        return max(0.05, self._until - time.monotonic())

    def wait(self, seconds: float) -> None:
        """Sleeps, but not past the deadline."""
        time.sleep(min(seconds, self.left()))

    def call(self, method: str, url: str, **kwargs: Any) -> Answer:
        left = self.left()
        limits = {name: min(left, kwargs.pop(name, left)) for name in ("read_seconds", "total_seconds")}
        return super().call(method, url, **limits, **kwargs)

    def __enter__(self) -> "Hurried":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
