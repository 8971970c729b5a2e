"""The group flow of the stand-in SOLAPI: create, add, send, once; and what its ledger says of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from integrations.sandbox.accounts import SOLAPI_OTHER_API_KEY, SOLAPI_OTHER_API_SECRET

from .solapi_asker import SolapiAsker, alimtalk, sms


def error(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["errorCode"]


def test_a_group_is_sent_once(solapi: SolapiAsker) -> None:
    group = solapi.group(customFields={"batchId": "b-1"})
    added = solapi.add(group, sms("01040001000"), sms("01040001001"), sms("0104000100x"))
    assert (added["errorCount"], [one["statusCode"] for one in added["resultList"]]) == (1, ["2000", "2000", "1011"])
    assert solapi.get(f"messages/v4/groups/{group}")["status"] == "PENDING"
    assert len(solapi.world.solapi.ledger) == 0

    first = solapi.send(group)
    assert (first.status_code, first.json()["status"]) == (200, "SENDING")
    assert first.json()["dateSent"]
    for _ in range(3):
        assert error(solapi.send(group)) in [(409, "GroupInProcessing"), (409, "AlreadySent")]
    shown = solapi.get(f"messages/v4/groups/{group}")
    assert (shown["status"], shown["customFields"]) == ("COMPLETE", {"batchId": "b-1"})
    assert shown["count"] | {"sentReplacement": 0} == shown["count"]
    counts = ("total", "registeredSuccess", "registeredFailed", "sentTotal", "sentSuccess", "sentPending")
    assert [shown["count"][name] for name in counts] == [3, 2, 1, 2, 2, 0]
    assert [entry.to for entry in solapi.world.solapi.ledger.entries()] == ["01040001000", "01040001001"]


def test_a_number_comes_once_in_a_group(solapi: SolapiAsker) -> None:
    group = solapi.group()
    assert [one["statusCode"] for one in solapi.add(group, sms(), sms())["resultList"]] == ["2000", "1026"]
    assert solapi.add(group, sms())["resultList"][0]["statusCode"] == "1026"
    free = solapi.group(allowDuplicates=True)
    assert [one["statusCode"] for one in solapi.add(free, sms(), sms())["resultList"]] == ["2000", "2000"]
    solapi.send(group)
    assert solapi.world.solapi.ledger.repeated() == {}
    solapi.send(free)
    assert solapi.world.solapi.ledger.repeated() == {"01040001000": 3}


def test_a_number_that_was_refused_may_come_again(solapi: SolapiAsker) -> None:
    group = solapi.group()
    assert solapi.add(group, sms(text="😀"))["resultList"][0]["statusCode"] == "1029"
    assert solapi.add(group, sms())["resultList"][0]["statusCode"] == "2000"


def test_what_may_be_done_in_which_state(solapi: SolapiAsker) -> None:
    empty = solapi.group()
    assert error(solapi.send(empty)) == (400, "MessagesNotFound")
    assert solapi.ask("DELETE", f"messages/v4/groups/{empty}").json()["status"] == "DELETED"
    assert error(solapi.send(empty)) == (400, "DeletedGroup")
    assert error(solapi.ask("DELETE", f"messages/v4/groups/{empty}")) == (400, "NotOperationalStatus")
    sent = solapi.sent(sms())
    body = {"messages": [sms("01040001009")]}
    assert error(solapi.ask("PUT", f"messages/v4/groups/{sent}/messages", body)) == (400, "InvalidGroupStatus")
    assert error(solapi.ask("DELETE", f"messages/v4/groups/{sent}")) == (400, "NotOperationalStatus")
    assert error(solapi.ask("DELETE", f"messages/v4/groups/{sent}/schedule")) == (400, "InvalidStatus")
    assert error(solapi.ask("GET", "messages/v4/groups/G4VNONE")) == (404, "ResourceNotFound")
    assert error(solapi.ask("POST", f"messages/v4/groups/{sent}/messages", body)) == (405, "MethodNotAllowed")


def test_another_account_finds_nothing(solapi: SolapiAsker) -> None:
    group = solapi.sent(sms())
    message = solapi.messages(group)[0]["messageId"]
    other = SolapiAsker(solapi.sandbox, SOLAPI_OTHER_API_KEY, SOLAPI_OTHER_API_SECRET)
    assert error(other.ask("GET", f"messages/v4/groups/{group}")) == (404, "ResourceNotFound")
    assert error(other.send(group)) == (404, "ResourceNotFound")
    assert other.get("messages/v4/list", messageId=message)["messageList"] == {}
    assert other.get("messages/v4/groups")["groupList"] == {}
    assert other.get("kakao/v2/channels")["channelList"] == []


def test_messages_are_taken_out_again(solapi: SolapiAsker) -> None:
    group = solapi.group()
    ids = [one["messageId"] for one in solapi.add(group, sms("01040001000"), sms("01040001001"))["resultList"]]
    reply = solapi.ask("DELETE", f"messages/v4/groups/{group}/messages", {"messageIds": [ids[0], "M4V-none"]}).json()
    assert [one["resultCode"] for one in reply["resultList"]] == ["Success", "ResourceNotFound"]
    assert [one["messageId"] for one in solapi.messages(group)] == ids[1:]
    solapi.add(group, sms("01040001000"))
    solapi.send(group)
    assert sorted(solapi.world.solapi.ledger.counts()) == ["01040001000", "01040001001"]
    assert solapi.world.solapi.ledger.repeated() == {}


def test_a_scheduled_group_goes_out_when_its_time_comes(solapi: SolapiAsker) -> None:
    group = solapi.group()
    solapi.add(group, sms())
    schedule = f"messages/v4/groups/{group}/schedule"
    assert error(solapi.ask("POST", schedule, {"scheduledDate": "2020-01-01T00:00:00Z"})) == (
        400,
        "InvalidScheduledDate",
    )
    solapi.world.clock.move_to("2026-03-02T10:00+09:00")
    assert solapi.ask("POST", schedule, {"scheduledDate": "2026-03-02T02:00:00Z"}).json()["status"] == "SCHEDULED"
    assert error(solapi.send(group)) == (409, "ScheduledGroup")
    body = {"messages": [sms("01040001009")]}
    assert error(solapi.ask("PUT", f"messages/v4/groups/{group}/messages", body)) == (400, "InvalidGroupStatus")
    solapi.world.clock.advance(3_000)
    assert solapi.get(f"messages/v4/groups/{group}")["status"] == "SCHEDULED"
    assert solapi.ask("DELETE", schedule).json()["status"] == "PENDING"
    solapi.ask("POST", schedule, {"scheduledDate": "2026-03-02T02:00:00Z"})
    solapi.world.clock.advance(700)
    assert solapi.get(f"messages/v4/groups/{group}")["status"] == "COMPLETE"
    assert len(solapi.world.solapi.ledger) == 1


def test_money_runs_out(solapi: SolapiAsker) -> None:
    account = solapi.world.solapi.account()
    account.balance = 30.0
    group = solapi.group()
    solapi.add(group, sms("01040001000"), sms("01040001001"), sms("01040001006"))
    assert error(solapi.send(group)) == (402, "NotEnoughBalance")
    assert solapi.get(f"messages/v4/groups/{group}")["status"] == "PENDING"
    account.balance = 100.0
    assert solapi.send(group).status_code == 200
    assert solapi.get("cash/v1/balance")["balance"] == 100 - 3 * 12
    account.balance = 0.0
    solapi.world.config.short_of_money = "add"
    assert solapi.code(sms()) == "1030"


def test_limits(solapi: SolapiAsker) -> None:
    group = solapi.group()
    path = f"messages/v4/groups/{group}/messages"
    many = [sms(f"0104{number:07}") for number in range(10_001)]
    assert error(solapi.ask("PUT", path, {"messages": many})) == (413, "RecipientsTooMany")
    to = [message["to"] for message in many]
    assert error(solapi.ask("PUT", path, {"messages": [sms() | {"to": to}]})) == (413, "RecipientsTooMany")
    assert solapi.add(group, *many[:10_000])["errorCount"] == 1  # one of them ends in 0004
    big = {"messages": [sms(customFields={"blank": " " * (15 * 1024 * 1024)})]}
    assert error(solapi.ask("PUT", path, big)) == (413, "PayloadTooLarge")
    for body in ({}, {"messages": {}}, {"messages": []}, []):
        assert error(solapi.ask("PUT", path, body)) == (400, "ValidationError")
    assert [one["statusCode"] for one in solapi.add(group, "text", None, 5)["resultList"]] == ["1011"] * 3


def test_one_shot(solapi: SolapiAsker) -> None:
    body = {
        "messages": [sms("01040001000", customFields={"id": "1"}), sms("01040001001", text=""), sms()],
        "showMessageList": True,
        "agent": {"sdkVersion": "x/1"},
    }
    reply = solapi.ask("POST", "messages/v4/send-many/detail", body).json()
    assert [one["statusCode"] for one in reply["failedMessageList"]] == ["1010", "1026"]
    assert [one["customFields"] for one in reply["messageList"]] == [{"id": "1"}]
    assert (reply["groupInfo"]["status"], reply["groupInfo"]["sdkVersion"]) == ("SENDING", "x/1")
    refused = solapi.ask("POST", "messages/v4/send-many/detail", {"messages": [sms(text="")]}).json()
    assert refused["groupInfo"]["count"]["registeredFailed"] == 1
    assert len(solapi.world.solapi.ledger) == 1


@pytest.mark.parametrize("kind", ["done_then_cut", "cut", "done_then_reset"])
def test_accepted_without_an_answer(solapi: SolapiAsker, kind: str) -> None:
    group = solapi.group()
    solapi.add(group, sms(customFields={"deliveryId": "d-1"}))
    solapi.world.faults.add(kind, endpoint="groups/send")
    with pytest.raises(requests.ConnectionError):
        solapi.send(group)
    assert len(solapi.world.solapi.ledger) == 1
    assert error(solapi.send(group)) == (409, "AlreadySent")


@pytest.mark.parametrize("kind", ["cut_before", "reset_before"])
def test_cut_before_anything_was_done(solapi: SolapiAsker, kind: str) -> None:
    group = solapi.group()
    solapi.add(group, sms())
    solapi.world.faults.add(kind, endpoint="groups/send")
    with pytest.raises(requests.ConnectionError):
        solapi.send(group)
    assert len(solapi.world.solapi.ledger) == 0
    assert solapi.send(group).status_code == 200


def test_half_of_the_messages_are_taken(solapi: SolapiAsker) -> None:
    group = solapi.group()
    solapi.world.faults.add("half_done_then_cut", endpoint="groups/add")
    messages = [alimtalk(f"0104000100{place}", customFields={"id": str(place)}) for place in (0, 1, 6, 7)]
    with pytest.raises(requests.ConnectionError):
        solapi.add(group, *messages)
    assert [one["customFields"]["id"] for one in solapi.messages(group)] == ["0", "1"]


def test_an_error_after_the_work_is_done(solapi: SolapiAsker) -> None:
    solapi.world.faults.add("done_then_500", endpoint="groups/send")
    group = solapi.group()
    solapi.add(group, sms())
    assert error(solapi.send(group)) == (500, "InternalServerError")
    assert len(solapi.world.solapi.ledger) == 1


def test_a_share_of_requests_is_struck_always_the_same(solapi: SolapiAsker) -> None:
    def struck() -> list[bool]:
        solapi.world.reset()
        solapi.world.faults.add("html_429", endpoint="balance", times=None, share=0.3, retry_after=7)
        replies = [solapi.ask("GET", "cash/v1/balance") for _ in range(60)]
        assert all(reply.headers["Retry-After"] == "7" for reply in replies if reply.status_code == 429)
        return [reply.status_code == 429 for reply in replies]

    first = struck()
    assert first == struck()
    assert 8 <= sum(first) <= 30


def test_many_at_once(solapi: SolapiAsker) -> None:
    group = solapi.group()

    def add(part: int) -> int:
        asker = SolapiAsker(solapi.sandbox)
        refused = 0
        for chunk in range(5):
            start = 20_000_000 + (part // 2) * 1_000 + chunk * 100  # each number is added by two of them
            refused += asker.add(group, *(sms(f"010{start + place * 10 + 7}") for place in range(10)))["errorCount"]
            listed = asker.get("messages/v4/list", groupId=group, criteria="type", cond="eq", value="SMS")
            assert listed["messageList"]
        return refused

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 200
        answers = list(pool.map(lambda _: SolapiAsker(solapi.sandbox).send(group).status_code, range(8)))
    assert sorted(answers) == [200, *[409] * 7]
    assert len(solapi.world.solapi.ledger) == 200
    assert solapi.world.solapi.ledger.repeated() == {}
