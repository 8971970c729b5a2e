"""The sets that audiences ask: always what the profiles say."""

import threading
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from cohorts.models import FacetChunk, Profile
from cohorts.people import facets as room
from cohorts.people.facets import Facets, facets, forget, rebuild
from cohorts.people.profiles import Mapping, read
from cohorts.people.upsert import upsert
from integrations.mixpanel.schemas import Row
from notifly_console.tenancy.models import Project
from tests import factories

MAPPING = Mapping("$phone", "$email", marketing_consent_column="ads", night_consent_column="night")
PHONES = (
    "010-2222-3333",
    "01022223333",
    "010-4444-5555",
    "010-6666-7777",
    "011-222-3333",
    "02-222-3333",
    "",
    None,
    "x",
)


def bring(project: Any, rows: list[Row]) -> None:
    with transaction.atomic():
        upsert(project.pk, read(rows, MAPPING), MAPPING, BitMap64(), timezone.now())


def truth(project: Any) -> dict[str, Any]:
    """What the table says, asked the plain way."""
    people = list(Profile.objects.filter(project=project))
    repeated = Counter(one.phone for one in people if one.phone)
    reasons = {one.phone_reason for one in people} - {"", "missing"}
    return {
        "known": {one.pk for one in people},
        "has_phone": {one.pk for one in people if one.phone_reason != "missing"},
        "reachable": {one.pk for one in people if one.phone},
        "with_email": {one.pk for one in people if one.email},
        "anonymous": {one.pk for one in people if one.is_anonymous},
        "marketing": {one.pk for one in people if one.marketing_consent},
        "night": {one.pk for one in people if one.night_consent},
        "shared": {one.pk for one in people if one.phone and repeated[one.phone] > 1},
        "unreachable": {reason: {one.pk for one in people if one.phone_reason == reason} for reason in reasons},
        "digits": [int(one.phone[5:]) for one in sorted(people, key=lambda one: one.pk) if one.phone],
    }


def kept(project: Any) -> dict[str, Any]:
    now = facets(project.pk)
    names = ("known", "has_phone", "reachable", "with_email", "anonymous", "marketing", "night", "shared")
    return {
        **{name: set(getattr(now, name)) for name in names},
        "unreachable": {reason: set(ids) for reason, ids in now.unreachable.items() if ids},
        "digits": list(now.digits_of(now.reachable)),
    }


ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from([*"abcdefgh", "$device:1", "$device:2"]),
        st.fixed_dictionaries(
            {"$phone": st.sampled_from(PHONES), "ads": st.sampled_from([True, False, "동의"])},
            optional={"night": st.booleans(), "$email": st.sampled_from(["a@mail.example", "nonsense"])},
        ),
    ),
    max_size=8,
)


@given(st.lists(ROWS, max_size=4))
@settings(deadline=None, max_examples=60)
@pytest.mark.django_db
def test_whatever_pages_come_the_sets_say_what_the_profiles_say(pages):
    project = Project.objects.create(name="하루식탁")
    for rows in pages:
        bring(project, rows)
        assert kept(project) == truth(project)


def test_ids_far_apart_are_kept_in_rows_of_their_own(world, monkeypatch):
    monkeypatch.setattr(room, "BITS", 2)
    monkeypatch.setattr(room, "SIZE", 4)
    monkeypatch.setattr(room, "LOW", 3)
    bring(world.project, [Row(f"p{n}", {"$phone": f"010-2222-{n % 7:04d}", "ads": n % 2}) for n in range(23)])
    assert FacetChunk.objects.count() >= 6
    assert kept(world.project) == truth(world.project)
    bring(world.project, [Row(f"p{n}", {"$phone": f"010-3333-{n:04d}"}) for n in range(0, 23, 5)])
    assert kept(world.project) == truth(world.project)


def test_each_project_has_its_own(world):
    bring(world.project, [Row("a", {"$phone": "010-2222-3333"})])
    bring(world.other_project, [Row("b", {"$phone": "010-2222-3333"})])
    assert kept(world.project) == truth(world.project)
    assert not facets(world.project.pk).shared
    assert kept(world.other_project) == truth(world.other_project)


def test_sets_are_made_anew_from_profiles_that_were_written_otherwise(world):
    factories.profiles(world.project, 5)
    factories.profile(world.project, "anonymous", is_anonymous=True, marketing_consent=True)
    assert facets(world.project.pk) == Facets({})
    assert rebuild(world.project.pk) == 6
    assert kept(world.project) == truth(world.project)
    Profile.objects.filter(external_id="anonymous").delete()
    assert kept(world.project) != truth(world.project)
    assert rebuild(world.project.pk) == 5
    assert kept(world.project) == truth(world.project)


def test_the_erased_are_forgotten(world):
    bring(world.project, [Row(f"p{n}", {"$phone": "010-2222-3333"}) for n in range(3)])
    gone = Profile.objects.get(external_id="p1")
    with transaction.atomic():
        forget(world.project.pk, [gone.pk])
        gone.delete()
    assert kept(world.project) == truth(world.project)


def test_what_was_rolled_back_is_not_remembered(world):
    bring(world.project, [Row("a", {"$phone": "010-2222-3333"})])
    try:
        with transaction.atomic():
            bring(world.project, [Row("a", {"$phone": "x"})])
            assert not facets(world.project.pk).reachable
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert kept(world.project) == truth(world.project)
    bring(world.project, [Row("a", {"$phone": "010-3333-4444"})])
    assert kept(world.project) == truth(world.project)


def test_nothing_is_written_where_nothing_of_it_changed(world):
    bring(world.project, [Row("a", {"$phone": "010-2222-3333", "seen": 1})])
    before = list(FacetChunk.objects.values())
    bring(world.project, [Row("a", {"$phone": "01022223333", "seen": 2})])
    assert Profile.objects.get().properties["seen"] == 2
    assert list(FacetChunk.objects.values()) == before


def test_the_command_rebuilds_one_project_or_all(world):
    factories.profiles(world.project, 3)
    factories.profiles(world.other_project, 2)
    out = StringIO()
    call_command("rebuild_facets", project=world.project.hex, stdout=out)
    assert out.getvalue() == f"{world.project.hex}: 3 profiles\n"
    assert not facets(world.other_project.pk).known
    call_command("rebuild_facets", stdout=out)
    assert kept(world.other_project) == truth(world.other_project)
    with pytest.raises(CommandError, match="no project"):
        call_command("rebuild_facets", project="0" * 32)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_project_lose_nothing(world):
    """Pages of a pull and of a push at the same time, all of them in the same row of sets."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: there is no race to show")
    together = threading.Barrier(2)
    failures: list[Exception] = []

    def load(prefix: str) -> None:
        try:
            together.wait()
            for n in range(30):
                bring(world.project, [Row(f"{prefix}{n}-{i}", {"$phone": f"010-2{n:03d}-{i:04d}"}) for i in range(3)])
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    loads = [threading.Thread(target=load, args=(prefix,)) for prefix in "ab"]
    for one in loads:
        one.start()
    for one in loads:
        one.join()
    assert not failures
    assert Profile.objects.count() == 180
    assert kept(world.project) == truth(world.project)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_rebuild_waits_for_whoever_is_writing(world):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: there is no race to show")
    bring(world.project, [Row("a", {"$phone": "010-2222-3333"})])
    done = threading.Event()

    def build() -> None:
        try:
            rebuild(world.project.pk)
        finally:
            done.set()
            connections.close_all()

    builder = threading.Thread(target=build)
    with transaction.atomic():
        bring(world.project, [Row("b", {"$phone": "010-2222-3333"})])
        builder.start()
        assert not done.wait(0.3)
    builder.join()
    assert kept(world.project) == truth(world.project)
