"""Recurring refreshes: when they are due, within the hour's budget, and made once however many clocks tick."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns.audience import needs
from campaigns.models import CampaignState
from cohorts.models import Cohort, CohortRhythm, CohortRules, Every, Pull, Refresh, Tick, Why
from cohorts.pull import plan as planning
from cohorts.pull import refresh as refreshing
from cohorts.pull.rhythm import LEAD, SLOT, Choice, Due, Subject, down, due_of, next_daily, up
from integrations.models import Budget, Query
from notifly_console.audit.models import Entry
from tests import factories
from tests.cohorts.conftest import SOME

SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def hours_ago(hours: float) -> datetime:
    return timezone.now() - timedelta(hours=hours)


def subject(read_at: datetime | None, **fields: Any) -> Subject:
    return Subject(
        1, 1, "가", 10, NOON - timedelta(days=9), read_at, fields.get("needed_at"), fields.get("both", False)
    )


def due(one: Subject, choice: Choice, *, heals: bool = False) -> Due | None:
    return due_of(one, choice, heals=heals, zone=SEOUL, now=NOON)


def chosen(every: str = Every.OFF, hours: int = 6, at: time | None = None, *, before: bool = False) -> Choice:
    return Choice(every, hours, at, before, NOON - timedelta(hours=1), False)


# -- Times ------------------------------------------------------------------------------------------------------------
def test_every_so_many_hours_from_the_last_reading_on_the_quarter_hour() -> None:
    read = NOON - timedelta(hours=5, minutes=2)
    assert due(subject(read), chosen(Every.HOURS)) == Due(NOON + timedelta(hours=1), Why.HOURS)
    never = due(subject(None), chosen(Every.HOURS))
    assert never is not None
    assert never.at < NOON, "what was never read is due at once"
    assert due(subject(read), chosen()) is None


def test_daily_at_a_time_of_the_zone_and_not_for_days_before_it_was_chosen() -> None:
    old = subject(NOON - timedelta(days=5))
    assert due(old, chosen(Every.DAILY, at=time(9, 30))) == Due(datetime(2026, 3, 3, 0, 30, tzinfo=UTC), Why.DAILY)
    assert due(old, chosen(Every.DAILY, at=time(20, 30))) == Due(datetime(2026, 3, 2, 11, 30, tzinfo=UTC), Why.DAILY)


def test_a_time_that_the_clocks_skip_or_bring_twice() -> None:
    paris = ZoneInfo("Europe/Paris")
    skipped = next_daily(time(2, 30), datetime(2026, 3, 28, 12, tzinfo=UTC), paris)
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    twice = next_daily(time(2, 30), datetime(2026, 10, 24, 12, tzinfo=UTC), paris)
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_before_a_campaign_unless_it_was_just_read() -> None:
    goes = NOON + timedelta(hours=3)
    found = due(subject(NOON - timedelta(hours=2), needed_at=goes), chosen(before=True))
    assert found is not None
    assert goes - LEAD - SLOT <= found.at <= goes - LEAD
    assert found.why == Why.CAMPAIGN
    assert due(subject(goes - LEAD, needed_at=goes), chosen(before=True)) is None
    assert due(subject(None, needed_at=goes), chosen(before=False)) is None
    assert due(subject(None, needed_at=NOON - timedelta(hours=1)), chosen(before=True)) is None


def test_both_roads_meet_once_a_day() -> None:
    assert due(subject(NOON - timedelta(hours=20), both=True), chosen(), heals=True) == Due(
        NOON + timedelta(hours=4), Why.HEAL
    )
    assert due(subject(NOON, both=False), chosen(), heals=True) is None


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)))
def test_quarter_hours_lie_around_every_moment(moment: datetime) -> None:
    assert down(moment) <= moment <= up(moment) < moment + SLOT
    assert up(moment).minute % 15 == down(moment).minute % 15 == 0
    assert up(up(moment)) == up(moment)


# -- The clock --------------------------------------------------------------------------------------------------------
@pytest.fixture
def project(connected: Any) -> Any:
    """A connected project that refreshes every six hours."""
    CohortRules.objects.create(project=connected, every=Every.HOURS, hours=6)
    return connected


def cohorts(project: Any, count: int, **fields: Any) -> list[Cohort]:
    fields.setdefault("refreshed_at", hours_ago(7))
    return [factories.cohort(project, number, **fields) for number in range(1, count + 1)]


def asked_for() -> list[int]:
    return list(Pull.objects.order_by("position").values_list("cohort__source_id", flat=True))


def test_what_is_due_comes_once_and_nothing_else(project: Any) -> None:
    old, fresh, own, off = cohorts(project, 4)
    Cohort.objects.filter(pk=fresh.pk).update(refreshed_at=hours_ago(5))
    CohortRhythm.objects.create(cohort=own, every=Every.HOURS, hours=12)
    CohortRhythm.objects.create(cohort=off, every=Every.OFF)
    assert planning.tick_all() == 1
    assert planning.tick_all() == 0
    (tick,) = Tick.objects.all()
    assert (tick.cohort, tick.why) == (old, Why.HOURS)
    run = Refresh.objects.get()
    assert (run.cohort, run.requested_by, tick.refresh) == (old, "", run)


def test_nothing_comes_without_a_connection_and_nothing_that_mixpanel_hasnt(world: Any, project: Any) -> None:
    CohortRules.objects.create(project=world.other_project, every=Every.HOURS, hours=1)
    factories.cohort(world.other_project, 1)
    gone, pushed = cohorts(project, 2)
    Cohort.objects.filter(pk=gone.pk).update(vanished_at=timezone.now())
    Cohort.objects.filter(pk=pushed.pk).update(is_listed=False)
    assert planning.tick_all() == 0
    assert not Refresh.objects.exists()


def test_what_was_missed_runs_once(project: Any) -> None:
    cohorts(project, 1, refreshed_at=hours_ago(100))
    assert planning.tick(project) == 1
    assert planning.tick(project) == 0
    Refresh.objects.all().delete()
    assert planning.tick(project) == 0, "the moments that passed are one"


def test_the_hour_is_never_overbooked_and_the_rest_waits(project: Any) -> None:
    cohorts(project, 80)
    budget = Budget.objects.create(region="us", mixpanel_project_id=connect_project(project))
    Query.objects.bulk_create([Query(budget=budget, at=timezone.now()) for _ in range(10)])
    assert planning.tick(project) == planning.MOST_AN_HOUR - 10 - 1
    assert planning.tick(project) == 0, "turns that are still to be taken are spent"
    Refresh.objects.all().delete()
    Query.objects.all().delete()
    assert planning.tick(project) == 80 - 39
    assert Tick.objects.values("cohort").distinct().count() == 80


def connect_project(project: Any) -> int:
    from integrations import connect

    row = connect.row_of(project)
    assert row is not None
    return connect.MixpanelSettings.of(row).project_id


def test_a_campaign_comes_before_the_rest(project: Any) -> None:
    cohorts(project, 60)
    goes = timezone.now() + timedelta(minutes=29)
    Cohort.objects.filter(source_id=60).update(needed_at=goes, refreshed_at=hours_ago(5))
    planning.tick(project)
    assert Tick.objects.get(cohort__source_id=60).why == Why.CAMPAIGN
    assert Refresh.objects.get().cohort is not None
    refresh = Refresh.objects.get()
    others = asked_for()
    assert others[0] == 60 or (refresh.cohort and refresh.cohort.source_id == 60)


def test_a_due_cohort_joins_the_refresh_that_runs(project: Any) -> None:
    (one,) = cohorts(project, 1)
    run = refreshing.request(project, by="사람")
    assert planning.tick(project) == 1
    assert Refresh.objects.get() == run
    assert Pull.objects.get().cohort == one


def test_it_is_read_by_a_worker_and_due_again_six_hours_later(town: Any, refreshed: Any, project: Any) -> None:
    refreshed()
    Cohort.objects.update(refreshed_at=hours_ago(7))
    assert planning.tick(project) == 2
    run = Refresh.objects.get(requested_by="")
    refreshing.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.receipt["cohorts"], run.receipt["queries"]) == ("succeeded", 2, 3)
    found = planning.rhythm_of(project, Cohort.objects.get(source_id=SOME))
    assert found is not None
    assert found.due is not None
    assert timedelta(hours=5, minutes=59) < found.due.at - timezone.now() <= timedelta(hours=6, minutes=15)


def test_a_pushed_cohort_counts_from_its_last_pull(project: Any) -> None:
    (one,) = cohorts(project, 1, refreshed_at=timezone.now())
    factories.drift(one, [])
    one.drifts.update(at=hours_ago(25))
    CohortRules.objects.update(every=Every.OFF)
    assert planning.tick(project) == 1
    assert Tick.objects.get().why == Why.HEAL
    Tick.objects.all().delete()
    Cohort.objects.update(planned_at=None)
    CohortRules.objects.update(heals_daily=False)
    assert planning.tick(project) == 0


@pytest.mark.django_db(transaction=True)
def test_two_clocks_make_one(project: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: there is no race to show")
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    from django.db import connections

    cohorts(project, 12)
    together = Barrier(4)

    def tick(_number: int) -> int:
        try:
            together.wait()
            return planning.tick(project)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(tick, range(4)))
    assert sum(made) == 12
    assert Tick.objects.count() == 12
    assert Refresh.objects.count() == 1


# -- The timetable ----------------------------------------------------------------------------------------------------
def test_the_timetable_fits_each_rolling_hour_and_says_what_moves(project: Any) -> None:
    cohorts(project, 120)
    now = timezone.now()
    plan = planning.plan_of(project)
    spent = [(slot.at, slot.queries) for slot in planning._slots(plan, now)]
    for at, _queries in spent:
        assert sum(queries for when, queries in spent if at - timedelta(hours=1) < when <= at) <= planning.MOST_AN_HOUR
    hours = planning.timetable(plan, now)
    entries = [entry for hour in hours for entry in hour.entries]
    assert {entry.subject.key for entry in entries} == {one.key for one in plan.subjects}
    assert any(hour.waiting for hour in hours)
    assert any(entry.is_moved for entry in entries)
    first = [entry.subject.key for entry in entries if entry.at == down(now)]
    planning.tick(project)
    assert sorted(Tick.objects.values_list("cohort", flat=True)) == sorted(first), "what it shows is what happens"


def test_the_page_shows_hours_choices_and_what_came(project: Any, sign_in: Any) -> None:
    one, other = cohorts(project, 2, refreshed_at=hours_ago(5))
    CohortRhythm.objects.create(cohort=other, every=Every.DAILY, daily_at=time(9, 30), before_campaign=False)
    Tick.objects.create(cohort=one, due_at=timezone.now(), why=Why.HOURS)
    client = sign_in("viewer")
    body = client.get(f"/projects/{project.hex}/cohorts/schedule").content.decode()
    for words in ("앞으로 24시간", "6시간마다", "매일 09:30", "코호트 1", "KST", "지난 자동 리프레시", "/60"):
        assert words in body
    found = client.get(f"/projects/{project.hex}/cohorts/schedule?q=코호트+2").content.decode()
    assert "매일 09:30" in found
    assert "찾는 코호트가 없습니다" in client.get(f"/projects/{project.hex}/cohorts/schedule?q=zz").content.decode()
    assert "리프레시 일정" in client.get(f"/projects/{project.hex}/cohorts/").content.decode()


def test_a_cohort_chooses_and_goes_back_to_the_projects_choice(project: Any, sign_in: Any) -> None:
    (one,) = cohorts(project, 1)
    client = sign_in("marketer")
    address = f"/projects/{project.hex}/cohorts/mixpanel_1/"
    given = {"every": "daily", "daily_at": "09:30", "before_campaign": "on", "from": "cohort"}
    assert client.post(address + "rhythm", given).status_code == 302
    own = CohortRhythm.objects.get()
    assert (own.cohort, own.every, own.daily_at, own.changed_by) == (one, "daily", time(9, 30), "마케터")
    assert Entry.objects.get(action="refresh_rhythm_changed").details == {
        "every": "daily",
        "hours": None,
        "daily_at": "09:30",
    }
    assert 'value="09:30"' not in client.get(address).content.decode(), "the choice is drawn when somebody wants it"
    assert 'value="09:30"' in client.get(address + "?rhythm=1").content.decode()
    part = client.get(address + "?rhythm=1", headers={"HX-Request": "true", "HX-Target": "rhythm"}).content.decode()
    assert part.strip().startswith('<section class="ruled" id="rhythm">')
    assert 'value="09:30"' in part
    client.post(address + "rhythm", {"every": "inherit"})
    assert not CohortRhythm.objects.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": "daily"}, "매일 리프레시할 시각을 입력해 주세요."),
        ({"every": "hours"}, "몇 시간마다 리프레시할지 입력해 주세요."),
        ({"every": "hours", "hours": "0"}, "1시간보다 자주 리프레시할 수 없습니다."),
        ({"every": "hours", "hours": "169"}, "168시간(7일)까지 입력할 수 있습니다."),
        ({"every": "daily", "daily_at": "25:99"}, "시각을 09:30처럼 입력해 주세요."),
        ({"every": "never"}, "올바르게 선택해 주세요"),
    ],
)
def test_a_choice_that_cant_be_kept_says_why(project: Any, sign_in: Any, given: Any, words: str) -> None:
    cohorts(project, 1)
    answer = sign_in("marketer").post(f"/projects/{project.hex}/cohorts/mixpanel_1/rhythm", given)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not CohortRhythm.objects.exists()


def test_the_projects_rules_are_changed_by_admins_and_recorded(world: Any, sign_in: Any) -> None:
    address = f"/projects/{world.project.hex}/cohorts/rules"
    keeping = {"keep_versions": "10", "keep_all_days": "3", "keep_days": "90"}
    given = {"every": "hours", "hours": "4", "heals_daily": "on"} | keeping
    assert sign_in("marketer").post(address + "/save", given).status_code == 403
    assert 'name="keep_versions"' in sign_in("viewer").get(address).content.decode()
    answer = sign_in("admin").post(address + "/save", given, follow=True)
    assert "코호트 규칙을 저장했습니다." in answer.content.decode()
    rules = CohortRules.objects.get()
    assert (rules.every, rules.hours) == ("hours", 4)
    assert (rules.keep_versions, rules.keep_all_days, rules.keep_days) == (10, 3, 90)
    assert (rules.before_campaign, rules.heals_daily) == (False, True)
    assert Entry.objects.get().action == "cohort_rules_changed"
    for bad in ({"keep_versions": "4"}, {"keep_versions": "101"}, {"keep_all_days": "32"}, {"keep_days": "0"}):
        assert sign_in("admin").post(address + "/save", given | bad).status_code == 422
    assert CohortRules.objects.get().keep_versions == 10


# -- What campaigns tell ----------------------------------------------------------------------------------------------
def test_campaigns_say_when_they_want_which_cohort(world: Any) -> None:
    direct, inside, idle = (factories.cohort(world.project, number) for number in (1, 2, 3))
    soon, later = timezone.now() + timedelta(hours=2), timezone.now() + timedelta(hours=5)
    active = {"state": CampaignState.ACTIVE, "launched_at": timezone.now()}
    first = factories.campaign(world.project, cohort=direct, next_run_at=soon, **active)
    factories.campaign(world.project, cohort=direct, next_run_at=later, **active)
    asks = {"kind": "cohort", "cohort": inside.pk, "is_in": True}
    group = factories.group(world.project, definition={"segments": [[asks]], "filters": []})
    factories.campaign(world.project, audience_kind="group", group=group, next_run_at=later, **active)
    Cohort.objects.filter(pk=idle.pk).update(needed_at=soon)
    assert needs.tell() == 2
    needed = dict(Cohort.objects.values_list("source_id", "needed_at"))
    assert needed == {1: soon, 2: later, 3: None}
    type(first).objects.filter(pk=first.pk).update(state=CampaignState.INACTIVE, next_run_at=None)
    needs.tell()
    assert Cohort.objects.get(pk=direct.pk).needed_at == later
    # A run that waits for its cohort since a moment keeps it.
    since = timezone.now() - timedelta(minutes=5)
    Cohort.objects.filter(pk=direct.pk).update(needed_at=since, refreshed_at=since - timedelta(hours=30))
    needs.tell()
    assert Cohort.objects.get(pk=direct.pk).needed_at == since
    Cohort.objects.filter(pk=direct.pk).update(refreshed_at=timezone.now())
    needs.tell()
    assert Cohort.objects.get(pk=direct.pk).needed_at == later


def test_a_day_with_nothing_planned_says_so_and_where_to_plan(connected: Any, sign_in: Any) -> None:
    CohortRules.objects.create(project=connected, every=Every.OFF)
    cohorts(connected, 1)
    here = f"/projects/{connected.hex}/cohorts/schedule"
    body = sign_in("marketer").get(here).content.decode()
    assert "예정된 리프레시가 없습니다. 아래에서 코호트를 골라" in body
    assert "<meter" not in body
    assert "요청</th>" not in body, "no table without rows"
    assert "아래에서 코호트를 골라" not in sign_in("viewer").get(here).content.decode()
