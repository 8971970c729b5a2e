"""What becomes of messages at the stand-in SOLAPI: by number, by the hour, in time; and what that costs."""

from typing import Any

import pytest

from integrations.sandbox.solapi.outcomes import kakao_is_closed, outcome, packed

from .solapi_asker import ORDER_DONE, SENDER, SolapiAsker, alimtalk, brand, lms, sms

FALLBACK: dict[str, Any] = {"options": {"disableSms": False}, "from": SENDER}


def only(solapi: SolapiAsker, group: str) -> Any:
    (message,) = solapi.messages(group)
    return message


@pytest.mark.parametrize(
    ("make", "ending", "code"),
    [
        (sms, "0001", "4000"),
        (sms, "0002", "4000"),
        (sms, "0003", "3000"),
        (lms, "0005", "3040"),
        (sms, "1234", "4000"),
        (alimtalk, "0001", "4000"),
        (alimtalk, "0002", "3104"),
        (alimtalk, "0003", "3000"),
        (alimtalk, "0005", "3107"),
        (brand, "0001", "4000"),
        (brand, "0002", "3104"),
    ],
)
def test_the_last_digits_decide(solapi: SolapiAsker, make: Any, ending: str, code: str) -> None:
    message = only(solapi, solapi.sent(make(f"0104000{ending}")))
    assert message["statusCode"] == code
    assert (message["dateReported"] is None) is (code == "3000")
    assert (message["dateReceived"] is None) is (code != "4000")


@pytest.mark.parametrize(("number", "code"), [("0212345678", "3010"), ("15881234", "3010"), ("01140001234", "4000")])
def test_only_mobile_numbers_get_texts(solapi: SolapiAsker, number: str, code: str) -> None:
    assert only(solapi, solapi.sent(sms(number)))["statusCode"] == code


def test_a_test_can_choose(solapi: SolapiAsker) -> None:
    control = f"{solapi.sandbox.url}/_sandbox/solapi/outcomes"
    assert solapi.http.post(control, json={"numbers": ["01040001234"], "code": 3054}).status_code == 200
    assert only(solapi, solapi.sent(sms("01040001234")))["statusCode"] == "3054"
    assert solapi.http.post(control, json={"numbers": ["01040001234"], "code": 1061}).status_code == 400


def test_a_text_message_replaces_an_alimtalk(solapi: SolapiAsker) -> None:
    group = solapi.sent(alimtalk("01040000002", **FALLBACK))
    message = only(solapi, group)
    assert (message["statusCode"], bool(message["replacement"])) == ("4000", True)
    shown = solapi.get(f"messages/v4/groups/{group}")
    assert (shown["count"]["sentReplacement"], shown["count"]["sentSuccess"]) == (1, 1)
    assert shown["balance"] == {"requested": 10, "replacement": 39, "refund": 10, "sum": 39}
    (entry,) = solapi.world.solapi.ledger.entries()
    assert (entry.first_code, entry.status_code, entry.replacement) == ("3104", "4000", "LMS")
    assert solapi.world.solapi.ledger.repeated() == {}


def test_the_replacement_may_have_its_own_text(solapi: SolapiAsker) -> None:
    for own in ({"text": "짧은 안내"}, {"replacements": [{"text": "짧은 안내"}]}):
        group = solapi.world.solapi.groups[solapi.sent(alimtalk("01040000002", **FALLBACK, **own))]
        assert group.replacement(0) == ("짧은 안내", "", "SMS")
        assert "주문 완료" in group.rendered(0)
    assert solapi.get("cash/v1/balance")["balance"] == 30_000_000 - 2 * 12


def test_no_replacement_unless_it_is_allowed(solapi: SolapiAsker) -> None:
    assert only(solapi, solapi.sent(alimtalk("01040000002", **{"from": SENDER})))["statusCode"] == "3104"
    assert only(solapi, solapi.sent(alimtalk("01040000002", options={"disableSms": False})))["statusCode"] == "3104"
    free = brand("01040000002", options={"disableSms": False}, **{"from": SENDER})
    assert bool(only(solapi, solapi.sent(free))["replacement"]) is True
    solapi.world.config.brand_fallback = False
    assert bool(only(solapi, solapi.sent(free))["replacement"]) is False


def test_what_fails_costs_nothing(solapi: SolapiAsker) -> None:
    group = solapi.sent(sms("01040000005"), sms("01040001234"), sms("01040000004"))
    shown = solapi.get(f"messages/v4/groups/{group}")
    assert shown["balance"] == {"requested": 24, "replacement": 0, "refund": 12, "sum": 12}
    assert (shown["isRefunded"], shown["count"]["refund"], shown["countForCharge"]["sms"]) == (True, 1, {"82": 2})
    assert solapi.get("cash/v1/balance")["balance"] == 30_000_000 - 12


def test_brand_messages_sleep_at_night(solapi: SolapiAsker) -> None:
    solapi.world.config.kakao_night = True
    for moment, code in (("08:00", "4000"), ("20:49", "4000"), ("20:50", "3108"), ("02:00", "3108")):
        solapi.world.clock.move_to(f"2026-03-02T{moment}+09:00")
        assert only(solapi, solapi.sent(brand("01040001234")))["statusCode"] == code
        assert only(solapi, solapi.sent(alimtalk("01040001234")))["statusCode"] == "4000"
    assert not kakao_is_closed(1_772_409_600)  # 2026-03-02 09:00 in Korea


def test_reports_take_their_time(solapi: SolapiAsker) -> None:
    solapi.world.clock.move_to("2026-03-02T10:00+09:00")
    solapi.world.config.report_seconds = 60.0
    solapi.world.config.reports_per_second = 0.1
    group = solapi.sent(sms("01040001000"), sms("01040001001"), sms("01040000005"))

    def counts() -> Any:
        shown = solapi.get(f"messages/v4/groups/{group}")
        return shown["status"], [shown["count"][name] for name in ("sentPending", "sentSuccess", "sentFailed")]

    assert counts() == ("SENDING", [3, 0, 0])
    assert {one["statusCode"] for one in solapi.messages(group)} == {"3000"}
    solapi.world.clock.advance(61)
    assert counts() == ("SENDING", [2, 1, 0])
    solapi.world.clock.advance(10)
    assert [one["statusCode"] for one in solapi.messages(group)] == ["4000", "4000", "3000"]
    assert solapi.send(group).json()["errorCode"] == "GroupInProcessing"
    solapi.world.clock.advance(10)
    assert counts() == ("COMPLETE", [0, 2, 1])
    assert solapi.send(group).json()["errorCode"] == "AlreadySent"


def test_a_message_without_a_report_keeps_its_group_open(solapi: SolapiAsker) -> None:
    group = solapi.sent(sms("01040000003"))
    solapi.world.clock.advance(10 * 86_400)
    shown = solapi.get(f"messages/v4/groups/{group}")
    assert (shown["status"], shown["count"]["sentPending"]) == ("SENDING", 1)


def test_a_share_of_ordinary_numbers_fails_always_the_same() -> None:
    numbers = [packed(f"010{20_000_000 + place * 3_919}") for place in range(20_000)]
    failing = {number for number in numbers if outcome(number, "SMS", 0.03) != 4000}
    assert 0.02 < len(failing) / len(numbers) < 0.04
    assert failing == {number for number in numbers if outcome(number, "SMS", 0.03) != 4000}
    assert {outcome(number, "BMS_FREE", 0.03) for number in numbers} >= {4000, 3102, 3104}
    assert all(outcome(number, "SMS", 0.0) == 4000 for number in numbers if number % 10_000 > 5)


def test_text_is_kept_when_a_template_is_deleted(solapi: SolapiAsker) -> None:
    solapi.sent(alimtalk())
    solapi.http.post(f"{solapi.sandbox.url}/_sandbox/solapi/templates", json={"template": ORDER_DONE, "do": "delete"})
    (entry,) = solapi.world.solapi.ledger.entries()
    assert entry.text.startswith("[하루식탁] 주문 완료 안내\n\n김하나님")
