"""From draft to end: launch, pause, start again, cancel, end, retry, duplicate, delete; and the clock."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.db.models import F
from django.utils import timezone

from campaigns.audience.plan import plan
from campaigns.models import (
    Batch,
    Campaign,
    CampaignEvent,
    CampaignState,
    Freshness,
    OptOut,
    Recipient,
    RecipientState,
    Rules,
    Run,
    RunKind,
    RunState,
)
from campaigns.sending import finish, freeze, launch, recipients, retry
from campaigns.sending.history import words_of
from campaigns.sending.launch import CannotLaunch
from cohorts.models import Cohort, Profile, Refresh, RefreshState
from cohorts.people import facets
from integrations.messaging import Balance, Kind, NotTaken, SenderNumber, Stopped
from integrations.senders import Listing
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import provider, sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R = RecipientState
DAILY = {"kind": "daily", "start": "2026-06-01", "forever": True, "time": "10:00"}


@pytest.fixture
def people(world):
    """`people(7)` are ids of profiles who agreed to advertising."""

    def make(count, start=0):
        ids = factories.profiles(world.project, count, start=start)
        Profile.objects.filter(pk__in=ids).update(marketing_consent=True)
        facets.rebuild(world.project.pk)
        return ids

    return make


@pytest.fixture
def cohort(world, people):
    return factories.cohort_with(world.project, 2_785_620, people(5))


@pytest.fixture
def draft(world, cohort, account):
    return sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort, version=3)


@pytest.fixture
def by(world):
    return User.objects.get(pk=world.people["marketer"].pk)


def start(campaign, by, **more):
    more.setdefault("seen_version", campaign.version)
    return launch.launch(campaign, by=by, **more)


def events(campaign):
    return list(CampaignEvent.objects.filter(campaign=campaign).order_by("pk").values_list("what", flat=True))


def codes(error):
    return [one.code for one in error.value.problems]


# -- Launch -----------------------------------------------------------------------------------------------------------
def test_a_draft_is_launched_frozen_sent_and_over(draft, by, account):
    campaign = start(draft, by, expected_size=5)
    assert campaign.state == CampaignState.ACTIVE
    assert campaign.launched_at
    assert campaign.launched_by == by.email
    run = Run.objects.get()
    assert (run.state, run.number, run.requested_by) == (RunState.QUEUED, 1, by.email)
    freeze.prepare(run.pk)
    run.refresh_from_db()
    assert (run.state, run.size, run.snapshot_number) == (RunState.SENDING, 5, 1)
    assert run.funnel[-1]["count"] == 5
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 5}
    assert events(campaign) == ["launched", "frozen", "done", "over"]
    assert Campaign.objects.get().state == CampaignState.ENDED
    entry = Entry.objects.get(action=Action.CAMPAIGN_LAUNCHED)
    assert (entry.actor, entry.target, entry.details["size"]) == (by.email, "도착 안내", 5)
    assert "5명" in words_of(CampaignEvent.objects.get(what="frozen"))


def test_a_second_click_finds_it_launched(draft, by):
    first = start(draft, by)
    second = start(draft, by)
    assert first.pk == second.pk
    assert Run.objects.count() == 1
    assert Entry.objects.filter(action=Action.CAMPAIGN_LAUNCHED).count() == 1


def test_what_somebody_saved_meanwhile_is_not_launched_unseen(draft, by):
    with pytest.raises(CannotLaunch) as error:
        start(draft, by, seen_version=2)
    assert codes(error) == ["conflict"]
    assert Campaign.objects.get().state == CampaignState.DRAFT
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": " "}, "required"),
        ({"channel": ""}, "required"),
        ({"channel": "email"}, "required"),
        ({"timing": {}}, "required"),
        ({"timing": {"kind": "once", "date": "2020-01-01", "time": "10:00"}}, "past"),
        ({"message": sending.TEXT | {"text": ""}}, "required"),
        ({"audience_kind": "", "cohort": None}, "audience_missing"),
    ],
)
def test_what_is_not_ready_is_refused_with_what_to_mend(draft, by, fields, code):
    for name, value in fields.items():
        setattr(draft, name, value)
    if draft.channel == "email":
        draft.channel = ""  # The database itself has no such channel.
    draft.save()
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert code in codes(error)
    assert all(one.text for one in error.value.problems)
    assert not Run.objects.exists()


def test_an_audience_of_nobody_is_refused(draft, by):
    factories.snapshot(draft.cohort, [])
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert codes(error) == ["nobody"]


def test_an_audience_of_another_size_than_was_shown_is_refused(draft, by):
    with pytest.raises(CannotLaunch) as error:
        start(draft, by, expected_size=4)
    assert codes(error) == ["size_changed"]
    assert "4명에서 5명" in error.value.problems[0].text


def test_a_cohort_older_than_the_project_wants_is_refused(draft, by):
    Rules.objects.create(project=draft.project, freshness_hours=1, freshness=Freshness.REFUSE)
    Cohort.objects.update(refreshed_at=timezone.now() - timedelta(hours=2))
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert codes(error) == ["stale"]


def test_without_a_sender_nothing_is_launched(draft, by, account):
    account.is_connected = False
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert "not_connected" in codes(error)


def priced(account, won, balance=1_000_000):
    """The provider's lists were read: each message costs `won`."""
    account.money = Decimal(balance)
    account.lists = Listing(
        profiles=(),
        numbers=(SenderNumber("0212345678"),),
        balance=Balance(Decimal(balance)),
        prices=dict.fromkeys(Kind, Decimal(won)),
        fetched_at=timezone.now(),
    )


def test_what_may_cost_more_than_the_project_allows_is_not_launched(draft, by, account):
    priced(account, 10)
    Rules.objects.create(project=draft.project, ceiling_won=49)
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert codes(error) == ["ceiling"]
    Rules.objects.update(ceiling_won=50)
    assert start(draft, by).state == CampaignState.ACTIVE


def test_what_there_is_no_money_for_is_not_launched(draft, by, account):
    priced(account, 10, balance=49)
    with pytest.raises(CannotLaunch) as error:
        start(draft, by)
    assert codes(error) == ["out_of_balance"]


def test_money_that_was_spent_since_stops_the_run_before_anybody_is_sent_to(draft, by, account):
    priced(account, 10)
    start(draft, by)
    account.money = Decimal(49)
    run = prepared(Run.objects.get())
    assert Campaign.objects.get().brake == "out_of_balance"
    assert run.state == RunState.FREEZING
    account.money = Decimal(50)
    launch.resume(Campaign.objects.get(), by=by)
    settle(prepared(run))
    assert sending.counts(run) == {R.DELIVERED: 5}
    run.refresh_from_db()
    assert (run.expected_won, run.unit_prices) == (50, {"sms": "10"})


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_are_one_launch(world, account, people):
    if connection.vendor != "postgresql":
        pytest.skip("what races show needs PostgreSQL: set TEST_DATABASE_URL")
    cohort = factories.cohort_with(world.project, 1, people(3))
    draft = sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort)
    by = world.people["owner"]
    together, found = threading.Barrier(50), []
    opening = threading.Lock()

    def click():
        try:
            with opening:  # Fifty that knock at one moment are another matter.
                connection.ensure_connection()
            together.wait()
            found.append(launch.launch(draft, by=by, seen_version=0).state)
        finally:
            connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(50)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert found == [CampaignState.ACTIVE] * 50
    assert Run.objects.count() == 1
    assert events(draft) == ["launched"]


# -- Before it is sent ------------------------------------------------------------------------------------------------
@pytest.fixture
def queued(draft, by):
    start(draft, by)
    return Run.objects.get()


def prepared(run):
    Run.objects.filter(pk=run.pk).update(not_before=None)
    freeze.prepare(run.pk)
    run.refresh_from_db()
    return run


def test_preview_and_launch_reach_the_same_people(draft, by):
    shown = plan(draft)
    start(draft, by, expected_size=shown.funnel.size)
    run = prepared(Run.objects.get())
    assert set(Recipient.objects.filter(run=run).values_list("profile_id", flat=True)) == set(shown.chosen)


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (lambda account: account.listed_numbers.clear(), "sender_unregistered"),
        (lambda account: account.fail("numbers", Stopped("wrong_key")), "wrong_key"),
        (lambda account: account.fail("numbers", Stopped("clock")), "clock"),
    ],
)
def test_a_set_up_that_does_not_hold_stops_it_before_anybody_is_sent_to(queued, account, break_it, code):
    numbers = list(account.listed_numbers)
    break_it(account)
    run = prepared(queued)
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, code)
    assert run.state == RunState.QUEUED
    assert run.lease_until is None
    assert not Recipient.objects.exists()
    account.listed_numbers = numbers
    launch.resume(campaign, by=None)
    settle(prepared(run))
    assert sending.counts(run) == {R.DELIVERED: 5}


def test_a_template_blocked_after_it_was_chosen_stops_it(world, cohort, account, by):
    message = {"profile": "KA01PF1", "template": "KA01TP1", "template_text": "안녕하세요", "fallback": None}
    campaign = sending.campaign(world.project, cohort=cohort, channel="alimtalk", message=message)
    run = sending.run(campaign, RunState.QUEUED)
    for listed in (
        [],
        [provider.template("KA01TP1", "안녕하세요", "blocked")],
        [provider.template("KA01TP1", "딴 글")],
    ):
        Campaign.objects.update(state=CampaignState.ACTIVE, brake="")
        account.listed_templates = listed
        prepared(run)
        assert Campaign.objects.get().brake == "template_unusable"
    Campaign.objects.update(state=CampaignState.ACTIVE, brake="")
    account.listed_templates = [provider.template("KA01TP1", "안녕하세요")]
    assert prepared(run).state == RunState.SENDING


def test_a_provider_that_does_not_answer_is_waited_for(queued, account):
    account.fail("numbers", NotTaken("unreachable"))
    run = prepared(queued)
    assert (run.state, run.waiting_for) == (RunState.QUEUED, "provider")
    assert run.not_before > timezone.now()
    assert prepared(run).state == RunState.SENDING


def test_refusals_at_the_provider_are_read_before_an_advertisement(world, cohort, account):
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0801234567")
    campaign = sending.campaign(world.project, cohort=cohort, message=sending.AD)
    run = sending.run(campaign, RunState.QUEUED)
    account.fail("opt_outs", NotTaken("timed_out"))
    assert prepared(run).waiting_for == "opt_outs"
    account.listed_opt_outs = ["+821020000001"]
    prepared(run)
    assert OptOut.objects.get().phone == "+821020000001"


def test_a_pause_while_people_are_written_down_stops_that_too(queued, account, monkeypatch):
    write_down = recipients.freeze_into

    def paused(run, claim):
        Campaign.objects.update(state=CampaignState.INACTIVE)
        return write_down(run, claim)

    monkeypatch.setattr(recipients, "freeze_into", paused)
    run = prepared(queued)
    assert run.state == RunState.FREEZING
    assert not Recipient.objects.exists()
    monkeypatch.setattr(recipients, "freeze_into", write_down)
    launch.resume(Campaign.objects.get(), by=None)
    run = prepared(run)
    assert (run.state, run.size) == (RunState.SENDING, 5)


def test_a_run_that_kills_its_workers_is_given_up(queued, account):
    Run.objects.update(attempts=freeze.MOST_ATTEMPTS)
    prepared(queued)
    assert Campaign.objects.get().brake == "crashed"


def test_nobody_left_at_the_moment_of_sending_skips_the_run(queued):
    factories.snapshot(Cohort.objects.get(), [])
    run = prepared(queued)
    assert (run.state, run.skipped_for, run.size) == (RunState.SKIPPED, "nobody", 0)
    assert Campaign.objects.get().state == CampaignState.ENDED


def test_a_cohort_that_vanished_skips_the_run(queued):
    Cohort.objects.update(vanished_at=timezone.now())
    run = prepared(queued)
    assert (run.state, run.skipped_for) == (RunState.SKIPPED, "vanished")
    assert "사라졌습니다" in words_of(CampaignEvent.objects.get(what="skipped"))


# -- Freshness --------------------------------------------------------------------------------------------------------
def stale(project, rule):
    Rules.objects.create(project=project, freshness_hours=1, freshness=rule)
    Cohort.objects.update(refreshed_at=timezone.now() - timedelta(hours=2))


def test_a_stale_cohort_is_only_told_of_where_the_rule_says_so(queued):
    stale(queued.project, Freshness.WARN)
    assert prepared(queued).state == RunState.SENDING


def test_a_stale_cohort_skips_the_run_where_the_rule_says_so(queued):
    stale(queued.project, Freshness.REFUSE)
    assert prepared(queued).skipped_for == "stale"


def test_a_stale_cohort_is_refreshed_first_where_the_rule_says_so(queued, people):
    factories.connection(queued.project)
    stale(queued.project, Freshness.REFRESH)
    run = prepared(queued)
    assert (run.state, run.waiting_for) == (RunState.QUEUED, "refresh")
    cohort = Cohort.objects.get()
    assert cohort.needed_at
    asked = Refresh.objects.get()
    assert asked.cohort_id == cohort.pk
    run = prepared(run)
    assert run.state == RunState.QUEUED
    assert Refresh.objects.count() == 1, "it joins the one that runs"
    factories.snapshot(cohort, people(7, start=100))
    Refresh.objects.update(state=RefreshState.SUCCEEDED, finished_at=timezone.now())
    run = prepared(run)
    assert (run.state, run.size, run.snapshot_number) == (RunState.SENDING, 7, 2)
    assert events(run.campaign) == ["launched", "waits", "frozen"]


def test_a_refresh_that_fails_skips_the_run(queued):
    factories.connection(queued.project)
    stale(queued.project, Freshness.REFRESH)
    run = prepared(queued)
    Refresh.objects.update(state=RefreshState.FAILED, finished_at=timezone.now(), failure="wrong_credentials")
    assert prepared(run).skipped_for == "refresh_failed"


def test_a_result_that_a_person_must_confirm_skips_the_run(queued):
    factories.connection(queued.project)
    stale(queued.project, Freshness.REFRESH)
    run = prepared(queued)
    factories.snapshot(Cohort.objects.get(), [], state="held")
    assert prepared(run).skipped_for == "held"


def test_without_mixpanel_there_is_no_refresh_to_wait_for(queued):
    stale(queued.project, Freshness.REFRESH)
    assert prepared(queued).skipped_for == "refresh_failed"


def test_a_user_group_is_as_fresh_as_the_cohorts_it_speaks_of(world, cohort, people, account, by):
    other = factories.cohort_with(world.project, 7, people(2, start=300))
    segment = [{"kind": "cohort", "cohort": cohort.pk, "is_in": True}]
    out = [{"kind": "cohort", "cohort": other.pk, "is_in": False}]
    group = factories.group(world.project, definition={"segments": [segment], "filters": out})
    draft = sending.campaign(world.project, CampaignState.DRAFT, audience_kind="group", group=group, cohort=None)
    start(draft, by)
    run = Run.objects.get()
    Rules.objects.create(project=world.project, freshness_hours=1, freshness=Freshness.REFUSE)
    Cohort.objects.filter(pk=other.pk).update(refreshed_at=timezone.now() - timedelta(hours=2))
    copy = launch.duplicate(draft, by=by)
    with pytest.raises(CannotLaunch) as error:
        start(copy, by)
    assert codes(error) == ["stale"]
    assert prepared(run).skipped_for == "stale"


def test_a_run_that_was_paused_while_it_waited_asks_for_another_refresh(queued, by):
    factories.connection(queued.project)
    stale(queued.project, Freshness.REFRESH)
    run = prepared(queued)
    launch.pause(run.campaign, by=by)
    Run.objects.update(started_at=timezone.now() - timedelta(days=2))
    Refresh.objects.update(state=RefreshState.SUCCEEDED, finished_at=timezone.now())
    launch.resume(run.campaign, by=by)
    run = prepared(run)
    assert (run.state, run.waiting_for) == (RunState.QUEUED, "refresh")
    assert Refresh.objects.count() == 2


# -- Pause, cancel, end -----------------------------------------------------------------------------------------------
def test_pause_and_start_again(queued, by):
    campaign = queued.campaign
    assert launch.pause(campaign, by=by).state == CampaignState.INACTIVE
    assert prepared(queued).state == RunState.QUEUED
    launch.pause(campaign, by=by)
    assert launch.resume(campaign, by=by).state == CampaignState.ACTIVE
    assert prepared(queued).state == RunState.SENDING
    assert events(campaign) == ["launched", "paused", "resumed", "frozen"]
    assert Entry.objects.filter(action__in=[Action.CAMPAIGN_PAUSED, Action.CAMPAIGN_RESUMED]).count() == 2
    assert Run.objects.count() == 1


def edited(campaign, text="고친 안내입니다."):
    Campaign.objects.filter(pk=campaign.pk).update(message=sending.TEXT | {"text": text}, version=F("version") + 1)
    return Campaign.objects.get(pk=campaign.pk)


def test_what_was_edited_before_people_were_chosen_goes_out_as_edited(queued, by, account):
    launch.pause(queued.campaign, by=by)
    launch.resume(edited(queued.campaign), by=by)
    settle(prepared(queued))
    assert {one.text for one in account.ledger} == {"고친 안내입니다."}
    assert (len(account.ledger), Run.objects.count()) == (5, 1)


def test_what_was_edited_before_anybody_got_it_is_a_run_of_its_own(queued, by, account):
    run = prepared(queued)
    account.fail("dispatch", Stopped("sender_unregistered"))
    sending.send(run)
    assert Campaign.objects.get().brake == "sender_unregistered"
    launch.resume(edited(run.campaign), by=by)
    made = Run.objects.exclude(pk=run.pk).get()
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    finish.tidy(run.pk)
    settle(run)
    settle(prepared(made))
    assert {one.text for one in account.ledger} == {"고친 안내입니다."}
    assert set(account.times.values()) == {1}
    assert (sending.counts(run), sending.counts(made)) == ({R.SKIPPED: 5}, {R.DELIVERED: 5})
    assert "renewed" in events(run.campaign)
    assert Campaign.objects.get().state == CampaignState.ENDED


def test_a_run_that_somebody_got_keeps_its_message(queued, by, account, settings):
    settings.SENDING_BATCH = 2
    run = prepared(queued)
    account.before = lambda step: step == "dispatch" and launch.pause(run.campaign, by=by)
    sending.send(run)
    account.before = None
    assert 0 < len(account.ledger) < 5
    with pytest.raises(CannotLaunch) as error:
        launch.resume(edited(run.campaign), by=by)
    assert codes(error) == ["run_has_gone_out"]
    assert Campaign.objects.get().state == CampaignState.INACTIVE
    launch.resume(edited(run.campaign, sending.TEXT["text"]), by=by)
    settle(run)
    assert {one.text for one in account.ledger} == {sending.TEXT["text"]}
    assert set(account.times.values()) == {1}


def test_cancelling_leaves_out_who_waits_and_keeps_what_was_handed_over(queued, by, account):
    Batch.objects.all()
    run = prepared(queued)
    account.before = lambda step: step == "dispatch" and launch.cancel_run(run, by=by)
    sending.send(run)
    account.before = None
    finish.tidy(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert run.handed_over_at
    assert sending.counts(run) == {R.ACCEPTED: 5}
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 5}
    assert Campaign.objects.get().state == CampaignState.ENDED
    assert Entry.objects.filter(action=Action.RUN_CANCELLED).count() == 1


@pytest.mark.parametrize("step", ["open", "load"])
def test_cancelling_before_the_intent_sends_to_nobody(queued, by, account, step):
    run = prepared(queued)
    account.before = lambda at: at == step and launch.cancel_run(run, by=by)
    sending.send(run)
    account.before = None
    settle(run)
    finish.sweep()
    finish.tidy(run.pk)
    assert not account.ledger
    assert sending.counts(run) == {R.SKIPPED: 5}
    run.refresh_from_db()
    assert run.size == 5
    assert run.handed_over_at


def test_a_cancelled_runs_unclear_batch_is_still_settled(queued, by, account):
    run = prepared(queued)
    account.fail("dispatch", provider.unclear())
    sending.send(run)
    launch.cancel_run(run, by=by)
    finish.tidy(run.pk)
    assert sending.counts(run) == {R.UNKNOWN: 5}
    settle(run)
    assert sending.counts(run) == {R.SKIPPED: 5}
    run.refresh_from_db()
    assert run.handed_over_at


def test_a_campaign_that_is_paused_when_its_last_batch_goes_out_is_over(queued, by, account):
    """Started again it would go out to everybody once more."""
    run = prepared(queued)
    account.before = lambda step: step == "dispatch" and launch.pause(run.campaign, by=by)
    sending.send(run)
    account.before = None
    finish.sweep()
    assert Campaign.objects.get().state == CampaignState.ENDED
    launch.resume(run.campaign, by=by)
    assert Run.objects.count() == 1


def test_ending_a_campaign_ends_its_run(queued, by):
    run = prepared(queued)
    assert launch.end(run.campaign, by=by).state == CampaignState.ENDED
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert finish.tidy(run.pk)
    assert sending.counts(run) == {R.SKIPPED: 5}
    assert launch.end(run.campaign, by=by).state == CampaignState.ENDED
    assert Entry.objects.filter(action=Action.CAMPAIGN_ENDED).count() == 1


def test_a_campaign_that_was_ended_does_not_start_again(queued, by):
    campaign = launch.end(queued.campaign, by=by)
    assert launch.launch(campaign, by=by, seen_version=campaign.version).state == CampaignState.ENDED
    assert Run.objects.count() == 1


# -- The clock --------------------------------------------------------------------------------------------------------
@pytest.fixture
def daily(world, cohort, account, by):
    campaign = sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort, timing=DAILY)
    return start(campaign, by)


def due(campaign, ago=timedelta(seconds=1)):
    moment = timezone.now() - ago
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=moment)
    return moment


def test_a_recurring_campaign_waits_for_its_moment(daily):
    assert daily.next_run_at > timezone.now()
    assert timezone.localtime(daily.next_run_at).strftime("%H:%M") == "10:00"
    assert launch.tick() == 0
    assert not Run.objects.exists()


def test_two_clocks_make_one_run_for_each_moment(daily):
    moment = due(daily)
    assert [launch.tick(), launch.tick()] == [1, 0]
    run = Run.objects.get()
    assert (run.due_at, run.kind, run.number) == (moment, RunKind.REGULAR, 1)
    daily.refresh_from_db()
    assert daily.next_run_at > timezone.now()


def test_moments_missed_while_everything_was_down_are_one_run(daily):
    due(daily, timedelta(days=3))
    assert launch.tick() == 1
    assert launch.tick() == 0
    daily.refresh_from_db()
    assert daily.next_run_at > timezone.now()


def test_each_run_takes_the_newest_version_and_says_which(daily, cohort, people):
    for number, size in ((1, 5), (2, 7)):
        if number == 2:
            factories.snapshot(cohort, people(size, start=200))
        due(daily)
        launch.tick()
        run = Run.objects.get(number=number)
        settle(prepared(run))
        run.refresh_from_db()
        assert (run.state, run.size, run.snapshot_number) == (RunState.DONE, size, number)
    daily.refresh_from_db()
    assert daily.state == CampaignState.ACTIVE


def test_a_run_that_is_still_going_when_the_next_is_due_lets_that_one_pass(daily):
    due(daily)
    launch.tick()
    due(daily)
    launch.tick()
    assert list(Run.objects.order_by("number").values_list("state", "skipped_for")) == [
        (RunState.QUEUED, ""),
        (RunState.SKIPPED, "still_sending"),
    ]


def test_after_the_last_moment_the_campaign_is_over(world, cohort, account, by):
    tomorrow = (timezone.localtime() + timedelta(days=1)).date().isoformat()
    timing = {"kind": "once", "date": tomorrow, "time": "10:00"}
    campaign = start(sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort, timing=timing), by)
    assert timezone.localtime(campaign.next_run_at).date().isoformat() == tomorrow
    due(campaign)
    launch.tick()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_run_at) == (CampaignState.ACTIVE, None)
    settle(prepared(Run.objects.get()))
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.ENDED


def test_while_paused_no_run_is_made_and_none_is_made_up_for(daily, by):
    launch.pause(daily, by=by)
    daily.refresh_from_db()
    assert daily.next_run_at is None
    assert launch.tick() == 0
    assert launch.resume(daily, by=by).next_run_at > timezone.now()


def test_a_moment_that_had_its_run_is_passed_over(daily):
    moment = due(daily)
    launch.tick()
    Campaign.objects.filter(pk=daily.pk).update(next_run_at=moment)
    Run.objects.update(handed_over_at=moment)
    assert launch.tick() == 0
    daily.refresh_from_db()
    assert daily.next_run_at > timezone.now()
    assert Run.objects.count() == 1


# -- Once more --------------------------------------------------------------------------------------------------------
def test_passing_failures_are_sent_to_again_once(queued, by, account):
    account.verdicts = {
        "+821020000001": provider.OFF,
        "+821020000002": provider.NOT_ON_KAKAO,
    }
    run = prepared(queued)
    Recipient.objects.filter(run=run).update(values={"$name": "김하늘"})
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 3, R.FAILED: 2}
    account.verdicts = {}
    run.refresh_from_db()
    again = retry.retry_failures(run, by=by)
    assert retry.retry_failures(run, by=by).pk == again.pk
    assert (again.kind, again.size, again.retry_of_id) == (RunKind.RETRY, 1, run.pk)
    assert Campaign.objects.get().state == CampaignState.ACTIVE
    settle(prepared(again))
    assert account.times == {**dict.fromkeys(account.times, 1), "+821020000001": 2}
    person = Recipient.objects.get(run=again)
    assert (person.state, person.values, person.phone) == (R.DELIVERED, {"$name": "김하늘"}, "+821020000001")
    assert Campaign.objects.get().state == CampaignState.ENDED
    assert Entry.objects.filter(action=Action.RUN_RETRIED).count() == 1


def test_there_is_nothing_to_retry(queued, by, account):
    run = prepared(queued)
    with pytest.raises(CannotLaunch) as error:
        retry.retry_failures(run, by=by)
    assert codes(error) == ["still_going"]
    settle(run)
    run.refresh_from_db()
    with pytest.raises(CannotLaunch) as error:
        retry.retry_failures(run, by=by)
    assert codes(error) == ["nobody"]
    assert Run.objects.count() == 1
    assert Campaign.objects.get().state == CampaignState.ENDED


# -- Another one, and none --------------------------------------------------------------------------------------------
def test_a_duplicate_is_a_draft_of_its_own(queued, by):
    made = launch.duplicate(queued.campaign, by=by)
    assert (made.state, made.name, made.launched_at) == (CampaignState.DRAFT, "도착 안내 사본", None)
    assert (made.message, made.cohort_id) == (queued.message, queued.campaign.cohort_id)
    assert made.author == by


def test_only_drafts_and_ended_campaigns_can_be_deleted(queued, by):
    campaign = queued.campaign
    assert not launch.delete(campaign, by=by)
    launch.pause(campaign, by=by)
    assert not launch.delete(campaign, by=by)
    launch.end(campaign, by=by)
    finish.tidy(queued.pk)
    assert launch.delete(campaign, by=by)
    assert not launch.delete(campaign, by=by)
    assert not Campaign.objects.exists()
    finish.prune()
    assert not Run.objects.exists()
    assert not Recipient.objects.exists()
    assert not Campaign._base_manager.exists()
    assert Entry.objects.filter(action=Action.CAMPAIGN_DELETED).count() == 1
