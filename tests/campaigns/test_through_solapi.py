"""A campaign through the real client and real sockets to the stand-in SOLAPI: each channel, each fault of the set-up,
and each request failing in each way in turn."""

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from campaigns.models import Batch, Campaign, CampaignState, OptOut, Recipient, RecipientState, Rules, Run, RunState
from campaigns.sending import delivery, freeze, launch, reconcile, tally
from cohorts.models import Profile
from cohorts.people import facets
from integrations import hooks, senders
from integrations.messaging import Channel
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from integrations.sandbox.solapi.catalogue import CHANNEL
from integrations.senders import SolapiSettings
from notifly_console.lib import nudge
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R = RecipientState
TEMPLATE = "KA01TP260112021000004Hours000004"
TEXT = sending.TEXT | {"sender": "15881234"}
AD = sending.AD | {"sender": "15881234"}
PEOPLE = 4


@pytest.fixture
def solapi(world, sandbox, settings, monkeypatch, day, own_folder):
    settings.SENDING_BATCH = 2
    monkeypatch.setattr(nudge, "_enqueue", lambda task, ids: None)
    senders.register(world.project, SolapiSettings(api_key=SOLAPI_API_KEY), SOLAPI_API_SECRET)
    assert not senders.refresh_listing(world.project).problem
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0801234567")
    return sandbox.world.solapi


@pytest.fixture
def cohort(world, solapi):
    ids = factories.profiles(world.project, PEOPLE, start=10)
    Profile.objects.filter(pk__in=ids).update(marketing_consent=True)
    facets.rebuild(world.project.pk)
    return factories.cohort_with(world.project, 2_785_620, ids)


def messages(solapi_template):
    return {
        "text": (Channel.TEXT, TEXT, "SMS"),
        "ad": (Channel.TEXT, AD, "LMS"),
        "alimtalk": (
            Channel.ALIMTALK,
            {
                "profile": CHANNEL,
                "template": TEMPLATE,
                "template_text": solapi_template,
                "sender": "15881234",
                "fallback": {"kind": "sms", "text": '운영시간 안내 {{ user["memo"] | default: "감사합니다" }}'},
            },
            "ATA",
        ),
        "friendtalk": (
            Channel.FRIENDTALK,
            {"profile": CHANNEL, "text": "여름 한정 세일", "fallback": None},
            "BMS_FREE",
        ),
    }


@pytest.fixture
def launched(world, cohort, solapi):
    """`launched("text")` is the run of a campaign that somebody launched."""

    def make(which):
        channel, message, _kind = messages(solapi.account().templates[TEMPLATE].content)[which]
        draft = sending.campaign(
            world.project, CampaignState.DRAFT, cohort=cohort, channel=channel, message=message, version=1
        )
        by = User.objects.get(email="marketer@harutable.example")
        launch.launch(draft, by=by, seen_version=1, expected_size=PEOPLE)
        return Run.objects.get(campaign=draft)

    return make


def prepared(run):
    Run.objects.filter(pk=run.pk).update(not_before=None)
    freeze.prepare(run.pk)
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("which", ["text", "ad", "alimtalk", "friendtalk"])
def test_each_channel_reaches_everybody_once(launched, solapi, which):
    run = prepared(launched(which))
    assert (run.state, run.size) == (RunState.SENDING, PEOPLE)
    assert run.expected_won > 0
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: PEOPLE}
    assert solapi.ledger.counts() == {f"010200000{n}": 1 for n in range(10, 10 + PEOPLE)}
    sent = list(solapi.ledger.entries())
    assert {one.kind for one in sent} == {messages("")[which][2]}
    assert {one.custom_fields["reference"] for one in sent} == {
        delivery.reference_of(pk) for pk in Recipient.objects.filter(run=run).values_list("pk", flat=True)
    }
    batches = {batch.pk.hex for batch in Batch.objects.filter(run=run)}
    assert {one.group_fields["reference"] for one in sent} == batches
    assert Campaign.objects.get().state == CampaignState.ENDED


def test_an_advertisement_carries_its_marks(launched, solapi):
    settle(prepared(launched("ad")))
    one = next(solapi.ledger.entries())
    assert one.subject == "(광고)여름 세일"
    assert one.text.startswith("(광고)하루식탁\n")
    assert one.text.endswith("무료수신거부 0801234567")


def test_a_text_goes_out_by_itself_where_kakao_reaches_nobody(launched, solapi):
    from integrations.sandbox.solapi.outcomes import packed

    solapi.outcomes[packed("01020000011")] = 3104
    Profile.objects.filter(phone="+821020000011").update(properties={"memo": "가" * 40})
    run = prepared(launched("alimtalk"))
    assert not run.sends_fallback, "SOLAPI sends it"
    settle(run)
    person = Recipient.objects.get(run=run, phone="+821020000011")
    # Written as an SMS, and too long for one with this person's value: it costs what went out.
    assert (person.state, person.was_replaced, person.kind) == (R.DELIVERED, True, "lms")
    run.refresh_from_db()
    cost = {kind: Decimal(won) for kind, won in run.unit_prices.items()}
    found = tally.spent(tally.tally_of(run), run.unit_prices, "sms")
    assert found == ((PEOPLE - 1) * cost["alimtalk"] + cost["lms"], 0)
    assert sum(solapi.ledger.counts().values()) == PEOPLE


def test_who_refused_at_the_080_service_gets_no_advertisement(launched, solapi):
    run = launched("ad")
    solapi.account().opted_out.add("01020000012")
    run = prepared(run)
    assert run.size == PEOPLE - 1
    settle(run)
    assert "01020000012" not in solapi.ledger.counts()
    assert OptOut.objects.filter(phone="+821020000012", source="provider").exists()


# -- The set-up -------------------------------------------------------------------------------------------------------
def removed_number(solapi):
    solapi.account().numbers.pop("15881234", None)


def removed_channel(solapi):
    solapi.account().channels.clear()


def blocked_template(solapi):
    solapi.account().templates[TEMPLATE].blocked = True


def edited_template(solapi):
    template = solapi.account().templates[TEMPLATE]
    template.content += "\n\n감사합니다."


def wrong_key(solapi):
    solapi.account().secret = "X" * 32


def clock_is_off(solapi):
    solapi.world.configure(clock_skew_seconds=3_600)


def no_money(solapi):
    solapi.account().balance = 1.0


@pytest.mark.parametrize(
    ("which", "break_it", "code"),
    [
        ("text", removed_number, "sender_unregistered"),
        ("alimtalk", removed_channel, "profile_unusable"),
        ("friendtalk", removed_channel, "profile_unusable"),
        ("alimtalk", blocked_template, "template_unusable"),
        ("alimtalk", edited_template, "template_unusable"),
        ("text", wrong_key, "wrong_key"),
        ("text", clock_is_off, "clock"),
        ("text", no_money, "out_of_balance"),
    ],
)
def test_what_broke_after_the_launch_stops_the_campaign_before_anybody_is_sent_to(
    launched, solapi, which, break_it, code
):
    run = launched(which)
    break_it(solapi)
    prepared(run)
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, code)
    assert len(solapi.ledger) == 0


@pytest.mark.parametrize(
    ("break_it", "code"),
    [(removed_number, "sender_unregistered"), (wrong_key, "wrong_key"), (clock_is_off, "clock"), (no_money, None)],
)
def test_what_breaks_in_the_middle_stops_the_rest(launched, solapi, break_it, code, monkeypatch):
    run = prepared(launched("text"))
    step = delivery.Sender.step

    def step_once(self):
        ended = step(self)
        break_it(solapi)
        return ended

    monkeypatch.setattr(delivery.Sender, "step", step_once)
    sending.send(run)
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, code or "out_of_balance")
    assert sending.counts(run) == {R.ACCEPTED: 2, R.PENDING: 2}
    assert len(solapi.ledger) == 2


# -- Every request, every way to fail ---------------------------------------------------------------------------------
FAULTS = (
    *("reset_before", "html_503", "done_then_cut", "done_then_500", "half_done_then_cut"),
    *("wrong_shape", "malformed"),
)


@pytest.mark.parametrize("kind", FAULTS)
def test_each_request_fails_in_turn(world, cohort, solapi, sandbox, settings, kind):
    """The n-th request of a hand-over, for every n. Everybody gets it once, and is known to have."""
    settings.SENDING_PAUSE_SECONDS = 0
    faults = sandbox.world.faults
    campaign = sending.campaign(world.project, message=TEXT)
    for n in itertools.count():
        assert n < 60
        due_at = timezone.now() + timedelta(minutes=n)
        run = sending.run(campaign, people=3, first=10 + 3 * n, due_at=due_at)
        fault = faults.add(kind, vendor="solapi", after=n, times=1)
        for _ in range(3):
            Campaign.objects.update(state=CampaignState.ACTIVE, brake="")
            settle(run, 2)
        Campaign.objects.update(state=CampaignState.ACTIVE, brake="")
        assert sending.counts(run) == {R.DELIVERED: 3}, (kind, n)
        assert solapi.ledger.repeated() == {}, (kind, n)
        if not fault.struck:
            break
        faults.clear()
    assert n >= 8
    assert len(solapi.ledger) == 3 * (n + 1)
    assert not Batch.objects.filter(state__in=["claimed", "tried", "unknown", "sent"]).exists()


def test_a_call_from_solapi_brings_the_result_sooner(launched, solapi, client, world):
    run = prepared(launched("text"))
    sending.send(run)
    secret = hooks.make_secret(senders.row_of(world.project), actor=None).reveal()
    group = Batch.objects.filter(run=run).first().handle.partition("@")[0]
    assert not Batch.objects.filter(reconcile.due()).exists()
    answer = client.post(
        f"/solapi/projects/{world.id.hex}/reports",
        data=[{"groupId": group, "messageId": "M1", "statusCode": "4000"}],
        content_type="application/json",
        headers={"X-Solapi-Secret": hooks.sent_by(secret)},
    )
    assert answer.status_code == 200
    assert sending.counts(run) == {R.ACCEPTED: PEOPLE}
    reconcile.work()
    assert sending.counts(run) == {R.ACCEPTED: PEOPLE - 2, R.DELIVERED: 2}
