"""Unknown made known: leases, unclear dispatches, reports."""

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from campaigns.models import (
    Batch,
    BatchState,
    Campaign,
    CampaignState,
    OptOut,
    Recipient,
    RecipientState,
    Rules,
    Run,
    RunState,
)
from campaigns.sending import arrows, reconcile
from integrations import inbox
from integrations.messaging import Channel, NotTaken, Outcome, Reason, Report, Verdict
from tests.campaigns import provider, sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R, B = RecipientState, BatchState


@pytest.fixture
def campaign(world):
    return sending.campaign(world.project)


def ask(run):
    Batch.objects.filter(run=run, ask_at__isnull=False).update(ask_at=sending.long_ago())
    for pk in Batch.objects.filter(reconcile.due(), run=run).values_list("pk", flat=True):
        reconcile.ask(pk)


# -- Leases -----------------------------------------------------------------------------------------------------------
def test_a_dead_workers_people_wait_again_if_nothing_was_tried(campaign, account):
    run = sending.run(campaign, people=3)
    batch = sending.batch(run, lease_until=sending.long_ago(), fence=1)
    arrows.claim(batch.pk, run.pk, most=3)
    assert reconcile.reap() == 1
    assert sending.counts(run) == {R.PENDING: 3}
    batch.refresh_from_db()
    assert (batch.state, batch.problem, batch.fence) == (B.RETURNED, "lost", 2)
    assert reconcile.reap() == 0


def test_a_dead_workers_people_are_unknown_if_it_was_about_to_send(campaign, account):
    run = sending.run(campaign, people=3)
    batch = sending.batch(run, B.TRIED, lease_until=sending.long_ago(), fence=1)
    arrows.claim(batch.pk, run.pk, most=3)
    reconcile.reap()
    assert sending.counts(run) == {R.UNKNOWN: 3}
    batch.refresh_from_db()
    assert (batch.state, batch.problem, batch.fence) == (B.UNKNOWN, "lost", 2)
    assert batch.ask_at > timezone.now(), "the provider is given time to settle"


def test_a_worker_that_lives_keeps_what_it_has(campaign, account):
    run = sending.run(campaign, people=3)
    batch = sending.batch(run, lease_until=timezone.now() + timedelta(seconds=30), fence=1)
    arrows.claim(batch.pk, run.pk, most=3)
    assert reconcile.reap() == 0
    assert sending.counts(run) == {R.CLAIMED: 3}


def test_one_batch_after_the_other_that_kills_its_worker_stops_the_campaign(campaign, account, settings):
    settings.SENDING_MOST_LOST = 3
    run = sending.run(campaign, people=3)
    for expected in (CampaignState.ACTIVE, CampaignState.ACTIVE, CampaignState.INACTIVE):
        batch = sending.batch(run, lease_until=sending.long_ago())
        arrows.claim(batch.pk, run.pk, most=3)
        reconcile.reap()
        campaign.refresh_from_db()
        assert campaign.state == expected
    assert campaign.brake == "crashed"


# -- Reports ----------------------------------------------------------------------------------------------------------
def test_reports_settle_everybody_and_close_the_batch(campaign, account):
    run = sending.run(campaign, people=4)
    account.verdicts = {"+821020000001": provider.OFF, "+821020000002": provider.OPTED_OUT}
    sending.send(run)
    ask(run)
    rows = Recipient.objects.filter(run=run).order_by("pk")
    assert [(one.state, one.reason, one.is_transient) for one in rows] == [
        (R.DELIVERED, "", False),
        (R.FAILED, "phone_off", True),
        (R.FAILED, "opted_out", False),
        (R.DELIVERED, "", False),
    ]
    assert OptOut.objects.get().phone == "+821020000002"
    batch = Batch.objects.get(run=run)
    assert (batch.state, batch.ask_at) == (B.CLOSED, None)


def test_questions_come_at_growing_intervals_and_end_after_four_days(campaign, account, monkeypatch):
    run = sending.run(campaign, people=2)
    account.default = provider.WAITING
    sending.send(run)
    pauses = []
    for _ in range(12):
        ask(run)
        pauses.append(round((Batch.objects.get(run=run).ask_at - timezone.now()).total_seconds()))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (20, 1_800)
    assert sending.counts(run) == {R.ACCEPTED: 2}
    # (The database won't have a batch tried at another time than it was.)
    monkeypatch.setattr(reconcile, "LAST_QUESTION_SECONDS", -1)
    ask(run)
    assert set(Recipient.objects.values_list("state", "reason")) == {(R.UNKNOWN, "no_report")}
    batch = Batch.objects.get(run=run)
    assert (batch.state, batch.ask_at) == (B.CLOSED, None)


def test_a_call_from_the_provider_only_makes_us_ask_sooner(campaign, account, world):
    run = sending.run(campaign, people=2)
    sending.send(run)
    batch = Batch.objects.get(run=run)
    assert batch.ask_at > timezone.now()
    inbox.report("solapi", world.other_project.pk, [batch.handle])
    assert not Batch.objects.filter(reconcile.due()).exists(), "another project has no say"
    inbox.report("solapi", world.id, ["", "nonsense", batch.handle])
    assert sending.counts(run) == {R.ACCEPTED: 2}, "what it says is not believed"
    reconcile.ask(batch.pk)
    assert sending.counts(run) == {R.DELIVERED: 2}
    inbox.report("solapi", world.id, [batch.handle])
    assert not Batch.objects.filter(reconcile.due()).exists()


def test_reports_that_lost_our_reference_are_known_by_the_providers_id(campaign, account, monkeypatch):
    run = sending.run(campaign, people=2)
    sending.send(run)
    reports = provider.InProcessMessenger.reports

    def forgetful(self, handle):
        for one in reports(self, handle):
            yield Report("", one.message_id, one.code, one.verdict)
        yield Report("r999999999", "M?", "4000", provider.DELIVERED)
        yield Report("somebody else's", "", "4000", provider.DELIVERED)

    monkeypatch.setattr(provider.InProcessMessenger, "reports", forgetful)
    ask(run)
    assert sending.counts(run) == {R.DELIVERED: 2}


def test_repeated_reports_and_those_out_of_order_change_nothing(campaign, account):
    run = sending.run(campaign, people=3)
    account.verdicts = {"+821020000002": provider.WAITING}
    sending.send(run)
    ask(run)
    before = list(Recipient.objects.order_by("pk").values())
    account.default = provider.OFF
    ask(run)
    assert list(Recipient.objects.order_by("pk").values()) == before


def test_a_provider_that_does_not_answer_is_asked_again_later(campaign, account):
    run = sending.run(campaign, people=2)
    sending.send(run)
    account.fail("reports", NotTaken("timed_out", retry_after=500))
    ask(run)
    batch = Batch.objects.get(run=run)
    assert batch.ask_at > timezone.now() + timedelta(seconds=400)
    assert batch.lease_until is None
    ask(run)
    assert sending.counts(run) == {R.DELIVERED: 2}


def test_two_who_ask_at_the_same_time_are_one(campaign, account):
    run = sending.run(campaign, people=2)
    sending.send(run)
    Batch.objects.update(ask_at=sending.long_ago())
    batch = Batch.objects.get(run=run)
    account.before = lambda step: step == "reports" and reconcile.ask(batch.pk)
    reconcile.ask(batch.pk)
    assert account.calls["reports"] == 1


def first_batch_only(run, account):
    """Sends one batch; the rest waits as after a pause that has ended."""
    account.before = lambda step: step == "dispatch" and Campaign.objects.update(state=CampaignState.INACTIVE)
    sending.send(run)
    account.before = None
    Campaign.objects.update(state=CampaignState.ACTIVE)


@pytest.mark.parametrize(("failures", "stops"), [(8, False), (9, True)])
def test_more_failures_than_the_project_allows_stop_the_rest(campaign, account, settings, failures, stops):
    settings.SENDING_BATCH = 40
    Rules.objects.create(project=campaign.project, brake_percent=20)
    run = sending.run(campaign, people=80)
    account.verdicts = {f"+821020000{n:03d}": provider.OFF for n in range(failures)}
    first_batch_only(run, account)
    ask(run)
    campaign.refresh_from_db()
    assert campaign.brake == ("failure_rate" if stops else "")
    assert campaign.state == (CampaignState.INACTIVE if stops else CampaignState.ACTIVE)
    assert sending.counts(run)[R.PENDING] == 40


def test_failures_that_a_person_has_seen_do_not_stop_it_again(campaign, account, settings):
    settings.SENDING_BATCH = 40
    run = sending.run(campaign, people=120)
    account.verdicts = {f"+821020000{n:03d}": provider.OFF for n in range(30)}
    first_batch_only(run, account)
    ask(run)
    assert Campaign.objects.get().brake == "failure_rate"
    Campaign.objects.update(state=CampaignState.ACTIVE, brake="")
    Run.objects.update(watched_from=timezone.now())
    first_batch_only(run, account)
    ask(run)
    assert Campaign.objects.get().state == CampaignState.ACTIVE


def test_too_many_refusals_keep_the_batch_from_being_sent(campaign, account, settings):
    settings.SENDING_BATCH = 40
    run = sending.run(campaign, people=80)
    account.refuses = {f"+821020000{n:03d}": provider.BAD_NUMBER for n in range(30)}
    sending.send(run)
    assert Campaign.objects.get().brake == "failure_rate"
    assert not account.ledger
    assert sending.counts(run) == {R.REFUSED: 30, R.PENDING: 50}


def test_a_report_that_blames_the_set_up_stops_the_rest(campaign, account):
    run = sending.run(campaign, people=15)
    account.verdicts = {"+821020000003": provider.BAD_PROFILE}
    first_batch_only(run, account)
    ask(run)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, "profile_unusable")
    assert sending.counts(run)[R.PENDING] == 5


# -- The fallback text, where the provider doesn't send it by itself --------------------------------------------------
@pytest.fixture
def kakao(world, account):
    account.native_fallback = frozenset()
    message = {
        "profile": "KA01PF1",
        "template": "KA01TP1",
        "template_text": "안녕하세요",
        "sender": "0212345678",
        "fallback": {"kind": "sms", "text": "문자로 안내드립니다", "is_own": True},
    }
    return sending.campaign(world.project, channel=Channel.ALIMTALK, message=message)


def test_whoever_kakao_does_not_reach_gets_the_text_once(kakao, account):
    run = sending.run(kakao, people=3, sends_fallback=True)
    account.verdicts = {"+821020000001": provider.NOT_ON_KAKAO}
    sending.send(run)
    assert Run.objects.get(pk=run.pk).state == RunState.SENDING, "a failure may still be reported"
    assert {one.kind for one in account.ledger} == {"alimtalk"}
    assert all(one.fallback is None for one in account.ledger)
    ask(run)
    assert sending.counts(run) == {R.DELIVERED: 2, R.PENDING: 1}
    account.verdicts = {}
    settle(run)
    texts = [one for one in account.ledger if one.kind == "sms"]
    assert [(one.to, one.text) for one in texts] == [("+821020000001", "문자로 안내드립니다")]
    person = Recipient.objects.get(run=run, phone="+821020000001")
    assert (person.state, person.was_replaced, person.kind) == (R.DELIVERED, True, "sms")
    assert Run.objects.get(pk=run.pk).state == RunState.DONE
    settle(run)
    assert len(account.ledger) == 4


def test_a_text_that_fails_too_is_the_end_of_it(kakao, account):
    run = sending.run(kakao, people=1, sends_fallback=True)
    account.default = provider.NOT_ON_KAKAO
    sending.send(run)
    settle(run)
    assert [one.kind for one in account.ledger] == ["alimtalk", "sms"]
    assert sending.counts(run) == {R.FAILED: 1}


def test_what_the_provider_itself_is_unsure_of_gets_no_text(kakao, account):
    run = sending.run(kakao, people=1, sends_fallback=True)
    account.default = Verdict(Outcome.UNCERTAIN, Reason.NO_REPORT)
    sending.send(run)
    settle(run)
    assert [one.kind for one in account.ledger] == ["alimtalk"]
    assert sending.counts(run) == {R.ACCEPTED: 1}


# -- At the same time -------------------------------------------------------------------------------------------------
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_reapers_and_four_senders_at_once_send_to_everybody_once(world, account):
    from django.db import connection

    if connection.vendor != "postgresql":
        pytest.skip("what races show needs PostgreSQL: set TEST_DATABASE_URL")
    run = sending.run(sending.campaign(world.project), people=400)
    together = threading.Barrier(6)

    def work(what):
        try:
            together.wait()
            for _ in range(6):
                what()
        finally:
            connections.close_all()

    jobs = [lambda: sending.send(run)] * 4 + [reconcile.reap] * 2
    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(account.times) == 400
    assert set(account.times.values()) == {1}
