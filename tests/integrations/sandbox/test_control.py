"""The control plane, as another process uses it."""

import http.client
from typing import Any

import pytest

from integrations.sandbox.mixpanel.cohorts import EVERYBODY

from .conftest import PEOPLE, Asker

COHORT = 2_785_620


def test_faults_over_http(mixpanel: Asker) -> None:
    fault = mixpanel.control("POST", "faults", {"kind": "html_503", "endpoint": "engage"}).json()
    assert mixpanel.page(COHORT).status_code == 503
    (listed,) = mixpanel.control("GET", "faults").json()
    assert (listed["id"], listed["struck"]) == (fault["id"], 1)
    assert mixpanel.control("DELETE", "faults").json() == []


def test_config_clock_and_state_over_http(mixpanel: Asker) -> None:
    config = mixpanel.control("POST", "config", {"queries_per_hour": 1, "latency_ms": 0}).json()
    assert config["queries_per_hour"] == 1
    assert [mixpanel.query("cohorts/list").status_code for _ in range(2)] == [200, 429]
    mixpanel.control("POST", "clock", {"advance": 3_600})
    assert mixpanel.query("cohorts/list").status_code == 200
    state = mixpanel.control("GET", "state").json()
    assert state["projects"]["2855235"]["refused"] == 1
    assert mixpanel.control("DELETE", "state").json()["requests"] == 0
    assert mixpanel.control("GET", "config").json()["queries_per_hour"] == 60


def test_cohorts_and_people_over_http(mixpanel: Asker) -> None:
    change = lambda **body: mixpanel.control("POST", "cohorts", body).json()  # noqa: E731
    assert change(do="resize", cohort=COHORT, size=100_000)["members"] == 100_000
    assert change(do="set_members", cohort=COHORT, members={"range": [5, 8]})["members"] == 3
    assert change(do="move", cohort=COHORT, leave=1, join=2)["members"] == 4
    assert change(do="empty", cohort=COHORT)["members"] == 0
    assert change(do="drop_half", cohort=EVERYBODY)["members"] == PEOPLE // 2
    assert change(do="rename", cohort=COHORT, name="이름")["name"] == "이름"
    assert change(do="add", name="새것", members=[1, 2])["count"] == 2
    assert change(do="add_many", count=100)["count"] == 100
    assert mixpanel.control("DELETE", "cohorts", {"cohort": COHORT}).json() == {"cohorts": 123}
    mixpanel.control("POST", "people", {"people": [3], "set": {"plan": "골드"}})
    assert mixpanel.world.crowd.properties(3)["plan"] == "골드"
    assert mixpanel.control("GET", "people").json()[3]["distinct_id"] == "hs-00000003"


def test_the_log_over_http(mixpanel: Asker) -> None:
    mixpanel.page(COHORT)
    (entry,) = mixpanel.control("GET", "log").json()
    assert (entry["endpoint"], entry["cohort"], entry["status"]) == ("engage", COHORT, 200)
    assert mixpanel.control("DELETE", "log").json() == []


@pytest.mark.parametrize(
    ("method", "room", "body", "status"),
    [
        ("POST", "faults", {"kind": "gremlin"}, 400),
        ("POST", "faults", {"kind": "cut", "colour": "red"}, 400),
        ("POST", "config", {"no_such": 1}, 400),
        ("POST", "config", {"people": "many"}, 400),
        ("POST", "config", {"pages_count": 1}, 400),
        ("POST", "config", {"all_users_adds": "aliens"}, 400),
        ("POST", "clock", {}, 404),
        ("POST", "cohorts", {"do": "explode", "cohort": COHORT}, 400),
        ("POST", "cohorts", {"do": "rename", "cohort": 1, "name": "x"}, 404),
        ("POST", "state", {}, 405),
        ("GET", "secrets", None, 404),
    ],
)
def test_what_makes_no_sense(mixpanel: Asker, method: str, room: str, body: Any, status: int) -> None:
    reply = mixpanel.control(method, room, body)
    assert reply.status_code == status
    assert reply.json()["error"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:8000", ""])
def test_a_web_page_may_not_drive_it(mixpanel: Asker, origin: str) -> None:
    reply = mixpanel.control("POST", "config", {"queries_per_hour": 1}, Origin=origin)
    assert reply.status_code == 403
    assert mixpanel.world.config.queries_per_hour == 60


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost:1", 200), ("[::1]", 200), ("", 403)],
)
def test_only_under_loopback_names(mixpanel: Asker, host: str, status: int) -> None:
    connection = http.client.HTTPConnection(mixpanel.url.removeprefix("http://"), timeout=30)
    connection.putrequest("GET", "/_sandbox/state", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()
