"""The cohorts that there are, and what tests do to them."""

import pytest

from integrations.sandbox.mixpanel.cohorts import EMPTY, EVERYBODY, GROUP, HIDDEN

from .conftest import PEOPLE, Asker, ids

COHORT = 2_785_620


def listed(mixpanel: Asker) -> dict[int, dict]:
    return {row["id"]: row for row in mixpanel.query("cohorts/list").json()}


def test_the_catalogue(mixpanel: Asker) -> None:
    rows = listed(mixpanel)
    assert len(rows) == 23
    assert rows[EVERYBODY]["count"] == PEOPLE + 30
    assert rows[EMPTY]["count"] == 0
    assert rows[GROUP]["data_group_id"] is not None
    assert rows[HIDDEN]["is_visible"] == 0
    names = [row["name"] for row in rows.values()]
    assert any("<script>" in name for name in names)
    assert any("🎄" in name for name in names)
    assert max(map(len, names)) > 200
    off = [row for row in rows.values() if row["count"] != mixpanel.page(row["id"]).json()["total"]]
    assert 3 < len(off) < 12


def test_renamed_removed_added(mixpanel: Asker) -> None:
    book = mixpanel.world.cohorts
    book.rename(COHORT, "새 이름")
    book.remove(EMPTY)
    added = book.add("갓 만든 코호트", range(10, 20), description="설명")
    rows = listed(mixpanel)
    assert rows[COHORT]["name"] == "새 이름"
    assert EMPTY not in rows
    assert (rows[added.id]["count"], rows[added.id]["description"]) == (10, "설명")
    assert set(ids(mixpanel.pull(added.id))) == book.ids(added.id)
    with pytest.raises(ValueError, match="exists"):
        book.add("또", id=COHORT)
    assert mixpanel.page(EMPTY).status_code == 400


def test_ten_thousand_small_ones(mixpanel: Asker) -> None:
    added = mixpanel.world.cohorts.add_many(10_000)
    assert len(listed(mixpanel)) == 10_023
    assert len(mixpanel.pull(added[-1])) == 3


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_a_cohort_of_exactly_so_many_in_a_row(mixpanel: Asker, size: int) -> None:
    mixpanel.world.cohorts.resize(COHORT, size)
    first = mixpanel.page(COHORT).json()
    assert first["total"] == size == listed(mixpanel)[COHORT]["count"]
    last = mixpanel.page(COHORT, size // 1000 - 1, first["session_id"]).json()["results"]
    assert ids(last)[-1] == str(mixpanel.world.crowd.distinct_id(size - 1))
    assert len(last) == 1000


def test_members_leave_and_join(mixpanel: Asker) -> None:
    book = mixpanel.world.cohorts
    before = book.ids(COHORT)
    left, joined = book.move(COHORT, leave=33, join=120)
    after = set(ids(mixpanel.pull(COHORT)))
    crowd = mixpanel.world.crowd
    assert before - after == {str(crowd.distinct_id(i)) for i in left}
    assert after - before == {str(crowd.distinct_id(i)) for i in joined}
    assert (len(left), len(joined)) == (33, 120)


def test_newcomers_when_everybody_is_in_already(mixpanel: Asker) -> None:
    _, joined = mixpanel.world.cohorts.move(EVERYBODY, leave=0, join=7)
    assert joined == set(range(PEOPLE, PEOPLE + 7))


def test_halved_and_emptied(mixpanel: Asker) -> None:
    book = mixpanel.world.cohorts
    size = len(book[COHORT].members)
    book.drop_half(COHORT)
    assert mixpanel.page(COHORT).json()["total"] == size // 2
    book.empty(COHORT)
    assert mixpanel.pull(COHORT) == []
    assert listed(mixpanel)[COHORT]["count"] == 0


def test_reset_brings_everything_back(mixpanel: Asker) -> None:
    before = listed(mixpanel)
    mixpanel.world.cohorts.clear()
    mixpanel.world.configure(people=10, queries_per_hour=1)
    mixpanel.world.clock.advance(9_999)
    mixpanel.world.reset()
    assert listed(mixpanel) == before
    assert len(mixpanel.world.log) == 1
    assert mixpanel.world.config.people == PEOPLE


@pytest.mark.parametrize("people", [0, 1, 10, 63, 64, 65, 1_000])
def test_crowds_of_any_size(mixpanel: Asker, people: int) -> None:
    mixpanel.world.configure(people=people)
    for cohort in mixpanel.world.cohorts:
        members = mixpanel.world.cohorts[cohort.id].members
        assert all(index < people for index in members)
    assert len(mixpanel.pull(EVERYBODY)) == people
