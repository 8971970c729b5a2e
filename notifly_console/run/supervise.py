"""supervisord for `make run`: keeps the processes, and keeps the terminal calm.

Run as a script, in place of `manage.py run`, with the path of its configuration; it loads no Django. Beyond plain
supervisord it prints only what a person should see (warnings and errors of the processes, whose whole output is in
`var/log/`), gives up as a whole when one part can't be started, and ends, rather than starts again, when its terminal
is closed.
"""

import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions, signame
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

LOUD = {"warning", "error", "critical"}
LOUD_LINE = re.compile(r"\[(ERROR|CRITICAL|WARNING)\]|^supervisor: |^[\w.]+(Error|Exception|Refused)\b")
"""Of what isn't ours (gunicorn, a traceback's last line). Everything else is only in the log."""
REPEATED_AFTER = 60.0
"""Seconds for which the same remark of the same process isn't shown again."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)


class Console(Supervisor):  # type: ignore[misc]
    """supervisord with our ears."""

    failed = False

    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self.shown: dict[str, float] = {}

    def runforever(self) -> None:
        # Subscribed here because `run` clears all subscriptions first.
        events.subscribe(events.ProcessLogEvent, self.on_output)
        events.subscribe(events.ProcessStateExitedEvent, self.on_exit)
        events.subscribe(events.ProcessStateFatalEvent, self.on_fatal)
        super().runforever()

    def handle_signal(self) -> None:
        number = self.options.get_signal()
        if number not in ENDING:
            return
        self.options.logger.warn(f"received {signame(number)}, stopping")
        if self.options.mood > SupervisorStates.SHUTDOWN:
            say("\n종료하는 중입니다. Stopping ...")
            # Each kind of process is stopped at a turn of supervisord's loop, which otherwise takes a second.
            poll = self.options.poller.poll
            self.options.poller.poll = lambda _timeout: poll(0.05)
        self.options.mood = SupervisorStates.SHUTDOWN

    def on_output(self, event: Any) -> None:
        name = event.process.config.name
        for line in event.data.decode(errors="replace").splitlines():
            if name == "announce":
                say(line)
            elif self.options.mood > SupervisorStates.SHUTDOWN and (remark := worth_showing(line)):
                self.say_once_a_minute(f"{name}: {remark}")

    def say_once_a_minute(self, line: str) -> None:
        same = re.sub(r"0x[0-9a-f]+|\d+", "#", line)
        now = time.monotonic()
        if now - self.shown.get(same, -REPEATED_AFTER) >= REPEATED_AFTER:
            self.shown[same] = now
            say(line[:300])

    def on_exit(self, event: Any) -> None:
        if not event.expected and not self.failed:
            say(f"{event.process.config.name} ended and is started again; its log: {log_of(event)}")

    def on_fatal(self, event: Any) -> None:
        if not self.failed:
            name = event.process.config.name
            say(f"{name} can't be started, so the console stops. Why is at the end of {log_of(event)}")
        self.failed = True
        self.options.mood = SupervisorStates.SHUTDOWN


def worth_showing(line: str) -> str | None:
    """What of a line of a process's output a person should see on the terminal: a warning or an error, in short."""
    if line.startswith("{"):
        try:
            event = json.loads(line)
        except ValueError:
            return None  # half a line of a long event; the whole is in the log
        said = str(event.get("event", "")).partition("\n")[0]
        if event.get("level") not in LOUD or said.endswith(": /readyz"):
            return None  # (that one only says that the start isn't over yet)
        return " · ".join([event["level"], said, *(str(event[key]) for key in ("error", "remedy") if event.get(key))])
    return line if LOUD_LINE.search(line) else None


def log_of(event: Any) -> str:
    return str(os.path.relpath(event.process.config.stdout_logfile))


def say(line: str) -> None:
    """Prints, unless nobody listens any more: a closed terminal must not keep us from stopping the processes."""
    try:
        print(line, flush=True)  # noqa: T201
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def main(config: Path) -> int:
    """Runs until told to stop; the exit code is 1 when a part couldn't be started."""
    options = ServerOptions()
    options.realize(["-c", str(config)])
    options.first = True
    options.test = False
    console = Console(options)
    try:
        with contextlib.suppress(ExitNow):
            console.main()
    finally:
        options.close_logger()
    return 1 if console.failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
