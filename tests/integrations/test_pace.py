"""Turns: evenly spaced, none given twice, shared by all workers."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections

from integrations import pace
from integrations.models import Pace
from tests import factories

START = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


@pytest.fixture
def account(world: Any, settings: Any) -> Any:
    settings.SOLAPI_REQUESTS_PER_SECOND = 4.0
    return factories.sender(world.project).pk


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = [START]
    monkeypatch.setattr(pace, "database_clock", lambda: now[0])

    def later(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    return later


def test_turns_are_evenly_spaced(account: Any, clock: Any) -> None:
    assert [pace.take(account) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    clock(0.5)
    assert pace.take(account) == 0.5
    clock(60)
    assert [pace.take(account) for _ in range(2)] == [0.0, 0.25]


def test_a_turn_for_several_requests(account: Any, clock: Any) -> None:
    assert [pace.take(account, 3), pace.take(account, 1)] == [0.0, 0.75]


def test_beyond_ones_patience_no_turn_is_taken(account: Any, clock: Any) -> None:
    pace.take(account, 8)
    assert [pace.take(account, patience=1.5) for _ in range(3)] == [2.0, 2.0, 2.0]
    assert pace.take(account, patience=2.0) == 2.0
    assert pace.take(account, patience=9.0) == 2.25


def test_a_hold_is_for_everybody_and_the_longest_counts(account: Any, clock: Any) -> None:
    pace.hold(account, 9)
    pace.hold(account, 2)
    assert pace.take(account) == 9.0
    assert pace.usage(account).held_until == START + timedelta(seconds=9)
    clock(10)
    assert pace.take(account) == 0.0
    assert pace.usage(account) == pace.Usage(4.0, 0.25, None)


@pytest.mark.parametrize("seconds", [-5.0, 1e9])
def test_a_hold_is_bounded(seconds: float, account: Any, clock: Any) -> None:
    pace.hold(account, seconds)
    assert 0.0 <= pace.take(account, patience=1e9) <= pace.LONGEST_HOLD_SECONDS


def test_an_account_that_was_never_asked(account: Any) -> None:
    assert pace.usage(account) == pace.Usage(4.0, 0.0, None)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(database.vendor != "postgresql", reason="only PostgreSQL lets eight workers ask at once")
def test_eight_workers_get_a_turn_each(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "database_clock", lambda: START)
    Pace.objects.filter(pk=account).delete()  # The first to come makes the row.
    waits: list[float] = []

    def worker() -> None:
        try:
            waits.extend(pace.take(account, patience=1e9) for _ in range(10))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [n * 0.25 for n in range(80)]
