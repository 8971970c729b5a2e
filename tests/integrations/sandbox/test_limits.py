"""Sixty queries in a rolling hour, five at once."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integrations.sandbox import accounts
from integrations.sandbox.accounts import PROJECT, SECRET
from integrations.sandbox.mixpanel.cohorts import EVERYBODY

from .conftest import Asker


def until(condition: Any) -> None:
    """Wait for what is sure to come; fail after a long while."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def spend(mixpanel: Asker, queries: int) -> None:
    for _ in range(queries):
        assert mixpanel.query("cohorts/list").status_code == 200


def test_the_sixty_first_query_of_an_hour_is_refused(mixpanel: Asker) -> None:
    spend(mixpanel, 60)
    reply = mixpanel.query("cohorts/list")
    assert reply.status_code == 429
    assert (
        f"for project_id: {PROJECT}. 1/5 queries running concurrently and 61/60 queries running in the last hour"
        in (reply.json()["error"])
    )
    assert "Retry-After" not in reply.headers
    assert mixpanel.get("/us/api/app/me").status_code == 200


def test_the_hour_rolls(mixpanel: Asker) -> None:
    spend(mixpanel, 30)
    mixpanel.world.clock.advance(1_800)
    spend(mixpanel, 30)
    mixpanel.world.clock.advance(1_700)
    assert mixpanel.query("cohorts/list").status_code == 429
    mixpanel.world.clock.advance(110)
    spend(mixpanel, 30)
    assert mixpanel.query("cohorts/list").status_code == 429


def test_pages_of_a_session_are_free_unless_they_count(mixpanel: Asker) -> None:
    session = mixpanel.page(EVERYBODY, page_size=10).json()["session_id"]
    for page in range(1, 70):
        assert mixpanel.page(EVERYBODY, page, session, page_size=10).status_code == 200
    assert mixpanel.world.meter().used(mixpanel.world.clock.now()) == 1
    mixpanel.world.config.pages_count = True
    statuses = [mixpanel.page(EVERYBODY, page, session, page_size=10).status_code for page in range(1, 62)]
    assert statuses == [200] * 59 + [429] * 2


@pytest.mark.parametrize(("counts", "in_hour"), [(False, 61), (True, 63)])
def test_refused_queries_may_count_too(mixpanel: Asker, counts: bool, in_hour: int) -> None:
    mixpanel.world.config.rejected_count = counts
    mixpanel.world.meter().spend(mixpanel.world.clock.now(), 60)
    replies = [mixpanel.query("cohorts/list") for _ in range(3)]
    assert {reply.status_code for reply in replies} == {429}
    assert f"{in_hour}/60" in replies[-1].json()["error"]


def test_retry_after_says_when_the_oldest_query_is_an_hour_ago(mixpanel: Asker) -> None:
    mixpanel.world.config.retry_after = True
    mixpanel.world.meter().spend(mixpanel.world.clock.now() - 600, 60)
    wait = int(mixpanel.query("cohorts/list").headers["Retry-After"])
    assert 2_900 < wait <= 3_001
    mixpanel.world.clock.advance(wait)
    assert mixpanel.query("cohorts/list").status_code == 200


def test_five_at_once_and_no_sixth(mixpanel: Asker) -> None:
    world = mixpanel.world
    world.faults.add("slow", endpoint="cohorts/list", times=5, seconds=300)
    meter = world.meter()
    with ThreadPoolExecutor(5) as pool:
        held = [pool.submit(mixpanel.query, "cohorts/list") for _ in range(5)]
        until(lambda: meter.running == 5)
        reply = mixpanel.query("engage")
        assert reply.status_code == 429
        assert "6/5 queries running concurrently and 6/60" in reply.json()["error"]
        world.ended.set()
        assert [future.result().status_code for future in held] == [200] * 5
    assert meter.peak == 5
    until(lambda: meter.running == 0)
    assert mixpanel.query("engage").status_code == 200


def test_a_place_is_free_as_soon_as_its_answer_is_here(mixpanel: Asker) -> None:
    mixpanel.world.config.concurrent_queries = 1
    mixpanel.world.config.queries_per_hour = 10_000
    host = mixpanel.url.removeprefix("http://")
    # In turns, since on one connection the next request isn't read before the last one is over anyway.
    connections = [http.client.HTTPConnection(host, timeout=30) for _ in range(2)]
    statuses = set()
    for turn in range(1_000):
        connection = connections[turn % 2]
        header = {"Authorization": f"Basic {accounts.USERNAME}:{SECRET}"}
        connection.request("GET", f"/api/query/cohorts/list?project_id={PROJECT}", headers=header)
        reply = connection.getresponse()
        statuses.add(reply.status)
        reply.read()
    for connection in connections:
        connection.close()
    assert statuses == {200}


def test_each_project_has_its_own_budget(mixpanel: Asker) -> None:
    mixpanel.world.meter().spend(mixpanel.world.clock.now(), 60)
    mixpanel.http.auth = (accounts.ADMIN, SECRET)
    assert mixpanel.query("cohorts/list").status_code == 429
    assert mixpanel.query("cohorts/list", accounts.NEW_PROJECT).status_code == 200
