"""Hostile bodies against the webhook: never a 5xx, always Mixpanel's shape; and what was taken can be read by a worker.

`WEBHOOK_FUZZ_EXAMPLES=50000 pytest tests/integrations/test_webhook_fuzz.py` looks at more of them."""

import json
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.models import PushRoad
from cohorts.push import push
from integrations import inbox
from integrations.mixpanel.webhook import NotAPage, parse_page
from integrations.models import InboundPage
from tests.integrations.pushing import COHORT, PROJECT, Pusher, member

EXAMPLES = int(os.environ.get("WEBHOOK_FUZZ_EXAMPLES", "150"))

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
members = st.one_of(
    st.integers(0, 9).map(member),
    st.dictionaries(
        st.sampled_from(["mixpanel_distinct_id", "$distinct_id", "email", "$email", "phone_number", "$phone", "plan"])
        | texts,
        values,
        max_size=5,
    ),
    values,
)
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


@st.composite
def bodies(draw: Any) -> bytes:
    """A page as JSON, sometimes with some of its bytes changed, cut or doubled."""
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


@pytest.mark.django_db
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=bodies())
def test_no_body_is_a_fault_of_ours(pusher: Pusher, body: bytes) -> None:
    before = InboundPage.objects.count()
    answer = pusher.send(body)
    assert answer.status_code in (200, 400, 403), (answer.status_code, body)
    said = answer.json()
    assert said["status"] == ("success" if answer.status_code == 200 else "failure")
    if answer.status_code != 200:
        assert said["error"]["code"] == answer.status_code
        assert said["error"]["message"]
        assert InboundPage.objects.count() == before
        return
    for subject in InboundPage.objects.filter(state="new").values_list("subject", flat=True).distinct():
        push.take(pusher.project_id, subject)
    assert not InboundPage.objects.filter(state="new").exists()
    assert not PushRoad.objects.filter(wants_full_why="crashed").exists()
    newest = InboundPage.objects.order_by("-pk").first()
    assert newest is not None
    assert parse_page(inbox.body_of(newest)).fingerprint()


@settings(max_examples=EXAMPLES * 4, deadline=None)
@given(body=bodies())
def test_the_measure_of_a_body_finds_what_a_parser_finds(body: bytes) -> None:
    """Names twice are found by counting: never where there are none, always where there are."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Halves of surrogate pairs are read as NUL, so that two names which differ only there are one.
        if len({re.sub("[\ud800-\udfff]", "\0", name) for name, _value in pairs}) < len(pairs):
            raise LookupError
        return dict(pairs)

    try:
        json.loads(body.decode(), object_pairs_hook=once)
        is_double = False
    except LookupError:
        is_double = True
    except ValueError:
        return
    try:
        parse_page(body)
        words = ""
    except NotAPage as problem:
        words = str(problem)
    if "same name twice" in words or "twice" in words:
        assert is_double
    elif not words:
        assert not is_double
