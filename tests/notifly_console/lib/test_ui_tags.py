"""The tags of every page: quicker than Django's own, and the same."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.template import Context, Engine
from django.urls import NoReverseMatch, set_script_prefix
from django.utils import timezone, translation

from notifly_console.lib.ui_tags import relative

OURS = Engine(builtins=["django.templatetags.i18n", "notifly_console.lib.ui_tags"])
DJANGOS = Engine(builtins=["django.templatetags.i18n"])
PROJECT = uuid4()


def both(text: str, **context: Any) -> tuple[str, str]:
    """What ours makes of a template, the second time, and what Django makes of it."""
    ours = OURS.from_string(text)
    ours.render(Context(context))
    return ours.render(Context(context)), DJANGOS.from_string(text).render(Context(context))


@pytest.mark.parametrize(
    "text",
    [
        "{% url 'home' %}",
        "{% url name project number %}",
        "{% url name project number as there %}[{{ there }}]",
        "{% url name project_id=project source_id=number %}",
        "{% url 'no_such' as there %}[{{ there }}]",
        "{% translate '설정' %} {% translate '설정' as said %}[{{ said }}]",
        "{% translate said %} {% translate '설정'|upper %} {% translate 'a < b & c' %}",
        "{% translate '설정' noop %} {% translate 'May' context 'month name' %} {% translate '100%' %}",
    ],
)
@pytest.mark.parametrize("language", ["ko", "en", "ja"])
def test_addresses_and_words_are_djangos(text: str, language: str) -> None:
    with translation.override(language):
        ours, djangos = both(text, name="cohorts:cohort", project=PROJECT, number=7, said="<b>설정</b>")
        assert ours == djangos


def test_one_template_speaks_every_language_in_turn() -> None:
    template = OURS.from_string("{% translate '설정' %}")
    said = []
    for language in ("ko", "en", "ko", "ja", "en"):
        with translation.override(language):
            said.append(template.render(Context()))
    assert said[0] == said[2] == "설정"
    assert said[1] == said[4]
    assert len(set(said)) == 3


def test_an_address_that_isnt_there_is_an_error() -> None:
    with pytest.raises(NoReverseMatch):
        OURS.from_string("{% url 'no_such' %}").render(Context())


def test_an_address_follows_the_prefix_that_the_request_came_by() -> None:
    template = OURS.from_string("{% url 'home' %}")
    try:
        assert template.render(Context()) == "/"
        set_script_prefix("/console/")
        assert template.render(Context()) == "/console/"
    finally:
        set_script_prefix("/")


NOW = datetime(2026, 11, 25, 5, 30, tzinfo=UTC)  # 14:30 in Seoul


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=0), "방금 전"),
        (timedelta(seconds=59), "방금 전"),
        (timedelta(seconds=60), "1분 전"),
        (timedelta(minutes=59, seconds=59), "59분 전"),
        (timedelta(hours=1), "1시간 전"),
        (timedelta(hours=14), "14시간 전"),  # 00:30 of the same day
        (timedelta(hours=15), "어제 23:30"),
        (timedelta(hours=38), "어제 00:30"),
        (timedelta(hours=39), "2일 전"),
        (timedelta(days=29), "29일 전"),
        (timedelta(days=30), "2026-10-26"),
        (timedelta(hours=-1), "15:30"),
        (timedelta(hours=-10), "2026-11-26 00:30"),
    ],
)
def test_how_long_ago(before: timedelta, said: str) -> None:
    with translation.override("ko"), timezone.override("Asia/Seoul"):
        assert relative(NOW - before, NOW) == said


def test_the_small_hours_count_hours_of_the_night_before() -> None:
    with translation.override("ko"), timezone.override("Asia/Seoul"):
        small_hours = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # 02:00
        assert relative(small_hours - timedelta(hours=5), small_hours) == "5시간 전"
        assert relative(small_hours - timedelta(hours=6), small_hours) == "어제 20:00"
