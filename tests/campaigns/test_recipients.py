"""Whom a run is sent is written down once: exactly those of the preview, with the values that they had."""

from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.audience.plan import Funnel, plan
from campaigns.models import Campaign, CampaignState, Recipient, Run
from campaigns.sending import recipients
from campaigns.sending.recipients import freeze_into
from cohorts.models import Cohort, Profile
from cohorts.people.facets import rebuild
from integrations.messaging import Stopped
from notifly_console.lib.leases import LeaseLost, claim
from notifly_console.tenancy.models import Project
from tests import factories
from tests.campaigns.test_audience import OPT_OUTS, PERSON, OptOut, campaign_to, person

ODD = {
    "$name": "김하나",
    'with "quotes"': "따옴표",
    "back\\slash": "역사선",
    "it's": "어퍼스트로피",
    "100%s %%": "퍼센트",
    "점.점": "점",
    "$.path[0]": "길",
    "number": 3,
    "real": 3.5,
    "big": 9007199254740993,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": ["가", 1, None, {"a": True}],
    "object": {"a": [1, "나"], "b": None},
    "empty": "",
    "emoji": "👨‍👩‍👧 \n\t",
}


def a_run(campaign: Campaign, **fields: Any) -> Run:
    if campaign.pk is None or campaign._state.adding:
        campaign.state, campaign.launched_at = CampaignState.ACTIVE, timezone.now()
        campaign.save()
    fields = {"channel": campaign.channel, "message": campaign.message, "due_at": timezone.now(), **fields}
    return Run.objects.create(project=campaign.project, campaign=campaign, number=campaign.runs.count() + 1, **fields)


def hold(run: Run) -> Any:
    held = claim(Run.objects.filter(pk=run.pk), ready=Q(lease_until=None))
    assert held
    return held


def everybody_in(project: Any) -> Cohort:
    rebuild(project.pk)
    return factories.cohort_with(project, 1, list(Profile.objects.values_list("pk", flat=True)))


@given(st.lists(PERSON, max_size=12), OPT_OUTS, st.booleans(), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
@pytest.mark.django_db
def test_those_are_written_whom_the_preview_shows(people, refused, is_ad, at_once):
    project = Project.objects.create(name="하루식탁")
    made = [(person(project, number, **one), one["member"]) for number, one in enumerate(people)]
    rebuild(project.pk)
    OptOut.objects.bulk_create(OptOut(project=project, phone=phone, source=why) for phone, why in refused.items())
    cohort = factories.cohort_with(project, 1, [one.pk for one, is_member in made if is_member])
    campaign = campaign_to(cohort, is_ad=is_ad)
    seen = plan(campaign)
    run = a_run(campaign)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recipients, "AT_ONCE", at_once)
        assert freeze_into(run, hold(run)) == seen.funnel.size
    run.refresh_from_db()
    written = Recipient.objects.filter(run=run).order_by("profile_id")
    assert [one.profile_id for one in written] == list(seen.chosen)
    assert Funnel.from_json(run.funnel) == seen.funnel
    assert (run.size, run.snapshot_id, run.snapshot_number) == (len(written), cohort.current_id, 1)
    phones = dict(Profile.objects.values_list("pk", "phone"))
    assert all(one.phone == phones[one.profile_id] for one in written)
    assert {one.state for one in written} <= {"pending"}


def test_values_are_those_of_the_moment_whatever_properties_are_called(world):
    profile = factories.profile(
        world.project, 'user\'s "id"', phone="+821022220000", email="a@mail.example", properties=ODD | {"unused": 1}
    )
    fields = [*ODD, "absent", "$user_id", "$email", "$phone_number"]
    asked = "".join("{{ user['" + one + "'] }}" if '"' in one else '{{ user["' + one + '"] }}' for one in fields)
    run = a_run(campaign_to(everybody_in(world.project), is_ad=False), message={"is_ad": False, "text": asked})
    freeze_into(run, hold(run))
    Profile.objects.update(properties={})
    written = Recipient.objects.get()
    assert (written.external_id, written.phone, written.profile_id) == (profile.external_id, profile.phone, profile.pk)
    values = {name: value for name, value in written.values.items() if value is not None}
    assert values == {
        **{name: value for name, value in ODD.items() if value is not None},
        "$user_id": profile.external_id,
        "$email": "a@mail.example",
        "$phone_number": "+821022220000",
    }
    assert [type(values[name]) for name in ("number", "real", "yes", "big")] == [int, float, bool, int]


def test_only_what_the_message_asks_for_is_written(world):
    factories.profile(world.project, "a", phone="+821022220000", properties={"$name": "김하나", "secret": "x"})
    campaign = campaign_to(everybody_in(world.project), is_ad=False)
    run = a_run(campaign, message={"is_ad": False, "text": '{{ user["$name"] | default: "고객" }}님'})
    freeze_into(run, hold(run))
    assert Recipient.objects.get().values == {"$name": "김하나"}


@pytest.mark.parametrize("point", ["in_choice", "after_choice", "before_frozen_chunk", "in_frozen_chunk",
                                   "in_freeze_settled"])  # fmt: skip
@pytest.mark.parametrize("time", [1, 2])
def test_whoever_takes_over_after_a_crash_writes_the_rest_of_the_same_plan(world, monkeypatch, point, time):
    factories.profiles(world.project, 7)
    cohort = everybody_in(world.project)
    run = a_run(campaign_to(cohort, is_ad=False))
    monkeypatch.setattr(recipients, "AT_ONCE", 2)
    met = []

    def crash(name: str) -> None:
        met.append(name)
        if met.count(point) == time and name == point:
            raise ZeroDivisionError

    monkeypatch.setattr(recipients, "reached", crash)
    try:
        freeze_into(run, hold(run))
        survived = True
    except ZeroDivisionError:
        survived = False
    assert survived == (met.count(point) < time)
    if survived:
        return
    # Meanwhile the cohort changes: who is in the run was decided before, unless the plan wasn't kept yet.
    was_chosen = Run.objects.filter(pk=run.pk, chosen__isnull=False).exists()
    more = factories.profiles(world.project, 2, prefix="late_", start=100)
    rebuild(world.project.pk)
    factories.snapshot(cohort, [*Profile.objects.values_list("pk", flat=True)])
    monkeypatch.setattr(recipients, "reached", lambda name: None)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    again = Run.objects.get(pk=run.pk)
    assert freeze_into(again, hold(again)) == (7 if was_chosen else 9)
    again.refresh_from_db()
    assert Funnel.from_json(again.funnel).size == again.size == again.recipients.count()
    assert again.recipients.filter(profile_id__in=more).exists() is not was_chosen
    assert not again.chosen


def test_who_changed_in_between_is_left_out_and_the_funnel_says_so(world, monkeypatch):
    ids = factories.profiles(world.project, 6)
    run = a_run(campaign_to(everybody_in(world.project), is_ad=False))
    monkeypatch.setattr(recipients, "AT_ONCE", 3)

    def meanwhile(name: str) -> None:
        if name == "after_choice":
            Profile.objects.filter(pk=ids[0]).update(phone=None, phone_reason="missing")
            Profile.objects.filter(pk=ids[1]).delete()
            Profile.objects.filter(pk=ids[5]).update(phone="+821020000002")  # That of ids[2].

    monkeypatch.setattr(recipients, "reached", meanwhile)
    assert freeze_into(run, hold(run)) == 3
    run.refresh_from_db()
    last = Funnel.from_json(run.funnel).steps[-1]
    assert (last.count, [(drop.label, drop.count) for drop in last.drops]) == (3, [("확정하는 사이 바뀐 유저", 3)])
    assert set(run.recipients.values_list("profile_id", flat=True)) == {ids[2], ids[3], ids[4]}


def test_whoever_lost_the_claim_writes_nothing(world):
    factories.profiles(world.project, 3)
    run = a_run(campaign_to(everybody_in(world.project), is_ad=False))
    lost = hold(run)
    Run.objects.filter(pk=run.pk).update(lease_until=None)
    hold(run)
    with pytest.raises(LeaseLost):
        freeze_into(run, lost)
    assert not Recipient.objects.exists()
    run.refresh_from_db()
    assert run.chosen is None


def test_a_message_that_cant_be_read_is_frozen_for_nobody(world):
    factories.profiles(world.project, 2)
    run = a_run(campaign_to(everybody_in(world.project), is_ad=False), message={"is_ad": False, "text": "{{ user["})
    with pytest.raises(Stopped, match="content"):
        freeze_into(run, hold(run))
    assert not Recipient.objects.exists()


def test_a_run_says_its_own_message_not_what_the_campaign_became(world):
    factories.profile(world.project, "a", phone="+821022220000")
    campaign = campaign_to(everybody_in(world.project), is_ad=True)
    run = a_run(campaign, message={"is_ad": False})
    assert freeze_into(run, hold(run)) == 1
    run = a_run(campaign)
    assert freeze_into(run, hold(run)) == 0
    run.refresh_from_db()
    assert Funnel.from_json(run.funnel).size == run.size == 0
