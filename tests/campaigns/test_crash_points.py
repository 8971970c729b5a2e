"""A worker that dies, and one that stalls beyond its lease and wakes up, at every named point of making a run ready, of
sending it, and of asking about it."""

import pytest

from campaigns.models import Batch, CampaignState, Recipient, RecipientState, Run, RunState
from campaigns.sending import delivery, freeze, launch, recipients, reconcile
from cohorts.people import facets
from notifly_console.lib import checkpoints
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import provider, sending
from tests.campaigns.sending import settle

pytestmark = pytest.mark.django_db
R = RecipientState
MODULES = (delivery, freeze, recipients, reconcile)
PEOPLE = 5
INSIDE_TRANSACTIONS = {"in_choice", "in_frozen_chunk", "in_freeze_settled"}


class Killed(BaseException):
    """SIGKILL, as far as a process can do it to itself: no handler of ours sees it."""


@pytest.fixture
def queued(world, account, settings):
    settings.SENDING_BATCH = 2
    ids = factories.profiles(world.project, PEOPLE)
    facets.rebuild(world.project.pk)
    cohort = factories.cohort_with(world.project, 1, ids)
    draft = sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort)
    launch.launch(draft, by=User.objects.first(), seen_version=0)
    return Run.objects.get()


@pytest.fixture
def at(monkeypatch):
    """`at(name, do)` does something the first time that the work gets to the point `name`; `at.reached` says whether
    it did."""

    def set_up(name, do):
        set_up.reached = False

        def reached(where):
            assert where in checkpoints.NAMES
            if where == name and not set_up.reached:
                set_up.reached = True
                do()

        for module in MODULES:
            monkeypatch.setattr(module, "reached", reached)

    return set_up


def die():
    raise Killed


def go(run):
    """What a worker is woken for, from the beginning to the end."""
    freeze.prepare(run.pk)
    sending.send(run)
    Batch.objects.filter(run=run, ask_at__isnull=False).update(ask_at=sending.long_ago())
    reconcile.work()


def recover(run):
    """Others, once leases have run out."""
    Run.objects.filter(pk=run.pk, lease_until__isnull=False).update(lease_until=sending.long_ago())
    Run.objects.filter(pk=run.pk).update(not_before=None)
    freeze.prepare(run.pk)
    settle(run)


def check(run, account):
    assert set(account.times.values()) == {1}, "somebody got it twice"
    assert len(account.times) == PEOPLE, "somebody was lost"
    assert sending.counts(run) == {R.DELIVERED: PEOPLE}
    run.refresh_from_db()
    assert (run.state, run.size) == (RunState.DONE, PEOPLE)


POINTS = [name for name in (*checkpoints.FREEZING, *checkpoints.SENDING) if name != "after_recall"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_everybody_gets_it_once(queued, account, at, point):
    at(point, die)
    with pytest.raises(Killed):
        go(queued)
    assert at.reached
    recover(queued)
    check(queued, account)


@pytest.mark.parametrize("point", [name for name in POINTS if name not in INSIDE_TRANSACTIONS])
def test_stalled_at_any_point_a_worker_that_wakes_does_no_harm(queued, account, at, point):
    at(point, lambda: recover(queued))
    go(queued)
    assert at.reached
    settle(queued)
    check(queued, account)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("how", ["killed", "stalled"])
def test_the_same_while_an_unclear_dispatch_is_settled(queued, account, at, done, how):
    account.fail("dispatch", provider.unclear(), done=done)
    freeze.prepare(queued.pk)
    sending.send(queued)
    Batch.objects.filter(ask_at__isnull=False).update(ask_at=sending.long_ago())
    at("after_recall", die if how == "killed" else lambda: recover(queued))
    if how == "killed":
        with pytest.raises(Killed):
            reconcile.work()
    else:
        reconcile.work()
    assert at.reached
    recover(queued)
    check(queued, account)


def test_a_reaper_that_comes_too_early_does_no_harm(queued, account, at):
    """The lease ran out, the batch was given back, and sent by another; the first worker is only slow."""
    at("after_dispatch", lambda: recover(queued))
    go(queued)
    settle(queued)
    check(queued, account)
    assert Recipient.objects.filter(run=queued, message_id="").count() == 0
