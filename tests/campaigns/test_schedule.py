"""When a campaign goes out, and when nobody may be written to."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.schedule import (
    AD_NIGHT,
    KAKAO_AD_NIGHT,
    Timing,
    check,
    closed_until,
    next_run,
    night_of,
    period,
    timing_of,
    upcoming,
    words,
)
from integrations.messaging import Kind

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")  # clocks: 2026-03-29 02:00 → 03:00, 2026-10-25 03:00 → 02:00
APIA = ZoneInfo("Pacific/Apia")  # went without 2011-12-30

ONCE = {"kind": "once", "date": "2026-11-20", "time": "10:00"}
DAILY = {"kind": "daily", "start": "2026-11-20", "end": "2026-11-22", "time": "10:00"}
WEEKLY = {"kind": "weekly", "start": "2026-11-20", "forever": True, "time": "10:00", "weekdays": [0, 2]}  # a Friday


def at(text, tz=SEOUL):
    return datetime.fromisoformat(text).replace(tzinfo=tz)


def runs(json, after, n=10, tz=SEOUL):
    return [
        moment.astimezone(tz).strftime("%Y-%m-%d %H:%M") for moment in upcoming(timing_of(json), at(after, tz), tz, n)
    ]


# -- Runs -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("json", "after", "expected"),
    [
        ({"kind": "now"}, "2026-11-20 09:00", []),
        ({}, "2026-11-20 09:00", []),
        (ONCE, "2026-11-20 09:59:59", ["2026-11-20 10:00"]),
        (ONCE, "2026-11-20 10:00", []),
        (DAILY, "2026-01-01 00:00", ["2026-11-20 10:00", "2026-11-21 10:00", "2026-11-22 10:00"]),
        (DAILY, "2026-11-20 10:00", ["2026-11-21 10:00", "2026-11-22 10:00"]),
        (DAILY, "2026-11-22 09:59", ["2026-11-22 10:00"]),
        (DAILY, "2026-11-22 10:00", []),
        (DAILY | {"end": "2026-11-20"}, "2026-01-01 00:00", ["2026-11-20 10:00"]),
        (DAILY | {"time": "23:59"}, "2026-11-22 00:00", ["2026-11-22 23:59"]),
        (DAILY | {"time": "00:00"}, "2026-11-19 23:59", ["2026-11-20 00:00", "2026-11-21 00:00", "2026-11-22 00:00"]),
        (DAILY | {"end": "2026-11-19"}, "2026-01-01 00:00", []),
        (DAILY | {"end": ""}, "2026-01-01 00:00", []),
        (DAILY | {"time": ""}, "2026-01-01 00:00", []),
        (WEEKLY | {"weekdays": []}, "2026-01-01 00:00", []),
        (WEEKLY | {"every_weeks": 0}, "2026-01-01 00:00", []),
        (WEEKLY | {"every_weeks": 53}, "2026-01-01 00:00", []),
    ],
)
def test_runs(json, after, expected):
    assert runs(json, after) == expected


def test_every_week():
    assert runs(WEEKLY, "2026-01-01 00:00", 4) == [
        "2026-11-23 10:00",
        "2026-11-25 10:00",
        "2026-11-30 10:00",
        "2026-12-02 10:00",
    ]


def test_every_other_week_counts_from_the_week_of_the_first_day():
    """The period begins on a Friday; its week began on the Monday before."""
    fortnightly = WEEKLY | {"every_weeks": 2, "weekdays": [0, 4]}
    assert runs(fortnightly, "2026-01-01 00:00", 5) == [
        "2026-11-20 10:00",
        "2026-11-30 10:00",
        "2026-12-04 10:00",
        "2026-12-14 10:00",
        "2026-12-18 10:00",
    ]


def test_once_a_year():
    assert runs(WEEKLY | {"every_weeks": 52, "weekdays": [4]}, "2026-11-20 10:00", 2) == [
        "2027-11-19 10:00",
        "2028-11-17 10:00",
    ]


def test_forever_is_far_but_not_beyond_the_calendar():
    endless = timing_of(DAILY | {"end": "2020-01-01", "forever": True})
    assert next_run(endless, at("9998-12-31 10:00"), SEOUL) is not None
    assert next_run(endless, at("9999-12-31 10:00"), SEOUL) is None
    assert next_run(timing_of(DAILY | {"start": "9999-12-31", "end": "9999-12-31"}), at("2026-01-01"), APIA) is not None
    assert next_run(timing_of(ONCE | {"date": "0001-01-01"}), at("2026-01-01"), SEOUL) is None


def test_a_time_that_the_clocks_skip_comes_as_much_later():
    daily = {"kind": "daily", "start": "2026-03-28", "end": "2026-03-30", "time": "02:30"}
    assert runs(daily, "2026-01-01", tz=BERLIN) == ["2026-03-28 02:30", "2026-03-29 03:30", "2026-03-30 02:30"]


def test_a_time_that_comes_twice_means_the_first():
    daily = timing_of({"kind": "daily", "start": "2026-10-25", "end": "2026-10-26", "time": "02:30"})
    first, second = upcoming(daily, at("2026-01-01"), BERLIN, 5)
    assert (first, second) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    )
    # Asked again between the two, it has no run of the same day.
    assert next_run(daily, datetime(2026, 10, 25, 1, 0, tzinfo=UTC), BERLIN) == second


def test_a_day_that_a_zone_never_had_brings_no_second_run():
    daily = {"kind": "daily", "start": "2011-12-29", "end": "2012-01-01", "time": "10:00"}
    assert runs(daily, "2011-01-01", tz=APIA) == ["2011-12-29 10:00", "2011-12-31 10:00", "2012-01-01 10:00"]


TIMINGS = st.builds(
    Timing,
    kind=st.sampled_from(["once", "daily", "weekly"]),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    start=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    end=st.none() | st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    is_endless=st.booleans(),
    at=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    weekdays=st.sets(st.integers(0, 6)).map(lambda days: tuple(sorted(days))),
    every_weeks=st.integers(0, 54),
)
MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(2028, 1, 31), timezones=st.just(UTC))
ZONES = st.sampled_from([SEOUL, BERLIN, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe"), UTC])


@given(timing=TIMINGS, after=MOMENTS, tz=ZONES)
def test_the_next_run_is_the_first_of_all_that_a_calendar_has(timing, after, tz):
    """Against every day of the years, each asked by itself."""
    expected = None
    for n in range(366 * 4):
        day = date(2025, 12, 1) + timedelta(days=n)
        if not belongs(timing, day):
            continue
        moment = datetime.combine(day, timing.at, tz).astimezone(UTC)
        if moment > after and (expected is None or moment < expected):
            expected = moment
    assert next_run(timing, after, tz) == expected


def belongs(timing, day):
    if timing.kind == "once":
        return day == timing.day
    if day < timing.start or (not timing.is_endless and (timing.end is None or day > timing.end)):
        return False
    if timing.kind == "daily":
        return True
    monday, first = day - timedelta(days=day.weekday()), timing.start - timedelta(days=timing.start.weekday())
    in_range = 1 <= timing.every_weeks <= 52
    return in_range and day.weekday() in timing.weekdays and ((monday - first).days // 7) % timing.every_weeks == 0


@given(timing=TIMINGS, after=MOMENTS, tz=ZONES)
def test_runs_follow_each_other_one_a_day(timing, after, tz):
    found = upcoming(timing, after, tz, 5)
    for n, moment in enumerate(found):
        assert next_run(timing, found[n - 1] if n else after, tz) == moment
    assert all(later - earlier > timedelta(hours=20) for earlier, later in pairwise(found))


# -- Reading and checking ---------------------------------------------------------------------------------------------
@given(TIMINGS)
def test_a_timing_survives_storage(timing):
    assert timing_of(timing.as_json()) == timing


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["weekly", "2026-02-30", "24:00"])
)
KEYS = st.sampled_from(["kind", "date", "start", "end", "forever", "time", "weekdays", "every_weeks"])


@given(LEAVES | st.lists(LEAVES) | st.dictionaries(KEYS, LEAVES | st.lists(LEAVES)))
def test_no_json_breaks_it(json):
    timing = timing_of(json)
    now = at("2026-11-20 09:00")
    check(timing, now, SEOUL)
    upcoming(timing, now, SEOUL, 3)
    words(timing, "Asia/Seoul")
    period(timing)


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        ({}, {("timing", "required")}),
        ({"kind": "hourly"}, {("timing", "required")}),
        ({"kind": "now"}, set()),
        (ONCE, set()),
        (ONCE | {"date": "2026-11-19"}, {("time", "past")}),
        (ONCE | {"time": "09:00"}, {("time", "past")}),
        (ONCE | {"time": "09:01"}, set()),
        (ONCE | {"date": "", "time": ""}, {("date", "required"), ("time", "required")}),
        (ONCE | {"date": "2026-02-30"}, {("date", "required")}),
        (ONCE | {"date": "20261120"}, {("date", "required")}),
        (ONCE | {"time": "24:00"}, {("time", "required")}),
        (DAILY, set()),
        (DAILY | {"start": "2025-01-01"}, set()),
        (DAILY | {"end": "2026-11-20"}, set()),
        (DAILY | {"start": ""}, {("start", "required")}),
        (DAILY | {"end": ""}, {("end", "required")}),
        (DAILY | {"end": "", "forever": True}, set()),
        (DAILY | {"end": "2026-11-19"}, {("end", "end_before_start")}),
        (DAILY | {"end": "2026-11-19", "forever": True}, set()),
        (DAILY | {"start": "2026-11-01", "end": "2026-11-20", "time": "09:00"}, {("end", "past")}),
        (WEEKLY, set()),
        (WEEKLY | {"weekdays": []}, {("weekday", "required")}),
        (WEEKLY | {"weekdays": [7]}, {("weekday", "required")}),
        (WEEKLY | {"weekdays": [True]}, {("weekday", "required")}),
        (WEEKLY | {"every_weeks": 1}, set()),
        (WEEKLY | {"every_weeks": 52}, set()),
        (WEEKLY | {"every_weeks": 0}, {("every", "out_of_range")}),
        (WEEKLY | {"every_weeks": 53}, {("every", "out_of_range")}),
        (WEEKLY | {"every_weeks": "2"}, {("every", "out_of_range")}),
        (WEEKLY | {"end": "2026-11-22", "forever": False}, {("end", "past")}),
    ],
)
def test_check(json, expected):
    problems = check(timing_of(json), at("2026-11-20 09:00"), SEOUL)
    assert {(problem.field, problem.code) for problem in problems} == expected


@pytest.mark.parametrize(
    ("json", "line", "days"),
    [
        ({"kind": "now"}, "즉시 발송", ""),
        (ONCE, "2026-11-20 10:00 (Asia/Seoul)", "2026-11-20"),
        (DAILY, "매일 10:00 (Asia/Seoul)", "2026-11-20 ~ 2026-11-22"),
        (WEEKLY, "매주 월·수 10:00 (Asia/Seoul)", "2026-11-20 ~ 무기한"),
        (WEEKLY | {"every_weeks": 2}, "2주마다 월·수 10:00 (Asia/Seoul)", "2026-11-20 ~ 무기한"),
        ({}, "", ""),
    ],
)
def test_in_words(json, line, days):
    with translation.override("ko"):
        assert (words(timing_of(json), "Asia/Seoul"), period(timing_of(json))) == (line, days)


# -- The night --------------------------------------------------------------------------------------------------------
EIGHT = "2026-11-21 08:00"


@pytest.mark.parametrize(
    ("kind", "is_ad", "night_consent", "moment", "until"),
    [
        # Advertising by text: 21:00:00 is inside, 08:00:00 outside
        (Kind.SMS, True, False, "2026-11-20 20:59:59.999999", None),
        (Kind.SMS, True, False, "2026-11-20 21:00:00", EIGHT),
        (Kind.LMS, True, False, "2026-11-20 23:59:59", EIGHT),
        (Kind.MMS, True, False, "2026-11-21 00:00:00", EIGHT),
        (Kind.SMS, True, False, "2026-11-21 07:59:59.999999", EIGHT),
        (Kind.SMS, True, False, "2026-11-21 08:00:00", None),
        # with a separate consent to the night
        (Kind.SMS, True, True, "2026-11-20 21:00:00", None),
        (Kind.LMS, True, True, "2026-11-21 03:00:00", None),
        # information
        (Kind.SMS, False, False, "2026-11-21 03:00:00", None),
        (Kind.ALIMTALK, False, False, "2026-11-21 03:00:00", None),
        # Kakao's own window is narrower, and knows no consent
        (Kind.FRIENDTALK, True, True, "2026-11-20 20:49:59.999999", None),
        (Kind.FRIENDTALK, True, True, "2026-11-20 20:50:00", EIGHT),
        (Kind.FRIENDTALK, True, False, "2026-11-21 07:59:59", EIGHT),
        (Kind.FRIENDTALK, True, False, "2026-11-21 08:00:00", None),
    ],
)
def test_the_night(kind, is_ad, night_consent, moment, until):
    expected = at(until) if until else None
    assert closed_until(kind, is_ad, night_consent, at(moment)) == expected
    # The law's clock is Seoul's, in whatever zone the moment is told.
    assert closed_until(kind, is_ad, night_consent, at(moment).astimezone(BERLIN)) == expected


@pytest.mark.parametrize(
    ("kind", "moment", "until"),
    [
        (Kind.SMS, "2026-11-20 20:54:59", None),
        (Kind.SMS, "2026-11-20 20:55:00", EIGHT),
        (Kind.FRIENDTALK, "2026-11-20 20:44:59", None),
        (Kind.FRIENDTALK, "2026-11-20 20:45:00", EIGHT),
        (Kind.SMS, "2026-11-21 08:00:00", None),
        (Kind.FRIENDTALK, "2026-11-21 08:00:00", None),
    ],
)
def test_claims_end_some_minutes_earlier(kind, moment, until):
    assert closed_until(kind, True, False, at(moment), for_claim=True) == (at(until) if until else None)


def test_the_fallback_of_an_ad_asks_as_the_text_that_it_is():
    assert night_of(Kind.LMS, is_ad=True, night_consent=False) is AD_NIGHT
    assert night_of(Kind.FRIENDTALK, is_ad=True, night_consent=True) is KAKAO_AD_NIGHT
    assert night_of(Kind.SMS, is_ad=False, night_consent=False) is None
    assert (AD_NIGHT.begins, AD_NIGHT.claims_end, AD_NIGHT.ends) == (time(21), time(20, 55), time(8))
    assert (KAKAO_AD_NIGHT.begins, KAKAO_AD_NIGHT.claims_end, KAKAO_AD_NIGHT.ends) == (
        time(20, 50),
        time(20, 45),
        time(8),
    )


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_what_is_closed_opens_within_twelve_hours(moment):
    for kind in (Kind.SMS, Kind.FRIENDTALK):
        until = closed_until(kind, True, False, moment)
        if until:
            assert timedelta() < until - moment <= timedelta(hours=12)
            assert closed_until(kind, True, False, until) is None
            assert closed_until(kind, True, False, moment, for_claim=True) == until
