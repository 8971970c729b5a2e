"""Partner Sync: what joins and leaves are told of a person, and who is found by them in 유저 리스트."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cohorts.groups import groups
from cohorts.groups.conditions import definition_of
from cohorts.models import Alias, Snapshot
from cohorts.people import facets, history, lookup
from tests import factories as make
from tests.integrations.pushing import COHORT, Pusher


def address(world: Any, rest: str = "") -> str:
    return f"/projects/{world.project.hex}/profiles/{rest}"


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response
    return response.content.decode()


def told(events: history.Events) -> list[tuple[str, str, str]]:
    return [(event.action, event.segment_name, event.road) for event in events.rows]


def ids_in(html: str) -> set[str]:
    return set(re.findall(r'id="p-\d+"[^>]*>([^<]+)</a>', html))


@pytest.fixture
def people(world: Any) -> list[Any]:
    """Five profiles, as a worker would have written them."""
    found = [make.profile(world.project, f"user-{number}") for number in range(5)]
    facets.rebuild(world.id)
    return found


# -- Of a person ------------------------------------------------------------------------------------------------------
def test_joins_and_leaves_of_a_push_are_events_of_the_person(pusher: Pusher, world: Any, sign_in: Any) -> None:
    pusher.sync([1, 2], session="a", name="체험 3일차")
    pusher.sync([1], session="b", action="remove_members")
    pusher.sync([1], session="c", action="add_members")
    one = lookup.Profile.objects.get(external_id="user-1")
    name = "체험 3일차"
    assert told(history.events_of(one)) == [("Added", name, "push"), ("Removed", name, "push"), ("Added", name, "push")]
    html = text_of(sign_in("viewer").get(address(world, f"{one.pk}/")))
    section = html.split('id="h-sync"')[1].split("</section>")[0]
    assert section.count("Added") == 2
    assert section.count("Removed") == 1
    assert f"mixpanel_{COHORT}" in section
    for words in ("Partner Segment Name · ID", "CT Source: Mixpanel", "Partner Name: Mixpanel"):
        assert words in section
    assert "최근 7일의 버전은 모두, 그 전의 것은 최근 30개까지" in section, "how far back it reaches"
    assert section.count("<time") == 3


def test_a_held_version_is_no_event_before_somebody_accepts_it(world: Any, people: list[Any]) -> None:
    cohort = make.cohort_with(world.project, 1, [one.pk for one in people])
    held = make.snapshot(cohort, [people[0].pk], state="held")
    assert len(history.events_of(people[1]).rows) == 1
    Snapshot.objects.filter(pk=held.pk).update(state="published", decided_at=timezone.now() + timedelta(minutes=5))
    newest = history.events_of(people[1]).rows[0]
    assert (newest.action, newest.at > held.created_at) == ("Removed", True)


def test_what_happened_under_a_former_number_is_told_too(world: Any, people: list[Any]) -> None:
    old, one = people[:2]
    cohort = make.cohort_with(world.project, 1, [old.pk])
    make.snapshot(cohort, [one.pk])
    Alias.objects.create(project=world.project, external_id="d", profile_id=one.pk, old_id=old.pk)
    old.delete()
    assert [event.action for event in history.events_of(one).rows] == ["Added"], "the other version changed a number"


def test_a_long_history_goes_over_several_steps_and_misses_nothing(
    world: Any, people: list[Any], sign_in: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(history, "VERSIONS_A_STEP", 3)
    monkeypatch.setattr(history, "SHOWN", 2)
    cohort, others = make.cohort(world.project, 1), [people[1].pk]
    for turn in range(14):
        make.snapshot(cohort, [people[0].pk, *others] if turn % 2 == 0 else others)
        make.snapshot(cohort, [*others, people[2].pk, *([people[0].pk] if turn % 2 == 0 else [])])
    client, seen, at = sign_in("viewer"), 0, address(world, f"{people[0].pk}/events")
    steps = 0
    while at:
        with CaptureQueriesContext(database) as asked:
            html = text_of(client.get(at))
        assert len(asked) <= 10
        seen += html.count('<span class="chip chip--green">Added') + html.count('<span class="chip">Removed')
        more = re.search(r'hx-get="([^"]+)"', html)
        at, steps = (more[1].replace("&amp;", "&") if more else ""), steps + 1
    assert seen == 14
    assert steps >= 7
    assert "모두 확인했습니다" in html
    page = text_of(client.get(address(world, f"{people[0].pk}/")))
    without_script = re.search(r'href="([^"]+events=\d+)#h-sync"', page)
    assert without_script
    assert text_of(client.get(without_script[1])).split('id="h-sync"')[1].count("<time") == 2


def test_another_projects_events_are_nowhere(world: Any, people: list[Any], sign_in: Any) -> None:
    theirs = make.profile(world.other_project, "theirs")
    make.cohort_with(world.other_project, 1, [theirs.pk, people[0].pk])
    assert not history.events_of(people[0]).rows
    assert sign_in("owner").get(address(world, f"{theirs.pk}/events")).status_code == 404


# -- 유저 리스트 -------------------------------------------------------------------------------------------------------
@pytest.fixture
def moved(world: Any, people: list[Any]) -> Any:
    """A cohort of five, of whom two left an hour ago; all joined ten days ago."""
    cohort = make.cohort_with(world.project, 2785620, [one.pk for one in people], "자주 사는 사람")
    Snapshot.objects.update(created_at=timezone.now() - timedelta(days=10))
    make.snapshot(cohort, [one.pk for one in people[:3]])
    return cohort


@pytest.mark.parametrize("cohort", ["mixpanel_2785620", "2785620", "자주 사는 사람", "자주"])
def test_who_left_or_joined_lately_is_found(world: Any, moved: Any, sign_in: Any, cohort: str) -> None:
    client = sign_in("viewer")

    def found(action: str, days: int) -> set[str]:
        return ids_in(text_of(client.get(address(world), {"cohort": cohort, "action": action, "days": days})))

    assert found("removed", 1) == {"user-3", "user-4"}
    assert found("added", 7) == set()
    assert found("added", 30) == {f"user-{number}" for number in range(5)}


def test_a_group_and_the_list_mean_the_same_people(world: Any, moved: Any) -> None:
    said = {"kind": "sync", "cohort": moved.pk, "joined": False, "days": 1}
    of_group = groups.members(world.id, definition_of({"segments": [[said]]}))
    assert of_group == history.those_who(world.id, moved.pk, joined=False, days=1).people
    assert len(of_group) == 2


def test_a_search_is_among_those_of_the_filter(world: Any, moved: Any, sign_in: Any, monkeypatch: Any) -> None:
    client = sign_in("owner")
    page = text_of(client.get(address(world), {"cohort": "2785620", "action": "removed", "days": 1}))
    carried = dict(re.findall(r'type="hidden" name="(cohort|action|days)" value="([^"]+)"', page))
    assert carried == {"cohort": "mixpanel_2785620", "action": "removed", "days": "1"}
    for named_at_once in (10_000, 0):
        monkeypatch.setattr(lookup, "NAMED_AT_ONCE", named_at_once)
        assert ids_in(text_of(client.post(address(world, "search"), {"q": "user-", **carried}))) == {"user-3", "user-4"}
        assert ids_in(text_of(client.post(address(world, "search"), {"q": "user-1", **carried}))) == set()
    monkeypatch.setattr(lookup, "LOOKED_THROUGH", 2)
    assert "처음 5,000명 안에서" in text_of(client.post(address(world, "search"), {"q": "user-", **carried}))


def test_an_unclear_cohort_is_asked_about(world: Any, moved: Any, sign_in: Any) -> None:
    make.cohort(world.project, 2, "자주 쓰는 사람")
    html = text_of(sign_in("viewer").get(address(world), {"cohort": "자주", "action": "added", "days": 3}))
    assert "하나를 고르세요" in html
    assert "?cohort=mixpanel_2785620&amp;action=added&amp;days=3" in html
    html = text_of(sign_in("viewer").get(address(world), {"cohort": "없는 이름", "action": "added", "days": 3}))
    assert "그런 코호트가 없습니다" in html


@pytest.mark.parametrize("wrong", [{"days": "0"}, {"days": "366"}, {"days": "x"}, {"action": "both"}])
def test_what_makes_no_sense_is_said_beside_the_form(world: Any, moved: Any, sign_in: Any, wrong: dict) -> None:
    asked = {"cohort": "2785620", "action": "added", "days": "7", **wrong}
    assert "filters__error" in text_of(sign_in("viewer").get(address(world), asked), 422)


def test_that_older_versions_are_forgotten_is_said(world: Any, moved: Any, sign_in: Any) -> None:
    Snapshot.objects.filter(cohort=moved, number=1).delete()
    asked = {"cohort": "2785620", "action": "added", "days": "30"}
    assert "그 전의 버전은 보관하지 않으므로" in text_of(sign_in("viewer").get(address(world), asked))
    asked = {"cohort": "2785620", "action": "removed", "days": "30"}
    assert "user-3" in text_of(sign_in("viewer").get(address(world), asked))


def test_a_group_says_since_when_it_counts_who_came_and_went(world: Any, moved: Any, sign_in: Any) -> None:
    client, base = sign_in("marketer"), f"/projects/{world.id.hex}/groups/"
    said = {"kind": "sync", "cohort": moved.pk, "joined": False, "days": 30}
    group = make.group(world.project, "나간 사람", definition={"segments": [[said]]})
    form = {f"segments-0-0-{name}": int(value) if name != "kind" else value for name, value in said.items()}
    for is_forgotten in (False, True):
        if is_forgotten:
            Snapshot.objects.filter(cohort=moved, number=1).delete()
        numbers = text_of(client.get(f"{base}{group.pk.hex}/numbers", headers={"HX-Request": "true"}))
        size = text_of(client.post(f"{base}size", form, headers={"HX-Request": "true"}))
        assert "<small>명</small>" in size
        assert ["그 전의 버전은 보관하지 않습니다" in part for part in (numbers, size)] == [is_forgotten] * 2


def test_the_filtered_list_pages_through_everybody_once_with_few_queries(world: Any, sign_in: Any) -> None:
    ids = make.profiles(world.project, 130)
    facets.rebuild(world.id)
    make.cohort_with(world.project, 5, ids[:120])
    client, seen, at = sign_in("viewer"), [], address(world, "?cohort=5&action=added&days=7")
    while at:
        with CaptureQueriesContext(database) as asked:
            html = text_of(client.get(at))
        assert len(asked) <= 14
        seen += ids_in(html)
        more = re.search(r'href="(\?[^"]*before=\d+)"', html)
        at = address(world, more[1].replace("&amp;", "&")) if more else ""
    assert len(seen) == len(set(seen)) == 120
    assert "유저 120명" in html


def test_another_projects_cohort_is_not_to_be_found(world: Any, sign_in: Any) -> None:
    make.cohort(world.other_project, 77, "남의 코호트")
    for text in ("77", "남의 코호트"):
        html = text_of(sign_in("owner").get(address(world), {"cohort": text, "action": "added", "days": 3}))
        assert "그런 코호트가 없습니다" in html
