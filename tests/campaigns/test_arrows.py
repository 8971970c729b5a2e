"""The arrows between states, and that the database itself refuses every other one."""

import itertools

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from campaigns.models import BatchState, Recipient, RecipientState, RunState, SkipReason
from campaigns.sending import arrows
from campaigns.sending.arrows import Known
from integrations.messaging import Outcome, Reason, Refusal, Verdict
from tests.campaigns import sending

pytestmark = pytest.mark.django_db
R = RecipientState


def pairs_of(states):
    return list(itertools.permutations(states.values, 2))


@pytest.fixture
def campaign(world):
    return sending.campaign(world.project)


def by_hand(table, key, **values):
    """Goes round the ORM."""
    assignments = ", ".join(f"{name} = %s" for name in values)
    key = key.hex if hasattr(key, "hex") and connection.vendor == "sqlite" else key
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {assignments} WHERE id = %s", [*values.values(), key])


def refuses(table, key, **values):
    with pytest.raises(IntegrityError):
        by_hand(table, key, **values)


@pytest.mark.parametrize(("old", "new"), pairs_of(R))
def test_a_person_goes_along_the_arrows_only(campaign, old, new):
    run = sending.run(campaign, people=1)
    Recipient.objects.all().delete()
    now = timezone.now()
    person = Recipient.objects.create(run=run, phone="+821020000000", state=old, handed_at=now, was_replaced=False)
    change = {"state": new}
    if (old, new) == (R.FAILED, R.PENDING):
        change["was_replaced"] = True
    if new in arrows.RECIPIENT.get(old, ()):
        by_hand("campaigns_recipient", person.pk, **change)
    else:
        refuses("campaigns_recipient", person.pk, **change)


def test_delivered_refused_and_skipped_are_final():
    assert not {R.DELIVERED, R.REFUSED, R.SKIPPED} & arrows.RECIPIENT.keys()


def test_a_fallback_text_goes_out_once(campaign):
    run = sending.run(campaign)
    person = Recipient.objects.create(run=run, phone="+821020000000", state=R.FAILED, handed_at=timezone.now())
    refuses("campaigns_recipient", person.pk, state=R.PENDING)
    by_hand("campaigns_recipient", person.pk, state=R.PENDING, was_replaced=True)
    refuses("campaigns_recipient", person.pk, was_replaced=False)
    for state in (R.CLAIMED, R.ACCEPTED, R.FAILED):
        by_hand("campaigns_recipient", person.pk, state=state)
    refuses("campaigns_recipient", person.pk, state=R.PENDING, was_replaced=True)


def test_whoever_stays_unknown_for_good_never_waits_again(campaign):
    run = sending.run(campaign)
    now = timezone.now()
    person = Recipient.objects.create(
        run=run, phone="+821020000000", state=R.UNKNOWN, handed_at=now, settled_at=now, reason=Reason.NO_REPORT
    )
    refuses("campaigns_recipient", person.pk, state=R.PENDING)
    by_hand("campaigns_recipient", person.pk, state=R.DELIVERED)


@pytest.mark.parametrize(("old", "new"), pairs_of(BatchState))
def test_a_batch_goes_along_the_arrows_only(campaign, old, new):
    batch = sending.batch(sending.run(campaign), old, tried_at=timezone.now())
    if new in arrows.BATCH.get(old, ()):
        by_hand("campaigns_batch", batch.pk, state=new)
    else:
        refuses("campaigns_batch", batch.pk, state=new)


def test_an_intent_stays_written_down_and_a_fence_only_rises(campaign):
    batch = sending.batch(sending.run(campaign), BatchState.TRIED, fence=3)
    refuses("campaigns_batch", batch.pk, tried_at=None)
    refuses("campaigns_batch", batch.pk, tried_at="2030-01-01 00:00:00")
    refuses("campaigns_batch", batch.pk, fence=2)
    by_hand("campaigns_batch", batch.pk, fence=4)


@pytest.mark.parametrize(("old", "new"), pairs_of(RunState))
def test_a_run_goes_along_the_arrows_only(campaign, old, new):
    run = sending.run(campaign, old)
    is_over = new in (RunState.DONE, RunState.CANCELLED, RunState.SKIPPED)
    finished_at = "2030-01-01 00:00:00" if is_over else None
    if new in arrows.RUN.get(old, ()):
        by_hand("campaigns_run", run.pk, state=new, finished_at=finished_at)
    else:
        refuses("campaigns_run", run.pk, state=new, finished_at=finished_at)


def test_the_guards_may_be_put_in_again_and_again():
    for _ in range(2):
        arrows.install()


# -- Moving by the batch ----------------------------------------------------------------------------------------------
def claimed(run, most=10):
    batch = sending.batch(run)
    return batch, arrows.claim(batch.pk, run.pk, most=most)


def test_a_claim_takes_people_in_order_with_what_their_message_needs(campaign):
    run = sending.run(campaign, people=5)
    Recipient.objects.filter(external_id="user_0000001").update(values={"user:$name": "김하늘", "user:n": 3})
    batch, people = claimed(run, 3)
    assert [one.external_id for one in people] == ["user_0000000", "user_0000001", "user_0000002"]
    assert people[1].values == {"user:$name": "김하늘", "user:n": 3}
    assert people[0].phone == "+821020000000"
    assert not people[0].was_replaced
    assert sending.counts(run) == {R.CLAIMED: 3, R.PENDING: 2}
    assert Recipient.objects.filter(batch=batch).count() == 3
    assert len(arrows.claim(batch.pk, run.pk, most=3, after=people[-1].id)) == 2


def test_what_a_provider_takes_and_refuses_is_written_with_its_codes(campaign):
    run = sending.run(campaign, people=4)
    batch, people = claimed(run)
    first, second, third, fourth = (one.id for one in people)
    arrows.skip(batch.pk, {first: SkipReason.OPTED_OUT})
    verdict = Verdict(Outcome.FAILED, Reason.NUMBER_INVALID)
    arrows.refuse(batch.pk, {second: Refusal(f"r{second}", "1011", verdict)})
    assert arrows.accept(batch.pk, {third: ("M1", "sms"), fourth: ("M2", "lms")}) == 2
    rows = {one.pk: one for one in Recipient.objects.filter(run=run)}
    assert (rows[first].state, rows[first].reason) == (R.SKIPPED, "opted_out")
    assert (rows[second].state, rows[second].reason, rows[second].code) == (R.REFUSED, "number_invalid", "1011")
    assert (rows[third].state, rows[third].message_id, rows[third].kind) == (R.ACCEPTED, "M1", "sms")
    assert rows[fourth].kind == "lms"
    assert abs((rows[third].handed_at - timezone.now()).total_seconds()) < 60
    assert rows[first].settled_at
    assert rows[second].settled_at
    assert not rows[third].settled_at


def test_another_batch_moves_nobody(campaign):
    run = sending.run(campaign, people=2)
    batch, people = claimed(run)
    other = sending.batch(run)
    assert arrows.accept(other.pk, {people[0].id: ("M1", "sms")}) == 0
    assert arrows.lose(other.pk) == arrows.give_back(other.pk) == 0
    assert sending.counts(run) == {R.CLAIMED: 2}
    assert arrows.give_back(batch.pk) == 2
    assert sending.counts(run) == {R.PENDING: 2}
    assert not Recipient.objects.filter(run=run, batch__isnull=False).exists()


def known(id_, outcome, **more):
    return Known(id_, outcome, more.pop("reason", ""), "3102", "M9", more.pop("transient", False), False)


def test_reports_in_any_order_and_number_end_the_same(campaign):
    seen = set()
    reports = [Outcome.WAITING, Outcome.FAILED, Outcome.DELIVERED, Outcome.UNCERTAIN, Outcome.DELIVERED]
    for order in itertools.permutations(reports):
        run = sending.run(campaign, people=1)
        batch, (person,) = claimed(run)
        arrows.accept(batch.pk, {person.id: ("M1", "sms")})
        for outcome in order:
            arrows.report(batch.pk, [known(person.id, outcome, reason="not_a_friend")])
        row = Recipient.objects.get(pk=person.id)
        seen.add((row.state, row.reason, row.message_id))
    assert seen == {(R.DELIVERED, "", "M9")}


def test_the_same_report_again_changes_nothing(campaign):
    run = sending.run(campaign, people=1)
    batch, (person,) = claimed(run)
    arrows.accept(batch.pk, {person.id: ("M1", "sms")})
    report = [known(person.id, Outcome.FAILED, reason="phone_off", transient=True)]
    assert arrows.report(batch.pk, report) == 1
    settled = Recipient.objects.get(pk=person.id)
    assert settled.is_transient
    assert arrows.report(batch.pk, report) == 0
    assert Recipient.objects.get(pk=person.id).settled_at == settled.settled_at


def test_unknown_people_are_found_given_back_or_given_up(campaign):
    run = sending.run(campaign, people=3)
    fates = [arrows.find, arrows.give_back, arrows.give_up]
    for fate in fates:
        batch, _people = claimed(run, 1)
        assert arrows.lose(batch.pk) == 1
        assert fate(batch.pk) == 1
    rows = Recipient.objects.filter(run=run).order_by("pk")
    assert [(one.state, one.reason) for one in rows] == [
        (R.ACCEPTED, ""),
        (R.UNKNOWN, "no_report"),  # the second was given back, and so was claimed once more
        (R.PENDING, ""),
    ]


def test_text_instead_is_for_those_who_failed_and_only_once(campaign):
    run = sending.run(campaign, people=2)
    batch, (first, second) = claimed(run)
    arrows.accept(batch.pk, {first.id: ("M1", "friendtalk"), second.id: ("M2", "friendtalk")})
    arrows.report(batch.pk, [known(first.id, Outcome.FAILED, reason="not_on_kakao")])
    assert arrows.replace(batch.pk, [first.id, second.id]) == 1
    again, (person,) = claimed(run)
    assert (person.id, person.was_replaced) == (first.id, True)
    arrows.accept(again.pk, {person.id: ("M3", "sms")})
    arrows.report(again.pk, [known(person.id, Outcome.FAILED, reason="phone_off")])
    assert arrows.replace(again.pk, [person.id]) == 0
    assert Recipient.objects.get(pk=person.id).state == R.FAILED


def test_only_those_who_wait_are_cancelled(campaign):
    run = sending.run(campaign, people=5)
    batch, people = claimed(run, 2)
    arrows.accept(batch.pk, {people[0].id: ("M1", "sms")})
    assert arrows.cancel(run.pk, 2) == 2
    assert arrows.cancel(run.pk, 10) == 1
    assert arrows.cancel(run.pk, 10) == 0
    assert sending.counts(run) == {R.SKIPPED: 3, R.ACCEPTED: 1, R.CLAIMED: 1}
