"""Versions as values: sets in and out, and which versions are kept."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap64

from cohorts import membership
from cohorts.models import Cohort, Snapshot, SnapshotState
from cohorts.versions import retain

IDS = st.sets(st.integers(1, 2**40) | st.integers(1, 300), max_size=60)


@given(IDS, st.integers(0, 80), st.integers(0, 80))
def test_a_stored_set_is_paged_by_rank(ids, offset, limit):
    stored = membership.dumped(BitMap64(ids))
    assert set(membership.loaded(stored)) == ids
    assert membership.ids_at(memoryview(stored), offset, limit) == sorted(ids)[offset : offset + limit]


def test_a_million_ids_in_a_row_take_next_to_nothing():
    assert len(membership.dumped(BitMap64(range(1, 1_000_001)))) < 1000


@pytest.fixture
def cohort(world):
    return Cohort.objects.create(project=world.project, source_id=1, name="가", name_key="가")


def publish(cohort, ids):
    return membership.publish(cohort.pk, BitMap64(ids), {})


def test_versions_are_numbered_and_diffed(cohort):
    assert publish(cohort, [1, 2, 3]) == membership.Published("new", 3, 0)
    assert publish(cohort, [1, 2, 3]) == membership.Published("same")
    assert publish(cohort, [2, 3, 4, 5]) == membership.Published("new", 2, 1)
    cohort.refresh_from_db()
    assert (cohort.number, cohort.size, cohort.joined_count, cohort.left_count) == (2, 4, 2, 1)
    assert set(membership.loaded(cohort.current.joined)) == {4, 5}
    assert set(membership.loaded(cohort.current.left)) == {1}


def test_a_first_empty_version_is_no_suspicion(cohort):
    assert publish(cohort, []).how == "new"


def test_discarding_keeps_the_current_version(cohort):
    publish(cohort, range(10))
    assert publish(cohort, []).how == "held"
    cohort.refresh_from_db()
    assert (cohort.size, cohort.held.left_count) == (10, 10)
    membership.discard_held(cohort, by="a@b.example")
    cohort.refresh_from_db()
    assert (cohort.size, cohort.held) == (10, None)
    assert Snapshot.objects.get(number=2).decided_by == "a@b.example"
    assert publish(cohort, range(11)).how == "new"
    cohort.refresh_from_db()
    assert cohort.number == 3


def test_pruning_keeps_thirty_old_versions_the_current_and_the_held(cohort, world):
    other = Cohort.objects.create(project=world.project, source_id=2, name="나", name_key="나")
    publish(other, [1])
    for size in range(1, 41):
        publish(cohort, range(size))
    publish(cohort, [])
    Snapshot.objects.update(created_at=timezone.now() - timedelta(days=8))
    retain.prune()
    kept = Snapshot.objects.filter(cohort=cohort)
    assert sorted(kept.values_list("number", flat=True)) == list(range(11, 42))
    assert Snapshot.objects.filter(cohort=other).count() == 1

    cohort.refresh_from_db()
    membership.discard_held(cohort, by="a")
    retain.prune()
    assert kept.filter(state=SnapshotState.DISCARDED).exists()
    Snapshot.objects.update(decided_at=timezone.now() - timedelta(hours=25))
    retain.prune()
    assert not kept.filter(state=SnapshotState.DISCARDED).exists()
