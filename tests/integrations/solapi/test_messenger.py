"""The messenger, answer by answer, against a server that says whatever the test wants. What a whole hand-over does is
tested against the stand-in (`test_against_sandbox.py`)."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from integrations.messaging import (
    Kind,
    Message,
    NotTaken,
    Outcome,
    Recalled,
    SendError,
    Stopped,
    Unclear,
)
from integrations.solapi.client import Account, SolapiClient
from integrations.solapi.messenger import SolapiMessenger, handle_of, handles_of
from notifly_console.lib.crypto import Secret
from tests.integrations.loopback import Asked, Loopback, answer

ACCOUNT = Account("testKey", Secret("testSecret"))
HANDLE = "G1@12925149"
HTML = b"<!DOCTYPE html><h1>429</h1>"


def group(status: str = "PENDING", **fields: Any) -> dict[str, Any]:
    return {"groupId": "G1", "accountId": "12925149", "status": status, "count": {}, "price": {"82": []}, **fields}


def refusal(status: int, slug: str, *headers: str) -> bytes:
    return answer(status, {"errorCode": slug, "errorMessage": "…"}, *headers)


def html(status: int, *headers: str) -> bytes:
    return answer(status, HTML, *headers, content_type="text/html")


Scripted = dict[str, Any]
"""`METHOD path` → an answer, a list of them in turn, or a function."""


@contextmanager
def talking(script: Scripted, settings: Any, turns: Any = None) -> Iterator[tuple[SolapiMessenger, Loopback]]:
    rest = {asked: list(said) if isinstance(said, list) else said for asked, said in script.items()}

    def reply(asked: Asked, conn: socket.socket) -> bytes | None:
        said = rest[f"{asked.method} {asked.path}"]
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        return said(asked) if callable(said) else said

    with Loopback(reply) as server:
        settings.SOLAPI_API_URL = server.url
        client = SolapiClient(ACCOUNT, turns=turns)
        with SolapiMessenger(client, requests_per_second=5.0) as messenger:
            yield messenger, server


def fails(call: Callable[[], Any]) -> SendError:
    with pytest.raises(SendError) as caught:
        call()
    assert caught.value.__cause__ is None
    return caught.value


# -- Opening ----------------------------------------------------------------------------------------------------------
def test_a_group_is_opened_with_our_reference_and_refuses_the_same_number_twice(settings: Any) -> None:
    with talking({"POST /messages/v4/groups": answer(200, group())}, settings) as (messenger, server):
        assert messenger.open("batch-1") == HANDLE
    asked = server.asked[0]
    assert json.loads(asked.body) == {"allowDuplicates": False, "customFields": {"reference": "batch-1"}}
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"].startswith("HMAC-SHA256 apiKey=testKey, date=")


REVERSIBLE = [
    (html(429, "Retry-After: 7"), NotTaken, "too_many_requests", 7.0),
    (refusal(429, "TooManyRequests"), NotTaken, "too_many_requests", None),
    (html(500), NotTaken, "provider_down", None),
    (html(503), NotTaken, "provider_down", None),
    (answer(200, HTML), NotTaken, "bad_answer", None),
    (answer(200, {"ok": 1}), NotTaken, "bad_answer", None),
    (None, NotTaken, "cut_off", None),
    (html(403), NotTaken, "bad_answer", None),
    (answer(302, b"", "Location: /x"), NotTaken, "bad_answer", None),
    (refusal(403, "InvalidAPIKey"), Stopped, "wrong_key", None),
    (refusal(403, "SignatureDoesNotMatch"), Stopped, "wrong_key", None),
    (refusal(401, "Unauthorized"), Stopped, "wrong_key", None),
    (refusal(403, "Forbidden"), Stopped, "not_permitted", None),
    (refusal(403, "RequestTimeTooSkewed"), Stopped, "clock", None),
    (refusal(403, "DuplicatedSignature"), NotTaken, "too_many_requests", None),
    (refusal(402, "NotEnoughBalance"), Stopped, "out_of_balance", None),
    (refusal(400, "ValidationError"), Stopped, "refused_request", None),
    (refusal(404, "ResourceNotFound"), NotTaken, "group_gone", None),
]


@pytest.mark.parametrize(("said", "kind", "code", "wait"), REVERSIBLE)
def test_before_the_send_an_unclear_answer_is_as_good_as_none(
    said: Any, kind: type, code: str, wait: float | None, settings: Any
) -> None:
    with talking({"POST /messages/v4/groups": said}, settings) as (messenger, _server):
        error = fails(lambda: messenger.open("b"))
    assert (type(error), error.code, error.retry_after) == (kind, code, wait)


def test_nobody_there(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.SOLAPI_API_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
    messenger = SolapiMessenger(SolapiClient(ACCOUNT), requests_per_second=5.0)
    for call in (lambda: messenger.open("b"), lambda: messenger.dispatch(HANDLE)):
        error = fails(call)
        assert (type(error), error.code) == (NotTaken, "unreachable")


def test_a_skewed_clock_is_tried_once_more_with_another_salt(settings: Any) -> None:
    script = {"POST /messages/v4/groups": [refusal(403, "RequestTimeTooSkewed"), answer(200, group())]}
    with talking(script, settings) as (messenger, server):
        assert messenger.open("b") == HANDLE
    first, second = (asked.headers["authorization"] for asked in server.asked)
    assert first.split("salt=")[1] != second.split("salt=")[1]


# -- Loading ----------------------------------------------------------------------------------------------------------
def messages(*numbers: str) -> list[Message]:
    return [
        Message(reference=f"r{n}", to=f"+82{number[1:]}", kind=Kind.SMS, sender="0269001234", text="안녕")
        for n, number in enumerate(numbers)
    ]


def result(to: str, code: str = "2000", **fields: Any) -> dict[str, Any]:
    return {"to": to, "messageId": f"M{to}", "statusCode": code, "country": None, **fields}


def load(settings: Any, results: Any, counts: dict[str, Any], *numbers: str) -> Any:
    script = {
        "PUT /messages/v4/groups/G1/messages": answer(200, {"errorCount": "0", "resultList": results}),
        "GET /messages/v4/groups/G1": answer(200, group(count=counts)),
    }
    with talking(script, settings) as (messenger, _server):
        return messenger.load(HANDLE, messages(*numbers))


def test_what_was_taken_and_what_was_not(settings: Any) -> None:
    results = [result("01022220001"), result("01022220002", "1061"), result("01022220003", "1026")]
    counts = {"total": 3, "registeredSuccess": "1"}
    loaded = load(settings, results, counts, "01022220001", "01022220002", "01022220003")
    assert loaded.message_ids == {"r0": "M01022220001"}
    assert [(r.reference, r.code) for r in loaded.refused] == [("r1", "1061"), ("r2", "1026")]
    assert loaded.refused[0].verdict.is_opt_out


def test_our_reference_tells_two_of_one_number_apart_and_their_order_does_without(settings: Any) -> None:
    named = [
        result("01022220001", "1026", customFields={"reference": "r1"}),
        result("01022220001", "2000", customFields={"reference": "r0"}),
    ]
    assert load(settings, named, {}, "01022220001", "01022220001").message_ids.keys() == {"r0"}
    nameless = [result("01022220001"), result("01022220001", "1026", customFields=None)]
    loaded = load(settings, nameless, {}, "01022220001", "01022220001")
    assert (set(loaded.message_ids), loaded.refused[0].reference) == ({"r0"}, "r1")


@pytest.mark.parametrize(
    ("results", "counts", "code"),
    [
        ([result("01022220001")], {}, "bad_answer"),
        ([result("01022220001"), result("01033330000")], {}, "bad_answer"),
        ([result("01022220001"), result("01022220002", "")], {}, "bad_answer"),
        ([result("01022220001"), result("01022220002")], {"total": 3}, "counts_differ"),
        ([result("01022220001"), result("01022220002")], {"total": 2, "registeredSuccess": 1}, "counts_differ"),
    ],
)
def test_an_answer_that_does_not_add_up(results: Any, counts: Any, code: str, settings: Any) -> None:
    error = fails(lambda: load(settings, results, counts, "01022220001", "01022220002"))
    assert (type(error), error.code) == (NotTaken, code)


@pytest.mark.parametrize(
    ("code", "stop"),
    [
        ("1062", "sender_unregistered"),
        ("1042", "template_unusable"),
        ("1041", "profile_unusable"),
        ("1032", "refused_request"),
    ],
)
def test_a_fault_of_the_set_up_stops_before_anybody_is_given_up(code: str, stop: str, settings: Any) -> None:
    error = fails(lambda: load(settings, [result("01022220001", code)], {}, "01022220001"))
    assert (type(error), error.code) == (Stopped, stop)


@pytest.mark.parametrize(("said", "kind", "code", "wait"), REVERSIBLE)
def test_a_load_that_fails_is_no_loss(said: Any, kind: type, code: str, wait: Any, settings: Any) -> None:
    with talking({"PUT /messages/v4/groups/G1/messages": said}, settings) as (messenger, server):
        error = fails(lambda: messenger.load(HANDLE, messages("01022220001")))
    assert (type(error), error.code, error.retry_after) == (kind, code, wait)
    assert len(server.asked) == (2 if code == "clock" else 1)


# -- Sending ----------------------------------------------------------------------------------------------------------
SENT = [
    answer(200, group("SENDING")),
    answer(200, group("COMPLETE")),
    answer(200, {"groupInfo": group("SENDING")}),
    refusal(409, "GroupInProcessing"),
    refusal(409, "AlreadySent"),
    refusal(409, "ScheduledGroup"),
]
NOT_SENT = [
    (html(429, "Retry-After: 9"), NotTaken, "too_many_requests"),
    (refusal(402, "NotEnoughBalance"), Stopped, "out_of_balance"),
    (refusal(403, "InvalidAPIKey"), Stopped, "wrong_key"),
    (refusal(403, "RequestTimeTooSkewed"), Stopped, "clock"),
    (refusal(400, "ValidationError"), Stopped, "refused_request"),
    (refusal(400, "InactiveApp"), Stopped, "refused_request"),
    (refusal(400, "DeletedGroup"), NotTaken, "group_gone"),
    (refusal(400, "FailedGroup"), NotTaken, "group_gone"),
    (refusal(404, "ResourceNotFound"), NotTaken, "group_gone"),
    (None, Unclear, "cut_off"),
    (html(500), Unclear, "provider_down"),
    (refusal(500, "InternalServerError"), Unclear, "provider_down"),
    (html(502), Unclear, "provider_down"),
    (html(504, "Retry-After: 1"), Unclear, "provider_down"),
    (answer(200, HTML), Unclear, "bad_answer"),
    (answer(200, b""), Unclear, "bad_answer"),
    (answer(200, {"ok": "sandbox"}), Unclear, "bad_answer"),
    (answer(200, group("PENDING")), Unclear, "bad_answer"),
    (answer(200, group("FAILED")), Unclear, "bad_answer"),
    (answer(302, b"", "Location: /x"), Unclear, "bad_answer"),
    (html(403), Unclear, "bad_answer"),
    (html(404), Unclear, "bad_answer"),
    (html(408), Unclear, "bad_answer"),
    (html(409), Unclear, "bad_answer"),
    (refusal(400, "InvalidStatus"), Unclear, "not_settled"),
    (refusal(403, "DuplicatedSignature"), Unclear, "not_settled"),
]
SEND = "POST /messages/v4/groups/G1/send"


@pytest.mark.parametrize("said", SENT)
def test_sent_now_or_before(said: bytes, settings: Any) -> None:
    with talking({SEND: said}, settings) as (messenger, server):
        messenger.dispatch(HANDLE)
    assert len(server.asked) == 1
    assert server.asked[0].body == ""


@pytest.mark.parametrize(("said", "kind", "code"), NOT_SENT)
def test_a_send_that_fails_is_asked_for_once_and_doubted_where_there_is_doubt(
    said: Any, kind: type, code: str, settings: Any
) -> None:
    with talking({SEND: said}, settings) as (messenger, server):
        error = fails(lambda: messenger.dispatch(HANDLE))
    assert (type(error), error.code) == (kind, code)
    assert len(server.asked) == (2 if code == "clock" else 1)


def test_a_send_that_gets_no_answer_is_unclear(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from integrations.solapi import client

    monkeypatch.setattr(client.Deadline.__init__, "__defaults__", (0.2,))
    with talking({SEND: lambda asked: __import__("time").sleep(0.6)}, settings) as (messenger, _server):
        error = fails(lambda: messenger.dispatch(HANDLE))
    assert (type(error), error.code) == (Unclear, "timed_out")


# -- Recalling --------------------------------------------------------------------------------------------------------
GET, DELETE = "GET /messages/v4/groups/G1", "DELETE /messages/v4/groups/G1"
BALANCE = "GET /cash/v1/balance"
PENDING, DELETED = answer(200, group()), answer(200, group("DELETED"))
TOO_LATE = refusal(400, "NotOperationalStatus")
MISSING = refusal(404, "ResourceNotFound")
OURS, ANOTHERS = (answer(200, {"balance": 1, "accountId": account}) for account in ("12925149", "999"))
GONE, NEVER = Recalled.HAS_GONE, Recalled.NEVER_GOES


@pytest.mark.parametrize(
    ("script", "settled"),
    [
        ({GET: answer(200, group("SENDING"))}, GONE),
        ({GET: answer(200, group("COMPLETE"))}, GONE),
        ({GET: answer(200, group("SCHEDULED"))}, GONE),
        ({GET: answer(200, group("FAILED", count={"sentTotal": 2}))}, GONE),
        ({GET: answer(200, group("FAILED"))}, NEVER),
        ({GET: DELETED}, NEVER),
        ({GET: PENDING, DELETE: DELETED}, NEVER),
        ({GET: [html(503), PENDING], DELETE: DELETED}, NEVER),
        ({GET: MISSING, BALANCE: OURS}, NEVER),
        # The race: it was pending when it was asked for, and is on its way when it is to be deleted.
        ({GET: [PENDING, answer(200, group("SENDING"))], DELETE: TOO_LATE}, GONE),
        # Whatever the deletion says, how it stands afterwards counts.
        ({GET: [PENDING, DELETED], DELETE: None}, NEVER),
        ({GET: [PENDING, DELETED], DELETE: html(500)}, NEVER),
        ({GET: [PENDING, MISSING], DELETE: html(500), BALANCE: OURS}, NEVER),
    ],
)
def test_a_recall_that_settles(script: Scripted, settled: Recalled, settings: Any) -> None:
    with talking(script, settings) as (messenger, _server):
        assert messenger.recall(HANDLE) == settled


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ({GET: html(503)}, NotTaken, "provider_down"),
        ({GET: None}, NotTaken, "cut_off"),
        ({GET: html(429, "Retry-After: 3")}, NotTaken, "too_many_requests"),
        ({GET: refusal(403, "InvalidAPIKey")}, NotTaken, "wrong_key"),
        ({GET: answer(200, group("UNHEARD"))}, Unclear, "bad_answer"),
        ({GET: PENDING, DELETE: html(500)}, Unclear, "not_settled"),
        ({GET: PENDING, DELETE: TOO_LATE}, Unclear, "not_settled"),
        # A 404 of something on the way, and one of a group of another account.
        ({GET: html(404)}, NotTaken, "group_gone"),
        ({GET: MISSING, BALANCE: ANOTHERS}, Unclear, "other_account"),
        ({GET: MISSING, BALANCE: html(500)}, NotTaken, "provider_down"),
    ],
)
def test_a_recall_that_cannot_tell(script: Scripted, kind: type, code: str, settings: Any) -> None:
    with talking(script, settings) as (messenger, _server):
        error = fails(lambda: messenger.recall(HANDLE))
    assert (type(error), error.code) == (kind, code)


def test_a_group_whose_account_was_never_known_is_not_given_up_for_a_404(settings: Any) -> None:
    with talking({GET: MISSING, BALANCE: OURS}, settings) as (messenger, _server):
        assert fails(lambda: messenger.recall("G1")).code == "other_account"


def test_handles() -> None:
    assert handle_of("G1", "") == "G1"
    assert handles_of("G1", "12925149") == (HANDLE, "G1")
    assert handles_of("G1", "") == ("G1",)
    assert len(handle_of("G" * 60, "1" * 32)) <= 64


# -- Reports ----------------------------------------------------------------------------------------------------------
LIST = "GET /messages/v4/groups/G1/messages"


def stored(code: str | None, **fields: Any) -> dict[str, Any]:
    return {"statusCode": code, "customFields": {"reference": "r"}, **fields}


def test_reports_come_in_pages(settings: Any) -> None:
    def page(asked: Asked) -> bytes:
        assert asked.query["limit"] == "500"
        if "startKey" not in asked.query:
            return answer(200, {"messageList": {"M1": stored("4000"), "M2": stored("3000")}, "nextKey": "M3"})
        assert asked.query["startKey"] == "M3"
        return answer(200, {"messageList": {"M3": stored("4000", replacement=1)}, "nextKey": None})

    with talking({LIST: page}, settings) as (messenger, _server):
        found = {report.message_id: report for report in messenger.reports(HANDLE)}
    assert [found[m].verdict.outcome for m in ("M1", "M2", "M3")] == ["delivered", "waiting", "delivered"]
    assert found["M3"].was_replaced
    assert found["M1"].reference == "r"


def test_a_failure_that_a_text_may_still_follow_is_none_yet(settings: Any) -> None:
    listed = {"M1": stored("3104", status="SENDING"), "M2": stored("3104", status="COMPLETE"), "M3": stored("3104")}
    with talking({LIST: answer(200, {"messageList": listed})}, settings) as (messenger, _server):
        outcomes = [report.verdict.outcome for report in messenger.reports(HANDLE)]
    assert outcomes == [Outcome.WAITING, Outcome.FAILED, Outcome.FAILED]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (html(503), "provider_down"),
        (answer(200, {"ok": 1}), "bad_answer"),
        (answer(200, {"messageList": {}, "nextKey": "same"}), "bad_answer"),
        (refusal(403, "InvalidAPIKey"), "wrong_key"),
    ],
)
def test_reports_that_cannot_be_had_now(said: bytes, code: str, settings: Any) -> None:
    with talking({LIST: said}, settings) as (messenger, _server):
        error = fails(lambda: list(messenger.reports(HANDLE)))
    assert (type(error), error.code) == (NotTaken, code)


# -- Turns ------------------------------------------------------------------------------------------------------------
class FarOff:
    def __init__(self) -> None:
        self.held: list[float] = []

    def take(self, patience: float) -> float:
        return patience + 60

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_a_turn_that_is_far_off_is_said_and_nothing_is_sent(settings: Any) -> None:
    with talking({}, settings, FarOff()) as (messenger, server):
        for call in (lambda: messenger.open("b"), lambda: messenger.dispatch(HANDLE)):
            error = fails(call)
            assert (type(error), error.code) == (NotTaken, "not_yet")
            assert error.retry_after > 60
    assert server.asked == []


def test_a_429_holds_everybody_up(settings: Any) -> None:
    turns = FarOff()
    turns.take = lambda patience: 0.0  # type: ignore[method-assign]
    with talking({SEND: html(429, "Retry-After: 9")}, settings, turns) as (messenger, _server):
        fails(lambda: messenger.dispatch(HANDLE))
    assert turns.held == [9.0]
