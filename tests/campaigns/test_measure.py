"""What an audience makes of a message: the same as rendering everybody, without doing so."""

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.audience import measure as room
from campaigns.audience.measure import measure
from campaigns.audience.plan import plan
from campaigns.audience.uploads import read_csv, rows_at
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


ODD = [
    *[
        "",
        " ",
        None,
        True,
        False,
        0,
        -1,
        3.5,
        3.0,
        1e30,
        2**62,
        [],
        ["가", "나"],
        [1, 1, 1, 1, 1],
        [True, False],
        {"a": 1},
    ],
    *[
        "😀😀",
        "ⓒ©",
        "줄\n바꿈",
        "두 낱말",
        " 가",
        "가 ",
        "㌖",
        "㌖" * 12,
        "佐々木",
        "뷁똠",
        "3.0",
        "true",
        "007",
        "\u1112\u1161",
    ],
    *[
        "a@b.example",
        "a/b?c=d",
        "긴" * 700,
        "\n".join("x" * 120),
        "가 " * 40,
        "１２３",
        "½⅒⓪",
        "e\u0301",
        "\u200b",
        "a\tb",
    ],
]
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.integers(1, 60).map(lambda n: "가" * n),
    st.integers(1, 120).map(lambda n: "a" * n),
    st.text(alphabet="가힣a Z~9㌖é—🌸々\u1161\u0301\n{#}", max_size=40),
)
TEXTS = VALUES.filter(lambda one: isinstance(one, str))
SMS = {"kind": "sms", "is_ad": False, "text": '{{ user["a"] }}님, {{ user["b"] | default: "다음 주말까지 쓰세요" }}'}
MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("text", {"kind": "sms", "is_ad": False, "text": "모두에게 같은 말"}),
    ("text", SMS),
    ("text", SMS | {"text": "길" * 40 + '{{ user["a"] }}'}),
    ("text", SMS | {"text": "길" * 44 + 'x{{ user["a"] }}{{ user["b"] }}'}),
    ("text", SMS | {"text": "길" * 35 + '{{ user["$phone_number"] }}{{ user["$email"] }}'}),
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


def numbers(found: Any) -> Any:
    """Everything that is said, in one shape."""
    ids = {key: sorted(those) for key, those in found.ids.items()}
    own = (found.longest_id, found.longest_bytes, found.by_kind, found.left, ids, found.altered)
    return own, numbers(found.fallback) if found.fallback else None


@given(
    people=st.lists(st.tuples(VALUES, VALUES), max_size=8),
    message=st.sampled_from(MESSAGES),
    at_once=st.sampled_from([1, 2, 50_000]),
    apart=st.booleans(),
)
@example(people=[("㌖", "佐々木"), ("a" * 3, "")], message=("text", SMS), at_once=50_000, apart=False)
@settings(deadline=None, max_examples=200)
@pytest.mark.django_db
def test_it_says_what_rendering_everybody_says(
    people: list[Any], message: tuple[str, Any], at_once: int, apart: bool
) -> None:
    channel, said = message
    project = Project.objects.create(name="하루식탁")
    for number, (a, b) in enumerate(people):
        told = {"properties": {"a": a, "b": b}, "marketing_consent": True}
        # With gaps, or without: those are asked for in another way.
        if apart:
            factories.profile(project, f"x{number}", phone=None)
            factories.profile(project, f"y{number}", phone=None)
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
        found = measure(content_of(channel, said), rules, made)
    assert numbers(found) == numbers(truth)


@given(
    rows=st.lists(st.tuples(TEXTS, st.sampled_from(["x", "ab", "佐"])), max_size=8),
    said=st.sampled_from([one for _channel, one in MESSAGES[:-2]]),
    most=st.sampled_from([1, 100]),
)
@settings(deadline=None, max_examples=100)
@pytest.mark.django_db
def test_a_file_is_measured_likewise(rows: list[Any], said: Any, most: int) -> None:
    project = Project.objects.create(name="하루식탁")
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["phone_number", "a", "b"])
    table.writerows([f"010{22220000 + n}", *cells] for n, cells in enumerate(rows))
    if not rows:
        return
    upload = read_csv(project, "x.csv", io.BytesIO(written.getvalue().encode()), "")
    said = said | {"text": said["text"].replace("user[", "csv[")} | ({"title": "csv"} if "title" in said else {})
    campaign = Campaign(project=project, audience_kind="csv", upload=upload, channel="text", message=said)
    made, content = plan(campaign), content_of("text", said)
    rules = Rules(project=project)
    truth = worst(content, rules, ((row.place, row.values, 1) for row in rows_at(upload, made.chosen)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(room, "MOST_SORTS", most)
        found = measure(content, rules, made)
    assert numbers(found)[0][2:] == numbers(truth)[0][2:]
    assert found.longest_bytes == truth.longest_bytes


def test_of_many_few_are_rendered(world: Any, monkeypatch: Any) -> None:
    factories.profiles(world.project, 300)
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
    found = measured(campaign)
    assert found.by_kind == {Kind.SMS: 299, Kind.LMS: 1}
    assert (found.longest_id, list(found.ids[Kind.LMS])) == (over.pk, [over.pk])
    assert len(rendered) < 10
    assert sum(count for _id, _values, count in rendered) == 300


def test_of_very_many_the_database_is_asked_once_a_minute(
    world: Any, monkeypatch: Any, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(room, "MANY", 3)
    factories.profiles(world.project, 5)
    campaign = Campaign(
        project=world.project, audience_kind="cohort", cohort=everybody_in(world.project), channel="text", message=SMS
    )
    made, rules = plan(campaign), Rules(project=world.project)
    assert not room.is_known(content_of("text", SMS), made)
    first = measure(content_of("text", SMS), rules, made)
    other = SMS | {"text": SMS["text"] + " 더 길게"}
    with django_assert_num_queries(0):
        assert numbers(measure(content_of("text", SMS), rules, made)) == numbers(first)
        assert measure(content_of("text", other), rules, made).longest_bytes == first.longest_bytes + 8
    assert room.is_known(content_of("text", other), made)
    assert not room.is_known(content_of("text", SMS | {"text": '{{ user["c"] }}'}), made)


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
