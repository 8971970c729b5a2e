"""One batch after the other with the n-th thing failing, for every n: each statement of the database, each commit (done
or not done when it fails), each call to the provider (done or not). Whatever fails, after leases have run out and
questions have been asked everybody got it once and is known to have."""

import itertools
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from campaigns.models import BatchState, Campaign, Recipient, RecipientState
from integrations.messaging import NotTaken, Stopped
from tests.campaigns import provider, sending

pytestmark = [pytest.mark.django_db(transaction=True)]

PEOPLE, MOST = 3, 2
TOO_MANY = 400


class Nth:
    """Counts, and says when it is the n-th."""

    def __init__(self, n):
        self.left = n

    def __call__(self):
        self.left -= 1
        return self.left == 0

    @property
    def was_reached(self):
        return self.left <= 0


@contextmanager
def failing_statement(nth):
    def run(execute, sql, params, many, context):
        if nth():
            raise OperationalError("the connection went away")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield


@contextmanager
def failing_commit(nth, *, done):
    commit = connection._commit

    def run():
        fails = nth()
        if fails and not done:
            connection._rollback()
        else:
            commit()
        if fails:
            raise OperationalError("the connection went away")

    connection._commit = run
    try:
        yield
    finally:
        connection._commit = commit


@contextmanager
def failing_call(account, nth, error, *, done):
    steps = {"open": NotTaken, "load": NotTaken, "dispatch": provider.unclear, "recall": NotTaken, "reports": NotTaken}

    def before(step):
        if step in steps and nth():
            account.fail(step, error or steps[step]("cut_off"), done=done)

    account.before = before
    try:
        yield
    finally:
        account.before = None


def send_in_spite(run, fault):
    """A worker's slice and a sweep's round, cut short by whatever fails."""
    with fault:
        for work in (lambda: sending.send(run), lambda: sending.settle(run, 1)):
            try:
                work()
            except OperationalError:
                connection.close()
                return


def check(run, account):
    sending.settle(run, 4)
    found = Recipient.objects.filter(run=run)
    assert set(account.times.values()) == {1}, "somebody got it twice"
    assert len(account.times) == PEOPLE, "somebody was lost"
    assert set(found.values_list("state", flat=True)) == {RecipientState.DELIVERED}
    assert not run.batches.exclude(state__in=[BatchState.CLOSED, BatchState.RETURNED]).exists()


def sweep(world, account, settings, fault):
    """The scenario for n = 1, 2, 3 … until it ends without the n-th; how many that was."""
    settings.SENDING_BATCH = MOST
    campaign = sending.campaign(world.project)
    for n in itertools.count(1):
        assert n < TOO_MANY
        Campaign.objects.filter(pk=campaign.pk).update(state="active", brake="")
        run = sending.run(campaign, people=PEOPLE)
        nth = Nth(n)
        account.ledger.clear()
        send_in_spite(run, fault(nth))
        Campaign.objects.filter(pk=campaign.pk).update(state="active", brake="")
        check(run, account)
        if not nth.was_reached:
            return n - 1
    raise AssertionError


def test_each_statement(world, account, settings):
    assert sweep(world, account, settings, failing_statement) > 50


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
def test_each_commit(world, account, settings, done):
    assert sweep(world, account, settings, lambda nth: failing_commit(nth, done=done)) > 8


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
def test_each_call_of_the_provider(world, account, settings, done):
    assert sweep(world, account, settings, lambda nth: failing_call(account, nth, None, done=done)) >= 8


def test_each_call_that_says_the_set_up_is_at_fault(world, account, settings):
    error = Stopped("out_of_balance")
    assert sweep(world, account, settings, lambda nth: failing_call(account, nth, error, done=False)) >= 8


def test_the_sweep_catches_a_retry_after_an_unclear_answer(world, account, settings, monkeypatch):
    """The planted bug: what most senders do."""
    dispatch = provider.InProcessMessenger.dispatch

    def retrying(self, handle):
        try:
            dispatch(self, handle)
        except Exception as error:
            raise NotTaken("timed_out") from error

    monkeypatch.setattr(provider.InProcessMessenger, "dispatch", retrying)
    with pytest.raises(AssertionError, match="twice"):
        sweep(world, account, settings, lambda nth: failing_call(account, nth, None, done=True))
