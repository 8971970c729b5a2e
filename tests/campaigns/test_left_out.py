"""Whom a run left out: kept when it is frozen, behind each number of its funnel, and on each person's page."""

import pytest
from django.utils import timezone

from campaigns.audience import left_out
from campaigns.models import Campaign, CampaignState, LeftOut, Recipient, Run
from campaigns.sending import freeze, launch
from cohorts import membership
from cohorts.models import Profile
from cohorts.people import facets, identity
from cohorts.people.profiles import Mapping
from integrations.mixpanel.schemas import Row
from notifly_console.lib import phone
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import sending

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialogs"}


@pytest.fixture
def people(world, account):
    """Four: one without a number, one with a landline, two who can be sent to."""
    ids = factories.profiles(world.project, 4)
    Profile.objects.filter(pk=ids[0]).update(phone=None, phone_raw="", phone_reason="missing")
    Profile.objects.filter(pk=ids[1]).update(phone=None, phone_raw="02-312-3456", phone_reason="landline")
    facets.rebuild(world.project.pk)
    return ids


@pytest.fixture
def run(world, people):
    cohort = factories.cohort_with(world.project, 1, people)
    draft = sending.campaign(world.project, CampaignState.DRAFT, name="봄 세일", cohort=cohort)
    launch.launch(draft, by=User.objects.first(), seen_version=0)
    made = Run.objects.get()
    freeze.prepare(made.pk)
    made.refresh_from_db()
    return made


def address(run, step, reason):
    root = f"/projects/{run.project.hex}/campaigns/{run.campaign_id.hex}/runs/{run.number}/left-out"
    return f"{root}?step={step}&reason={reason}"


def test_every_number_of_a_frozen_funnel_has_its_people(run, people):
    dropped = {(s["key"], r): n for s in run.funnel for r, n in s["drops"]}
    assert dropped == {("has_phone", "missing"): 1, ("reachable", "landline"): 1}
    kept = {(one.step, one.reason): list(membership.loaded(one.people)) for one in LeftOut.objects.all()}
    assert kept == {("has_phone", "missing"): [people[0]], ("reachable", "landline"): [people[1]]}


def test_a_number_of_the_page_leads_to_them(run, sign_in):
    client = sign_in("viewer")
    page = client.get(f"/projects/{run.project.hex}/campaigns/{run.campaign_id.hex}/").content.decode()
    assert address(run, "reachable", "landline").replace("&", "&amp;") in page
    html = client.get(address(run, "reachable", "landline"), headers=HTMX).content.decode()
    assert "user_" in html
    assert "312-3456" not in html
    assert client.get(address(run, "reachable", "landline")).status_code == 200
    assert client.get(address(run, "reachable", "nothing")).status_code == 404
    LeftOut.objects.all().delete()
    before = client.get(address(run, "reachable", "landline"), headers=HTMX).content.decode()
    assert "기록하지 않았습니다" in before


def test_a_person_is_told_why_they_did_not_get_it(run, people, sign_in):
    one, other = (Profile.objects.get(pk=people[n]) for n in (1, 2))
    found = left_out.exclusions_of(one)
    assert [(row.run, row.reason) for row in found.rows] == [(run, str(phone.REASONS["landline"]))]
    assert left_out.exclusions_of(other).rows == []
    client, root = sign_in("viewer"), f"/projects/{run.project.hex}/profiles/"
    html = client.get(f"{root}{one.pk}/messages").content.decode()
    assert "받지 못한 회차" in html
    assert "봄 세일" in html
    assert "받지 못한 회차" not in client.get(f"{root}{other.pk}/messages").content.decode()
    Campaign.objects.update(deleted_at=timezone.now())
    assert left_out.exclusions_of(one).rows == []


def test_a_long_history_is_read_page_by_page(run, people, sign_in, monkeypatch):
    monkeypatch.setattr(left_out, "PAGE", 2)
    for number in range(2, 7):
        again = sending.run(run.campaign, number=number, due_at=timezone.now())
        left_out.keep(again, {("consent", "no_consent"): membership.BitMap64([people[0], people[3]])})
    one = Profile.objects.get(pk=people[0])
    seen, before = [], None
    while True:
        page = left_out.exclusions_of(one, before)
        seen += [row.run.number for row in page.rows]
        before = page.before
        if before is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1]
    html = sign_in("viewer").get(
        f"/projects/{run.project.hex}/profiles/{one.pk}/left-out?before={LeftOut.objects.latest('pk').pk}",
        headers={"HX-Request": "true"},
    )
    assert "5회차" in html.content.decode()


def test_who_becomes_part_of_another_keeps_their_history(world, run, people):
    gone = factories.profile(world.project, "d1", distinct_id="d1")
    left_out.keep(run, {("consent", "no_consent"): membership.BitMap64([gone.pk])})
    mapping = Mapping(phone_column="$phone", email_column="$email", identity_column="uid")
    who = Profile.objects.get(pk=people[2])
    assert identity.settle(world.project.pk, [Row("d1", {"uid": who.external_id})], mapping).merged == 1
    assert [row.run for row in left_out.exclusions_of(who).rows] == [run]


def test_an_erased_profile_is_shown_without_a_name(run, people, sign_in):
    Profile.objects.filter(pk=people[1]).delete()
    html = sign_in("viewer").get(address(run, "reachable", "landline"), headers=HTMX).content.decode()
    assert "user_" not in html
    assert "<td" in html


def test_who_changes_while_they_are_written_down_is_kept_too(world, people, monkeypatch):
    from campaigns.sending import recipients

    real = recipients._choose

    def choose(run, claim):
        real(run, claim)
        Profile.objects.filter(pk=people[3]).update(phone=None, phone_reason="missing")

    monkeypatch.setattr(recipients, "_choose", choose)
    cohort = factories.cohort_with(world.project, 1, people)
    draft = sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort)
    launch.launch(draft, by=User.objects.first(), seen_version=0)
    freeze.prepare(Run.objects.get().pk)
    assert Recipient.objects.count() == 1
    kept = LeftOut.objects.get(reason="changed")
    assert list(membership.loaded(kept.people)) == [people[3]]


def test_a_killed_freeze_keeps_each_once(world, people, monkeypatch):
    from campaigns.sending import recipients

    def die(run, claim):
        raise RuntimeError

    cohort = factories.cohort_with(world.project, 1, people)
    draft = sending.campaign(world.project, CampaignState.DRAFT, cohort=cohort)
    launch.launch(draft, by=User.objects.first(), seen_version=0)
    run = Run.objects.get()
    with monkeypatch.context() as broken:
        broken.setattr(recipients, "_settle", die)
        with pytest.raises(RuntimeError):
            freeze.prepare(run.pk)
    assert LeftOut.objects.count() == 2
    Run.objects.update(lease_until=None)
    freeze.prepare(run.pk)
    assert LeftOut.objects.count() == 2
    assert Recipient.objects.count() == 2
