"""A stream of pushed pages over real sockets to a real web server, for what happens to it meanwhile."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from django.conf import settings

from notifly_console.run.plan import WORKER
from tests.integrations.pushing import basic, page


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Web:
    """gunicorn as it is run."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment, self.port = environment, free_port()

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "notifly_console.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--no-control-socket", "--worker-class", WORKER, "--workers", "2", "--threads", "2"]
        command += ["--log-level", "critical"]
        self.process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=self.environment, start_new_session=True)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("gunicorn doesn't listen")

    def stop(self) -> None:
        """As a restart does: what it has begun to answer it answers."""
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Stream:
    """Sends pages one after the other, as Mixpanel does: again where they weren't acknowledged, and with `is_doubtful`
    also where they were, as when the answer was lost. `pause`: seconds between two pages. `port` may be changed while
    it sends."""

    def __init__(
        self, port: int, project: str, pair: tuple[str, str], name: int, *, is_doubtful: bool = False, pause: float = 0
    ) -> None:
        self.port, self.path, self.name = port, f"/mixpanel/projects/{project}/cohorts", name
        self.is_doubtful, self.pause = is_doubtful, pause
        self.headers = {"Authorization": basic(pair), "Content-Type": "application/json"}
        self.acknowledged: list[tuple[str, int]] = []
        self.statuses: set[int] = set()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            session = f"stream-{self.name}-{number}"
            body = json.dumps(page([self.name * 100_000 + number], session=session, action="add_members")).encode()
            while not self.stop.is_set():
                status = self._send(body)
                self.statuses.add(status)
                if status == 200:
                    if self.is_doubtful:
                        self.statuses.add(self._send(body))
                    self.acknowledged.append((session, self.name * 100_000 + number))
                    self.stop.wait(self.pause)
                    break
                self.stop.wait(0.05)

    def _send(self, body: bytes) -> int:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            client.request("POST", self.path, body, self.headers)
            answer = client.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return answer.status
        finally:
            client.close()


def go_on(streams: list[Stream]) -> None:
    """Until each has had three more pages acknowledged."""
    wanted = [len(one.acknowledged) + 3 for one in streams]
    reached = lambda: all(len(one.acknowledged) >= want for one, want in zip(streams, wanted, strict=True))  # noqa: E731
    wait_for(reached, "three more pages of each stream")


def wait_for(holds: Any, what: str) -> None:
    until = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.02)
