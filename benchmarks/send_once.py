"""One worker that sends whatever waits, until the run is over: `python -m benchmarks.send_once <run> [instant]`.

With `instant` the provider is one in this process that takes everything at once: what is measured is our own part.
Prints one JSON line when it is ready (`{"ready": true}`) and begins at a line on its input; another at the end: seconds
and peak memory in kilobytes.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")

import django

django.setup()

from campaigns.models import Run, RunState  # noqa: E402
from campaigns.sending import delivery  # noqa: E402
from integrations import senders  # noqa: E402
from integrations.messaging import Capabilities, Channel, Kind, Loaded, Message, Recalled, Report  # noqa: E402


class Instant:
    """A provider that takes everything, and takes no time."""

    provider = "instant"
    capabilities = Capabilities(frozenset(Channel), frozenset(Kind), 10_000, 1e9, can_recall=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def open(self, reference: str) -> str:
        return reference

    def load(self, handle: str, messages: Sequence[Message]) -> Loaded:
        return Loaded({one.reference: f"M4V{one.reference}" for one in messages})

    def dispatch(self, handle: str) -> None:
        return None

    def recall(self, handle: str) -> Recalled:
        return Recalled.HAS_GONE

    def reports(self, handle: str) -> Iterator[Report]:
        return iter(())


@contextmanager
def instant(_project: Any) -> Iterator[Instant]:
    yield Instant()


def main() -> None:
    run_id = int(sys.argv[1])
    if "instant" in sys.argv[2:]:
        senders.messenger_of = instant
    delivery.CANARY_FROM = 1_000_000_000
    Run.objects.get(pk=run_id)  # The connection is there.
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    while Run.objects.filter(pk=run_id, state=RunState.SENDING, handed_over_at=None).exists():
        delivery.work()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}), flush=True)


if __name__ == "__main__":
    main()
