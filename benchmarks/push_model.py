"""The model of the push (`tests/cohorts/push_model.py`) at length: `python -m benchmarks.push_model [RUNS] [STEPS]`,
2,000 runs of 50 steps unless told otherwise. Needs PostgreSQL (`BENCH_DATABASE_URL`, a database of its own that is
dropped and made). Exits with 1, and the shortest way there, when what is visible isn't what was delivered."""

import os
import sys
import time

import psycopg

from benchmarks.stage import DATABASE


def main() -> None:
    runs, steps = (int(given or usual) for given, usual in zip([*sys.argv[1:], "", ""], ["2000", "50"], strict=False))
    server, _, name = DATABASE.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
        # Nothing is killed but in the model's mind, so that its commits needn't wait for the disk.
        admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    os.environ.update(
        DATABASE_URL=DATABASE,
        SECRET_KEY="only-for-benchmarks-0123456789-abcdefghijklmnop",
        CREDENTIALS_KEYS="b1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
        DJANGO_SETTINGS_MODULE="notifly_console.settings",
        LOG_LEVEL="CRITICAL",
    )
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from hypothesis import HealthCheck
    from hypothesis import settings as hypothesis_settings
    from hypothesis.stateful import run_state_machine_as_test

    from integrations.sandbox.server import SandboxConfig, SandboxServer
    from notifly_console.lib import nudge
    from tests.cohorts.push_model import PushModel

    call_command("migrate", verbosity=0)
    nudge._enqueue = lambda task, ids: None  # There is no worker but the model's.
    began = time.perf_counter()
    with SandboxServer(SandboxConfig(people=100, seed=7), port=0) as server:
        settings.MIXPANEL_API_URL = server.url
        machine = type("Machine", (PushModel,), {"server": server})
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=runs,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"{runs} runs of at most {steps} steps in {time.perf_counter() - began:.0f} s: no failure")


if __name__ == "__main__":
    main()
