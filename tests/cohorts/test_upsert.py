"""Rows of pages into profiles."""

import threading

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from cohorts.models import Profile
from cohorts.people.profiles import Mapping, identity_of, read
from cohorts.people.tally import Tally
from cohorts.people.upsert import upsert
from integrations.mixpanel.schemas import Row

MAPPING = Mapping("$phone", "$email")
BY_USER = Mapping("$phone", "$email", "user")


def bring(project, rows, mapping=MAPPING, seen=None):
    seen = BitMap64() if seen is None else seen
    with transaction.atomic():
        added, tally = upsert(project.pk, read(rows, mapping), mapping, seen, timezone.now())
    seen |= added
    return tally


@pytest.mark.parametrize(
    ("value", "identity"),
    [("a", "a"), (" a ", "a"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (0, "0"), ("", ""), (None, ""), (True, ""),
     ([], ""), ({}, ""), (["a"], "")],
    ids=repr,
)  # fmt: skip
def test_what_an_identity_column_may_hold(value, identity):
    assert identity_of(value) == identity


def test_the_order_of_keys_makes_no_difference_and_the_mapping_does():
    one = read([Row("a", {"x": 1, "y": 2})], MAPPING).people["a"]
    assert read([Row("a", {"y": 2, "x": 1})], MAPPING).people["a"].digest == one.digest
    assert read([Row("a", {"x": 1, "y": 3})], MAPPING).people["a"].digest != one.digest
    assert read([Row("a", {"x": 1, "y": 2})], Mapping("mobile", "$email")).people["a"].digest != one.digest


def test_new_changed_and_unchanged(world):
    first = bring(world.project, [Row("a", {"$phone": "01022223333"}), Row("b", {"$phone": "x"})])
    assert (first.new, first.reach["reachable"], first.reach["phone"]) == (2, 1, {"not_a_number": 1})
    again = bring(world.project, [Row("a", {"$phone": "01022223333"}), Row("b", {"$phone": 1033334444}), Row("c", {})])
    assert (again.new, again.updated, again.unchanged) == (1, 1, 1)
    assert again.reach["reachable"] == 2
    b = Profile.objects.get(external_id="b")
    assert (b.phone, b.phone_raw, b.phone_reason) == ("+821033334444", "1033334444", "")
    assert Profile.objects.get(external_id="c").email_reason == "missing"


def test_consents_are_read_from_the_mapped_columns_and_a_change_of_columns_reads_them_anew(world):
    rows = [
        Row("a", {"agreed": "동의", "night": True}),
        Row("b", {"agreed": 1, "night": "N"}),
        Row("c", {"agreed": "2026-11-01"}),
        Row("d", {}),
    ]

    def consents():
        found = Profile.objects.order_by("external_id").values_list("marketing_consent", "night_consent")
        return list(found)

    assert bring(world.project, rows).new == 4
    assert consents() == [(False, False)] * 4
    mapped = Mapping("$phone", "$email", marketing_consent_column="agreed", night_consent_column="night")
    assert bring(world.project, rows, mapped).updated == 4
    assert consents() == [(True, True), (True, False), (False, False), (False, False)]
    assert bring(world.project, rows, mapped).unchanged == 4
    assert bring(world.project, rows).updated == 4
    assert consents() == [(False, False)] * 4


PEOPLE = [Row(f"d{number}", {"user": f"u{number // 3}", "$phone": f"010{22220000 + number}"}) for number in range(9)]


@settings(max_examples=25, deadline=None)
@given(st.permutations([*PEOPLE, PEOPLE[4], PEOPLE[8]]), st.integers(1, 11))
def test_whatever_the_order_and_the_pages_the_result_is_the_same(rows, page):
    project = _project()
    seen, total = BitMap64(), Tally()
    for start in range(0, len(rows), page):
        total.add(bring(project, rows[start : start + page], BY_USER, seen))
    found = dict(Profile.objects.filter(project=project).values_list("external_id", "distinct_id"))
    assert found == {"u0": "d0", "u1": "d3", "u2": "d6"}
    assert len(seen) == 3 == total.new == total.reach["reachable"]
    assert total.duplicates + total.merged == 8
    assert total.updated == 0


def _project():
    from notifly_console.tenancy.models import Project

    return Project.objects.create(name="p")


test_whatever_the_order_and_the_pages_the_result_is_the_same = pytest.mark.django_db(
    test_whatever_the_order_and_the_pages_the_result_is_the_same
)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_loads_of_the_same_new_people_don_t_collide(world):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: there is no race to show")
    together = threading.Barrier(2)
    tallies = []

    def load(rows):
        try:
            together.wait()
            tallies.append(bring(world.project, rows))
        finally:
            connections.close_all()

    rows = [Row(f"p{number}", {"n": number}) for number in range(3000)]
    loads = [threading.Thread(target=load, args=(part,)) for part in (rows, rows[::-1])]
    for one in loads:
        one.start()
    for one in loads:
        one.join()
    assert sorted(tally.new for tally in tallies) == [0, 3000]
    assert Profile.objects.count() == 3000
