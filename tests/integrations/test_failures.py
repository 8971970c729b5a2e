"""Every error has a sentence for people, with the remedy."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from integrations import http, ladder  # noqa: F401 -- every error class is known once they are imported
from integrations.failures import known_codes, sending, sentence, values_of
from integrations.http import Unreachable, VendorError
from integrations.mixpanel.errors import HourlyBudgetSpent, MixpanelDown
from integrations.send_failures import SENTENCES
from integrations.solapi.codes import VERDICTS
from integrations.solapi.errors import NotYet
from integrations.solapi.messenger import CODE_OF


def every(kind: type[VendorError]) -> set[type[VendorError]]:
    return {kind}.union(*(every(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(every(VendorError), key=lambda kind: kind.__name__))
def test_every_error_class_of_the_client_has_a_sentence(kind: type[VendorError]) -> None:
    assert kind.code in (SENTENCES if kind is NotYet else known_codes())


# -- Senders ----------------------------------------------------------------------------------------------------------
RAISED = re.compile(r"(?:NotTaken|Stopped|Unclear)\(\s*\"([a-z_]+)\"")


def raised_codes() -> set[str]:
    """Every code that the sources raise a SendError with."""
    sources = [*Path("integrations").glob("*.py"), *Path("integrations/solapi").glob("*.py")]
    return {code for source in sources for code in RAISED.findall(source.read_text())}


def test_every_error_of_a_sender_has_a_sentence() -> None:
    codes = raised_codes()
    assert {"out_of_balance", "not_connected", "not_settled", "group_gone"} <= codes
    http_codes = {kind.code for kind in (http.Unreachable, http.TimedOut, http.CutOff, http.BadAnswer, http.TooLarge)}
    stops = {
        CODE_OF.get(verdict.reason, verdict.reason.value)
        for verdict in VERDICTS.values()
        if verdict.stops_campaign and verdict.reason
    }
    assert codes | http_codes | stops <= SENTENCES.keys()


@pytest.mark.parametrize("code", [*sorted(SENTENCES), "unheard", "%s"])
def test_a_senders_sentence_is_whole(code: str) -> None:
    failure = sending(code)
    for part in (failure.title, failure.remedy):
        assert part == part.strip() != ""
        assert "%(" not in part


@pytest.mark.parametrize("code", sorted(known_codes()))
def test_a_sentence_is_whole_without_any_value(code: str) -> None:
    """Whoever knows only the code, such as a refresh that stored it, still gets words and no placeholder."""
    failure = sentence(code)
    for part in (failure.title, failure.remedy):
        assert part == part.strip() != ""
        assert "%" not in part
        assert ": ." not in part
        assert "()" not in part
        assert not part.endswith(":")


def test_values_are_filled_in() -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    failure = sentence("hourly_budget_spent", until=tomorrow)
    assert timezone.localtime(tomorrow).strftime("%Y-%m-%d %H:%M %Z") in failure.remedy
    assert (
        "하루식탁 (7), 다른 회사 (8)"
        in sentence("not_a_member", project=9, projects=["하루식탁 (7)", "다른 회사 (8)"]).remedy
    )
    assert "India" in sentence("other_region", region="in").title


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HourlyBudgetSpent(datetime(2026, 11, 25, 3, 0, tzinfo=UTC)), "12:00 KST"),
        (Unreachable("eu.mixpanel.com", "name"), "eu.mixpanel.com"),
        (MixpanelDown("http_503"), "status.mixpanel.com"),
        (MixpanelDown("http_503"), "오류로 응답"),
        (MixpanelDown("timed_out"), "제시간에 답하지"),
        (MixpanelDown("cut_off"), "도중에 끊겼습니다"),
    ],
)
def test_an_error_hands_its_values_over(error: VendorError, said: str) -> None:
    failure = sentence(error.code, **values_of(error))
    assert said in failure.title + failure.remedy


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "%s %(x)s %", "가" * 10_000])
def test_values_and_codes_from_outside_are_taken_as_text(hostile: str) -> None:
    assert hostile in sentence("phone_column_empty", column=hostile).title
    assert sentence(hostile).title


def test_a_code_that_nobody_knows_is_shown(settings: Any) -> None:
    assert "brand_new" in sentence("brand_new").title
