"""What an audience makes of a message: the same as rendering everybody, without doing so."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.audience import measure as room
from campaigns.audience.measure import measure
from campaigns.audience.plan import plan
from campaigns.audience.uploads import read_csv
from campaigns.message.check import content_of
from campaigns.message.render import worst
from campaigns.models import Campaign, Rules
from campaigns.sql import RESERVED
from cohorts.models import Cohort, Profile
from integrations.messaging import Kind
from notifly_console.tenancy.models import Project
from tests import factories
from tests.campaigns.test_recipients import everybody_in


def measured(campaign: Campaign) -> Any:
    return measure(content_of(campaign.channel, campaign.message), Rules(project=campaign.project), plan(campaign))


VALUES = st.one_of(
    st.sampled_from(
        ["", " ", None, True, False, 0, 3.5, [], ["가", "나"], {"a": 1}, "😀😀", "ⓒ©", "줄\n바꿈", "두 낱말"]
    ),
    st.integers(1, 60).map(lambda n: "가" * n),
    st.integers(1, 120).map(lambda n: "a" * n),
    st.sampled_from(["긴" * 700, "\n".join("x" * 120), "가 " * 40]),
)
SMS = {"kind": "sms", "is_ad": False, "text": '{{ user["a"] }}님, {{ user["b"] | default: "다음 주말까지 쓰세요" }}'}
MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("text", {"kind": "sms", "is_ad": False, "text": "모두에게 같은 말"}),
    ("text", SMS),
    ("text", SMS | {"text": "길" * 40 + '{{ user["a"] }}'}),
    ("text", SMS | {"text": '{{ user["a"] }}', "skips_missing": True}),
    ("text", SMS | {"text": "너무 길다" * 300 + '{{ user["a"] }}'}),
    ("text", SMS | {"kind": "lms", "title": '{{ user["b"] }}', "text": "글" * 900 + '{{ user["a"] }}'}),
    (
        "friendtalk",
        {
            "text": '{{ user["a"] }} 소식',
            "skips_missing": True,
            "fallback": {"kind": "sms", "text": '{{ user["b"] }}' * 3},
            "buttons": [{"name": "보기", "mobile_url": 'https://a.example/{{ user["b"] }}'}],
        },
    ),
    (
        "alimtalk",
        {
            "template_text": "#{이름}님 #{주소}",
            "template_variables": ["이름", "주소"],
            "template_buttons": [{"name": "보기", "mobile_url": "https://a.example/#{주소}"}],
            "variables": [
                {"name": "이름", "text": '{{ user["a"] }}', "default": "고객"},
                {"name": "주소", "text": '{{ user["b"] }}', "skips_missing": True},
            ],
            "fallback": {"kind": "sms", "text": ""},
        },
    ),
]


@given(st.lists(st.tuples(VALUES, VALUES), max_size=8), st.sampled_from(MESSAGES), st.sampled_from([1, 2, 50_000]))
@settings(deadline=None, max_examples=150)
@pytest.mark.django_db
def test_it_says_what_rendering_everybody_says(people: list[Any], message: tuple[str, Any], at_once: int) -> None:
    channel, said = message
    project = Project.objects.create(name="하루식탁")
    for number, (a, b) in enumerate(people):
        told = {"properties": {"a": a, "b": b}, "marketing_consent": True}
        factories.profile(project, f"u{number}", phone=f"+8210{22220000 + number}", **told)
    campaign = Campaign(
        project=project, audience_kind="cohort", cohort=everybody_in(project), channel=channel, message=said
    )
    made = plan(campaign)
    rules = Rules(project=project)
    everybody = (
        (one.pk, one.properties | {name: getattr(one, column) for name, column in RESERVED.items()}, 1)
        for one in Profile.objects.filter(project=project, pk__in=list(made.chosen)).order_by("pk")
    )
    truth = worst(content_of(channel, said), rules, everybody)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(room, "AT_ONCE", at_once)
        patched.setattr(room, "LONGEST", 1)
        found = measure(content_of(channel, said), rules, made)
    assert (found.by_kind, found.left) == (truth.by_kind, truth.left)
    assert bool(found.fallback) == bool(truth.fallback)
    if found.fallback and truth.fallback:
        assert (found.fallback.by_kind, found.fallback.left) == (truth.fallback.by_kind, truth.fallback.left)


def test_the_longest_of_many_is_found_and_few_are_rendered(world: Any, monkeypatch: Any) -> None:
    factories.profiles(world.project, 300)
    longest = Profile.objects.get(external_id="user_0000123")
    longest.properties = {"$name": "남궁가나다라"}
    longest.save()
    over = Profile.objects.get(external_id="user_0000200")
    over.properties = {"$name": "가" * 40}
    over.save()
    message = SMS | {"text": '{{ user["$name"] }}님, 이번 주말까지 쓸 수 있는 쿠폰을 드립니다'}
    campaign = Campaign(
        project=world.project,
        audience_kind="cohort",
        cohort=everybody_in(world.project),
        channel="text",
        message=message,
    )
    rendered: list[Any] = []
    real = room.worst

    def counting(content: Any, rules: Any, rows: Any) -> Any:
        kept = list(rows)
        rendered.extend(kept)
        return real(content, rules, kept)

    monkeypatch.setattr(room, "worst", counting)
    monkeypatch.setattr(room, "LONGEST", 3)
    found = measured(campaign)
    assert found.by_kind == {Kind.SMS: 299, Kind.LMS: 1}
    assert (found.longest_id, found.examples[Kind.LMS]) == (over.pk, (over.pk,))
    assert len(rendered) == 1 + 3 + 1
    over.delete()
    found = measured(campaign)
    assert found.longest_id == longest.pk


@pytest.mark.parametrize("names", [["김", "이"], ["김", "가" * 40, "", "😀"]])
def test_a_file_is_measured_likewise(world: Any, names: list[str]) -> None:
    rows = "phone_number,a,b\n" + "".join(f"010{22220000 + n},{name},x\n" for n, name in enumerate(names))
    upload = read_csv(world.project, "x.csv", io.BytesIO(rows.encode()), "")
    message = SMS | {
        "text": '{{ csv["a"] }}님, 이번 주말까지 쓸 수 있는 쿠폰을 드립니다 {{ csv["b"] }}',
        "skips_missing": True,
    }
    campaign = Campaign(project=world.project, audience_kind="csv", upload=upload, channel="text", message=message)
    found = measured(campaign)
    if len(names) == 2:
        assert (found.by_kind, found.left) == ({Kind.SMS: 2}, {})
    else:
        assert (found.by_kind, found.left, found.longest_id) == ({Kind.SMS: 1, Kind.LMS: 1}, {}, 2)


def test_nobody_makes_nothing_of_it(world: Any) -> None:
    campaign = Campaign(
        project=world.project,
        audience_kind="cohort",
        cohort=factories.cohort_with(world.project, 1, []),
        channel="text",
        message=SMS,
    )
    found = measured(campaign)
    assert (found.by_kind, found.left, found.longest_id) == ({}, {}, None)
    assert Cohort.objects.count() == 1
