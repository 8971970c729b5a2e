"""A process that has everything loaded and forks a Celery worker at a word on its standard input: so that a test may
kill workers several times a second and still have some. `python -m benchmarks.nursery <folder for logs>`

    worker  ─▶ prints the pid of a new worker on the queues of sending
    clock   ─▶ prints the pid of a process that asks for the sweep twice a second, as beat does four times a minute
    bury N  ─▶ waits for the end of process N. Until then its pid is nobody else's, so that a signal can't go astray

With `PLANTED_BUG=retry_on_timeout` workers do what must never be done, to see that the test notices.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")

import django

django.setup()

from integrations.messaging import NotTaken, Unclear  # noqa: E402
from integrations.solapi.messenger import SolapiMessenger  # noqa: E402
from notifly_console.celery import app  # noqa: E402

LOADED_BEFORE = (
    "celery.apps.worker",
    "celery.concurrency.solo",
    "celery.worker.components",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "campaigns.tasks",
)
SWEEP_SECONDS = 0.5


def main() -> None:
    logs = Path(sys.argv[1])
    app.finalize()
    app.loader.import_default_modules()
    for name in LOADED_BEFORE:
        import_module(name)
    if os.environ.get("PLANTED_BUG") == "retry_on_timeout":
        plant()
    for line in sys.stdin:
        what, _blank, number = line.strip().partition(" ")
        if what == "bury":
            os.waitpid(int(number), 0)
            continue
        pid = os.fork()
        if pid == 0:
            _live({"worker": work, "clock": tick}[what], logs / f"{what}.log")
        print(pid, flush=True)


def _live(child: Callable[[], None], path: Path) -> NoReturn:
    """What the child does with its life. It never comes back into the nursery's own loop."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        child()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def work() -> None:
    """A real worker with real messages; only its start is short."""
    quiet = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True, "quiet": True}
    queues = ["send", "reconcile", "control"]
    app.Worker(pool="solo", queues=queues, hostname=f"w{os.getpid()}@here", loglevel="ERROR", **quiet).start()


def tick() -> None:
    while True:
        app.send_task("campaigns.sweep", expires=5)
        time.sleep(SWEEP_SECONDS)


def plant() -> None:
    """What most senders do: no answer means no, and it is sent again."""
    dispatch = SolapiMessenger.dispatch

    def hasty(self: SolapiMessenger, handle: str) -> None:
        try:
            dispatch(self, handle)
        except Unclear as error:
            raise NotTaken(error.code) from None

    SolapiMessenger.dispatch = hasty  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
