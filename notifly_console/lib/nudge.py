"""Waking a worker after a commit, without ever holding up the page that asked for it.

A nudge may be lost: the row in the database is the intent, and the sweep finds it. So publishing happens on a thread
of its own, where a broker that accepts and then says nothing costs nobody anything.
"""

import atexit
import queue
import threading
from typing import Any

import structlog
from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

LIMIT = 100
_waiting: "queue.Queue[tuple[Task, dict[str, Any]] | None]" = queue.Queue(LIMIT)
_thread: threading.Thread | None = None
_lock = threading.Lock()


def nudge(task: Task, **ids: Any) -> None:
    """After the current transaction commits, asks a worker to run `task` with `ids`. Never blocks, never raises for a
    broker that is away."""
    transaction.on_commit(lambda: _enqueue(task, ids))


def _enqueue(task: Task, ids: dict[str, Any]) -> None:
    _start()
    try:
        _waiting.put_nowait((task, ids))
    except queue.Full:
        log.warning("nudge_dropped", task=task.name, remedy="the sweep takes the row up")


def _start() -> None:
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_publish, name="nudge", daemon=True)
            _thread.start()


def _publish() -> None:
    while (item := _waiting.get()) is not None:
        task, ids = item
        try:
            task.apply_async(kwargs=ids, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            log.warning(
                "nudge_failed",
                task=task.name,
                error=type(error).__name__,
                remedy="the sweep takes the row up",
            )
        finally:
            _waiting.task_done()


@atexit.register
def _drain() -> None:
    """Gives a command that exits at once the moment that publishing takes."""
    if _thread is not None and _thread.is_alive():
        _waiting.put(None)
        _thread.join(timeout=3)
