"""Everything that can be broken on request."""

import pytest
import requests

from integrations.sandbox.faults import KINDS
from integrations.sandbox.mixpanel.cohorts import EVERYBODY

from .conftest import PEOPLE, Asker, ids
from .test_limits import until

COHORT = 2_791_361


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("rate_limited", 429, "61/60"),
        ("too_many_at_once", 429, "6/5"),
        ("bad_credentials_400", 400, "Unable to authenticate request"),
        ("unauthorized", 401, "Unauthorized"),
        ("no_plan", 402, "Payment required"),
        ("forbidden", 403, "permission"),
        ("not_found", 404, "Not Found"),
        ("error_400", 400, "sandbox fault"),
        ("error_500", 500, "Internal Server Error"),
        ("text_502", 502, "upstream"),
        ("html_503", 503, "<html>"),
        ("non_string_error", 400, '"code":17'),
    ],
)
def test_refusals_and_breakdowns(mixpanel: Asker, kind: str, status: int, says: str) -> None:
    mixpanel.world.faults.add(kind)
    reply = mixpanel.query("cohorts/list")
    assert (reply.status_code, says in reply.text) == (status, True)
    assert mixpanel.query("cohorts/list").status_code == 200
    assert mixpanel.world.requests(status=status)[0].faults == (kind,)


def test_app_endpoints_break_in_their_own_shape(mixpanel: Asker) -> None:
    for kind, status in (("error_500", 500), ("forbidden", 403), ("html_503", 503)):
        mixpanel.world.faults.add(kind, endpoint="me")
        reply = mixpanel.get("/us/api/app/me")
        assert reply.status_code == status
        assert kind == "html_503" or reply.json()["status"] == "error"


@pytest.mark.parametrize("kind", ["rate_limited", "too_many_at_once", "html_503"])
def test_retry_after_only_when_asked_for(mixpanel: Asker, kind: str) -> None:
    mixpanel.world.faults.add(kind)
    mixpanel.world.faults.add(kind, retry_after=7, after=1)
    assert "Retry-After" not in mixpanel.query("cohorts/list").headers
    assert mixpanel.query("cohorts/list").headers["Retry-After"] == "7"


@pytest.mark.parametrize("kind", ["cut", "cut_body"])
def test_a_cut_connection(mixpanel: Asker, kind: str) -> None:
    mixpanel.world.faults.add(kind)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        mixpanel.page(COHORT)
    until(lambda: mixpanel.world.meter().running == 0)
    assert mixpanel.page(COHORT).status_code == 200


@pytest.mark.parametrize("kind", ["malformed", "html_200"])
def test_an_answer_that_is_no_json(mixpanel: Asker, kind: str) -> None:
    mixpanel.world.faults.add(kind)
    reply = mixpanel.page(COHORT)
    assert reply.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        reply.json()


def test_a_slow_answer_and_a_slow_body_end_at_the_client_s_patience(mixpanel: Asker) -> None:
    mixpanel.world.faults.add("slow", seconds=300)
    url = f"{mixpanel.url}/us/api/query/engage?project_id=2855235"
    with pytest.raises(requests.ReadTimeout):
        mixpanel.http.get(url, timeout=0.2)
    mixpanel.world.faults.add("drip", seconds=300)
    reply = mixpanel.http.get(url, timeout=5, stream=True)
    assert reply.status_code == 200
    assert reply.raw.read(10)
    mixpanel.world.ended.set()
    assert reply.raw.read()


def test_latency_comes_before_the_answer(mixpanel: Asker) -> None:
    mixpanel.world.config.latency_ms = 50
    reply = mixpanel.query("cohorts/list")
    assert reply.elapsed.total_seconds() >= 0.05


def test_a_lost_session(mixpanel: Asker) -> None:
    session = mixpanel.page(EVERYBODY).json()["session_id"]
    mixpanel.world.faults.add("lost_session", page=1)
    assert mixpanel.page(EVERYBODY, 1, session).status_code == 400
    assert mixpanel.page(EVERYBODY, 1, session).status_code == 400
    fresh = mixpanel.page(EVERYBODY).json()["session_id"]
    assert mixpanel.page(EVERYBODY, 1, fresh).status_code == 200


def test_rows_that_come_twice_are_missing_or_too_many(mixpanel: Asker) -> None:
    truth = mixpanel.world.cohorts.ids(EVERYBODY)
    mixpanel.world.faults.add("duplicate_rows", page=1, rows=5)
    pulled = ids(mixpanel.pull(EVERYBODY))
    assert (len(pulled), set(pulled)) == (PEOPLE + 5, truth)

    mixpanel.world.faults.add("short_rows", page=1, rows=4)
    pulled = ids(mixpanel.pull(EVERYBODY))
    assert len(pulled) == len(set(pulled)) == PEOPLE - 4

    mixpanel.world.faults.add("extra_rows", page=2, rows=3)
    pulled = ids(mixpanel.pull(EVERYBODY))
    assert len(pulled) == len(set(pulled)) == PEOPLE + 3
    assert len(set(pulled) - truth) == 3


def test_a_huge_body_and_one_without_results(mixpanel: Asker) -> None:
    mixpanel.world.faults.add("huge", megabytes=3)
    reply = mixpanel.page(COHORT)
    assert len(reply.content) > 3_000_000
    assert reply.json()["results"]
    mixpanel.world.faults.add("no_results")
    assert "results" not in mixpanel.page(COHORT).json()


def test_where_and_how_often_a_fault_strikes(mixpanel: Asker) -> None:
    add = mixpanel.world.faults.add
    add("error_500", endpoint="engage", cohort=COHORT)
    assert mixpanel.query("cohorts/list").status_code == 200
    assert mixpanel.page(EVERYBODY).status_code == 200
    assert mixpanel.page(COHORT).status_code == 500
    mixpanel.world.faults.clear()

    add("error_500", times=2)
    assert [mixpanel.page(COHORT).status_code for _ in range(3)] == [500, 500, 200]
    mixpanel.world.faults.clear()

    fault = add("error_500", times=None, every=3, after=1)
    assert [mixpanel.page(COHORT).status_code for _ in range(7)] == [200, 200, 200, 500, 200, 200, 500]
    assert (fault.seen, fault.struck) == (7, 2)
    mixpanel.world.faults.clear(fault.id)
    assert mixpanel.world.faults.all() == []


def test_faults_at_the_door_cost_no_budget(mixpanel: Asker) -> None:
    mixpanel.world.faults.add("unauthorized")
    assert mixpanel.page(COHORT).status_code == 401
    assert mixpanel.world.meter().answered == 0
    mixpanel.world.faults.add("error_500")
    assert mixpanel.page(COHORT).status_code == 500
    assert mixpanel.world.meter().answered == 1


def test_several_faults_may_hit_one_request(mixpanel: Asker) -> None:
    mixpanel.world.faults.add("duplicate_rows", page=0)
    mixpanel.world.faults.add("malformed")
    mixpanel.page(COHORT)
    assert mixpanel.world.requests("engage")[0].faults == ("duplicate_rows", "malformed")


def test_a_fault_that_does_not_exist(mixpanel: Asker) -> None:
    with pytest.raises(ValueError, match="no such fault"):
        mixpanel.world.faults.add("gremlin")
    with pytest.raises(ValueError, match="every and times"):
        mixpanel.world.faults.add("cut", times=0)


def test_every_kind_is_described() -> None:
    assert all(text for text in KINDS.values())
