"""The price before the button: what it costs, and what it may cost at most."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns.audience.plan import plan
from campaigns.audience.price import Estimate, estimate
from campaigns.models import Campaign, Rules
from campaigns.sending.recipients import freeze_into
from cohorts.models import Cohort, Profile
from integrations import senders
from integrations.messaging import Balance, Kind, Stopped
from integrations.senders import Listing
from tests import factories
from tests.campaigns.test_audience import campaign_to
from tests.campaigns.test_recipients import a_run, everybody_in, hold

PRICES = {
    Kind.SMS: Decimal(18),
    Kind.LMS: Decimal(45),
    Kind.ALIMTALK: Decimal(13),
    Kind.FRIENDTALK: Decimal("25.5"),
}


@pytest.fixture
def listed(monkeypatch: Any) -> Any:
    """`listed(balance=…, prices=…)`: what the provider said."""

    def say(**given: Any) -> None:
        values = {"prices": PRICES, "balance": Balance(Decimal(100_000), Decimal(50)), **given}
        monkeypatch.setattr(senders, "listing", lambda project: Listing(**values))

    say()
    return say


@pytest.fixture
def priced(world: Any, listed: Any) -> Any:
    """`priced(channel, message)`: the price for ten people, one with a very long name."""
    factories.profiles(world.project, 10)
    Profile.objects.update(marketing_consent=True)
    long = Profile.objects.get(external_id="user_0000003")
    long.properties = {"$name": "긴이름" * 20}
    long.save()
    cohort = everybody_in(world.project)

    def price(channel: str, message: dict[str, Any]) -> Estimate:
        campaign = Campaign(
            project=world.project, audience_kind="cohort", cohort=cohort, channel=channel, message=message
        )
        return estimate(campaign, plan(campaign))

    return price


NAME = '{{ user["$name"] }}'


def counted(lines: Any) -> list[tuple[str, int, int]]:
    return [(line.kind, line.count, line.won) for line in lines]


def test_text_messages_cost_what_each_of_them_is(priced: Any) -> None:
    found = priced("text", {"kind": "sms", "is_ad": False, "text": f"{NAME}님, 배송이 시작되었습니다"})
    assert counted(found.lines) == [("sms", 9, 162), ("lms", 1, 45)]
    assert (found.won, found.worst_won, found.size, found.fallback) == (207, 207, 10, ())
    assert found.unit_prices == {"sms": "18", "lms": "45"}
    assert found.is_known
    assert not found.exceeds_balance


def test_a_kakao_message_may_cost_its_fallback_instead(priced: Any) -> None:
    message = {
        "template_text": "#{이름}님",
        "template_variables": ["이름"],
        "variables": [{"name": "이름", "text": NAME, "default": "고객"}],
        "fallback": {"kind": "sms", "text": f"{NAME}님, 배송이 시작되었습니다"},
    }
    found = priced("alimtalk", message)
    assert counted(found.lines) == [("alimtalk", 10, 130)]
    assert counted(found.fallback) == [("sms", 9, 162), ("lms", 1, 45)]
    assert (found.won, found.worst_won) == (130, 207)
    message["fallback"] = None
    assert priced("alimtalk", message).worst_won == 130


def test_a_fallback_that_is_cheaper_makes_nothing_cheaper(priced: Any) -> None:
    found = priced("friendtalk", {"text": "소식", "fallback": {"kind": "sms", "text": "소식"}})
    assert (found.won, found.worst_won) == (255, 255)


def test_whoever_gets_nothing_costs_nothing(priced: Any) -> None:
    found = priced("text", {"kind": "lms", "is_ad": False, "title": NAME, "text": "글"})
    assert counted(found.lines) == [("lms", 9, 405)]
    assert sum(found.measured.left.values()) == 1


def test_balance_and_ceiling_are_asked_for_the_worst_case(world: Any, priced: Any, listed: Any) -> None:
    message = {"kind": "lms", "is_ad": False, "text": "글"}
    listed(balance=Balance(Decimal(400), Decimal(50)))
    assert (priced("text", message).worst_won, priced("text", message).exceeds_balance) == (450, False)
    listed(balance=Balance(Decimal(400), Decimal(49)))
    assert priced("text", message).exceeds_balance
    listed(balance=None)
    assert not priced("text", message).exceeds_balance
    assert not priced("text", message).exceeds_ceiling
    rules = Rules.objects.create(project=world.project, ceiling_won=450)
    assert not priced("text", message).exceeds_ceiling
    rules.ceiling_won = 449
    rules.save()
    assert priced("text", message).exceeds_ceiling


def test_a_price_that_isnt_known_is_said_to_be_so(priced: Any, listed: Any) -> None:
    listed(prices={})
    found = priced("text", {"kind": "sms", "is_ad": False, "text": "글"})
    assert (found.is_known, found.won, found.unit_prices) == (False, 0, {})


def test_a_run_keeps_its_price_and_none_begins_that_may_cost_too_much(world: Any, priced: Any) -> None:
    priced("text", {"kind": "lms", "is_ad": False, "text": "글"})
    campaign = campaign_to(Cohort.objects.get(), is_ad=False)
    run = a_run(campaign, message={"kind": "lms", "is_ad": False, "text": "글"})
    rules = Rules.objects.create(project=world.project, ceiling_won=449)
    mine = hold(run)
    with pytest.raises(Stopped, match="ceiling"):
        freeze_into(run, mine)
    run.refresh_from_db()
    assert (run.chosen, run.size, run.expected_won, run.recipients.count()) == (None, None, None, 0)
    rules.ceiling_won = 450
    rules.save()
    assert freeze_into(run, mine) == 10
    run.refresh_from_db()
    assert (run.expected_won, run.unit_prices) == (450, {"lms": "45"})
