"""What Mixpanel, the network and the hour's budget do to a refresh: a reason is kept, and the old version stays."""

import pytest

from cohorts.models import Cohort, Profile, Pull, Refresh, RefreshState, Snapshot
from cohorts.pull import refresh
from integrations.models import Budget, Query
from integrations.sandbox import accounts
from tests.cohorts.conftest import EVERYBODY, SOME
from tests.cohorts.test_refresh import cohort_of, members_of, rows_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """The client's pauses between attempts take no time here."""
    monkeypatch.setattr("integrations.mixpanel.client.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("integrations.wire.Halt.pause", lambda _self, _seconds: None)


def come_due(row):
    """Time passes until the refresh may go on."""
    Refresh.objects.filter(pk=row.pk).update(not_before="2020-01-01T00:00Z")
    refresh.run(row.pk)
    row.refresh_from_db()
    return row


# -- Refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("account", "code"),
    [
        ({"secret": "not the secret"}, "wrong_credentials"),
        ({"region": "eu"}, "wrong_credentials"),
        ({"username": accounts.EXPIRED}, "wrong_credentials"),
        ({"username": accounts.CONSUMER}, "not_permitted"),
        ({"username": accounts.FREE_USERNAME, "project_id": accounts.FREE_PROJECT}, "plan_without_api"),
        ({"username": accounts.NEW_USERNAME, "project_id": accounts.NEW_PROJECT}, "no_cohorts"),
        ({"project_id": 4_040_404}, "wrong_credentials"),
    ],
    ids=str,
)
def test_a_refusal_ends_it_with_its_reason_and_touches_nothing(town, connect_to, refreshed, connected, account, code):
    from integrations.failures import known_codes

    refreshed()
    kept = list(Cohort.objects.order_by("pk").values()), Profile.objects.count(), Snapshot.objects.count()
    connect_to(**account)

    row = refreshed()

    assert (row.state, row.failure) == (RefreshState.FAILED, code)
    assert code in known_codes()
    assert (list(Cohort.objects.order_by("pk").values()), Profile.objects.count(), Snapshot.objects.count()) == kept
    connect_to()
    assert refreshed().state == RefreshState.SUCCEEDED


def test_a_secret_that_cannot_be_opened(town, refreshed, connected):
    connected.connections.update(sealed_secret="k9:nonsense")
    row = refreshed()
    assert (row.state, row.failure) == (RefreshState.FAILED, "cannot_open")


def test_one_cohort_that_is_refused_does_not_stop_the_others(town, refreshed, connected):
    town.world.faults.add("error_400", endpoint="engage", cohort=EVERYBODY, times=None)
    row = refreshed()
    assert (row.state, row.receipt["failed"]) == (RefreshState.PARTIAL, 1)
    failed = cohort_of(connected)
    assert (failed.failure, failed.failed_at is None, failed.current) == ("bad_parameters", False, None)
    assert cohort_of(connected, SOME).size == 40

    town.world.faults.clear()
    assert refreshed().state == RefreshState.SUCCEEDED
    assert (cohort_of(connected).failure, cohort_of(connected).size) == ("", 2500)


# -- Passing trouble --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("html_503", {"times": 2}),
        ("text_502", {"times": 1, "page": 1}),
        ("error_500", {"times": 1, "page": 2}),
        ("too_many_at_once", {"times": 2}),
        ("cut", {"times": 2, "page": 1}),
        ("cut_body", {"times": 1, "page": 0}),
        ("malformed", {"times": 1, "page": 1}),
        ("lost_session", {"times": 1, "page": 1}),
        ("lost_session", {"times": 1, "page": 2}),
        ("duplicate_rows", {"times": 1, "page": 1, "rows": 5}),
    ],
    ids=str,
)
def test_passing_trouble_leaves_no_trace(town, refreshed, connected, state_of, kind, details):
    town.world.faults.add(kind, endpoint="engage", **details)
    row = refreshed()
    assert (row.state, row.failure) == (RefreshState.SUCCEEDED, "")
    assert members_of(cohort_of(connected)) == town.world.cohorts.ids(EVERYBODY)
    assert row.receipt["received"] == rows_of(row.receipt)
    assert row.receipt["new"] == 2500


def test_trouble_that_lasts_pauses_then_fails_with_its_reason(town, refreshed, connected):
    refreshed()
    town.world.faults.add("html_503", endpoint="engage", times=None)
    row = refreshed()
    pauses = [row.waiting_for]
    while row.state == RefreshState.WAITING:
        row = come_due(row)
        pauses.append(row.waiting_for)
    assert (row.state, row.failure) == (RefreshState.FAILED, "mixpanel_down")
    assert len(pauses) == refresh.MOST_ATTEMPTS + 1  # The list came through in the first turn.
    assert cohort_of(connected).size == 2500


def test_trouble_that_ends_in_time_costs_nothing(town, refreshed, connected):
    town.world.faults.add("cut", endpoint="engage", page=1, times=4)
    row = refreshed()
    assert (row.state, row.waiting_for) == (RefreshState.WAITING, "mixpanel_down")
    assert Pull.objects.get(refresh=row, cohort__source_id=EVERYBODY).pages_done > 0
    first_pages = [one for one in town.world.log if one.page == 0]
    row = come_due(row)
    assert row.state == RefreshState.SUCCEEDED
    assert len([one for one in town.world.log if one.page == 0]) <= len(first_pages) + 1  # that of the other cohort
    assert members_of(cohort_of(connected)) == town.world.cohorts.ids(EVERYBODY)


def test_a_session_that_is_always_lost_is_given_up(town, refreshed, connected):
    town.world.faults.add("lost_session", endpoint="engage", page=2, times=None)
    row = refreshed()
    assert row.state == RefreshState.PARTIAL
    assert cohort_of(connected).failure == "too_many_restarts"


def test_a_pull_that_comes_out_short_begins_again_once(town, refreshed, connected):
    town.world.faults.add("short_rows", endpoint="engage", page=1, rows=500, times=1)
    row = refreshed()
    assert (row.state, row.receipt["restarts"], row.receipt["short"]) == (RefreshState.SUCCEEDED, 1, 0)
    assert (row.receipt["new"], row.receipt["received"]) == (2500, 2540)
    assert cohort_of(connected).size == 2500


def test_a_pull_that_stays_short_keeps_the_old_version(town, refreshed, connected):
    refreshed()
    town.world.faults.add("short_rows", endpoint="engage", page=1, cohort=EVERYBODY, rows=500, times=None)
    row = refreshed()
    assert row.state == RefreshState.PARTIAL
    assert (cohort_of(connected).failure, cohort_of(connected).size) == ("incomplete", 2500)


def test_a_few_rows_short_are_let_pass_and_reported(town, refreshed, connected):
    town.world.faults.add("short_rows", endpoint="engage", page=1, rows=3, times=None)
    row = refreshed()
    assert (row.state, row.receipt["short"]) == (RefreshState.SUCCEEDED, 3)


# -- The hour's budget ------------------------------------------------------------------------------------------------
def test_a_used_up_hour_makes_it_wait_and_say_until_when(town, refreshed, connected):
    town.world.meter().spend(town.world.clock.now(), 60)
    row = refreshed()
    assert (row.state, row.waiting_for) == (RefreshState.WAITING, "hourly_budget_spent")
    assert row.not_before > row.requested_at
    refresh.run(row.pk)  # Not before it is time.
    row.refresh_from_db()
    assert row.fence == 1
    assert refresh.request(connected, by="b").pk == row.pk

    town.world.clock.advance(3700)
    Budget.objects.update(blocked_until=None)
    assert come_due(row).state == RefreshState.SUCCEEDED


def test_a_tight_budget_spreads_it_over_hours_the_most_needed_first(sandbox, refreshed, connected):
    sandbox.world.cohorts.clear()
    numbers = list(sandbox.world.cohorts.add_many(130))
    row = refreshed()
    assert row.state == RefreshState.WAITING
    assert Cohort.objects.count() == 130  # The list comes first.
    hours = 1
    while row.state == RefreshState.WAITING:
        assert row.waiting_for == "hourly_budget_spent"
        if hours == 1:
            watched = Cohort.objects.get(source_id=numbers[-1])
            refresh.request(connected, by="b", cohort=watched)
        sandbox.world.clock.advance(3700)
        Query.objects.all().delete()
        Budget.objects.update(blocked_until=None)
        row = come_due(row)
        if hours == 1:
            assert Pull.objects.get(refresh=row, cohort=watched).state == "done"
        hours += 1
    assert (row.state, row.receipt["cohorts"]) == (RefreshState.SUCCEEDED, 130)
    assert hours == 3
    assert row.receipt["queries"] == 131


# -- Suspicious results -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["empty", "less_than_half"])
def test_a_suspicious_result_waits_for_a_person(town, refreshed, connected, how):
    from cohorts import membership

    refreshed()
    if how == "empty":
        town.world.cohorts.empty(EVERYBODY)
    else:
        town.world.cohorts.resize(EVERYBODY, 1249)
    row = refreshed()
    cohort = cohort_of(connected)
    assert (row.state, row.receipt["held"], row.receipt["left"]) == (RefreshState.SUCCEEDED, 1, 0)
    assert (cohort.size, cohort.number, cohort.held.state) == (2500, 1, "held")

    stale = cohort_of(connected)
    membership.accept_held(cohort, by="admin@harutable.example")
    cohort = cohort_of(connected)
    assert cohort.size == (0 if how == "empty" else 1249)
    assert (cohort.held, cohort.current.decided_by) == (None, "admin@harutable.example")
    with pytest.raises(membership.Conflict):
        membership.discard_held(stale, by="marketer@harutable.example")


def test_half_exactly_is_published(town, refreshed, connected):
    refreshed()
    town.world.cohorts.resize(EVERYBODY, 1250)
    assert refreshed().receipt["held"] == 0
    assert cohort_of(connected).size == 1250


def test_a_sound_result_takes_the_held_ones_place(town, refreshed, connected):
    refreshed()
    town.world.cohorts.resize(EVERYBODY, 100)
    refreshed()
    held = cohort_of(connected).held
    refreshed()
    assert cohort_of(connected).held == held  # The same again is no second version.
    town.world.cohorts.resize(EVERYBODY, 2600)
    refreshed()
    held.refresh_from_db()
    cohort = cohort_of(connected)
    assert (cohort.held, cohort.size, held.state) == (None, 2600, "discarded")
    assert (cohort.joined_count, cohort.left_count) == (100, 0)
