"""테스트 발송하기: the message as somebody real would get it, to a few numbers of one's own."""

import re

import pytest
from django.utils import timezone

from campaigns.models import (
    Campaign,
    CampaignEvent,
    CampaignState,
    OptOut,
    Recipient,
    RecipientState,
    Rules,
    Run,
    RunKind,
    RunState,
)
from campaigns.sending import freeze, history, launch, trial
from campaigns.sending.launch import CannotLaunch
from integrations.messaging import Channel, Stopped
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from tests import factories
from tests.campaigns import provider, sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R = RecipientState
PERSONAL = sending.TEXT | {
    "kind": "lms",
    "title": "도착",
    "text": '{{ user["$name"] | default: "고객" }}님, 도착했습니다.',
}


@pytest.fixture
def draft(world, account):
    return sending.campaign(world.project, CampaignState.DRAFT, message=PERSONAL)


@pytest.fixture
def by(world):
    return world.people["marketer"]


def sent(campaign, by, to=("010-2000-0009",), **more):
    run = trial.send_test(campaign, to=to, by=by, **more)
    freeze.prepare(run.pk)
    sending.send(run)
    run.refresh_from_db()
    return run


def codes(error):
    return [one.code for one in error.value.problems]


def test_a_draft_is_tried_out_with_a_real_persons_values(draft, by, account, world):
    person = factories.profile(world.project, "u1", phone="+821055550000", properties={"$name": "김하늘", "vip": 1})
    run = sent(draft, by, to=["010-2000-0009", "+82 10 2000 0009", "01020000008"], as_profile=person)
    assert {one.to: (one.subject, one.text) for one in account.ledger} == {
        "+821020000008": ("[테스트] 도착", "김하늘님, 도착했습니다."),
        "+821020000009": ("[테스트] 도착", "김하늘님, 도착했습니다."),
    }
    assert (run.kind, run.state, run.size) == (RunKind.TEST, RunState.DONE, 2)
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 2}
    assert Recipient.objects.filter(run=run).first().values == {"$name": "김하늘"}
    draft.refresh_from_db()
    assert (draft.state, draft.version) == (CampaignState.DRAFT, 0)
    entry = Entry.objects.get(action=Action.TEST_SENT)
    assert entry.details["size"] == 2
    assert "2000" not in str(entry.details)
    assert list(CampaignEvent.objects.values_list("what", flat=True)) == ["tested"]


def test_without_a_person_the_defaults_stand_in(draft, by, account):
    sent(draft, by)
    assert account.ledger[0].text == "고객님, 도착했습니다."


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ([], "required"),
        (["02-123-4567"], "landline"),
        (["010-1234-567"], "too_short"),
        ([f"010-2000-000{n}" for n in range(6)], "too_many"),
    ],
)
def test_only_one_to_five_mobile_numbers(draft, by, account, to, code):
    with pytest.raises(CannotLaunch) as error:
        trial.send_test(draft, to=to, by=by)
    assert code in codes(error)
    assert not Run.objects.exists()


def test_a_message_with_faults_is_not_tried_out(draft, by):
    draft.message = PERSONAL | {"text": ""}
    draft.save()
    with pytest.raises(CannotLaunch) as error:
        trial.send_test(draft, to=["01020000009"], by=by)
    assert "required" in codes(error)


@pytest.mark.parametrize(
    ("message", "subject", "text"),
    [
        (sending.TEXT, "", "[테스트] 주문하신 상품이 도착했습니다."),
        # Marked, it would be an LMS where the real one is an SMS.
        (sending.TEXT | {"text": "가" * 45}, "", "가" * 45),
        (PERSONAL | {"title": ""}, "", "[테스트] 고객님, 도착했습니다."),
        (PERSONAL | {"title": "가" * 20}, "가" * 20, "고객님, 도착했습니다."),
    ],
)
def test_the_mark_stands_where_it_changes_nothing_else(world, by, account, message, subject, text):
    sent(sending.campaign(world.project, CampaignState.DRAFT, message=message), by)
    assert [(one.subject, one.text) for one in account.ledger] == [(subject, text)]


def test_an_approved_template_reads_as_it_was_approved(world, by, account):
    message = {"profile": "KA01PF1", "template": "KA01TP1", "template_text": "안녕하세요", "fallback": None}
    account.listed_templates = [provider.template("KA01TP1", "안녕하세요")]
    sent(sending.campaign(world.project, CampaignState.DRAFT, channel=Channel.ALIMTALK, message=message), by)
    assert [(one.template, one.text) for one in account.ledger] == [("KA01TP1", "안녕하세요")]


@pytest.fixture
def ad(world, account):
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0801234567")
    return sending.campaign(world.project, CampaignState.DRAFT, message=sending.AD)


def test_a_test_of_an_advertisement_obeys_opt_outs_and_asks_for_no_consent(ad, by, account, day):
    OptOut.objects.create(project=ad.project, phone="+821020000008", source="own")
    run = sent(ad, by, to=["01020000008", "01020000009"])
    assert set(account.times) == {"+821020000009"}
    assert sending.counts(run) == {R.ACCEPTED: 1, R.SKIPPED: 1}


def test_a_test_at_night_is_not_sent_and_says_so(ad, by, account, day):
    day(22)
    run = sent(ad, by)
    assert not account.ledger
    assert Recipient.objects.get(run=run).reason == "night"
    assert run.state == RunState.DONE


@pytest.mark.parametrize("step", ["numbers", "open", "dispatch"])
def test_a_test_that_cannot_go_out_ends_and_stops_no_campaign(draft, by, account, step):
    account.fail(step, Stopped("out_of_balance"))
    run = sent(draft, by)
    person = Recipient.objects.get(run=run)
    assert (person.state, person.reason) == (R.REFUSED, "out_of_balance")
    assert run.state in (RunState.DONE, RunState.SKIPPED)
    assert Campaign.objects.get().brake == ""


def test_a_test_goes_out_while_the_campaign_is_paused_or_sends(world, by, account):
    for state in (CampaignState.ACTIVE, CampaignState.INACTIVE):
        campaign = sending.campaign(world.project, state, message=PERSONAL)
        sent(campaign, by)
        campaign.refresh_from_db()
        assert campaign.state == state
    assert len(account.ledger) == 2


def test_the_first_sending_is_the_first_however_often_it_was_tried(draft, by, account, world, sign_in):
    tests = [sent(draft, by) for _ in range(2)]
    first = launch.make_run(draft, timezone.now(), by="marketer@harutable.example")
    event = history.note(draft, "done", run=first)
    assert [one.title for one in (*tests, first)] == ["테스트", "테스트", "1회차"]
    assert history.words_of(event) == "1회차를 모두 넘겼습니다"
    assert launch.make_run(draft, factories.hours_ago(1)).title == "2회차"
    html = sign_in("viewer").get(f"/projects/{world.project.hex}/campaigns/{draft.id.hex}/runs").content.decode()
    assert re.findall(r'id="run-\d+"[^>]*>([^<]*)</a>', html) == ["2회차", "1회차", "테스트", "테스트"]
