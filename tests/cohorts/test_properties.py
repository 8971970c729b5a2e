"""Property conditions: both databases say what a few lines of Python say."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from cohorts.groups.conditions import OPERATORS, HasProperty, Operator, Type, definition_of
from cohorts.groups.properties import having
from tests import factories

NAMES = ["plan", "$city", 'quo"te', "a.b", "it's", "나이"]
WORDS = [
    "gold",
    "Gold",
    "silver",
    "3",
    "3.0",
    "-2",
    " 7 ",
    "true",
    "",
    "금%_",
    "x'y",
    "--5",
    "1.2.3",
    "5.",
    ".5",
    "1e3",
]


def text_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) else None


def number_of(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value))
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}(\.[0-9]{1,18})?\s*", value):
        return Decimal(value.strip())
    return None


def matches(properties: dict[str, Any], condition: HasProperty) -> bool:
    """The rule, as product.md has it: what is missing matches only "존재하지 않음"."""
    value = properties.get(condition.name)
    if condition.operator in (Operator.EXISTS, Operator.MISSING):
        return (value is None) == (condition.operator == Operator.MISSING)
    wanted = condition.value
    if condition.type == Type.LIST:
        if not isinstance(value, list):
            return False
        return (wanted in [text_of(one) for one in value]) == (condition.operator == Operator.CONTAINS)
    if condition.type == Type.NUMBER:
        number = number_of(value)
        return (
            number is not None
            and {
                Operator.EQUALS: number == condition.number,
                Operator.DIFFERS: number != condition.number,
                Operator.AT_LEAST: number >= condition.number,
                Operator.AT_MOST: number <= condition.number,
                Operator.MORE: number > condition.number,
                Operator.LESS: number < condition.number,
            }[condition.operator]
        )
    text = text_of(value)
    if text is None:
        return False
    if condition.type == Type.BOOLEAN:
        return text.lower() == wanted
    return {
        Operator.EQUALS: text == wanted,
        Operator.DIFFERS: text != wanted,
        Operator.CONTAINS: wanted.lower() in text.lower(),
        Operator.LACKS: wanted.lower() not in text.lower(),
        Operator.BEGINS: text.lower().startswith(wanted.lower()),
    }[condition.operator]


scalars = st.one_of(st.sampled_from(WORDS), st.integers(-5, 5), st.booleans(), st.none(), st.sampled_from([0.5, 2.25]))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.just({"gold": 1}))


@st.composite
def conditions(draw: Any) -> HasProperty:
    type_ = draw(st.sampled_from(list(Type)))
    operator = draw(st.sampled_from(OPERATORS[type_]))
    value = {
        Type.TEXT: st.sampled_from([word for word in WORDS if word.strip()]),
        Type.LIST: st.sampled_from([word for word in WORDS if word.strip() and word != "3.0"]),
        Type.NUMBER: st.sampled_from(["3", "-2", "0.5", "7", "2.25"]),
        Type.BOOLEAN: st.sampled_from(["true", "false"]),
    }[type_]
    given_ = {"kind": "property", "name": draw(st.sampled_from(NAMES)), "operator": operator, "type": type_}
    read = definition_of({"segments": [[{**given_, "value": draw(value)}]]})
    assert not read.problems
    (condition,) = read
    assert isinstance(condition, HasProperty)
    return condition


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    crowd=st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=4), min_size=1, max_size=12),
    asked=st.lists(conditions(), min_size=1, max_size=5, unique=True),
    narrow=st.booleans(),
)
@pytest.mark.django_db(transaction=False)
def test_the_database_agrees_with_the_rule(
    world: Any, crowd: list[dict[str, Any]], asked: list[HasProperty], narrow: bool
) -> None:
    from cohorts.models import Profile

    Profile.objects.all().delete()
    people = {
        factories.profile(world.project, f"user_{n}", properties=properties).pk: properties
        for n, properties in enumerate(crowd)
    }
    factories.profile(world.other_project, "another's", properties=crowd[0])
    among = BitMap64(list(people)[::2]) if narrow else None
    found = having(world.id, asked, among=among)
    for condition in asked:
        expected = {pk for pk, properties in people.items() if matches(properties, condition)}
        if among is not None:
            expected &= set(among)
        assert set(found[condition]) == expected, condition
