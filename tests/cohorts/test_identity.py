"""Whose a pushed member is: by identity column or distinct id, and what happens when one turns out to be the other."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyroaring import BitMap64

from cohorts import membership
from cohorts.models import Alias, Cohort, Profile, PushRoad, PushSession, PushState, Snapshot
from cohorts.people import identity
from cohorts.people.facets import facets
from cohorts.people.profiles import Mapping
from cohorts.push import rehearse
from integrations import inlets
from integrations.models import Inlet
from tests import factories
from tests.integrations.pushing import COHORT, Pusher, member

COLUMN = "$CleverTap_user_id"


@pytest.fixture
def identified(world: Any) -> None:
    """The world's project names people by COLUMN."""
    factories.connection(world.project, project_id=2195193, identity_column=COLUMN)


def said(distinct_id: str, identity: str = "", **more: Any) -> dict[str, Any]:
    return {"mixpanel_distinct_id": distinct_id, **({COLUMN: identity} if identity else {}), **more}


def names(cohort: int = COHORT) -> set[str]:
    current = Cohort.objects.get(source_id=cohort).current
    assert current is not None
    assert current.size == len(membership.loaded(current.members))
    return set(
        Profile.objects.filter(pk__in=list(membership.loaded(current.members))).values_list("external_id", flat=True)
    )


# -- The two scenarios of the documents -------------------------------------------------------------------------------
def test_without_an_identity_the_distinct_id_is_it(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("123456")])
    assert names() == {"123456"}


def test_with_an_identity_that_is_it(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("986791", "123456")])
    assert names() == {"123456"}
    assert Profile.objects.get().distinct_id == "986791"


def test_a_match_joins_and_no_match_is_made(pusher: Pusher, world: Any, identified: None) -> None:
    known = factories.profile(world.project, "123456")
    pusher.sync([said("986791", "123456"), said("4", "777")])
    assert names() == {"123456", "777"}
    assert Profile.objects.get(external_id="123456").pk == known.pk


# -- Later arrival of an identity -------------------------------------------------------------------------------------
def test_somebody_known_by_distinct_id_gets_their_identity(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("d1", email="a@b.example"), said("d2")], session="a")
    before = Profile.objects.get(external_id="d1").pk
    pusher.sync([said("d1", "id-1")], session="b", action="add_members")
    one = Profile.objects.get(external_id="id-1")
    assert (one.pk, one.email) == (before, "a@b.example")
    assert names() == {"id-1", "d2"}
    assert Cohort.objects.get().number == 1, "nobody joined and nobody left"
    pusher.sync([said("d1")], session="c", action="remove_members")
    assert names() == {"d2"}, "the distinct id is still theirs"


def test_two_who_turn_out_to_be_one_become_one(pusher: Pusher, world: Any, identified: None) -> None:
    pusher.sync([said("d1", phone_number="010-2000-0001", plan="골드"), said("d9")], session="a", cohort=1)
    pusher.sync([said("other", "id-1", email="a@b.example"), said("d8")], session="b", cohort=2)
    pusher.sync([said("d1"), said("other", "id-1"), said("d7")], session="c", cohort=3)
    old = Profile.objects.get(external_id="d1")
    one = Profile.objects.get(external_id="id-1")
    versions = {version.pk: (version.number, version.created_at) for version in Snapshot.objects.all()}
    pusher.sync([said("d1", "id-1")], session="d", action="add_members", cohort=2)
    assert not Profile.objects.filter(pk=old.pk).exists()
    one.refresh_from_db()
    assert (one.phone, one.email, one.properties["plan"]) == ("+821020000001", "a@b.example", "골드")
    assert (names(1), names(2), names(3)) == ({"id-1", "d9"}, {"id-1", "d8"}, {"id-1", "d7"})
    assert {version.pk: (version.number, version.created_at) for version in Snapshot.objects.all()} == versions
    for road in PushRoad.objects.all():
        assert old.pk not in membership.loaded(road.members)
        assert road.size == len(membership.loaded(road.members))
    third = Cohort.objects.get(source_id=3)
    assert third.current is not None
    assert (third.size, third.joined_count) == (2, 2)
    assert third.current.reach["phone"] == {"missing": 1}
    assert third.current.reach["reachable"] == 1
    sets = facets(world.id)
    assert old.pk not in sets.known
    assert one.pk in sets.reachable
    alias = Alias.objects.get(external_id="d1")
    assert (alias.profile_id, alias.old_id) == (one.pk, old.pk)


def test_several_distinct_ids_of_one_new_identity_become_one(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("d1"), said("d2"), said("d3")], session="a")
    pusher.sync([said("d3", "id"), said("d1", "id"), said("d2", "id")], session="b")
    assert names() == {"id"}
    assert Profile.objects.count() == 1


def test_a_version_held_for_a_person_goes_over_too(pusher: Pusher, world: Any, identified: None) -> None:
    pusher.sync([said(f"d{number}") for number in range(5)], session="a")
    pusher.sync([said("d0"), said("x", "id")], session="b")
    cohort = Cohort.objects.get()
    assert cohort.held is not None
    pusher.sync([said("d0", "id")], session="c", action="add_members", cohort=2)
    held = Snapshot.objects.get(pk=cohort.held_id)
    one = Profile.objects.get(external_id="id")
    assert list(membership.loaded(held.members)) == [one.pk]


def test_an_identity_that_reads_like_somebodys_distinct_id_takes_nothing_from_them(
    pusher: Pusher, identified: None
) -> None:
    pusher.sync([said("a", "123")], session="a")  # 123 is an identity, of whoever has the distinct id a.
    pusher.sync([said("123", "456")], session="b")  # Somebody else, whose distinct id reads the same.
    assert names() == {"456"}
    assert set(Profile.objects.values_list("external_id", flat=True)) == {"123", "456"}


def test_who_has_come_without_an_identity_again_isnt_made_again(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("d1")], session="a")
    pusher.sync([said("d1", "id")], session="b")
    pusher.sync([said("d1"), said("d2")], session="c")
    assert names() == {"id", "d2"}
    assert Profile.objects.count() == 2


def test_leavers_known_by_identity_leave_though_the_page_doesnt_say_it(pusher: Pusher, identified: None) -> None:
    pusher.sync([said("d1", "id-1"), said("d2", "id-2")], session="a")
    pusher.sync([said("d1")], session="b", action="remove_members")
    assert names() == {"id-2"}


def test_a_pull_settles_identities_too(connect_to: Any, refreshed: Any, town: Any, world: Any) -> None:
    from tests.cohorts.conftest import SOME

    name = town.world.crowd.distinct_id
    town.world.cohorts.set_members(SOME, [1, 2])
    connect_to()
    refreshed()
    before = Profile.objects.get(external_id=name(1)).pk
    town.world.crowd.edit([1], {"member_no": "M-1"})
    connect_to(identity_column="member_no")
    refreshed()
    one = Profile.objects.get(external_id="M-1")
    assert one.pk == before
    assert not Profile.objects.filter(external_id=name(1)).exists()


def test_higher_rooms_are_told_who_became_whom(pusher: Pusher, world: Any, identified: None, monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr(identity, "_listeners", [lambda project_id, pairs: told.append((project_id, pairs))])
    pusher.sync([said("d1"), said("x", "id")], session="a")
    old, new = (Profile.objects.get(external_id=one).pk for one in ("d1", "id"))
    pusher.sync([said("d1", "id")], session="b")
    assert told == [(world.id, {old: new})]


def test_a_set_gathered_before_a_merge_is_resolved(pusher: Pusher, world: Any, identified: None) -> None:
    pusher.sync([said("d1"), said("x", "id")], session="a")
    old, new = (Profile.objects.get(external_id=one).pk for one in ("d1", "id"))
    since = PushSession.objects.get().began_at
    pusher.push([said("d1")], session="b", number=1, of=2, cohort=2)
    pusher.work(2)
    pusher.sync([said("d1", "id")], session="c", action="add_members")
    assert identity.resolved(world.id, BitMap64([old, 99]), since=since) == BitMap64([new, 99])
    pusher.sync([said("d5")], session="b", number=2, of=2, cohort=2)
    assert names(2) == {"id", "d5"}


def test_one_projects_identities_are_nothing_to_another(pusher: Pusher, world: Any, identified: None) -> None:
    theirs = factories.profile(world.other_project, "d1")
    pusher.sync([said("d1", "id")])
    theirs.refresh_from_db()
    assert theirs.external_id == "d1"


# -- The dry run ------------------------------------------------------------------------------------------------------
@pytest.fixture
def small(monkeypatch: Any) -> Iterator[None]:
    """Three pages are a large import."""
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 2)
    return


def confirm(world: Any) -> None:
    mapping = Mapping.of(inlets.mixpanel_settings(world.project))
    asked = PushSession.objects.order_by("-pk").values_list("pk", flat=True)[0]
    waiting = rehearse.waiting(world.project)
    rehearse.confirm(world.project, mapping, waiting[0].pk if waiting else asked, actor=world.people["admin"])


def test_a_first_large_import_waits_and_says_what_it_would_do(
    pusher: Pusher, world: Any, identified: None, small: None
) -> None:
    factories.profile(world.project, "id-1")
    factories.profile(world.project, "known", distinct_id="known")
    factories.profile(world.project, "neighbour", phone="+821020000003")
    before = Profile.objects.count()
    people = [
        said("d1", "id-1"),
        said("known", "id-2"),
        said("d3", "id-3", phone_number="010-2000-0003"),
        said("$device:77"),
        {"email": "nobody@b.example"},
    ]
    for number in (1, 2):
        pusher.push(people if number == 1 else [member(number)], number=number, of=3)
    pusher.work()
    one = PushSession.objects.get()
    assert (one.state, one.pages_here) == (PushState.AWAITING, 2)
    assert Profile.objects.count() == before, "nothing is written by a dry run"
    report = rehearse.Report.of(one)
    assert report is not None
    assert (report.sampled, report.matched, report.new, report.dropped, report.refused) == (4, 2, 2, 0, 1)
    assert (report.anonymous, report.reachable, report.shared_phones) == (1, 1, 1)
    assert report.examples["shared_phones"] == ["id-3 · neighbour"]
    pusher.sync([member(3)], number=3, of=3)
    assert PushSession.objects.get().state == PushState.AWAITING
    pusher.sync([member(4)], session="later", action="add_members")
    assert Cohort.objects.get().current is None, "what comes later waits behind it"
    confirm(world)
    pusher.work()
    assert names() == {"id-1", "id-2", "id-3", "$device:77", "user-2", "user-3", "user-4"}
    assert Inlet.objects.get().confirmed_by == "admin@harutable.example"


def test_it_is_asked_once_and_again_for_other_columns(
    pusher: Pusher, world: Any, identified: None, small: None
) -> None:
    for number in (1, 2, 3):
        pusher.push([member(number)], number=number, of=3, session="a")
    pusher.work()
    confirm(world)
    pusher.work()
    for number in (1, 2, 3):
        pusher.push([member(number + 3)], number=number, of=3, session="b")
    pusher.work()
    assert len(names()) == 3
    with pytest.raises(rehearse.NothingWaits):
        confirm(world)
    row = inlets.mixpanel_settings(world.project)
    assert row.identity_column == COLUMN
    from integrations.models import Connection

    Connection.objects.update(settings={**Connection.objects.get().settings, "identity_column": "other"})
    pusher.push([member(9)], number=1, of=3, session="c")
    pusher.work()
    assert PushSession.objects.get(session_id="c").state == PushState.AWAITING


def test_unknown_ones_that_would_be_dropped_are_said(pusher: Pusher, world: Any, small: None) -> None:
    factories.connection(world.project, project_id=2195193, drop_unknown=True)
    factories.profile(world.project, "user-1")
    pusher.push([1, 2, 3], number=1, of=3)
    pusher.work()
    report = rehearse.Report.of(PushSession.objects.get())
    assert report is not None
    assert (report.matched, report.new, report.dropped) == (1, 0, 2)
    assert report.examples["dropped"] == ["user-2", "user-3"]


def test_a_sample_is_a_hundred_people(pusher: Pusher, small: None) -> None:
    pusher.push(range(150), number=1, of=3)
    pusher.work()
    report = rehearse.Report.of(PushSession.objects.get())
    assert report is not None
    assert report.sampled == 100


def test_small_imports_and_leavers_need_no_rehearsal(pusher: Pusher, small: None) -> None:
    pusher.sync([1], number=1, of=2, session="a")
    pusher.sync([1], number=1, of=5, session="b", action="remove_members", cohort=2)
    assert set(PushSession.objects.values_list("state", flat=True)) == {PushState.GATHERING}
