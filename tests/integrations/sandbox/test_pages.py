"""Profiles in pages that belong to a session."""

import pytest

from integrations.sandbox.mixpanel.cohorts import EMPTY, EVERYBODY, GROUP

from .conftest import PEOPLE, Asker, ids

COHORT = 2_791_361


def test_a_pull_in_pages_gives_each_member_once(mixpanel: Asker) -> None:
    first = mixpanel.page(COHORT, page_size=50).json()
    total = len(mixpanel.world.cohorts[COHORT].members)
    assert (first["page"], first["page_size"], first["total"], first["status"]) == (0, 50, total, "ok")
    pulled = ids(mixpanel.pull(COHORT, page_size=50))
    assert len(pulled) == len(set(pulled)) == total
    assert set(pulled) == mixpanel.world.cohorts.ids(COHORT)


def test_page_size_is_a_thousand_by_default_and_forty_thousand_at_most(mixpanel: Asker) -> None:
    assert len(mixpanel.page(EVERYBODY).json()["results"]) == 1000
    reply = mixpanel.page(EVERYBODY, page_size=1_000_000).json()
    assert (reply["page_size"], len(reply["results"])) == (40_000, PEOPLE)


def test_past_the_end_is_an_empty_page(mixpanel: Asker) -> None:
    first = mixpanel.page(EVERYBODY).json()
    for page in (3, 4, 1_000):
        reply = mixpanel.page(EVERYBODY, page, first["session_id"])
        assert (reply.status_code, reply.json()["results"]) == (200, [])


def test_total_and_size_on_the_first_page_only(mixpanel: Asker) -> None:
    mixpanel.world.config.total_on_every_page = False
    first = mixpanel.page(EVERYBODY).json()
    second = mixpanel.page(EVERYBODY, 1, first["session_id"]).json()
    assert {"total", "page_size"} <= set(first)
    assert not {"total", "page_size"} & set(second)


def test_no_session_on_the_last_page(mixpanel: Asker) -> None:
    mixpanel.world.config.session_on_last_page = False
    first = mixpanel.page(EVERYBODY).json()
    assert "session_id" in mixpanel.page(EVERYBODY, 1, first["session_id"]).json()
    assert "session_id" not in mixpanel.page(EVERYBODY, 2, first["session_id"]).json()
    assert "session_id" not in mixpanel.page(COHORT).json()


@pytest.mark.parametrize(
    "change",
    [
        {"session": None},
        {"session": "1754000000-Unknown"},
        {"output_properties": '["$email"]'},
        {"page_size": 999},
        {"include_all_users": "true"},
        {"where": 'defined(properties["$phone"])'},
        {"cohort": COHORT},
    ],
)
def test_a_page_needs_its_session_and_the_same_parameters(mixpanel: Asker, change: dict) -> None:
    session = mixpanel.page(EVERYBODY).json()["session_id"]
    wanted = {"cohort": EVERYBODY, "session": session, "page": 1} | change
    reply = mixpanel.page(**wanted)
    assert reply.status_code == 400
    assert "request for page in uncached query for params" in reply.json()["error"]
    assert mixpanel.page(EVERYBODY, 1, session).status_code == 200


def test_a_session_expires(mixpanel: Asker) -> None:
    mixpanel.world.config.session_seconds = 600
    session = mixpanel.page(EVERYBODY).json()["session_id"]
    mixpanel.world.clock.advance(599)
    assert mixpanel.page(EVERYBODY, 1, session).status_code == 200
    mixpanel.world.clock.advance(2)
    assert mixpanel.page(EVERYBODY, 2, session).status_code == 400


def test_a_pull_under_way_keeps_the_members_that_it_began_with(mixpanel: Asker) -> None:
    before = mixpanel.world.cohorts.ids(EVERYBODY)
    first = mixpanel.page(EVERYBODY).json()
    mixpanel.world.cohorts.drop_half(EVERYBODY)
    rest = [mixpanel.page(EVERYBODY, page, first["session_id"]).json()["results"] for page in (1, 2)]
    assert set(ids(first["results"] + rest[0] + rest[1])) == before
    assert mixpanel.page(EVERYBODY).json()["total"] == PEOPLE // 2


def test_all_users_are_included_unless_told_otherwise(mixpanel: Asker) -> None:
    cohort = mixpanel.world.cohorts[EVERYBODY]
    assert cohort.profileless == 30
    rows = mixpanel.query("engage", filter_by_cohort=f'{{"id": {EVERYBODY}}}', page_size=9_999).json()["results"]
    strangers = [row for row in rows if str(row["$distinct_id"]).startswith("$device:no-profile-")]
    assert len(rows) == cohort.count == PEOPLE + 30
    assert len(strangers) == 30
    assert {row.get("$properties", "missing") == {} for row in strangers} == {True, False}
    assert {"$properties" in row for row in strangers} == {True, False}


def test_all_users_may_mean_everybody_in_the_project(mixpanel: Asker) -> None:
    mixpanel.world.config.all_users_adds = "everybody"
    reply = mixpanel.query("engage", filter_by_cohort=f'{{"id": {COHORT}}}').json()
    assert reply["total"] == PEOPLE + mixpanel.world.cohorts[COHORT].profileless
    assert mixpanel.page(COHORT).json()["total"] == len(mixpanel.world.cohorts[COHORT].members)


def test_only_the_properties_that_were_asked_for(mixpanel: Asker) -> None:
    rows = mixpanel.page(EVERYBODY, output_properties='["$email", "user_no"]').json()["results"]
    assert set().union(*(row["$properties"] for row in rows)) == {"$email", "user_no"}


def test_conditions_and_single_people(mixpanel: Asker) -> None:
    crowd = mixpanel.world.crowd
    where = 'defined(properties["$phone"]) and properties["plan"] == "정기배송"'
    rows = mixpanel.page(where=where, page_size=PEOPLE).json()["results"]
    truth = [crowd.properties(i) for i in range(PEOPLE)]
    assert len(rows) == sum(p.get("$phone") is not None and p.get("plan") == "정기배송" for p in truth) > 0
    for index in (5, 17, 23, 42):
        wanted = str(crowd.distinct_id(index))
        assert ids(mixpanel.query("engage", distinct_id=wanted).json()["results"]) == [wanted]


def test_counts_without_pages(mixpanel: Asker) -> None:
    cohort = mixpanel.world.cohorts[COHORT]
    asked = {"filter_by_cohort": f'{{"id": {COHORT}}}', "action": "count()"}
    assert mixpanel.query("engage/stats", **asked).json()["results"] == cohort.count
    assert mixpanel.query("engage/stats", include_all_users="false", **asked).json()["results"] == len(cohort.members)
    selector = {"selector": 'defined(properties["$phone"])', "include_all_users": "false"}
    reply = mixpanel.query("engage/stats", **asked, **selector).json()
    assert reply["results"] == sum(mixpanel.world.crowd.properties(i).get("$phone") is not None for i in cohort.members)
    assert reply["status"] == "ok"


def test_properties_with_fill_and_type(mixpanel: Asker) -> None:
    reply = mixpanel.query("engage/properties", limit=2000).json()
    assert reply["results"]["$email"]["type"] == "string"
    assert reply["results"]["order_count"]["type"] == "number"
    assert reply["results"]["last_order_at"]["type"] == "datetime"
    assert reply["results"]["mobile"]["count"] < reply["results"]["$phone"]["count"] < PEOPLE
    assert len(mixpanel.query("engage/properties", limit=3).json()["results"]) == 3


def test_a_group_cohort_holds_companies(mixpanel: Asker) -> None:
    listed = {row["id"]: row for row in mixpanel.query("cohorts/list").json()}
    assert listed[GROUP]["data_group_id"]
    assert all(one.startswith("company-") for one in ids(mixpanel.page(GROUP).json()["results"]))


def test_an_empty_cohort(mixpanel: Asker) -> None:
    reply = mixpanel.page(EMPTY).json()
    assert (reply["total"], reply["results"]) == (0, [])
