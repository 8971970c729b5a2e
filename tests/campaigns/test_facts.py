"""What is known of the world when a message is checked."""

from datetime import UTC, datetime

import pytest

from campaigns.message.facts import facts_of
from campaigns.models import AudienceKind, Picture, Upload
from integrations.messaging import KakaoProfile, SenderNumber, Template, TemplateStatus
from integrations.senders import Listing
from tests import factories
from tests.campaigns.test_pictures import jpeg

TEMPLATE = Template("TP", "PF", "이름", "안내", (), (), TemplateStatus.APPROVED)
LISTING = Listing(
    profiles=(KakaoProfile("PF", "@하루식탁"),),
    numbers=(SenderNumber("16600412"), SenderNumber("0212345678", is_active=False)),
    templates=(TEMPLATE,),
    fetched_at=datetime(2026, 11, 20, tzinfo=UTC),
)


def test_the_providers_lists(world):
    facts = facts_of(factories.campaign(world.project, channel="text"), LISTING)
    assert (facts.profiles, facts.numbers, facts.templates) == ({"PF"}, {"16600412"}, {"TP": TEMPLATE})


def test_nothing_is_known_of_a_provider_that_was_never_asked(world):
    facts = facts_of(factories.campaign(world.project, channel="text"))
    assert (facts.profiles, facts.numbers, facts.templates) == (None, None, None)


@pytest.mark.parametrize("kind", [AudienceKind.COHORT, AudienceKind.GROUP])
def test_an_audience_of_people_has_properties(world, kind):
    facts = facts_of(factories.campaign(world.project, audience_kind=kind), LISTING)
    assert (facts.category, facts.columns) == ("user", None)


def test_an_audience_of_a_file_has_its_columns(world):
    upload = Upload.objects.create(project=world.project, name="a.csv", columns=["phone_number", "쿠폰"], rows=b"")
    facts = facts_of(factories.campaign(world.project, audience_kind=AudienceKind.CSV, upload=upload), LISTING)
    assert (facts.category, facts.columns) == ("csv", ("phone_number", "쿠폰"))
    assert facts_of(factories.campaign(world.project), LISTING).category == ""


def test_the_picture_is_the_projects_own(world):
    def picture(project):
        return Picture.objects.create(
            project=project, name="a.jpg", media_type="image/jpeg", content=jpeg(640, 480), width=640, height=480
        )

    def known(key):
        return facts_of(factories.campaign(world.project, channel="text", message={"picture": key}), LISTING).pictures

    own, foreign = picture(world.project).pk.hex, picture(world.other_project).pk.hex
    assert known(own)[own].width == 640
    assert known(foreign) == {}
    assert known("no id") == {}
    assert known("") == {}
