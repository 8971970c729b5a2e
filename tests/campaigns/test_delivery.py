"""THE send: batches into a provider's hands, and everything that may go wrong on the way."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns import delivery
from campaigns.models import (
    Batch,
    BatchState,
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
from integrations.messaging import Channel, NotTaken, Stopped
from tests import factories
from tests.campaigns import provider, sending
from tests.campaigns.sending import again, settle

pytestmark = pytest.mark.django_db
R, B = RecipientState, BatchState


@pytest.fixture
def campaign(world):
    return sending.campaign(world.project)


def test_everybody_gets_it_once_and_the_run_and_campaign_are_over(campaign, account):
    run = sending.run(campaign, people=25)
    delivery.send(run.pk)
    assert len(account.times) == 25
    assert set(account.times.values()) == {1}
    assert sending.counts(run) == {R.ACCEPTED: 25}
    assert sorted(Batch.objects.values_list("size", "state")) == [(5, B.SENT), (10, B.SENT), (10, B.SENT)]
    run.refresh_from_db()
    assert run.state == RunState.DONE
    assert run.handed_over_at
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.ENDED
    assert [event.what for event in CampaignEvent.objects.order_by("pk")] == ["done", "over"]
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 25}
    assert set(Batch.objects.values_list("state", flat=True)) == {B.CLOSED}
    assert account.calls["dispatch"] == 3


def test_a_group_is_named_before_anything_is_put_in(campaign, account):
    run = sending.run(campaign, people=3)

    def look(step):
        batch = Batch.objects.get(run=run)
        if step == "load":
            assert batch.handle == "G0"
            assert account.groups["G0"].reference == batch.pk.hex
        if step == "dispatch":
            assert batch.state == B.TRIED
            assert batch.tried_at

    account.before = look
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 3}


def test_what_the_provider_refuses_is_refused_and_the_others_go(campaign, account, world):
    run = sending.run(campaign, people=4)
    account.refuses = {"+821020000001": provider.BAD_NUMBER, "+821020000002": provider.OPTED_OUT}
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 2, R.REFUSED: 2}
    assert set(account.times) == {"+821020000000", "+821020000003"}
    assert OptOut.objects.get().phone == "+821020000002"


def test_when_all_are_refused_nothing_is_dispatched(campaign, account):
    run = sending.run(campaign, people=2)
    account.refuses = {f"+82102000000{n}": provider.BAD_NUMBER for n in range(2)}
    delivery.send(run.pk)
    settle(run, 1)
    assert sending.counts(run) == {R.REFUSED: 2}
    assert account.calls["dispatch"] == 0
    assert account.groups["G0"].state == "deleted"
    assert Run.objects.get(pk=run.pk).state == RunState.DONE


@pytest.mark.parametrize(
    ("step", "done"), [("open", False), ("open", True), ("load", False), ("load", True), ("dispatch", False)]
)
def test_what_was_not_taken_is_tried_again_after_a_pause(campaign, account, step, done):
    run = sending.run(campaign, people=3)
    account.fail(step, NotTaken("too_many_requests", retry_after=90), done=done)
    delivery.send(run.pk)
    assert sending.counts(run) == {R.PENDING: 3}
    run.refresh_from_db()
    assert run.waiting_for == "provider"
    assert run.not_before > timezone.now() + timedelta(seconds=60)
    delivery.send(run.pk)
    assert not account.ledger, "nobody is claimed during the pause"
    again(run)
    settle(run, 2)
    assert set(account.times.values()) == {1}
    assert len(account.times) == 3
    assert all(group.state == "deleted" or not group.messages for group in list(account.groups.values())[:-1])
    run.refresh_from_db()
    assert (run.troubles, run.waiting_for) == (0, "")


def test_pauses_grow_while_the_provider_is_away(campaign, account):
    run = sending.run(campaign, people=3)
    account.fail("open", NotTaken("unreachable"), times=4)
    pauses = []
    for _ in range(4):
        again(run)
        run.refresh_from_db()
        pauses.append(round((run.not_before - timezone.now()).total_seconds()))
    assert pauses == [5, 10, 20, 40]


@pytest.mark.parametrize("done", [False, True])
def test_an_unclear_dispatch_is_settled_by_asking(campaign, account, done):
    run = sending.run(campaign, people=3)
    account.fail("dispatch", provider.unclear(), done=done)
    delivery.send(run.pk)
    assert sending.counts(run) == {R.UNKNOWN: 3}
    again(run)
    assert account.calls["dispatch"] == 1, "nobody unknown is sent to again"
    assert Run.objects.get(pk=run.pk).state == RunState.SENDING
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 3}
    assert set(account.times.values()) == {1}
    assert account.calls["dispatch"] == (1 if done else 2)
    assert Run.objects.get(pk=run.pk).state == RunState.DONE


def test_what_the_provider_cannot_tell_stays_unknown(campaign, account):
    account.can_recall = False
    run = sending.run(campaign, people=3)
    account.fail("dispatch", provider.unclear())
    delivery.send(run.pk)
    settle(run)
    assert sending.counts(run) == {R.UNKNOWN: 3}
    assert account.calls["dispatch"] == 1
    assert Run.objects.get(pk=run.pk).state == RunState.DONE


def test_a_provider_that_does_not_account_for_everybody_is_not_told_to_send(campaign, account, monkeypatch):
    run = sending.run(campaign, people=3)
    load = provider.InProcessMessenger.load

    def forgetful(self, handle, messages):
        loaded = load(self, handle, messages)
        return type(loaded)(dict(list(loaded.message_ids.items())[1:]), loaded.refused)

    monkeypatch.setattr(provider.InProcessMessenger, "load", forgetful)
    delivery.send(run.pk)
    assert sending.counts(run) == {R.PENDING: 3}
    assert account.calls["dispatch"] == 0


@pytest.mark.parametrize("step", ["open", "load", "dispatch"])
def test_a_fault_of_the_set_up_stops_the_campaign_and_says_why(campaign, account, step):
    run = sending.run(campaign, people=3)
    account.fail(step, Stopped("out_of_balance"))
    delivery.send(run.pk)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, "out_of_balance")
    assert sending.counts(run) == {R.PENDING: 3}
    assert CampaignEvent.objects.get().details["code"] == "out_of_balance"
    delivery.send(run.pk)
    assert not account.ledger


def test_a_project_that_is_not_connected_any_more_stops_the_campaign(campaign, account):
    run = sending.run(campaign, people=3)
    account.is_connected = False
    delivery.send(run.pk)
    assert Campaign.objects.get().brake == "not_connected"
    assert sending.counts(run) == {R.PENDING: 3}


def test_a_refusal_that_blames_the_set_up_stops_the_campaign(campaign, account):
    run = sending.run(campaign, people=3)
    account.refuses = {"+821020000002": provider.BAD_PROFILE}
    delivery.send(run.pk)
    assert Campaign.objects.get().brake == "profile_unusable"
    assert sending.counts(run) == {R.PENDING: 3}
    assert not account.ledger


# -- Pause and cancel -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", ["open", "load"])
def test_a_pause_bites_before_the_batch_in_hand_is_sent(campaign, account, step):
    run = sending.run(campaign, people=25)

    def pause(at):
        if at == step and account.calls["load"] >= 1:
            Campaign.objects.update(state=CampaignState.INACTIVE)

    account.before = pause
    delivery.send(run.pk)
    account.before = None
    assert sending.counts(run).get(R.PENDING, 0) == (15 if step == "open" else 25)
    assert len(account.ledger) == (10 if step == "open" else 0)
    Campaign.objects.update(state=CampaignState.ACTIVE)
    settle(run)
    assert set(account.times.values()) == {1}
    assert len(account.times) == 25


def test_a_pause_after_the_intent_stops_at_the_next_batch(campaign, account):
    run = sending.run(campaign, people=25)

    def pause(at):
        if at == "dispatch":
            Campaign.objects.update(state=CampaignState.INACTIVE)

    account.before = pause
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 10, R.PENDING: 15}


def test_a_run_that_is_not_meant_to_go_yet_does_not_go(campaign, account):
    run = sending.run(campaign, people=3, not_before=timezone.now() + timedelta(hours=1))
    delivery.send(run.pk)
    for state in (RunState.QUEUED, RunState.FREEZING, RunState.DONE, RunState.CANCELLED):
        delivery.send(sending.run(campaign, state, people=3).pk)
    draft = sending.campaign(campaign.project, CampaignState.DRAFT)
    delivery.send(sending.run(draft, people=3).pk)
    assert not account.ledger
    delivery.send(sending.run(draft, people=3, kind=RunKind.TEST).pk)
    assert len(account.ledger) == 3


def test_workers_of_an_older_wave_stay_away(campaign, account):
    run = sending.run(campaign, people=3, wave=5)
    delivery.send(run.pk, wave=4)
    assert not account.ledger
    delivery.send(run.pk, wave=5)
    assert len(account.ledger) == 3


def test_so_many_hands_are_enough(campaign, account):
    run = sending.run(campaign, people=3)
    later = timezone.now() + timedelta(hours=1)
    for _ in range(delivery.HANDS):
        sending.batch(run, lease_until=later)
    delivery.send(run.pk)
    assert not account.ledger


# -- The law, asked again ---------------------------------------------------------------------------------------------
@pytest.fixture
def ad(world):
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0801234567")
    return sending.campaign(world.project, message=sending.AD)


def with_profiles(run, **fields):
    """Gives each of the run's people a profile that agreed to advertising, and returns these."""
    fields = {"marketing_consent": True, **fields}
    made = []
    for person in Recipient.objects.filter(run=run).order_by("pk"):
        profile = factories.profile(run.project, f"{run.pk}-{person.external_id}", phone=person.phone, **fields)
        Recipient.objects.filter(pk=person.pk).update(profile_id=profile.pk)
        made.append(profile)
    return made


def test_opt_out_consent_and_deletion_count_at_the_last_moment(ad, account, day):
    run = sending.run(ad, people=4)
    profiles = with_profiles(run)
    OptOut.objects.create(project=ad.project, phone="+821020000000", source="own")
    type(profiles[1]).objects.filter(pk=profiles[1].pk).update(marketing_consent=False)
    profiles[2].delete()
    delivery.send(run.pk)
    rows = Recipient.objects.filter(run=run).order_by("pk")
    assert [(one.state, one.reason) for one in rows] == [
        (R.SKIPPED, "opted_out"),
        (R.SKIPPED, "no_consent"),
        (R.SKIPPED, "gone"),
        (R.ACCEPTED, ""),
    ]
    assert set(account.times) == {"+821020000003"}


def test_information_asks_for_no_consent(campaign, account, day):
    run = sending.run(campaign, people=2)
    with_profiles(run, marketing_consent=False)
    OptOut.objects.create(project=campaign.project, phone="+821020000000", source="own")
    day(23)
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 2}


def test_somebody_refuses_while_the_batch_is_in_hand(ad, account, day):
    """The group was filled with them: it is thrown away, and the others go in another."""
    run = sending.run(ad, people=3)
    with_profiles(run)

    def refuse(step):
        if step == "load":
            OptOut.objects.get_or_create(project=ad.project, phone="+821020000001", defaults={"source": "own"})

    account.before = refuse
    delivery.send(run.pk)
    settle(run, 1)
    assert set(account.times) == {"+821020000000", "+821020000002"}
    assert account.groups["G0"].state == "deleted"
    assert sending.counts(run) == {R.DELIVERED: 2, R.SKIPPED: 1}


def test_the_night_makes_an_advertisement_wait_for_eight(ad, account, day):
    run = sending.run(ad, people=25)
    with_profiles(run)

    def night_falls(step):
        if step == "dispatch":
            day(20, 56)

    account.before = night_falls
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 10, R.PENDING: 15}
    run.refresh_from_db()
    eight = datetime(2026, 7, 1, 23, tzinfo=UTC)
    assert eight <= run.not_before <= eight + timedelta(minutes=10)
    assert run.waiting_for == "night"
    account.before = None
    day(8, 30)
    again(run)
    assert len(account.times) == 25


def test_nine_in_the_evening_comes_between_claim_and_dispatch(ad, account, day):
    run = sending.run(ad, people=3)
    with_profiles(run)
    day(20, 54)

    def night_falls(step):
        if step == "load":
            day(21)

    account.before = night_falls
    delivery.send(run.pk)
    assert not account.ledger
    assert sending.counts(run) == {R.PENDING: 3}
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_whoever_agreed_to_the_night_gets_it_and_the_others_wait(ad, account, day):
    run = sending.run(ad, people=4)
    profiles = with_profiles(run)
    type(profiles[0]).objects.filter(pk__in=[profiles[1].pk, profiles[3].pk]).update(night_consent=True)
    day(23)
    delivery.send(run.pk)
    assert set(account.times) == {"+821020000001", "+821020000003"}
    assert sending.counts(run) == {R.ACCEPTED: 2, R.PENDING: 2}
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_kakao_takes_no_advertising_at_night_from_anybody(world, account, day):
    message = {"profile": "KA01PF1", "text": "여름 세일", "fallback": None}
    ad = sending.campaign(world.project, channel=Channel.FRIENDTALK, message=message)
    run = sending.run(ad, people=2)
    with_profiles(run, night_consent=True)
    day(20, 46)
    delivery.send(run.pk)
    assert not account.ledger
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_where_the_project_says_so_the_night_drops_the_rest(ad, account, day):
    Rules.objects.update(night="drop")
    run = sending.run(ad, people=3)
    with_profiles(run)
    day(22)
    delivery.send(run.pk)
    assert set(Recipient.objects.filter(run=run).values_list("state", "reason")) == {(R.SKIPPED, "night")}
    assert Run.objects.get(pk=run.pk).state == RunState.DONE


# -- Messages ---------------------------------------------------------------------------------------------------------
def test_everybody_reads_their_own_values(world, account):
    message = sending.TEXT | {"text": '{{ user["$name"] }}님, 도착했습니다.', "skips_missing": True}
    campaign = sending.campaign(world.project, message=message)
    run = sending.run(campaign, people=3)
    people = Recipient.objects.filter(run=run)
    people.filter(external_id="user_0000000").update(values={"$name": "김하늘"})
    people.filter(external_id="user_0000001").update(values={"$name": "이바다"})
    delivery.send(run.pk)
    assert {one.to: one.text for one in account.ledger} == {
        "+821020000000": "김하늘님, 도착했습니다.",
        "+821020000001": "이바다님, 도착했습니다.",
    }
    assert people.get(external_id="user_0000002").reason == "no_value"


def test_a_fault_of_ours_with_one_person_holds_up_nobody_else(campaign, account, monkeypatch):
    make = delivery.message_for

    def faulty(person, *rest):
        if person.phone.endswith("1"):
            raise ZeroDivisionError(person.phone)
        return make(person, *rest)

    monkeypatch.setattr(delivery, "message_for", faulty)
    run = sending.run(campaign, people=3)
    delivery.send(run.pk)
    assert sending.counts(run) == {R.ACCEPTED: 2, R.REFUSED: 1}
    assert Recipient.objects.get(run=run, state=R.REFUSED).code == "console"


def test_a_message_that_cannot_be_read_stops_the_campaign(world, account):
    campaign = sending.campaign(world.project, message=sending.TEXT | {"text": "{{ user["})
    run = sending.run(campaign, people=3)
    delivery.send(run.pk)
    assert Campaign.objects.get().brake == "content"
    assert sending.counts(run) == {R.PENDING: 3}
