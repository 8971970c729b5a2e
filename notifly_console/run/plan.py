"""Which processes a console on one machine has, in the order in which they start."""

import shlex
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from notifly_console.lib import embedded

PYTHON = sys.executable


@dataclass(frozen=True)
class Program:
    """A process to keep running. Those of a lower `order` start earlier and stop later; those of one `group` stop
    together."""

    name: str
    order: int
    command: list[str]
    group: str = ""
    stop_signal: str = "TERM"
    once: bool = False
    """It does one thing and ends; ending is no failure."""


def programs(
    *, var_dir: Path, port: int, sandbox: list[str] | None, sqlite: bool, broker: embedded.Broker
) -> list[Program]:
    """The programs of this console: broker, stand-in vendors (their command line, if any), workers, clock, web."""
    found: list[Program] = []
    if broker.socket is not None:
        found.append(Program("broker", 10, embedded.valkey_command(broker.socket)))
    if sandbox is not None:
        found.append(Program("sandbox", 20, sandbox))
    # Workers of two consoles of one machine must not take each other for one (nor may `leftovers`).
    mark = sha256(str(var_dir).encode()).hexdigest()[:8]
    celery = [PYTHON, "-m", "celery", "-A", "notifly_console", "--quiet"]
    # A fetch takes minutes; what is short and urgent has a worker of its own. SQLite has one writer at a time.
    at_once = 1 if sqlite else 2
    for name, queues, count in [("control", "control", 1), ("fetch", "fetch", at_once), ("send", SENDING, at_once)]:
        command = [*celery, "worker", "-Q", queues, "-c", str(count), "-n", f"{name}-{mark}@%h"]
        # QUIT is Celery's soft shutdown: a running fetch gets a few seconds and then hands its place back.
        found.append(Program(f"worker-{name}", 30, [*command, *LOG_LEVEL], group="workers", stop_signal="QUIT"))
    schedule = str(var_dir / "run" / "beat-schedule")
    found.append(Program("beat", 40, [*celery, "beat", "--pidfile=", "--schedule", schedule, *LOG_LEVEL]))
    found.append(Program("web", 50, web_command(port)))
    announce = str(Path(__file__).with_name("announce.py"))
    found.append(Program("announce", 60, [PYTHON, announce, str(var_dir / "run" / "console.json")], once=True))
    return found


SENDING = "send,reconcile"
"""One process does both here, in turns; a console for many has one for each (docs/operations.md)."""
LOG_LEVEL = ["--loglevel", "WARNING"]
WORKER = "notifly_console.serve.Worker"


def web_command(port: int) -> list[str]:
    """gunicorn with two processes of four threads. (Its control socket would be one for all consoles of a home.)"""
    return [
        *(PYTHON, "-m", "gunicorn", "notifly_console.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
        *("--worker-class", WORKER, "--workers", "2", "--threads", "4", "--graceful-timeout", "10"),
        *("--log-level", "warning"),
    ]


def supervisor_config(found: list[Program], *, root: Path, var_dir: Path) -> str:
    """The configuration that supervisord keeps `found` running by."""
    logs = var_dir / "log"
    sections = [
        "[supervisord]\nnodaemon=true\nsilent=true\n"
        f"logfile={_escaped(logs / 'supervisord.log')}\nlogfile_maxbytes=1MB\nlogfile_backups=1\n"
        f"pidfile={_escaped(var_dir / 'run' / 'supervisord.txt')}\nchildlogdir={_escaped(logs)}\n"
    ]
    sections += [_section(program, root, logs) for program in found]
    for group in sorted({program.group for program in found if program.group}):
        members = [program for program in found if program.group == group]
        names = ",".join(program.name for program in members)
        sections.append(f"[group:{group}]\nprograms={names}\npriority={members[0].order}\n")
    return "\n".join(sections)


def _section(program: Program, root: Path, logs: Path) -> str:
    return (
        f"[program:{program.name}]\ncommand={_escaped(shlex.join(program.command))}\n"
        f"directory={_escaped(root)}\npriority={program.order}\n"
        f"startsecs={0 if program.once else 5}\nstartretries={0 if program.once else 3}\n"
        f"autorestart={'false' if program.once else 'true'}\nexitcodes=0\n"
        f"stopsignal={program.stop_signal}\nstopwaitsecs=15\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile={_escaped(logs / f'{program.name}.log')}\n"
        "stdout_logfile_maxbytes=5MB\nstdout_logfile_backups=2\nstdout_events_enabled=true\n"
    )


def _escaped(text: object) -> str:
    """supervisord expands `%` in every value."""
    return str(text).replace("%", "%%")
