"""Mixpanel's 60 an hour and 5 at once: exact at the edge, whoever asks, and whatever dies."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.budget import LEASE_SECONDS, WINDOW, Meter, usage
from integrations.mixpanel.errors import HourlyBudgetSpent, TooManyAtOnce
from integrations.models import Budget, Place, Query

PROJECT = 2_855_235


def meter(holder: str = "test", *, background: bool = False, patience: float = 0.0, project: int = PROJECT) -> Meter:
    return Meter("us", project, holder=holder, background=background, patience=patience)


def ask(which: Meter, times: int = 1, *, counts: bool = True) -> None:
    for _ in range(times):
        with which.query(counts=counts):
            pass


def hold(which: Meter, places: int) -> list[Any]:
    """Requests that are under way for as long as the result is kept."""
    queries = [which.query(counts=False, wait=False) for _ in range(places)]
    for query in queries:
        query.__enter__()
    return queries


def age(by: timedelta) -> None:
    """As if the queries so far had been made earlier by that much."""
    for query in Query.objects.all():
        query.at -= by
        query.save()


@pytest.mark.django_db
def test_sixty_queries_pass_and_the_next_is_told_when_the_first_leaves_the_hour() -> None:
    with meter() as mine:
        ask(mine, 60)
        first = Query.objects.order_by("at")[0].at
        with pytest.raises(HourlyBudgetSpent) as refusal, mine.query(counts=True):
            pass
        assert refusal.value.until == first + WINDOW
        assert usage("us", PROJECT).used == 60
        assert usage("us", PROJECT).frees_at == first + WINDOW

        age(WINDOW)
        ask(mine)
    assert usage("us", PROJECT).used == 1


@pytest.mark.django_db
def test_a_query_is_there_before_it_is_sent_and_stays_though_it_fails() -> None:
    def fails() -> None:
        with meter() as mine, mine.query(counts=True):
            assert usage("us", PROJECT).used == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert usage("us", PROJECT).used == 1
    assert usage("us", PROJECT).in_flight == 0


@pytest.mark.django_db
def test_another_process_counts_on() -> None:
    """Nothing is kept in memory: a worker that starts anew meets what the old one used."""
    with meter("before") as before:
        ask(before, 59)
    with meter("after") as after:
        ask(after)
        with pytest.raises(HourlyBudgetSpent):
            ask(after)


@pytest.mark.django_db
def test_a_refresh_leaves_two_queries_to_a_connection_test() -> None:
    with meter("refresh:1", background=True) as refresh, meter("test") as person:
        ask(refresh, 58)
        with pytest.raises(HourlyBudgetSpent) as refusal:
            ask(refresh)
        assert refusal.value.until == usage("us", PROJECT).next_at
        ask(person, 2)
        with pytest.raises(HourlyBudgetSpent):
            ask(person)


@pytest.mark.django_db
def test_another_mixpanel_project_or_region_has_its_own_hour() -> None:
    with meter() as mine, meter(project=7) as other, Meter("eu", PROJECT, holder="x", background=False) as european:
        ask(mine, 60)
        ask(other)
        ask(european)
    assert (usage("us", 7).used, usage("eu", PROJECT).used) == (1, 1)


@pytest.mark.django_db
def test_five_are_in_flight_and_a_sixth_waits_for_a_place() -> None:
    first, second = meter("a"), meter("b")
    with first, second:
        held = hold(first, 5)
        assert usage("us", PROJECT).in_flight == 5
        with pytest.raises(TooManyAtOnce):
            ask(second, counts=False)
        for query in held:
            query.__exit__(None, None, None)
        first.close()
        ask(second, counts=False)


@pytest.mark.django_db
def test_a_refresh_leaves_a_place_to_a_person() -> None:
    with meter("refresh:1", background=True) as refresh, meter("test") as person:
        _held = hold(refresh, 4)
        with pytest.raises(TooManyAtOnce), refresh.query(counts=False, wait=False):
            pass
        ask(person, counts=False)


@pytest.mark.django_db
def test_a_page_costs_no_statement() -> None:
    with meter("refresh:1", background=True) as refresh:
        ask(refresh)
        with CaptureQueriesContext(
            connection,
        ) as statements:
            ask(refresh, 1000, counts=False)
    assert len(statements) == 0


@pytest.mark.django_db
def test_the_places_of_a_dead_worker_go_to_its_successor_at_once_and_to_others_after_the_lease() -> None:
    dead, other = meter("refresh:1"), meter("refresh:2")
    _held = hold(dead, 5)
    with pytest.raises(TooManyAtOnce):
        ask(other, counts=False)
    with meter("refresh:1") as successor:
        _held_too = hold(successor, 5)
        with pytest.raises(TooManyAtOnce):
            ask(other, counts=False)
        Place.objects.all().update(lease_until=timezone.now() - timedelta(seconds=1))
        ask(other, counts=False)


@pytest.mark.django_db
def test_a_place_whose_lease_ran_out_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was suspended for minutes holds nothing: others may have its places by then."""
    now = [1000.0]
    monkeypatch.setattr("integrations.budget.time.monotonic", lambda: now[0])
    sleeper, others = meter("a"), meter("b")
    ask(sleeper, counts=False)
    now[0] += LEASE_SECONDS + 1
    Place.objects.all().update(lease_until=timezone.now() - timedelta(seconds=1))
    _held = hold(others, 5)
    with pytest.raises(TooManyAtOnce):
        ask(sleeper, counts=False)


@pytest.mark.django_db
def test_when_mixpanel_says_that_the_hour_is_used_up_nobody_asks_before_its_time() -> None:
    until = datetime.now(UTC) + timedelta(minutes=9)
    with meter() as mine, meter("other") as other:
        ask(mine, 3)
        mine.refused(HourlyBudgetSpent(until))
        with pytest.raises(HourlyBudgetSpent) as refusal:
            ask(other)
        assert refusal.value.until == until
        assert usage("us", PROJECT).blocked_until == until
        Budget.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
        ask(other)
    assert usage("us", PROJECT).blocked_until is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("queries", "pages", "learnt"),
    [
        pytest.param(2, 59, True, id="refused where 60 would be reached if pages counted"),
        pytest.param(2, 20, False, id="somebody else used the hour up"),
        pytest.param(2, 400, False, id="far more pages went through before"),
    ],
)
def test_pages_are_counted_from_the_moment_that_mixpanel_is_seen_to_count_them(
    queries: int, pages: int, learnt: bool
) -> None:
    with meter() as mine:
        ask(mine, queries)
        ask(mine, pages, counts=False)
        mine.refused(HourlyBudgetSpent(timezone.now() - timedelta(seconds=1)))
    with meter("next") as following:
        ask(following)
        ask(following, 10, counts=False)
    assert usage("us", PROJECT).used == queries + 1 + (10 if learnt else 0)


@pytest.mark.django_db
def test_old_rows_are_pruned() -> None:
    with meter() as mine:
        ask(mine, 5)
        age(timedelta(hours=3))
        ask(mine)
    assert Query.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_asks_mixpanel_within_a_transaction() -> None:
    """It would hold locks for as long as Mixpanel thinks, and a rollback would forget the query."""
    with meter() as mine, transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        ask(mine)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    def closing(number: int) -> None:
        try:
            work(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=closing, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL lets eight workers count at once")
def test_eight_workers_at_the_edge_get_exactly_sixty_through() -> None:
    passed: list[int] = []
    refusals: list[HourlyBudgetSpent] = []

    def hammer(number: int) -> None:
        with meter(f"worker {number}", patience=60) as mine:
            try:
                while True:
                    with mine.query(counts=True):
                        passed.append(number)
                    mine.close()
            except HourlyBudgetSpent as refusal:
                refusals.append(refusal)

    in_threads(8, hammer)
    assert len(passed) == 60 == Query.objects.count()
    assert len(refusals) == 8


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL lets eight workers lease at once")
def test_eight_workers_at_once_get_exactly_five_places() -> None:
    got: list[int] = []
    start, end = threading.Barrier(8), threading.Barrier(8)

    def grab(number: int) -> None:
        with meter(f"worker {number}") as mine:
            start.wait()
            try:
                with mine.query(counts=False):
                    got.append(number)
                    end.wait()
            except TooManyAtOnce:
                end.wait()

    in_threads(8, grab)
    assert len(got) == 5
