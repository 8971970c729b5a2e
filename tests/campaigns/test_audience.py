"""Who gets it: the funnel against a plain telling of the same rules, and the words around it."""

from collections import Counter
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.audience import plan as audience
from campaigns.audience.plan import Funnel, NoAudience, first_phones, people_of, plan
from campaigns.models import AudienceKind, Campaign, OptOut
from cohorts.models import Cohort, Profile, UserGroup
from cohorts.people.facets import rebuild
from notifly_console.tenancy.models import Project
from tests import factories

NUMBERS = [f"+8210{22220000 + n}" for n in range(5)]
PERSON = st.fixed_dictionaries(
    {
        "phone": st.sampled_from([*NUMBERS, *NUMBERS, "landline", "legacy_mobile", "missing"]),
        "marketing_consent": st.booleans(),
        "night_consent": st.booleans(),
        "is_anonymous": st.sampled_from([False, False, False, True]),
        "member": st.sampled_from([True, True, True, False]),
    }
)
OPT_OUTS = st.dictionaries(st.sampled_from(NUMBERS), st.sampled_from(["own", "import", "provider"]), max_size=3)


def person(project: Any, number: int, member: bool = True, **fields: Any) -> Profile:
    phone = fields.pop("phone", None)
    if phone is not None and not phone.startswith("+"):
        fields |= {"phone_reason": phone, "phone_raw": "" if phone == "missing" else "02-123-4567"}
        phone = None
    return factories.profile(project, f"user_{number}", phone=phone, **fields)


def campaign_to(cohort: Cohort, *, is_ad: bool) -> Campaign:
    return Campaign(
        project=cohort.project,
        audience_kind=AudienceKind.COHORT,
        cohort=cohort,
        channel="text",
        message={"is_ad": is_ad},
    )


def told(people: list[Profile], refused: dict[str, str], *, is_ad: bool) -> tuple[dict[str, Any], list[int]]:
    """The rules one after the other, person by person: what is left after each step and why others fell out."""
    steps: dict[str, Any] = {"cohort": (len(people), {})}
    left = sorted(people, key=lambda one: one.pk)

    def step(key: str, why: Any) -> None:
        nonlocal left
        reasons = {one.pk: why(one) for one in left}
        left = [one for one in left if not reasons[one.pk]]
        steps[key] = (len(left), dict(Counter(reason for reason in reasons.values() if reason)))

    step("has_phone", lambda one: "anonymous" if one.is_anonymous else "missing" * (one.phone_reason == "missing"))
    step("reachable", lambda one: one.phone_reason)
    keeper: dict[str, int] = {}
    for one in sorted(left, key=lambda one: (is_ad and not one.marketing_consent, one.pk)):
        keeper.setdefault(one.phone or "", one.pk)
    step("one_per_number", lambda one: "" if keeper[one.phone] == one.pk else "same_number")
    if is_ad:
        step("consent", lambda one: "" if one.marketing_consent else "no_consent")
        step("not_opted_out", lambda one: refused.get(one.phone, ""))
    step("sent", lambda one: "")
    return steps, [one.pk for one in left]


@given(st.lists(PERSON, max_size=14), OPT_OUTS, st.booleans())
@settings(deadline=None, max_examples=60)
@pytest.mark.django_db
def test_the_funnel_tells_what_the_rules_say(people, refused, is_ad):
    project = Project.objects.create(name="하루식탁")
    made = [(person(project, number, **one), one["member"]) for number, one in enumerate(people)]
    members = [one for one, is_member in made if is_member]
    rebuild(project.pk)
    OptOut.objects.bulk_create(OptOut(project=project, phone=phone, source=why) for phone, why in refused.items())
    campaign = campaign_to(factories.cohort_with(project, 1, [one.pk for one in members]), is_ad=is_ad)

    found = plan(campaign)
    steps, chosen = told(members, refused, is_ad=is_ad)
    assert {
        step.key: (step.count, {drop.reason: drop.count for drop in step.drops}) for step in found.funnel.steps
    } == steps
    assert list(found.chosen) == chosen
    asleep = [one for one in members if one.pk in found.chosen and not one.night_consent]
    assert found.without_night_consent == (len(asleep) if is_ad else 0)
    # Every count opens to exactly so many people, and nobody is in two places.
    opened = [len(people_of(found, step.key, drop.reason)) for step in found.funnel.steps for drop in step.drops]
    assert opened == [drop.count for step in found.funnel.steps for drop in step.drops]
    assert sum(opened) + found.funnel.size == found.funnel.audience == len(members)
    assert Funnel.from_json(found.funnel.as_json()) == found.funnel
    for one in members:
        told_of = audience.explain(campaign, one.pk)
        assert (told_of.step == "sent") == (one.pk in found.chosen)
        assert one.pk in (found.left_out | {("sent", ""): found.chosen})[told_of.step, told_of.reason]


@pytest.fixture
def everybody(world: Any) -> Cohort:
    project = world.project
    people = [
        person(project, 0, phone="+821022220000"),
        person(project, 1, phone="+821022220000", marketing_consent=True),
        person(project, 2, phone="landline"),
        person(project, 3, phone="missing"),
        person(project, 4, phone="+821022220004", marketing_consent=True),
        person(project, 5, phone="+821022220005", is_anonymous=True),
    ]
    rebuild(project.pk)
    OptOut.objects.create(project=project, phone="+821022220004", source="provider")
    return factories.cohort_with(project, 1, [one.pk for one in people])


def test_whoever_consented_keeps_the_message_of_a_number_that_others_have_too(everybody):
    ad, information = plan(campaign_to(everybody, is_ad=True)), plan(campaign_to(everybody, is_ad=False))
    (lost,) = people_of(ad, "one_per_number", "same_number")
    assert (lost.external_id, lost.instead) == ("user_0", "user_1")
    (lost,) = people_of(information, "one_per_number", "same_number")
    assert (lost.external_id, lost.instead) == ("user_1", "user_0")


def test_the_words_are_those_of_the_screen(everybody):
    steps = plan(campaign_to(everybody, is_ad=True)).funnel.steps
    assert [step.label for step in steps] == [
        "코호트 인원", "전화번호 있음", "유효한 휴대전화", "번호당 한 명", "광고 수신 동의", "수신거부 아님",
        "발송 예정",
    ]  # fmt: skip
    drops = [(drop.label, drop.count) for step in steps for drop in step.drops]
    assert drops == [
        ("익명 유저", 1), ("전화번호 없음", 1), ("유선 전화", 1), ("같은 번호를 쓰는 다른 유저", 1),
        ("080 수신거부", 1),
    ]  # fmt: skip
    assert [step.count for step in steps] == [6, 4, 3, 2, 2, 1, 1]
    assert [step.dropped for step in steps] == [0, 2, 1, 1, 0, 1, 0]


def test_phones_are_masked_unless_whole_ones_are_asked_for(everybody):
    made = plan(campaign_to(everybody, is_ad=False))
    assert first_phones(made) == ["010-****-0000", "010-****-0004"]
    assert first_phones(made, 1, whole=True) == ["010-2222-0000"]
    (one,) = people_of(made, "sent", offset=1)
    assert one.phone == "010-****-0004"
    (one,) = people_of(made, "reachable", "landline", whole=True)
    assert (one.phone, one.reason) == ("02-123-4567", "유선 전화")
    assert people_of(made, "reachable", "nonsense") == people_of(made, "nonsense") == []


def test_who_was_deleted_is_left_out_and_said_so(everybody):
    gone = Profile.objects.get(external_id="user_0").pk
    Profile.objects.filter(pk=gone).delete()
    assert first_phones(plan(campaign_to(everybody, is_ad=False))) == ["010-****-0004"]
    rebuild(everybody.project_id)
    made = plan(campaign_to(everybody, is_ad=False))
    assert made.funnel.steps[1].drops[1].label == "삭제된 유저"
    (one,) = people_of(made, "has_phone", "deleted")
    assert (one.profile_id, one.external_id) == (gone, "")


def test_without_an_audience_it_says_what_is_missing(world):
    campaign = Campaign(project=world.project)
    for kind, code in (("", "audience_missing"), ("cohort", "cohort_missing"), ("csv", "upload_missing")):
        campaign.audience_kind = kind
        with pytest.raises(NoAudience) as problem:
            plan(campaign)
        assert problem.value.code == code
    campaign.audience_kind, campaign.cohort = "cohort", factories.cohort(world.project, 1)
    with pytest.raises(NoAudience, match="아직 읽지 않았습니다"):
        plan(campaign)


def test_a_plan_takes_few_statements_and_none_twice_when_nothing_changed(everybody, django_assert_num_queries):
    campaign = campaign_to(everybody, is_ad=True)
    plan(campaign)
    with django_assert_num_queries(3):
        plan(campaign)


def test_a_kept_funnel_speaks_the_language_of_its_reader(everybody):
    kept = plan(campaign_to(everybody, is_ad=True)).funnel.as_json()
    assert all(isinstance(count, int) for one in kept for _reason, count in one["drops"])
    with translation.override("ko"):
        assert Funnel.from_json(kept).steps[-1].label == "발송 예정"
    assert Funnel.from_json([]).size == 0


def test_a_user_group_is_an_audience_like_a_cohort(everybody):
    group = UserGroup.objects.create(
        project=everybody.project,
        name="동의한 사람",
        definition={"segments": [[{"kind": "consent", "what": "marketing", "given": True}]], "filters": []},
    )
    campaign = Campaign(project=everybody.project, audience_kind=AudienceKind.GROUP, group=group, channel="text")
    made = plan(campaign)
    assert (made.funnel.steps[0].label, made.funnel.audience, made.snapshot_id) == ("그룹 인원", 2, None)
    assert made.funnel.size == 1


def test_a_group_that_cant_be_told_is_no_audience(everybody):
    unread = factories.cohort(everybody.project, 2)
    definition = {"segments": [[{"kind": "cohort", "cohort": unread.pk, "in": True}]], "filters": []}
    group = UserGroup.objects.create(project=everybody.project, name="모르는 사람", definition=definition)
    campaign = Campaign(project=everybody.project, audience_kind=AudienceKind.GROUP)
    with pytest.raises(NoAudience, match="유저 그룹을 고르세요"):
        plan(campaign)
    campaign.group = group
    with pytest.raises(NoAudience, match="그룹을 확인하세요"):
        plan(campaign)
