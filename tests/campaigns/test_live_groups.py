"""이벤트 기반 발송 to a user group: whoever comes into one of the cohorts that it wants, and fits the group then."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pyroaring import BitMap64

from campaigns.audience import keep_versions, needs
from campaigns.models import Campaign, CampaignState, Run, RunState, Watch
from campaigns.sending import freeze, launch, live
from campaigns.sending.readiness import readiness_of
from cohorts import membership
from cohorts.groups.conditions import Consented, Definition, InCohort, InGroup, Synced
from cohorts.models import Cohort, Profile, Snapshot, UserGroup
from cohorts.people import facets
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns.live_town import Town

pytestmark = pytest.mark.django_db


@pytest.fixture
def town(world, account, monkeypatch):
    monkeypatch.setattr(live, "APART", timedelta(0))
    return Town(world.project, account)


def begin(town, *segments, filters=(), **fields):
    """A campaign to a group of these segments."""
    definition = Definition(tuple(segments), tuple(filters)).as_json()
    group = factories.group(town.project, definition=definition)
    return town.begin(audience_kind="group", group=group, **fields)


@pytest.fixture
def agreed(town: Town) -> None:
    Profile.objects.filter(pk__in=[town.ids[n] for n in (0, 4, 5)]).update(marketing_consent=True)
    facets.rebuild(town.project.pk)


@pytest.fixture
def other(town: Town) -> Cohort:
    return factories.cohort_with(town.project, 2, town.ids[:1])


def publish(town, cohort, *places):
    with transaction.atomic():
        membership.publish(cohort.pk, BitMap64([town.ids[n] for n in places]), {})


@pytest.mark.usefixtures("agreed")
def test_who_comes_in_and_fits_gets_it(town, django_capture_on_commit_callbacks):
    begin(town, (InCohort(town.cohort.pk),), filters=[Consented("marketing")])
    town.work()
    with django_capture_on_commit_callbacks(execute=True):
        town.publish(0, 1, 2, 3, 4)
    assert ("campaigns.look", {}) in town.account.nudged
    town.work()
    assert town.got == [4]
    assert Run.objects.get().funnel[1]["drops"] == [["not_in_group", 1]]


@pytest.mark.usefixtures("agreed")
def test_who_fits_only_later_does_not_get_it_before_being_added_again(town):
    begin(town, (InCohort(town.cohort.pk), Consented("marketing")))
    town.publish(0, 1, 2, 3)
    town.work()
    Profile.objects.filter(pk=town.ids[3]).update(marketing_consent=True)
    facets.rebuild(town.project.pk)
    town.work()
    assert town.got == []
    for members in ((0, 1, 2), (0, 1, 2, 3)):
        town.publish(*members)
        town.work()
    assert town.got == [3]


def test_two_cohorts_of_a_group_send_to_one_person_once(town, other):
    begin(town, (InCohort(town.cohort.pk),), (InCohort(other.pk),))
    town.publish(0, 1, 2, 3)
    publish(town, other, 0, 3, 4)
    town.work()
    publish(town, other, 0, 3, 4, 5)
    town.publish(0, 1, 2, 3, 4, 5)
    town.work()
    assert town.got == [3, 4, 5]


def test_of_two_cohorts_that_both_have_to_hold_the_later_one_brings_somebody_in(town, other):
    begin(town, (InCohort(town.cohort.pk), InCohort(other.pk)))
    town.publish(0, 1, 2, 3)
    town.work()
    assert town.got == []
    publish(town, other, 0, 3, 4)
    town.work()
    assert town.got == [3]


def test_leaving_a_cohort_that_one_must_not_be_in_is_not_being_added(town, other):
    begin(town, (InCohort(town.cohort.pk), InCohort(other.pk, is_in=False)))
    publish(town, other, 5)
    town.publish(0, 1, 2, 3)
    town.work()
    assert town.got == [3]
    assert list(Watch.objects.values_list("cohort", flat=True)) == [town.cohort.pk]


def test_what_a_group_watches(town, other):
    third = factories.cohort_with(town.project, 3, [])
    inner = factories.group(town.project, "안", definition=Definition(((InCohort(other.pk),),)).as_json())
    shut = factories.group(town.project, "밖", definition=Definition(((InCohort(town.cohort.pk),),)).as_json())
    segment = (InGroup(inner.pk.hex), InGroup(shut.pk.hex, is_in=False), Synced(third.pk, joined=True, days=7))
    one = Campaign(project=town.project, audience_kind="group")
    one.group = factories.group(town.project, definition=Definition((segment,)).as_json())
    assert needs.triggers_of(one) == {other.pk, third.pk}
    assert needs.cohorts_of(one) == {town.cohort.pk, other.pk, third.pk}


def test_a_cohort_that_the_group_is_told_of_later_counts_from_then_on(town, other):
    campaign = begin(town, (InCohort(town.cohort.pk),))
    town.work()
    publish(town, other, 0, 4)
    definition = Definition(((InCohort(town.cohort.pk),), (InCohort(other.pk),))).as_json()
    UserGroup.objects.filter(pk=campaign.group_id).update(definition=definition)
    town.work()
    publish(town, other, 0, 4, 5)
    town.work()
    assert town.got == [5]


def test_a_group_that_can_not_be_told_any_more_stops_it_and_loses_nobody(town):
    campaign = begin(town, (InCohort(town.cohort.pk),))
    town.publish(0, 1, 2, 3)
    town.look()
    good = UserGroup.objects.get(pk=campaign.group_id).definition
    bad = Definition(((InCohort(town.cohort.pk), InGroup("0" * 32)),)).as_json()
    UserGroup.objects.filter(pk=campaign.group_id).update(definition=bad)
    freeze.prepare(Run.objects.get().pk)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.brake) == (CampaignState.INACTIVE, "group_not_ready")
    assert Run.objects.get().state in (RunState.QUEUED, RunState.FREEZING)
    with pytest.raises(launch.CannotLaunch):
        launch.resume(campaign, by=User.objects.first())
    UserGroup.objects.filter(pk=campaign.group_id).update(definition=good)
    launch.resume(campaign, by=User.objects.first())
    town.work()
    assert town.got == [3]


def test_its_versions_are_kept_and_it_is_ready(town):
    campaign = begin(town, (InCohort(town.cohort.pk),))
    town.publish(0, 1, 2, 3)
    assert Snapshot.objects.get(number=2).kept_until > timezone.now()
    Snapshot.objects.update(kept_until=None)
    keep_versions.tell()
    assert not Snapshot.objects.filter(kept_until=None).exists()
    assert "not_live" not in [problem.code for problem in readiness_of(campaign).problems]


def test_the_pages_say_what_it_watches(town, sign_in):
    campaign = begin(town, (InCohort(town.cohort.pk),), filters=[Consented("marketing")])
    client, root = sign_in("owner"), f"/projects/{town.project.hex}/campaigns/{campaign.pk.hex}/"
    page = client.get(root).content.decode()
    assert "유저 그룹의 코호트에 들어오는 사람을 기다립니다" in page
    assert town.cohort.name in page
    Campaign.objects.update(state=CampaignState.INACTIVE, next_run_at=None)
    assert "앞으로 이 그룹의 코호트에 들어오고" in client.get(f"{root}review").content.decode()
    assert "들어오는지 보는 코호트" in client.get(f"{root}edit").content.decode()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_cohorts_at_once_and_many_clocks(town, other):
    if connection.vendor != "postgresql":
        pytest.skip("races need PostgreSQL: set TEST_DATABASE_URL")
    begin(town, (InCohort(town.cohort.pk),), (InCohort(other.pk),))
    failures = []

    def work(n):
        try:
            for step in range(1, 7):
                if n < 2:
                    cohort = (town.cohort, other)[n]
                    publish(town, cohort, *range(3 - 2 * n), *range(3, 3 + step))
                else:
                    town.look()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    for _ in range(3):
        town.work()
    assert town.got == list(range(3, 9))
