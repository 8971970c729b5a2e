"""A database that is put back from a backup sends nothing twice."""

import os

import pytest
from django.db import transaction
from redis import Redis

from campaigns import tasks
from campaigns.models import (
    Batch,
    Campaign,
    CampaignEvent,
    CampaignState,
    Epoch,
    RecipientState,
    Run,
    RunState,
)
from campaigns.sending import delivery, epoch, reconcile
from tests.campaigns import provider, sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R = RecipientState


@pytest.fixture
def campaign(world, account):
    return sending.campaign(world.project)


@pytest.fixture
def backup():
    """`backup()` takes one; `backup.restore()` puts it back."""

    def take():
        take.at = transaction.savepoint()

    take.restore = lambda: transaction.savepoint_rollback(take.at)
    return take


def send_one_batch(account):
    account.before = lambda step: step == "dispatch" and Campaign.objects.update(state=CampaignState.INACTIVE)
    delivery.work()
    account.before = None
    Campaign.objects.update(state=CampaignState.ACTIVE)


def test_sending_counts_each_dispatch_in_both_places(campaign, account):
    sending.run(campaign, people=25)
    assert epoch.is_sound()
    delivery.work()
    row = Epoch.objects.get()
    assert row.number == account.calls["dispatch"] == 3
    assert epoch.outside(row).read() == 3
    assert epoch.is_sound()


def test_a_campaign_put_back_to_its_middle_sends_nobody_twice(campaign, account, backup):
    run = sending.run(campaign, people=30)
    send_one_batch(account)
    backup()
    delivery.work()
    assert len(account.times) == 30
    backup.restore()
    assert sending.counts(run) == {R.ACCEPTED: 10, R.PENDING: 20}

    delivery.work()
    tasks.sweep()
    delivery.work()

    assert set(account.times.values()) == {1}
    campaign.refresh_from_db()
    assert campaign.brake == "restored"
    assert sending.counts(run) == {R.ACCEPTED: 10, R.UNKNOWN: 20}
    assert CampaignEvent.objects.filter(what="restored").count() == 1
    settle(run)
    assert set(account.times.values()) == {1}
    assert sending.counts(run) == {R.DELIVERED: 10, R.UNKNOWN: 20}
    assert Run.objects.get(pk=run.pk).state == RunState.DONE
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.ENDED


def test_what_the_backup_knows_to_be_unclear_is_settled_with_the_provider(campaign, account, backup):
    run = sending.run(campaign, people=10)
    account.fail("dispatch", provider.unclear(), done=True)
    delivery.work()
    backup()
    settle(run)
    sending.run(sending.campaign(campaign.project), people=1)
    delivery.work()
    backup.restore()
    tasks.sweep()
    Batch.objects.filter(ask_at__isnull=False).update(ask_at=sending.long_ago())
    reconcile.work()
    settle(run)
    assert sending.counts(run) == {R.DELIVERED: 10}


def test_a_worker_in_the_middle_of_a_batch_leaves_it_in_doubt(campaign, account, backup):
    run = sending.run(campaign, people=10)

    def look(step):
        if step == "load":
            row, _made = Epoch.objects.get_or_create(pk=1)
            epoch.outside(row).rise_to(5)
            assert not epoch.is_sound()

    account.before = look
    sending.send(run)
    assert not account.ledger
    assert sending.counts(run) == {R.UNKNOWN: 10}


def test_runs_that_had_not_begun_are_passed_over(campaign, account):
    queued = sending.run(campaign, RunState.QUEUED)
    freezing = sending.run(campaign, RunState.FREEZING, people=3)
    timing = {"kind": "daily", "start": "2026-06-01", "forever": True, "time": "10:00"}
    other = sending.campaign(campaign.project, next_run_at=sending.long_ago(), timing=timing)
    Epoch.objects.create(pk=1, number=3)
    epoch.outside(Epoch.objects.get()).rise_to(4)
    tasks.sweep()
    for run in (queued, freezing):
        run.refresh_from_db()
        assert (run.state, run.skipped_for) == (RunState.SKIPPED, "restored")
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.ENDED, "started again it would go to everybody once more"
    other.refresh_from_db()
    assert (other.state, other.brake, other.next_run_at) == (CampaignState.INACTIVE, "restored", None)
    assert not Run.objects.filter(campaign=other).exists()
    assert Epoch.objects.get().number == 4
    assert epoch.is_sound(), "it is said once"


def test_a_place_that_is_lost_or_away_holds_nothing_up(campaign, account, settings, tmp_path):
    Epoch.objects.create(pk=1, number=7)
    assert epoch.is_sound()
    assert epoch.outside(Epoch.objects.get()).read() == 7, "a new place begins with what is known"
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    run = sending.run(campaign, people=3)
    assert epoch.is_sound()
    delivery.work()
    assert sending.counts(run) == {R.ACCEPTED: 3}


@pytest.mark.skipif(not os.environ.get("TEST_REDIS_URL"), reason="Redis as the place: set TEST_REDIS_URL")
def test_redis_is_the_place_where_there_is_one(account, settings, db):
    settings.REDIS_URL = os.environ["TEST_REDIS_URL"]
    row = Epoch.objects.create(pk=1, number=7)
    place = epoch.outside(row)
    assert place.read() is None
    for number in (3, 9, 5):
        place.rise_to(number)
    assert place.read() == 9
    assert not epoch.is_sound()
    Redis.from_url(settings.REDIS_URL).delete(f"notifly:dispatches:{row.token.hex}")
