"""Waits until the console answers and prints where, and how to sign in. A script of its own: it loads no Django.

Reads `var/run/console.json`: `address`, `lines` to print, and `stand_in`, the port of the stand-in vendors (null where
there are none).
"""

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds until what still isn't ready is named."""


def main(path: Path) -> None:
    """Prints the lines once all of it answers, and after `PATIENCE` seconds with what is missing."""
    console = json.loads(path.read_text())
    answers = wait_until_ready(console["address"], console["stand_in"])
    lines = list(console["lines"])
    if answers.get("status") != "ok":
        missing = [f"{part}: {said}" for part, said in answers.items() if part != "status" and said != "ok"]
        lines.append("아직 준비되지 않았습니다. Not ready yet (" + "; ".join(missing or ["web: no answer"]) + ")")
    print("\n".join(lines), flush=True)  # noqa: T201


def wait_until_ready(address: str, stand_in: int | None) -> dict[str, Any]:
    """What `/readyz` said last, and whether the stand-in vendors answer."""
    deadline = time.monotonic() + PATIENCE
    answers: dict[str, Any] = {}
    while time.monotonic() < deadline:
        answers = ask(f"{address}/readyz") or answers
        if stand_in is not None and answers and not listens(stand_in):
            answers |= {"status": "unavailable", "stand-in": "no answer"}
        if answers.get("status") == "ok":
            break
        time.sleep(0.2)
    return answers


def listens(port: int) -> bool:
    """Whether somebody takes connections to this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def ask(url: str) -> dict[str, Any] | None:
    """The JSON that `url` answers with, whatever its status; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error)) if "json" in error.headers.get("Content-Type", "") else None
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
