"""Hostile bodies, and what must hold whatever comes: never a fault of ours, always Mixpanel's shape; and what was taken
can be read by a worker."""

import json
from typing import Any

from django.utils import timezone
from hypothesis import strategies as st

from cohorts.models import PushRoad
from cohorts.push import push
from integrations import inbox
from integrations.mixpanel.webhook import parse_page
from integrations.models import InboundPage
from tests.integrations.pushing import COHORT, PROJECT, Pusher, member, page

texts = st.text(st.characters(codec=None, categories=None), max_size=12) | st.sampled_from(
    ["", " ", "\0", "\ud800", "user-1", "$device:x", "NaN", "x" * 300, "10" * 10, "010-2000-0001"]
)
numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0, 1, 2**53, 2**64]),
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = texts | st.sampled_from(
    ["mixpanel_distinct_id", "$distinct_id", "email", "$email", "phone_number", "$phone", "plan"]
)
members = st.one_of(st.integers(0, 9).map(member), st.dictionaries(names, values, max_size=5), values)
pages = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["members", "add_members", "remove_members"]) | values,
        "parameters": st.fixed_dictionaries(
            {
                "mixpanel_project_id": st.sampled_from([PROJECT, str(PROJECT)]) | values,
                "mixpanel_cohort_id": st.sampled_from([COHORT, str(COHORT)]) | values,
                "members": st.lists(members, max_size=6) | values,
            },
            optional={
                "mixpanel_cohort_name": texts | values,
                "mixpanel_cohort_description": texts | values,
                "mixpanel_session_id": st.sampled_from(["a", "b"]) | values,
                "page_info": st.fixed_dictionaries(
                    {},
                    optional={"total_pages": st.integers(0, 3) | values, "page_count": st.integers(0, 4) | values},
                )
                | values,
            },
        )
        | values,
    }
)

people = st.fixed_dictionaries(
    {"mixpanel_distinct_id": texts | values},
    optional=dict.fromkeys(("email", "$phone", "phone_number", "plan", "a\0b", "\ud800"), texts | values),
)
sound = st.builds(
    lambda action, people, number, of, session, name: page(
        people, action=action, number=number, of=of, session=session, name=name
    ),
    st.sampled_from(["members", "add_members", "remove_members"]),
    st.lists(st.integers(0, 9) | people, max_size=6),
    *(st.integers(1, 3), st.integers(1, 3)),
    *(st.sampled_from(["a", "b", None]), texts),
)
"""What the door lets in, so that the worker meets hostile members as well."""


@st.composite
def bodies(draw: Any) -> bytes:
    """A page as JSON, sometimes with some of its bytes changed, cut or doubled."""
    if draw(st.sampled_from([False, False, True])):
        return json.dumps(draw(sound)).encode()
    raw = json.dumps(draw(pages)).encode()
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        raw = draw(
            st.sampled_from(
                [
                    raw,
                    raw[:at],
                    raw[:at] + draw(st.binary(max_size=4)) + raw[at:],
                    raw[:at] + raw[at : at + 9] + raw[at:],
                ]
            )
        )
    return raw


def survive(pusher: Pusher, body: bytes) -> int:
    """Sends a body and does a worker's turn; returns the answer's status. Raises AssertionError for a fault of ours."""
    before = InboundPage.objects.count()
    answer = pusher.send(body)
    assert answer.status_code in (200, 400, 403), (answer.status_code, body)
    said = answer.json()
    assert said["status"] == ("success" if answer.status_code == 200 else "failure")
    if answer.status_code != 200:
        assert said["error"]["code"] == answer.status_code
        assert said["error"]["message"]
        assert InboundPage.objects.count() == before
        return int(answer.status_code)
    for subject in InboundPage.objects.filter(state="new").values_list("subject", flat=True).distinct():
        push.take(pusher.project_id, subject)
    assert not InboundPage.objects.filter(state="new").exists()
    assert not PushRoad.objects.filter(wants_full_why="crashed").exists()
    newest = InboundPage.objects.order_by("-pk").first()
    assert newest is not None
    assert parse_page(inbox.body_of(newest)).fingerprint(timezone.now())
    return 200
