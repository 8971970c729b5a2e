"""A refresh end to end: the stand-in Mixpanel over a socket, a real database, nothing of ours replaced."""

import pytest

from cohorts import membership
from cohorts.models import Cohort, Profile, RefreshState

pytestmark = pytest.mark.django_db(transaction=True)


def members_of(cohort):
    ids = membership.loaded(cohort.current.members) if cohort.current else []
    return set(Profile.objects.filter(pk__in=list(ids)).values_list("external_id", flat=True))


def test_every_cohort_ends_up_with_its_members(refreshed, sandbox, world):
    row = refreshed()

    assert (row.state, row.failure) == (RefreshState.SUCCEEDED, "")
    listed = [one for one in sandbox.world.cohorts if one.data_group_id is None]
    cohorts = Cohort.objects.filter(project=world.project).select_related("current")
    assert {one.source_id for one in cohorts} == {one.id for one in listed}
    for cohort in cohorts:
        wanted = sandbox.world.cohorts.ids(cohort.source_id)
        assert members_of(cohort) == wanted
        assert cohort.size == len(wanted)
    receipt = row.receipt
    assert receipt["queries"] == len(listed) + 1
    assert receipt["cohorts"] == len(listed)
    assert receipt["received"] == sum(len(one.members) for one in listed)
    assert receipt["new"] == Profile.objects.count()
    assert receipt["joined"] == receipt["received"]
