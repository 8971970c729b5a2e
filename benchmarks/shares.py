"""A long search for faults, cut into shares that several processes look through, each on a database of its own that is
dropped and made (`BENCH_DATABASE_URL` with `_1`, `_2` … behind its name). Loopback only."""

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

import psycopg

from benchmarks.stage import DATABASE

TELL_EVERY_SECONDS = 30

Look = Callable[[Any, Callable[[int], None]], bool]
"""Looks through one share, and says how many more of each unit are done by calling its second argument with the
unit's place. False where it found a fault, of which it has printed what is needed to see it again."""


def search(look: Look, shares: list[Any], units: tuple[str, ...], *, processes: int) -> bool:
    """Whether no share has a fault. Prints what is done every half a minute, and ends with the first fault. `look` is
    called in processes that start afresh, with Django set up on an empty database: it is a function of a module."""
    context = multiprocessing.get_context("spawn")
    done = context.Array("Q", len(units))
    processes = min(processes, len(shares))
    running = [
        context.Process(target=_look_through, args=(number, look, shares[number::processes], done), daemon=True)
        for number in range(processes)
    ]
    for process in running:
        process.start()
    began = time.monotonic()

    def told() -> str:
        counts = ", ".join(f"{count:,} {unit}" for count, unit in zip(done, units, strict=True))
        return f"{counts} in {time.monotonic() - began:.0f} s by {processes} processes"

    while running:
        ended = wait([process.sentinel for process in running], timeout=TELL_EVERY_SECONDS)
        for process in [one for one in running if one.sentinel in ended]:
            process.join()
            running.remove(process)
            if process.exitcode:
                print(f"FAULT after {told()}", flush=True)
                return False
        print(told() if running else f"No fault: {told()}", flush=True)
    return True


def empty() -> None:
    """Empties every table but those that `migrate` fills, so that what was looked through slows nothing down."""
    from django.db import connection, transaction

    kept = {"django_content_type", "auth_permission", "django_migrations"}
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        cursor.execute(f"TRUNCATE {', '.join(sorted(tables))} CASCADE")
        cursor.execute("ALTER TABLE audit_entry ENABLE TRIGGER USER")


def _look_through(number: int, look: Look, shares: list[Any], done: Any) -> None:
    _stand_on(f"{DATABASE}_{number + 1}")

    def count(unit: int) -> None:
        with done.get_lock():
            done[unit] += 1

    for share in shares:
        empty()
        if not look(share, count):
            sys.exit(1)


def _stand_on(database: str) -> None:
    server, _, name = database.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
        # No server is killed in a search, so that its commits needn't wait for the disk.
        admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    os.environ.update(
        DATABASE_URL=database,
        SECRET_KEY="only-for-benchmarks-0123456789-abcdefghijklmnop",
        CREDENTIALS_KEYS="b1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        DJANGO_SETTINGS_MODULE="notifly_console.settings",
    )
    import django

    django.setup()
    logging.disable()
    from django.core.management import call_command

    from notifly_console.lib import nudge

    call_command("migrate", verbosity=0)
    nudge._enqueue = lambda task, ids: None  # There is no worker but the one that the search calls.
