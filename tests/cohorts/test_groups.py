"""User groups: who is in one, what may be saved, and that each question gets one answer whatever the road."""

import uuid
from typing import Any

import pytest
from django.utils import timezone
from pyroaring import BitMap64

from cohorts.groups import groups
from cohorts.groups.conditions import definition_of
from cohorts.models import GroupSize, UserGroup
from cohorts.people import facets
from tests import factories


@pytest.fixture
def people(world: Any) -> list[int]:
    """Six people: two gold, one without a phone; 0, 2 and 4 consented to advertising."""
    made = []
    for n in range(6):
        fields: dict[str, Any] = {"phone": f"+82102000000{n}"} if n else {}
        if n % 2 == 0:
            fields["marketing_consent"] = True
        properties = {"plan": "gold" if n < 2 else "basic", "orders": n}
        made.append(factories.profile(world.project, f"user_{n}", properties=properties, **fields).pk)
    facets.rebuild(world.id)
    return made


def who(world: Any, people: list[int], *segments: list[dict[str, Any]], filters: Any = ()) -> list[int]:
    definition = definition_of({"segments": list(segments), "filters": list(filters)})
    assert not definition.problems
    found = groups.members(world.id, definition)
    return [people.index(pk) for pk in found]


GOLD = {"kind": "property", "name": "plan", "operator": "=", "type": "text", "value": "gold"}
PHONE = {"kind": "contact", "what": "phone"}
CONSENT = {"kind": "consent", "what": "marketing"}


def test_and_inside_or_between_and_filters_over_all(world: Any, people: list[int]) -> None:
    many = {"kind": "property", "name": "orders", "operator": ">=", "type": "number", "value": "4"}
    assert who(world, people, [GOLD]) == [0, 1]
    assert who(world, people, [GOLD, PHONE]) == [1]
    assert who(world, people, [GOLD], [many]) == [0, 1, 4, 5]
    assert who(world, people, [GOLD], [many], filters=[CONSENT]) == [0, 4]
    assert who(world, people, [GOLD], [many], filters=[{**CONSENT, "given": False}]) == [1, 5]


def test_in_and_not_in_cohorts(world: Any, people: list[int]) -> None:
    cohort = factories.cohort_with(world.project, 1, people[:3])
    is_in, is_out = ({"kind": "cohort", "cohort": cohort.pk, "is_in": so} for so in (True, False))
    assert who(world, people, [is_in]) == [0, 1, 2]
    assert who(world, people, [is_out]) == [3, 4, 5]
    assert who(world, people, [is_out], [is_in, GOLD]) == [0, 1, 3, 4, 5]


def test_who_joined_and_who_left_lately(world: Any, people: list[int]) -> None:
    cohort = factories.cohort_with(world.project, 1, people[:3])
    factories.snapshot(cohort, people[2:5])
    old = factories.cohort_with(world.project, 2, people[:3])
    old.snapshots.update(created_at=factories.hours_ago(24 * 8))
    joined = {"kind": "sync", "cohort": cohort.pk, "joined": True, "days": 7}
    assert who(world, people, [joined]) == [0, 1, 2, 3, 4]
    assert who(world, people, [{**joined, "joined": False}]) == [0, 1]
    assert who(world, people, [{**joined, "cohort": old.pk}]) == []


def test_a_cohort_that_was_never_read_is_no_guess(world: Any, people: list[int]) -> None:
    unread = factories.cohort(world.project, 9)
    for is_in in (True, False):
        with pytest.raises(groups.NotReady) as raised:
            who(world, people, [{"kind": "cohort", "cohort": unread.pk, "is_in": is_in}])
        assert list(raised.value.cohorts) == [unread]


def test_another_projects_cohort_is_gone(world: Any, people: list[int]) -> None:
    another = factories.cohort_with(world.other_project, 1, people[:3])
    with pytest.raises(groups.NotReady):
        who(world, people, [{"kind": "cohort", "cohort": another.pk}])
    with pytest.raises(groups.CannotSave):
        save(world, [{"kind": "cohort", "cohort": another.pk}])


def save(world: Any, *segments: list[dict[str, Any]], name: str = "단골", **more: Any) -> UserGroup:
    definition = definition_of({"segments": list(segments)})
    return groups.save(world.project, name=name, definition=definition, by="marketer@harutable.example", **more)


def test_a_group_in_a_group(world: Any, people: list[int]) -> None:
    inner = save(world, [GOLD])
    asks = {"kind": "group", "group": inner.pk.hex}
    outer = save(world, [asks, PHONE], name="단골 중 문자")
    assert [people.index(pk) for pk in groups.members_of(outer)] == [1]
    assert who(world, people, [{**asks, "is_in": False}]) == [2, 3, 4, 5]
    with pytest.raises(groups.InUse):
        groups.delete(inner)
    groups.delete(outer)
    groups.delete(inner)
    with pytest.raises(groups.NotReady):
        who(world, people, [asks])


def codes(error: pytest.ExceptionInfo[groups.CannotSave]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_one_level_and_no_cycle(world: Any, people: list[int]) -> None:
    inner = save(world, [GOLD])
    outer = save(world, [{"kind": "group", "group": inner.pk.hex}], name="바깥")
    with pytest.raises(groups.CannotSave) as error:
        save(world, [{"kind": "group", "group": outer.pk.hex}], name="더 바깥")
    assert codes(error) == ["too_deep"]
    with pytest.raises(groups.CannotSave) as error:
        save(world, [{"kind": "group", "group": inner.pk.hex}], group=inner)
    assert codes(error) == ["cycle"]
    other = save(world, [PHONE], name="다른")
    with pytest.raises(groups.CannotSave) as error:
        save(world, [{"kind": "group", "group": other.pk.hex}], group=inner)
    assert codes(error) == ["too_deep"]
    with pytest.raises(groups.CannotSave) as error:
        save(world, [{"kind": "group", "group": uuid.uuid4().hex}], name="없는 것")
    assert codes(error) == ["no_group"]


def test_a_save_on_an_older_version_is_a_conflict(world: Any, people: list[int]) -> None:
    group = save(world, [GOLD])
    save(world, [PHONE], group=group, seen=1)
    with pytest.raises(groups.Conflict):
        save(world, [CONSENT], group=group, seen=1)
    group.refresh_from_db()
    assert (group.version, group.definition["segments"][0][0]["kind"]) == (2, "contact")


def test_a_pushed_cohort_has_one_group_that_only_its_owner_changes(world: Any, people: list[int]) -> None:
    cohort = factories.cohort_with(world.project, 1, people[:2], name="VIP")
    group = groups.of_pushed(cohort)
    cohort.name = "VIP 고객"
    assert groups.of_pushed(cohort).pk == group.pk
    group.refresh_from_db()
    assert group.name == "VIP 고객 (Mixpanel)"
    assert groups.members_of(group) == BitMap64(people[:2])
    with pytest.raises(groups.CannotSave) as error:
        save(world, [GOLD], group=group)
    assert codes(error) == ["partner"]
    copy = groups.duplicate(group, by="marketer@harutable.example")
    assert (copy.is_partner, copy.name) == (False, "VIP 고객 (Mixpanel) 사본")
    asks = {"kind": "group", "group": group.pk.hex}
    assert who(world, people, [asks, PHONE]) == [1]


def test_a_measure_is_one_row_a_day(world: Any, people: list[int]) -> None:
    group = save(world, [GOLD])
    for _ in range(2):
        assert groups.measure(group).size == 2
    row = GroupSize.objects.get()
    assert (row.day, row.size, row.reachable) == (timezone.now().astimezone(world.project.zone).date(), 2, 1)
