"""A server that accepts and says nothing. It refuses no connection and breaks none, so that a page would wait for as
long as the network does. A page waits half a second for an answer, and then asks the server whether it is there: one
that is busy says so at once, and the wait goes on; for one that says nothing it is over.
"""

import socket
import struct
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 0.5
"""How long a statement goes unanswered before the server is asked, the first time."""
PROBE_SECONDS = 0.5
REMEMBERED_SECONDS = 1.0
"""How long a silent server is taken for silent: so long nobody waits for it again."""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""What a client may begin with: every server answers it with one byte, before anybody signs in."""

_silent_until: dict[tuple[str, str], float] = {}


class Silent(Exception):
    """The server says nothing."""


def ask(place: tuple[str, str]) -> None:
    """Returns once the server at `place` (host or folder of sockets, port) has answered, or refused. Raises Silent
    when it does neither in PROBE_SECONDS, or didn't a moment ago."""
    if time.monotonic() < _silent_until.get(place, 0):
        raise Silent
    end = time.monotonic() + PROBE_SECONDS
    try:
        with _opened(place) as probe:
            probe.sendall(SSL_REQUEST)
            probe.settimeout(max(end - time.monotonic(), 0.01))
            probe.recv(1)
    except TimeoutError:
        _silent_until[place] = time.monotonic() + REMEMBERED_SECONDS
        raise Silent from None
    except OSError:
        return  # Gone, and that is an answer: whoever waits is told so by their own connection.


def _opened(place: tuple[str, str]) -> socket.socket:
    host, port = place
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)), timeout=PROBE_SECONDS)
    probe = socket.socket(socket.AF_UNIX)
    probe.settimeout(PROBE_SECONDS)
    probe.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return probe


def watched(steps: Generator[Any, Any, Any], still_there: Callable[[], None]) -> Generator[Any, Any, Any]:
    """psycopg's `steps` of a statement, with a question to the server when it leaves them without an answer: after
    PATIENCE_SECONDS, and ever more seldom. `still_there` raises what the statement shall fail with."""
    patience, heard = PATIENCE_SECONDS, time.monotonic()
    try:
        step = next(steps)
        while True:
            ready = yield step
            if ready:
                patience, heard = PATIENCE_SECONDS, time.monotonic()
            elif time.monotonic() - heard > patience:
                still_there()
                patience *= 2
                heard = time.monotonic()
            step = steps.send(ready)
    except StopIteration as done:
        return done.value
