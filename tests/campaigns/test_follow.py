"""A person of a campaign whose profile becomes part of another one is still the same person."""

from typing import Any

from django.utils import timezone

from campaigns.models import Recipient, Run
from cohorts.models import Profile
from cohorts.people import identity
from cohorts.people.profiles import Mapping
from integrations.mixpanel.schemas import Row
from tests import factories

MAPPING = Mapping("$phone", "$email", "member_no")


def test_recipients_follow_a_profile_that_has_become_part_of_another(world: Any) -> None:
    def run_of(project: Any) -> Run:
        campaign = factories.campaign(project, name="단골 쿠폰")
        return Run.objects.create(project=project, campaign=campaign, number=1, due_at=timezone.now())

    old = factories.profile(world.project, "d1")
    one = factories.profile(world.project, "M-1", distinct_id="other")
    rest = factories.profile(world.project, "d2")
    run, theirs = run_of(world.project), run_of(world.other_project)
    for number, person in enumerate((old, rest)):
        Recipient.objects.create(run=run, phone=f"+82102000000{number}", profile_id=person.pk)
    Recipient.objects.create(run=theirs, phone="+821020000000", profile_id=old.pk)
    identity.settle(world.project.pk, [Row("d1", {"member_no": "M-1"})], MAPPING)
    assert not Profile.objects.filter(pk=old.pk).exists()
    assert list(run.recipients.order_by("pk").values_list("profile_id", flat=True)) == [one.pk, rest.pk]
    assert theirs.recipients.get().profile_id == old.pk, "another project's rows are left alone"
