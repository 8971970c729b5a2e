"""Whoever has no value for a variable is left out where the message says so: in the funnel as in sending."""

import io
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.audience import lacking
from campaigns.audience.lacking import needed_fields
from campaigns.audience.plan import people_of, plan
from campaigns.audience.uploads import read_csv
from campaigns.message.check import content_of
from campaigns.message.render import Left, render
from campaigns.models import Campaign, Rules, SkipReason
from campaigns.sql import RESERVED
from cohorts.models import Cohort, Profile
from cohorts.people.facets import rebuild
from notifly_console.tenancy.models import Project
from tests import factories
from tests.campaigns.test_recipients import everybody_in

ODD = '이상한 "이름" 100%s'
NAME = '{{ user["name"] }}님'
VALUES = (
    "김하나", "a", "0", "~", " 앞에 빈칸", "", " ", "\t\n", "\u200b", "\u3000", "😀", "é", "漢", "—", "[대괄호]",
    "{중괄호}", "[", 0, 1, -1.5, 3.0, 10**30, 10**37, True, False, None, [], ["가"], [None], [""], [[1]], {},
    {"a": 1},
)  # fmt: skip


def text(message: str, *, skips: bool = True, **more: Any) -> dict[str, Any]:
    return {"kind": "sms", "is_ad": False, "text": message, "skips_missing": skips, **more}


def campaign_of(project: Any, message: dict[str, Any], channel: str = "text") -> Campaign:
    return Campaign(
        project=project, audience_kind="cohort", cohort=everybody_in(project), channel=channel, message=message
    )


def told(plan_: Any) -> dict[str, int]:
    step = plan_.funnel.step("has_values")
    return {drop.label: drop.count for drop in step.drops} if step else {}


@pytest.mark.parametrize(
    ("channel", "message", "fields"),
    [
        ("text", text(NAME), ("name",)),
        ("text", text(NAME, skips=False), ()),
        ("text", text('{{ user["b"] }}{{ user["a"] | default: "x" }}{{ user["$email"] }}'), ("$email", "b")),
        ("text", text("{{ user[", skips=True), ()),
        (
            "friendtalk",
            {"text": NAME, "skips_missing": True, "fallback": {"kind": "sms", "text": '{{ user["other"] }}'}},
            ("name",),
        ),
        (
            "alimtalk",
            {
                "variables": [
                    {"name": "이름", "text": NAME, "skips_missing": True},
                    {"name": "쿠폰", "text": '{{ user["coupon"] }}', "default": "없음"},
                ]
            },
            ("name",),
        ),
    ],
)
def test_what_a_message_doesnt_go_without(channel: str, message: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert needed_fields(content_of(channel, message)) == fields


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*VALUES, "absent"]), st.sampled_from(VALUES), st.sampled_from([None, "a@b.example"])
        ),
        max_size=9,
    ),
    st.sampled_from(["text", "friendtalk", "alimtalk"]),
    st.booleans(),
)
@settings(deadline=None, max_examples=60)
@pytest.mark.django_db
def test_the_funnel_leaves_out_whom_sending_would(people: list[Any], channel: str, few: bool) -> None:
    project = Project.objects.create(name="하루식탁")
    for number, (name, odd, email) in enumerate(people):
        properties = {ODD: odd} | ({} if name == "absent" else {"name": name})
        phone = f"+8210{22220000 + number}"
        told_of = {"properties": properties, "email": email, "marketing_consent": True}
        factories.profile(project, f"u{number}", phone=phone, **told_of)
    odd_slot = "{{ user['" + ODD + "'] }}"
    message = text('{{ user["name"] }} {{ user["$email"] }} {{ user["city"] | default: "서울" }}' + odd_slot)
    if channel == "alimtalk":
        message = {
            "template_text": "#{이름} #{메일} #{그밖}",
            "template_variables": ["이름", "메일", "그밖"],
            "variables": [
                {"name": "이름", "text": '{{ user["name"] }}', "skips_missing": True},
                {"name": "메일", "text": '{{ user["$email"] }}', "skips_missing": True},
                {"name": "그밖", "text": odd_slot, "skips_missing": True},
            ],
        }
    campaign = campaign_of(project, message, channel)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lacking, "FEW", 2)
        patched.setattr(lacking, "MANY", 100 if few else 1)
        made = plan(campaign)
    content = content_of(channel, message)
    expected = set()
    for profile in Profile.objects.filter(project=project):
        values = profile.properties | {name: getattr(profile, column) for name, column in RESERVED.items()}
        rendered = render(content, values, Rules(project=project), timezone.now())
        if isinstance(rendered, Left) and rendered.reason == SkipReason.NO_VALUE:
            expected.add(profile.pk)
    assert set(made.at_step["reachable"] - made.chosen) >= expected
    step = made.funnel.step("has_values")
    assert step is not None
    assert step.dropped == len(expected) == made.funnel.step("one_per_number").count - made.funnel.size
    assert not expected & set(made.chosen)


def test_the_reason_names_what_is_missing(world: Any) -> None:
    for number, properties in enumerate(
        [{}, {"name": "김"}, {"name": "이", "coupon": "A"}, {"name": "😀", "coupon": "A"}]
    ):
        factories.profile(world.project, f"u{number}", phone=f"+82102222000{number}", properties=properties)
    made = plan(campaign_of(world.project, text(NAME + ' {{ user["coupon"] }}')))
    assert told(made) == {"coupon 값 없음": 2, "name 값 없음": 1}
    (one,) = people_of(made, "has_values", "no_value:name")
    assert (one.external_id, one.reason) == ("u3", "name 값 없음")
    campaign = Campaign(project=world.project, audience_kind="cohort", cohort=Cohort.objects.get(), channel="text")
    campaign.message = text(NAME, skips=False)
    assert told(plan(campaign)) == {}
    assert plan(campaign).funnel.size == 4


def test_whoever_has_the_value_keeps_the_message_of_a_shared_number(world: Any) -> None:
    for number, properties in enumerate([{}, {"name": "김"}]):
        factories.profile(world.project, f"u{number}", phone="+821022220000", properties=properties)
    made = plan(campaign_of(world.project, text(NAME)))
    assert (made.funnel.size, told(made)) == (1, {})
    (lost,) = people_of(made, "one_per_number", "same_number")
    assert (lost.external_id, lost.instead) == ("u0", "u1")


def test_a_files_rows_are_asked_likewise(world: Any) -> None:
    rows = "phone_number,name,coupon\n01022220000,김,A\n01022220001,,A\n01022220002,😀,A\n01022220003, 이,\n"
    upload = read_csv(world.project, "x.csv", io.BytesIO(rows.encode()), "")
    message = text('{{ csv["name"] }} {{ csv["coupon"] }}')
    campaign = Campaign(project=world.project, audience_kind="csv", upload=upload, channel="text", message=message)
    made = plan(campaign)
    assert told(made) == {"name 값 없음": 2, "coupon 값 없음": 1}
    assert [one.row for one in people_of(made, "has_values", "no_value:name")] == [3, 4]
    assert made.funnel.size == 1
    rebuild(world.project.pk)
