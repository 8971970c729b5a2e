"""Each fault at the stand-in SOLAPI: what the client sees, and whether the work was done."""

import time
from typing import Any

import pytest
import requests

from .solapi_asker import SolapiAsker, sms

UNDONE = {
    "html_429": (429, "text/html"),
    "rate_limited": (429, "application/json"),
    "too_many_at_once": (429, "application/json"),
    "bad_credentials_400": (400, "application/json"),
    "unauthorized": (401, "application/json"),
    "no_plan": (402, "application/json"),
    "forbidden": (403, "application/json"),
    "not_found": (404, "application/json"),
    "error_400": (400, "application/json"),
    "non_string_error": (400, "application/json"),
    "error_500": (500, "application/json"),
    "text_502": (502, "text/plain"),
    "html_503": (503, "text/html"),
}
DONE = {
    "done_then_500": (500, "application/json"),
    "done_then_502": (502, "text/html"),
    "malformed": (200, "application/json"),
    "html_200": (200, "text/html"),
    "nonsense": (200, "application/json"),
    "empty_200": (200, "application/json"),
    "wrong_shape": (200, "application/json"),
    "slow": (200, "application/json"),
    "drip": (200, "application/json"),
}


def struck(solapi: SolapiAsker, kind: str, **details: Any) -> Any:
    """The answer to `send` with this fault, and how many messages went out."""
    group = solapi.group()
    solapi.add(group, sms())
    fault = solapi.world.faults.add(kind, endpoint="groups/send", **details)
    reply = solapi.send(group)
    assert fault.struck == 1
    return reply, len(solapi.world.solapi.ledger)


@pytest.mark.parametrize("kind", UNDONE)
def test_nothing_is_done(solapi: SolapiAsker, kind: str) -> None:
    reply, sent = struck(solapi, kind, retry_after=3)
    assert (reply.status_code, reply.headers["Content-Type"].split(";")[0]) == UNDONE[kind]
    assert (reply.headers["Retry-After"], sent) == ("3", 0)


@pytest.mark.parametrize("kind", DONE)
def test_the_work_is_done(solapi: SolapiAsker, kind: str) -> None:
    reply, sent = struck(solapi, kind, seconds=0.05)
    assert (reply.status_code, reply.headers["Content-Type"].split(";")[0]) == DONE[kind]
    assert sent == 1


def test_a_body_that_breaks_off(solapi: SolapiAsker) -> None:
    with pytest.raises(requests.exceptions.RequestException):
        struck(solapi, "cut_body")
    assert len(solapi.world.solapi.ledger) == 1


def test_wrong_types(solapi: SolapiAsker) -> None:
    reply, _ = struck(solapi, "wrong_shape")
    shown = reply.json()
    assert isinstance(shown["count"], list)
    assert isinstance(shown["log"], dict)


def test_work_that_is_done_after_the_client_left(solapi: SolapiAsker) -> None:
    group = solapi.group()
    solapi.add(group, sms())
    solapi.world.faults.add("slow_before", endpoint="groups/send", seconds=600)
    with pytest.raises(requests.ReadTimeout):
        solapi.http.post(
            f"{solapi.sandbox.solapi_url}/messages/v4/groups/{group}/send",
            headers={"Authorization": solapi.header()},
            timeout=0.1,
        )
    assert len(solapi.world.solapi.ledger) == 0
    solapi.world.ended.set()  # the ten minutes are over
    until = time.monotonic() + 30
    while not len(solapi.world.solapi.ledger) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(solapi.world.solapi.ledger) == 1


def test_a_fault_of_one_vendor_leaves_the_other_alone(solapi: SolapiAsker) -> None:
    solapi.world.faults.add("error_500", vendor="mixpanel", times=None)
    assert solapi.get("cash/v1/balance")["balance"]
    solapi.world.faults.add("error_500", vendor="solapi", times=None)
    assert solapi.ask("GET", "cash/v1/balance").status_code == 500
    for wrong in ({"vendor": "x"}, {"share": 0}, {"share": 2}):
        with pytest.raises(ValueError, match=r"vendor|share"):
            solapi.world.faults.add("error_500", **wrong)


def test_a_stranger_meets_no_fault(solapi: SolapiAsker) -> None:
    fault = solapi.world.faults.add("error_500", endpoint="balance")
    assert solapi.ask("GET", "cash/v1/balance", header="x").status_code == 403
    assert fault.seen == 0
