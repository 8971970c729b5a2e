"""One console per `VAR_DIR`, and no process left over from one that was killed.

A lock that the kernel drops with its holder says whether a console runs. The command lines of its processes, each of
which names this `VAR_DIR` or a port of its own, are noted before they start; what runs with one of them although the
lock was free is an orphan of ours and is ended.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import redis
from redis.exceptions import RedisError

PATIENCE = 10.0
"""Seconds that an orphan is given to end by itself."""


def take_lock(run_dir: Path) -> int | None:
    """The descriptor of this console's lock, or None while another one holds it. It survives `exec`."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(run_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    os.set_inheritable(lock, True)
    return lock


def address_of_running(run_dir: Path) -> str | None:
    """Where the console that holds the lock answers, or None while it is still starting."""
    try:
        return str(json.loads((run_dir / "console.json").read_text())["address"])
    except (OSError, ValueError, KeyError):
        return None


def note_commands(run_dir: Path, commands: list[list[str]]) -> None:
    """Writes down what is about to run."""
    (run_dir / "commands.json").write_text(json.dumps([" ".join(command) for command in commands]))


def end_orphans(run_dir: Path, broker_socket: Path | None) -> int:
    """Ends what a killed console left behind, and says how many processes that were. Call it with the lock held."""
    try:
        ours = set(json.loads((run_dir / "commands.json").read_text()))
    except (OSError, ValueError):
        ours = set()  # the first start, or cut off by the kill before anything ran
    found = _running(ours)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _running(ours):
            _signal(pid, number)
        deadline = time.monotonic() + PATIENCE
        while _running(ours) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(found) + _end_broker(broker_socket)


def _running(ours: set[str]) -> list[int]:
    return [pid for pid, command in processes() if command in ours and pid != os.getpid()]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # ended in the meantime, which is what was wanted
        os.kill(pid, number)


def _end_broker(socket: Path | None) -> int:
    """Valkey shows a title of its own instead of its command line, so it is asked over its socket. Its messages are
    on disk and come back with the next one."""
    if socket is None or not socket.exists():
        return 0
    try:
        with redis.Redis(unix_socket_path=str(socket), socket_timeout=PATIENCE) as client:
            client.shutdown()
    except RedisError:
        return 0  # nobody listens: a socket file without a server is only a file
    return 1


def processes() -> Iterator[tuple[int, str]]:
    """Every process of this machine that this account may look at: its id, and its command line as one string."""
    if Path("/proc/self/cmdline").exists():
        yield from _from_proc()
    else:
        yield from _from_ps()


def _from_proc() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue  # ended while we looked
            yield int(entry.name), command.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def _from_ps() -> Iterator[tuple[int, str]]:
    command = ["/bin/ps", "-A", "-o", "pid=,args="]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():  # noqa: S603
        pid, _, args = line.strip().partition(" ")
        yield int(pid), args.strip()
