"""What the client asks, and what it makes of refusals."""

import json
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.http import BadAnswer, Refused, TooLarge, Unreachable, VendorError
from integrations.mixpanel.client import MOST_ATTEMPTS, MOST_COUNTED_ATTEMPTS, MixpanelClient
from integrations.mixpanel.errors import (
    UNSAID_HOURLY_WAIT,
    BadParameters,
    HourlyBudgetSpent,
    MixpanelDown,
    NotFound,
    NotPermitted,
    PlanWithoutApi,
    SessionLost,
    TooManyAtOnce,
    WrongCredentials,
    explain,
)
from integrations.mixpanel.meter import Unmetered
from integrations.mixpanel.schemas import Region
from tests.integrations.loopback import Asked, Loopback, answer
from tests.integrations.mixpanel.engage import ACCOUNT, CONCURRENT_429, HOURLY_429, SECRET, Engage, talking
from tests.integrations.test_http import everything_about

NOW = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)


# -- What goes over the wire ------------------------------------------------------------------------------------------
def test_the_requests_are_as_documented(settings: Any) -> None:
    replies: dict[str, Any] = {
        "/eu/api/app/me": {"results": {"projects": {"1000001": {"name": "Prod", "domain": "eu.mixpanel.com"}}}},
        "/eu/api/app/projects/1000001/service-accounts": {"results": [{"username": ACCOUNT.username, "role": "admin"}]},
        "/eu/api/query/cohorts/list": [{"id": 7001, "name": "Trial"}],
        "/eu/api/query/engage/properties": {"results": {"$email": {"count": 3, "type": "string"}}},
        "/eu/api/query/engage/stats": {"results": 412},
        "/eu/api/query/engage": {"results": [], "total": 0},
    }
    with talking(settings, lambda asked, conn: answer(200, replies[asked.path])) as talk:
        client = talk.client
        assert client.me().projects[1000001].region is Region.EU
        own = client.service_account()
        assert own is not None
        assert own.role == "admin"
        assert talk.meter.asked == []  # The App API is not on the budget.
        assert [cohort.id for cohort in client.cohorts()] == [7001]
        assert [info.name for info in client.properties()] == ["$email"]
        assert client.count(7001, 'defined(properties["$phone"])') == 412
        assert client.count() == 412
        client.members_first(7001, page_size=500, properties=["$email", "$phone"])
        assert talk.meter.asked == [(True, True)] * 5
        client.members_page(7001, session_id="s-1", page=2, page_size=500, properties=["$email", "$phone"])
        assert talk.meter.asked[5:] == [(False, True)]

    me, own_row, cohorts, properties, reachable, everyone, first, second = talk.server.asked
    assert {asked.headers["authorization"][:6] for asked in talk.server.asked} == {"Basic "}
    assert (me.method, own_row.method, properties.method) == ("GET", "GET", "GET")
    assert {asked.method for asked in (cohorts, reachable, everyone, first, second)} == {"POST"}
    assert cohorts.form == {}
    assert (cohorts.query, properties.query) == ({"project_id": "1000001"}, {"project_id": "1000001", "limit": "2000"})
    assert reachable.form == {
        "action": "count()",
        "include_all_users": "false",
        "filter_by_cohort": '{"id": 7001}',
        "selector": 'defined(properties["$phone"])',
    }
    assert everyone.form == {"action": "count()", "include_all_users": "false"}
    assert first.query == second.query == {"project_id": "1000001", "page_size": "500"}
    assert first.form == {
        "filter_by_cohort": '{"id": 7001}',
        "include_all_users": "false",
        "output_properties": '["$email", "$phone"]',
    }
    assert second.form == {**first.form, "session_id": "s-1", "page": "2"}


def test_without_an_override_only_the_three_hosts_are_spoken_to(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nowhere(host: str, *args: Any, **kwargs: Any) -> None:
        asked.append(host)
        raise socket.gaierror(-2, "unknown")

    settings.MIXPANEL_API_URL = ""
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    for region, host in ((Region.US, "mixpanel.com"), (Region.EU, "eu.mixpanel.com"), (Region.IN, "in.mixpanel.com")):
        account = type(ACCOUNT)(1, "u", ACCOUNT.secret, region)
        with MixpanelClient(account, Unmetered(), wait=lambda _: None) as client, pytest.raises(Unreachable) as caught:
            client.cohorts()
        assert (caught.value.host, caught.value.reason) == (host, "name")
    assert set(asked) == {"mixpanel.com", "eu.mixpanel.com", "in.mixpanel.com"}


# -- What refusals mean -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "text", "follow_up", "kind", "code"),
    [
        (400, "Unable to authenticate request", False, WrongCredentials, "wrong_credentials"),
        (401, "", False, WrongCredentials, "wrong_credentials"),
        (402, "Payment required", False, PlanWithoutApi, "plan_without_api"),
        (403, "forbidden", False, NotPermitted, "not_permitted"),
        (404, "", False, NotFound, "not_found"),
        (400, "bad where", False, BadParameters, "bad_parameters"),
        (412, "precondition", False, BadParameters, "bad_parameters"),
        (400, "request for page in uncached query for params", True, SessionLost, "session_lost"),
        (400, "session_id has expired", True, SessionLost, "session_lost"),
        (400, "request for page in uncached query for params", False, BadParameters, "bad_parameters"),
        (400, "bad where", True, BadParameters, "bad_parameters"),
        (408, "", False, MixpanelDown, "mixpanel_down"),
        (500, "", False, MixpanelDown, "mixpanel_down"),
        (503, "", True, MixpanelDown, "mixpanel_down"),
        (301, "", False, BadAnswer, "bad_answer"),
    ],
)
def test_a_status_and_its_text(status: int, text: str, follow_up: bool, kind: type[VendorError], code: str) -> None:
    error = explain(Refused(status, text), follow_up=follow_up, now=NOW)
    assert type(error) is kind
    assert error.code == code


@pytest.mark.parametrize(
    ("text", "retry_after", "expected"),
    [
        (HOURLY_429, None, UNSAID_HOURLY_WAIT),
        (HOURLY_429, 900.0, timedelta(seconds=900)),
        (HOURLY_429.replace("1/5", "6/5"), None, UNSAID_HOURLY_WAIT),
        (HOURLY_429.replace("61/60", "60/60"), None, UNSAID_HOURLY_WAIT),
        (HOURLY_429.replace("61/60", "401/400"), None, UNSAID_HOURLY_WAIT),
        (CONCURRENT_429, None, None),
        (CONCURRENT_429, 3.0, 3.0),
        (CONCURRENT_429, 900.0, 900.0),
        (CONCURRENT_429.replace("9/60", "60/60"), None, None),
        (CONCURRENT_429.replace("6/5", "5/5"), None, None),
        ("Too Many Requests", 1800.0, timedelta(seconds=1800)),
        ("Too Many Requests", 5.0, 5.0),
        ("Too Many Requests", None, None),
        ("", None, None),
    ],
)
def test_the_two_limits_are_told_apart(text: str, retry_after: float | None, expected: Any) -> None:
    error = explain(Refused(429, text, retry_after), now=NOW)
    if isinstance(expected, timedelta):
        assert isinstance(error, HourlyBudgetSpent)
        assert error.until == NOW + expected
    else:
        assert isinstance(error, TooManyAtOnce)
        assert error.retry_after == expected


def test_the_accounts_own_row_may_be_hidden(settings: Any) -> None:
    with talking(settings, lambda asked, conn: answer(403, {"status": "error", "error": "no"})) as talk:
        assert talk.client.service_account() is None
        with pytest.raises(NotPermitted):
            talk.client.me()


# -- Patience ---------------------------------------------------------------------------------------------------------
HTML_503 = answer(503, b"<html><body>Service Unavailable</body></html>", content_type="text/html")
TEXT_502 = answer(502, b"upstream connect error", content_type="text/plain")


@pytest.mark.parametrize("trouble", [HTML_503, TEXT_502, None, answer(200, b"<html>hi</html>"), answer(200, b"[{")])
def test_passing_trouble_is_lived_through(settings: Any, trouble: bytes | None) -> None:
    said = iter([trouble, answer(200, [])])
    with talking(settings, lambda asked, conn: next(said)) as talk:
        assert talk.client.cohorts() == []
    assert len(talk.waits) == 1
    assert 0.5 <= talk.waits[0] <= 0.75
    assert talk.meter.asked == [(True, True)] * 2  # Each attempt is metered: it may count over there.


@pytest.mark.parametrize(
    ("trouble", "attempts", "kind", "reason"),
    [
        (HTML_503, MOST_COUNTED_ATTEMPTS, MixpanelDown, "http_503"),
        (None, MOST_COUNTED_ATTEMPTS, MixpanelDown, "cut_off"),
        (answer(200, b"{}"), 2, BadAnswer, "the cohort list is not a list"),
        (answer(401), 1, WrongCredentials, None),
        (answer(400, {"error": "bad where"}), 1, BadParameters, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", 1, TooLarge, None),
    ],
)
def test_lasting_trouble_is_told(
    settings: Any, trouble: bytes | None, attempts: int, kind: type[VendorError], reason: str | None
) -> None:
    with talking(settings, lambda asked, conn: trouble) as talk, pytest.raises(kind) as caught:
        talk.client.cohorts()
    assert len(talk.server.asked) == attempts
    assert reason is None or getattr(caught.value, "reason", None) == reason


def test_a_slow_page_is_given_up_and_asked_again(settings: Any) -> None:
    import threading

    release = threading.Event()
    engage = Engage(5, trouble=lambda asked, before: "" if before == 0 and release.wait(20) else None)
    with talking(settings, engage, page_read_seconds=0.1) as talk:
        assert talk.client.members_first(7001).received == 5
        release.set()
    assert len(talk.waits) == 1


def test_a_follow_up_page_is_tried_more_often(settings: Any) -> None:
    with talking(settings, lambda asked, conn: HTML_503) as talk, pytest.raises(MixpanelDown):
        talk.client.members_page(7001, session_id="s-1", page=1)
    assert len(talk.server.asked) == MOST_ATTEMPTS
    assert [0.5 * 2**n <= wait <= 0.75 * 2**n for n, wait in enumerate(talk.waits)] == [True] * 3


def limited(text: str, *headers: str) -> Callable[[Asked, socket.socket], bytes]:
    return lambda asked, conn: answer(429, {"request": "/x?project_id=1", "error": text}, *headers)


def test_the_hourly_limit_is_not_knocked_at_again(settings: Any) -> None:
    with (
        talking(settings, limited(HOURLY_429, "Retry-After: 1200")) as talk,
        pytest.raises(HourlyBudgetSpent) as caught,
    ):
        talk.client.cohorts()
    assert len(talk.server.asked) == 1
    assert talk.meter.told == [caught.value]
    assert caught.value.until > datetime.now(UTC) + timedelta(minutes=19)


def test_the_concurrent_limit_is_waited_out_for_as_long_as_told(settings: Any) -> None:
    said = iter([limited(CONCURRENT_429, "Retry-After: 3"), lambda asked, conn: answer(200, [])])
    with talking(settings, lambda asked, conn: next(said)(asked, conn)) as talk:
        assert talk.client.cohorts() == []
    assert 3.0 <= talk.waits[0] <= 4.5
    assert [type(error) for error in talk.meter.told] == [TooManyAtOnce]


def test_a_long_wait_is_the_callers(settings: Any) -> None:
    with talking(settings, limited(CONCURRENT_429, "Retry-After: 50")) as talk, pytest.raises(TooManyAtOnce) as caught:
        talk.client.cohorts()
    assert (caught.value.retry_after, talk.waits, len(talk.server.asked)) == (50.0, [], 1)


# -- What it tells ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said",
    [
        answer(400, {"request": "/api?project_id=1000001", "error": "bad where"}),
        answer(401, {"error": "no"}),
        answer(402),
        answer(403),
        answer(429, {"error": HOURLY_429}),
        answer(429, {"error": CONCURRENT_429}),
        HTML_503,
        answer(200, b"nope"),
        None,
    ],
)
def test_errors_hold_neither_the_secret_nor_an_id(
    settings: Any, said: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with talking(settings, lambda asked, conn: said) as talk, pytest.raises(VendorError) as caught:
        next(talk.client.members(7001))
    told = everything_about(caught.value)
    for hidden in (SECRET, talk.server.asked[0].headers["authorization"].split()[1]):
        assert hidden not in told + caplog.text
    assert "1000001" not in str(caught.value) + repr(caught.value)
    assert json.dumps(caught.value.code).strip('"').isidentifier()


def test_a_session_that_is_lent_stays_open(settings: Any) -> None:
    from integrations.mixpanel.client import open_session

    with Loopback(lambda asked, conn: answer(200, [])) as server:
        settings.MIXPANEL_API_URL = server.url
        session = open_session()
        for _ in range(2):
            with MixpanelClient(ACCOUNT, Unmetered(), session) as client:
                client.cohorts()
        assert server.connections == 1
        session.close()
