"""THE send: batches into a provider's hands, and everything that may go wrong on the way."""

import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from campaigns.audience.uploads import read_csv
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
from campaigns.sending import delivery
from integrations.messaging import Channel, NotTaken, Stopped
from tests import factories
from tests.campaigns import provider, sending
from tests.campaigns.sending import again, settle

pytestmark = pytest.mark.django_db
R, B = RecipientState, BatchState


@pytest.fixture
def campaign(world):
    return sending.campaign(world.project)


@pytest.fixture
def after_commit(django_capture_on_commit_callbacks):
    return django_capture_on_commit_callbacks


def test_everybody_gets_it_once_and_the_run_and_campaign_are_over(campaign, account):
    run = sending.run(campaign, people=25)
    sending.send(run)
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
    sending.send(run)
    assert sending.counts(run) == {R.ACCEPTED: 3}


def test_what_the_provider_refuses_is_refused_and_the_others_go(campaign, account, world):
    run = sending.run(campaign, people=4)
    account.refuses = {"+821020000001": provider.BAD_NUMBER, "+821020000002": provider.OPTED_OUT}
    sending.send(run)
    assert sending.counts(run) == {R.ACCEPTED: 2, R.REFUSED: 2}
    assert set(account.times) == {"+821020000000", "+821020000003"}
    assert OptOut.objects.get().phone == "+821020000002"


def test_when_all_are_refused_nothing_is_dispatched(campaign, account):
    run = sending.run(campaign, people=2)
    account.refuses = {f"+82102000000{n}": provider.BAD_NUMBER for n in range(2)}
    sending.send(run)
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
    sending.send(run)
    assert sending.counts(run) == {R.PENDING: 3}
    run.refresh_from_db()
    assert run.waiting_for == "provider"
    assert run.not_before > timezone.now() + timedelta(seconds=60)
    sending.send(run)
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
    sending.send(run)
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
    sending.send(run)
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
    sending.send(run)
    assert sending.counts(run) == {R.PENDING: 3}
    assert account.calls["dispatch"] == 0


@pytest.mark.parametrize("step", ["open", "load", "dispatch"])
def test_a_fault_of_the_set_up_stops_the_campaign_and_says_why(campaign, account, step):
    run = sending.run(campaign, people=3)
    account.fail(step, Stopped("out_of_balance"))
    sending.send(run)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, "out_of_balance")
    assert sending.counts(run) == {R.PENDING: 3}
    assert CampaignEvent.objects.get().details["code"] == "out_of_balance"
    sending.send(run)
    assert not account.ledger


def test_a_project_that_is_not_connected_any_more_stops_the_campaign(campaign, account):
    run = sending.run(campaign, people=3)
    account.is_connected = False
    sending.send(run)
    assert Campaign.objects.get().brake == "not_connected"
    assert sending.counts(run) == {R.PENDING: 3}


def test_a_refusal_that_blames_the_set_up_stops_the_campaign(campaign, account):
    run = sending.run(campaign, people=3)
    account.refuses = {"+821020000002": provider.BAD_PROFILE}
    sending.send(run)
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
    sending.send(run)
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
    sending.send(run)
    assert sending.counts(run) == {R.ACCEPTED: 10, R.PENDING: 15}


def test_a_run_that_is_not_meant_to_go_yet_does_not_go(campaign, account):
    run = sending.run(campaign, people=3, not_before=timezone.now() + timedelta(hours=1))
    sending.send(run)
    for state in (RunState.QUEUED, RunState.FREEZING, RunState.DONE, RunState.CANCELLED):
        sending.send(sending.run(campaign, state, people=3))
    draft = sending.campaign(campaign.project, CampaignState.DRAFT)
    sending.send(sending.run(draft, people=3))
    assert not account.ledger
    sending.send(sending.run(draft, people=3, kind=RunKind.TEST))
    assert len(account.ledger) == 3


# -- Whose turn it is -------------------------------------------------------------------------------------------------
def test_a_worker_looks_for_whoever_is_most_in_need(campaign, account, world, after_commit):
    later = timezone.now() + timedelta(hours=1)
    busy, waiting, full = (sending.run(campaign, people=2, first=10 * n) for n in range(3))
    sending.batch(busy, lease_until=later)
    for _ in range(delivery.HANDS):
        sending.batch(full, lease_until=later)
    other = sending.campaign(world.project)
    resting = sending.run(other, people=2, not_before=later)
    paused = sending.run(sending.campaign(world.project, CampaignState.INACTIVE), people=2)
    test = sending.run(other, people=2, kind=RunKind.TEST)
    order = []
    account.before = lambda step: step == "dispatch" and order.append(Batch.objects.latest("created_at").run_id)
    with after_commit(execute=True):
        delivery.work()
    assert order == [test.pk, waiting.pk, busy.pk]
    for one in (resting, paused, full):
        assert sending.counts(one) == {R.PENDING: 2}
    assert account.nudged == [], "there is nothing left to do"


def test_a_worker_whose_time_is_up_lets_others_have_their_turn(campaign, account, monkeypatch, after_commit):
    sending.run(campaign, people=25)
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: 3 * account.calls["dispatch"]))
    with after_commit(execute=True):
        delivery.work(seconds=5)
    assert len(account.ledger) == 20
    assert account.nudged == [("campaigns.send", {})]


def test_the_sweep_wakes_workers_where_somebody_waits(campaign, account, after_commit):
    run = sending.run(campaign, people=2, not_before=sending.long_ago(), waiting_for="provider")
    with after_commit(execute=True):
        assert delivery.sweep() == 1
    assert account.nudged[0] == ("campaigns.send", {})
    run.refresh_from_db()
    assert (run.not_before, run.waiting_for) == (None, "")
    sending.send(run)
    assert delivery.sweep() == 0


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
    sending.send(run)
    rows = Recipient.objects.filter(run=run).order_by("pk")
    assert [(one.state, one.reason) for one in rows] == [
        (R.SKIPPED, "opted_out"),
        (R.SKIPPED, "no_consent"),
        (R.SKIPPED, "gone"),
        (R.ACCEPTED, ""),
    ]
    assert set(account.times) == {"+821020000003"}


@pytest.mark.parametrize(("column", "sent"), [("", 1), (",marketing_consent", 3)])
def test_the_consent_of_a_files_rows_counts_at_the_last_moment(ad, account, day, column, sent):
    """By the profiles with their numbers, as when they were chosen; unless the file itself says who consented."""
    rows = "".join(f"0102000000{n}{',Y' if column else ''}\n" for n in range(3))
    upload = read_csv(ad.project, "x.csv", io.BytesIO(f"phone_number{column}\n{rows}".encode()), "")
    run = sending.run(ad, people=3, upload=upload)
    factories.profile(ad.project, "stays", phone="+821020000000", marketing_consent=True)
    factories.profile(ad.project, "withdrew", phone="+821020000001", marketing_consent=False)
    sending.send(run)
    reasons = Recipient.objects.filter(run=run, state=R.SKIPPED).values_list("reason", flat=True)
    assert (len(account.times), list(reasons)) == (sent, ["no_consent"] * (3 - sent))


def test_information_asks_for_no_consent(campaign, account, day):
    run = sending.run(campaign, people=2)
    with_profiles(run, marketing_consent=False)
    OptOut.objects.create(project=campaign.project, phone="+821020000000", source="own")
    day(23)
    sending.send(run)
    assert sending.counts(run) == {R.ACCEPTED: 2}


def test_somebody_refuses_while_the_batch_is_in_hand(ad, account, day):
    """The group was filled with them: it is thrown away, and the others go in another."""
    run = sending.run(ad, people=3)
    with_profiles(run)

    def refuse(step):
        if step == "load":
            OptOut.objects.get_or_create(project=ad.project, phone="+821020000001", defaults={"source": "own"})

    account.before = refuse
    sending.send(run)
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
    sending.send(run)
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
    sending.send(run)
    assert not account.ledger
    assert sending.counts(run) == {R.PENDING: 3}
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_whoever_agreed_to_the_night_gets_it_and_the_others_wait(ad, account, day):
    run = sending.run(ad, people=4)
    profiles = with_profiles(run)
    type(profiles[0]).objects.filter(pk__in=[profiles[1].pk, profiles[3].pk]).update(night_consent=True)
    day(23)
    sending.send(run)
    assert set(account.times) == {"+821020000001", "+821020000003"}
    assert sending.counts(run) == {R.ACCEPTED: 2, R.PENDING: 2}
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_kakao_takes_no_advertising_at_night_from_anybody(world, account, day):
    message = {"profile": "KA01PF1", "text": "여름 세일", "fallback": None}
    ad = sending.campaign(world.project, channel=Channel.FRIENDTALK, message=message)
    run = sending.run(ad, people=2)
    with_profiles(run, night_consent=True)
    day(20, 46)
    sending.send(run)
    assert not account.ledger
    assert Run.objects.get(pk=run.pk).waiting_for == "night"


def test_where_the_project_says_so_the_night_drops_the_rest(ad, account, day):
    Rules.objects.update(night="drop")
    run = sending.run(ad, people=3)
    with_profiles(run)
    day(22)
    sending.send(run)
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
    sending.send(run)
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
    sending.send(run)
    assert sending.counts(run) == {R.ACCEPTED: 2, R.REFUSED: 1}
    assert Recipient.objects.get(run=run, state=R.REFUSED).code == "console"


def test_a_message_that_cannot_be_read_stops_the_campaign(world, account):
    campaign = sending.campaign(world.project, message=sending.TEXT | {"text": "{{ user["})
    run = sending.run(campaign, people=3)
    sending.send(run)
    assert Campaign.objects.get().brake == "content"
    assert sending.counts(run) == {R.PENDING: 3}
