"""Whole user groups: whatever is asked, those are in it of whom a few lines of Python say so."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.groups import groups
from cohorts.groups.conditions import HasProperty, definition_of
from cohorts.people import facets
from tests import factories
from tests.cohorts.test_properties import NAMES, WORDS, conditions, matches

PEOPLE = 60
COHORTS = 3
VALUES = [*WORDS, 0, 3, -2, 0.5, 2.25, True, False, None, ["gold", "3"], [], [True, None], {"gold": 1}]


@dataclass
class Town:
    """Sixty people, three cohorts of two versions each, and a group of those in the first one who have a phone."""

    world: Any
    people: dict[int, dict[str, Any]]
    versions: list[tuple[int, set[int], set[int]]] = field(default_factory=list)
    """Of each cohort: its id, who was in before, and who is in now."""
    inner: str = ""


@pytest.fixture
def town(world: Any) -> Town:
    dice = random.Random(7)
    made = Town(world, {})
    for n in range(PEOPLE):
        asked = dice.sample(NAMES, dice.randint(0, 4))
        one: dict[str, Any] = {
            "properties": {name: dice.choice(VALUES) for name in asked},
            "phone": dice.choice([None, f"+8210{20_000_000 + n}"]),
            "email": dice.choice([None, f"person{n}@mail.example"]),
            "marketing_consent": dice.choice([True, False]),
            "night_consent": dice.choice([True, False]),
        }
        made.people[factories.profile(world.project, f"user_{n}", **one).pk] = one
    for number in range(COHORTS):
        before, now = ({pk for pk in made.people if dice.random() < share} for share in (0.4, 0.5))
        cohort = factories.cohort_with(world.project, number + 1, sorted(before))
        factories.snapshot(cohort, sorted(now))
        made.versions.append((cohort.pk, before, now))
    in_first = {"kind": "cohort", "cohort": made.versions[0][0], "is_in": True}
    has_phone = {"kind": "contact", "what": "phone", "has": True}
    inner = factories.group(world.project, definition={"segments": [[in_first, has_phone]], "filters": []})
    made.inner = inner.pk.hex
    facets.rebuild(world.id)
    return made


def holds(town: Town, pk: int, said: dict[str, Any]) -> bool:
    """What a condition says of a person."""
    one = town.people[pk]
    if said["kind"] == "property":
        (condition,) = definition_of({"segments": [[said]]})
        assert isinstance(condition, HasProperty)
        return matches(one["properties"], condition)
    if said["kind"] == "contact":
        return (one[said["what"]] is not None) == said["has"]
    if said["kind"] == "consent":
        return one[f"{said['what']}_consent"] == said["given"]
    if said["kind"] == "group":
        return (pk in town.versions[0][2] and one["phone"] is not None) == said["is_in"]
    _key, before, now = next(each for each in town.versions if each[0] == said["cohort"])
    if said["kind"] == "cohort":
        return (pk in now) == said["is_in"]
    # Lately all of it: those of the first version joined with it.
    return pk in before | now if said["joined"] else pk in before - now


yes_or_no = st.booleans()


def asked_of(town: Town) -> st.SearchStrategy[dict[str, Any]]:
    cohort = st.sampled_from([key for key, *_ in town.versions])
    fixed = st.fixed_dictionaries
    return st.one_of(
        conditions().map(lambda one: {"kind": "property", **one.__dict__}),
        fixed({"kind": st.just("cohort"), "cohort": cohort, "is_in": yes_or_no}),
        fixed({"kind": st.just("sync"), "cohort": cohort, "joined": yes_or_no, "days": st.integers(1, 365)}),
        fixed({"kind": st.just("group"), "group": st.just(town.inner), "is_in": yes_or_no}),
        fixed({"kind": st.just("contact"), "what": st.sampled_from(["phone", "email"]), "has": yes_or_no}),
        fixed({"kind": st.just("consent"), "what": st.sampled_from(["marketing", "night"]), "given": yes_or_no}),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.django_db
def test_a_group_holds_those_of_whom_its_words_are_true(town: Town, data: Any) -> None:
    one = asked_of(town)
    segments = data.draw(st.lists(st.lists(one, min_size=1, max_size=4), min_size=1, max_size=4))
    filters = data.draw(st.lists(one, max_size=3))
    definition = definition_of({"segments": segments, "filters": filters})
    assert not definition.problems
    expected = {
        pk
        for pk in town.people
        if any(all(holds(town, pk, said) for said in segment) for segment in segments)
        and all(holds(town, pk, said) for said in filters)
    }
    assert set(groups.members(town.world.id, definition)) == expected
