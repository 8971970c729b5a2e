"""Hostile bodies against the webhook (`tests/integrations/hostile.py`): a few with the others' tests;
`python -m benchmarks.push_fuzz` sends hundreds of thousands."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from integrations.mixpanel.webhook import NotAPage, parse_page
from tests.integrations.hostile import bodies, survive
from tests.integrations.pushing import Pusher

EXAMPLES = 150


@pytest.mark.django_db
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=bodies())
def test_no_body_is_a_fault_of_ours(pusher: Pusher, body: bytes) -> None:
    survive(pusher, body)


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
