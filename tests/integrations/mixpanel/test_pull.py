"""One pull: every page once, in whatever order and through whatever trouble; and an end that is an end."""

import gc
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.http import BadAnswer, VendorError
from integrations.mixpanel.client import MOST_ATTEMPTS
from integrations.mixpanel.errors import (
    BadParameters,
    HourlyBudgetSpent,
    MixpanelDown,
    SessionLost,
    TooManyAtOnce,
    WrongCredentials,
)
from integrations.mixpanel.pull import Cursor
from integrations.mixpanel.schemas import EngagePage
from tests.integrations.loopback import Asked, answer
from tests.integrations.mixpanel.engage import CONCURRENT_429, HOURLY_429, Engage, Ledger, Talk, talking


def pull(talk: Talk, **kwargs: Any) -> list[EngagePage]:
    with talk.client.members(7001, **{"page_size": 10, **kwargs}) as pages:
        return list(pages)


def people(pages: list[EngagePage]) -> list[str]:
    return sorted(row.distinct_id for page in pages for row in page.rows)


def everyone(number: int) -> list[str]:
    return sorted(f"user-{n}" for n in range(number))


def pulling_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mixpanel-pull")]


# -- Every page once --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95, 100, 101])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_everybody_comes_once(settings: Any, count: int, concurrency: int) -> None:
    with talking(settings, Engage(count)) as talk:
        pages = pull(talk, concurrency=concurrency)
    assert people(pages) == everyone(count)
    assert sorted(talk.pages_asked) == list(range(max(1, -(-count // 10))))
    assert pages[0].page == 0
    assert {(page.total, page.page_size, page.session_id) for page in pages} == {(count, 10, "s-1")}


def test_every_page_is_asked_under_the_parameters_of_page_0(settings: Any) -> None:
    with talking(settings, Engage(55)) as talk:
        pull(talk, properties=["$phone"])
    first, *others = talk.server.asked
    assert "session_id" not in first.form
    assert "page" not in first.form
    for asked in others:
        assert asked.form == {**first.form, "session_id": "s-1", "page": str(asked.page)}
        assert asked.query == first.query


@pytest.mark.parametrize(("wanted", "most"), [(1, 1), (3, 3), (5, 5), (50, 5)])
def test_pages_are_asked_side_by_side_but_never_more_than_five(settings: Any, wanted: int, most: int) -> None:
    together = threading.Barrier(most)

    def gather(asked: Asked, before: int) -> None:
        if asked.page:
            together.wait(20)  # Breaks, and fails the test, unless as many are asked at once.

    with talking(settings, Engage(10 + 10 * most * 4, trouble=gather)) as talk:
        assert people(pull(talk, concurrency=wanted)) == everyone(10 + 10 * most * 4)
    assert talk.server.most_at_once == most
    assert talk.meter.most_taken <= most


def test_pages_come_in_order_of_arrival_and_few_wait_for_the_caller(settings: Any) -> None:
    second_may_go = threading.Event()
    late = Engage(200, trouble=lambda asked, before: None if asked.page != 1 else second_may_go.wait(20) and None)
    with talking(settings, late) as talk, talk.client.members(7001, page_size=10, concurrency=4) as pages:
        order = [next(pages).page, next(pages).page]
        assert order[0] == 0
        assert order[1] != 1
        asked_ahead = len(talk.server.asked) - len(order)
        assert asked_ahead <= 2 * 4
        second_may_go.set()
        order += [page.page for page in pages]
    assert sorted(order) == list(range(20))


# -- Where it ends ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 9, 10, 11, 40, 41])
@pytest.mark.parametrize("echo_size", [True, False])
def test_without_a_total_it_goes_page_by_page(settings: Any, count: int, echo_size: bool) -> None:
    with talking(settings, Engage(count, total=None, echo_size=echo_size)) as talk:
        pages = pull(talk)
    assert people(pages) == everyone(count)
    assert talk.server.most_at_once == 1
    assert len(talk.server.asked) <= count // 10 + 2


def test_without_a_total_and_a_session_page_0_is_all(settings: Any) -> None:
    with talking(settings, Engage(10, total=None, session=None)) as talk:
        assert people(pull(talk)) == everyone(10)
    assert talk.pages_asked == [0]


def test_more_to_come_and_no_session_is_a_bad_answer(settings: Any) -> None:
    with talking(settings, Engage(11, session=None)) as talk, pytest.raises(BadAnswer):
        pull(talk)


def test_the_size_that_mixpanel_uses_counts_and_not_the_one_asked_for(settings: Any) -> None:
    for engage in (Engage(95), Engage(95, echo_size=False)):
        with talking(settings, engage) as talk:
            assert people(pull(talk, page_size=1000)) == everyone(95)


def test_a_short_page_before_the_end_loses_nobody_behind_it(settings: Any) -> None:
    with talking(settings, Engage(60, short={2: 4})) as talk:
        pages = pull(talk)
    assert sum(len(page.rows) for page in pages) == 54
    assert sorted(talk.pages_asked) == list(range(6))


def test_an_empty_page_ends_it_whatever_the_total_says(settings: Any) -> None:
    with talking(settings, Engage(30, total=10_000)) as talk:
        assert people(pull(talk, concurrency=3)) == everyone(30)
    assert max(talk.pages_asked) <= 3 + 3


@pytest.mark.parametrize(
    ("count", "told", "asked"), [(30, 25, [0, 1, 2, 3]), (30, 30, [0, 1, 2]), (95, 25, [0, 1, 2, 3])]
)
def test_a_total_that_is_too_small_gets_one_look_beyond(settings: Any, count: int, told: int, asked: list[int]) -> None:
    with talking(settings, Engage(count, total=told)) as talk:
        pull(talk)
    assert sorted(talk.pages_asked) == asked


def test_a_total_smaller_than_page_0_is_no_total(settings: Any) -> None:
    with talking(settings, Engage(35, total=0)) as talk:
        pages = pull(talk)
    assert people(pages) == everyone(35)
    assert {page.total for page in pages} == {None}


def test_totals_on_later_pages_are_not_listened_to(settings: Any) -> None:
    engage = Engage(45)
    engage.trouble = lambda asked, before: answer(200, {"page_size": 2, "total": 1, **engage.page(asked.page)})
    with talking(settings, engage) as talk:
        pages = pull(talk)
    assert people(pages) == everyone(45)
    assert {(page.total, page.page_size) for page in pages} == {(45, 10)}


def test_a_server_that_gives_page_0_again_is_found_out(settings: Any) -> None:
    engage = Engage(45)
    engage.trouble = lambda asked, before: answer(200, engage.page(0))
    with talking(settings, engage) as talk, pytest.raises(BadAnswer):
        pull(talk)


# -- Trouble on the way -----------------------------------------------------------------------------------------------
TROUBLES: dict[str, bytes | str] = {
    "html 503": answer(503, b"<html>Service Unavailable</html>", content_type="text/html"),
    "text 502": answer(502, b"upstream connect error", content_type="text/plain"),
    "cut": "",
    "half": "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
    "no json": answer(200, b"[{"),
    "429": answer(429, {"error": CONCURRENT_429}, "Retry-After: 1"),
    "429 without a wait": answer(429, {"error": CONCURRENT_429}),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_passing_trouble_on_any_page_changes_nothing(settings: Any, name: str) -> None:
    def once_each(asked: Asked, before: int) -> bytes | str | None:
        return TROUBLES[name] if before == 0 else None

    with talking(settings, Engage(95, trouble=once_each)) as talk:
        pages = pull(talk)
    assert people(pages) == everyone(95)
    assert len(talk.waits) == 10
    assert len(talk.meter.told) == (10 if "429" in name else 0)


def test_being_told_of_too_many_narrows_the_pull(settings: Any) -> None:
    refused = {1, 2, 3}

    def first_three(asked: Asked, before: int) -> bytes | None:
        return answer(429, {"error": CONCURRENT_429}) if asked.page in refused and before == 0 else None

    meter = Ledger()
    engage = Engage(300, trouble=first_three)
    with talking(settings, engage, meter=meter) as talk, talk.client.members(7001, page_size=10) as pages:
        seen = []
        while not {page.page for page in seen} >= refused:
            seen.append(next(pages))
        meter.most_taken = 0
        seen += pages
    assert people(seen) == everyone(300)
    assert meter.most_taken <= 2  # One still in flight from before, and the one that is left.


def test_a_page_that_fails_for_good_leaves_the_others_and_a_cursor(settings: Any) -> None:
    down = True

    def page_4(asked: Asked, before: int) -> bytes | None:
        return answer(503) if down and asked.page == 4 else None

    with talking(settings, Engage(95, trouble=page_4)) as talk:
        got: list[EngagePage] = []
        members = talk.client.members(7001, page_size=10)
        with pytest.raises(MixpanelDown) as caught, members:
            got.extend(members)
        assert caught.value.reason == "http_503"
        assert talk.pages_asked.count(4) == MOST_ATTEMPTS
        cursor = members.cursor
        assert cursor is not None
        assert cursor.done == {page.page for page in got}
        assert 4 not in cursor.done

        down = False
        before = len(talk.server.asked)
        got += pull(talk, start=cursor)
        assert sorted(talk.pages_asked[before:]) == sorted(set(range(10)) - cursor.done)
    assert people(got) == everyone(95)


def test_a_pull_without_a_total_is_resumed_behind_its_last_page(settings: Any) -> None:
    with talking(settings, Engage(45, total=None)) as talk:
        with talk.client.members(7001, page_size=10) as members:
            got = [next(members), next(members)]
            cursor = members.cursor
        assert cursor == Cursor("s-1", None, 10, frozenset({0, 1}))
        got += pull(talk, start=cursor)
    assert people(got) == everyone(45)


def test_a_finished_pull_has_nothing_to_resume(settings: Any) -> None:
    with talking(settings, Engage(45)) as talk:
        assert pull(talk, start=Cursor("s-1", 45, 10, frozenset(range(5)))) == []
        assert talk.server.asked == []
        with pytest.raises(ValueError, match="page 0"):
            talk.client.members(7001, start=Cursor("s-1", 45, 10, frozenset({1})))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(400, {"request": "/x", "error": "request for page in uncached query for params"}), SessionLost),
        (answer(400, {"error": "bad where"}), BadParameters),
        (answer(401), WrongCredentials),
        (answer(429, {"error": HOURLY_429}), HourlyBudgetSpent),
        (answer(429, {"error": CONCURRENT_429}, "Retry-After: 60"), TooManyAtOnce),
    ],
)
def test_what_ends_a_pull_at_once(settings: Any, said: bytes, kind: type[VendorError]) -> None:
    with talking(settings, Engage(95, trouble=lambda asked, before: said if asked.page == 2 else None)) as talk:
        with pytest.raises(kind):
            pull(talk, concurrency=1)
        assert talk.pages_asked == [0, 1, 2]
        assert talk.waits == []
        assert len(talk.meter.told) == (kind in (HourlyBudgetSpent, TooManyAtOnce))
    assert pulling_threads() == []


# -- The meter --------------------------------------------------------------------------------------------------------
def test_the_meter_is_asked_for_each_request_and_in_the_callers_thread(settings: Any) -> None:
    with talking(settings, Engage(95)) as talk:
        pull(talk)
    counts, waits = zip(*talk.meter.asked, strict=True)
    assert counts == (True,) + (False,) * 9
    assert waits[0] is waits[1] is True
    assert False in waits
    assert talk.meter.threads == {threading.get_ident()}


@pytest.mark.parametrize("places", [1, 2])
def test_with_few_places_it_goes_on_with_those(settings: Any, places: int) -> None:
    meter = Ledger(places=places)
    with talking(settings, Engage(95), meter=meter) as talk:
        assert people(pull(talk, concurrency=5)) == everyone(95)
    assert talk.server.most_at_once <= places
    assert meter.most_taken == places


def test_no_place_at_all_is_the_callers_to_wait_for(settings: Any) -> None:
    class Full(Ledger):
        def query(self, *, counts: bool, wait: bool = True) -> Any:
            if not counts:
                raise TooManyAtOnce(None)
            return super().query(counts=counts, wait=wait)

    with talking(settings, Engage(95), meter=Full()) as talk, pytest.raises(TooManyAtOnce):
        pull(talk)


def test_a_budget_that_ends_under_way_keeps_the_pages_that_came(settings: Any) -> None:
    meter = Ledger(spent=HourlyBudgetSpent(datetime(2026, 2, 3, 10, tzinfo=UTC)))
    with talking(settings, Engage(95), meter=meter) as talk:
        got: list[EngagePage] = []
        members = talk.client.members(7001, page_size=10, concurrency=2)
        with pytest.raises(HourlyBudgetSpent), members:
            got.extend(members)
        assert got[0].page == 0
        assert members.cursor is not None
        assert members.cursor.done == {page.page for page in got}


# -- Leaving early ----------------------------------------------------------------------------------------------------
def hanging(release: threading.Event) -> Engage:
    return Engage(500, trouble=lambda asked, before: None if asked.page < 2 else release.wait(60) and None)


@pytest.mark.parametrize("how", ["close", "with", "drop", "error"])
def test_leaving_breaks_off_what_is_in_flight(settings: Any, how: str) -> None:
    release = threading.Event()
    with talking(settings, hanging(release)) as talk:
        members = talk.client.members(7001, page_size=10, concurrency=4)
        next(members)
        next(members)
        assert pulling_threads()
        # None of these comes back before the server answers unless the requests are broken off: it never does.
        if how == "close":
            members.close()
        elif how == "with":
            with members:
                pass
        elif how == "drop":
            del members
            gc.collect()
            # The collector may already have been at it in another thread: then that one ends the pull.
            until = time.monotonic() + 20
            while pulling_threads() and time.monotonic() < until:
                time.sleep(0.01)
        else:
            with pytest.raises(ZeroDivisionError), members:
                1 / 0  # noqa: B018
        assert pulling_threads() == []
        assert talk.meter.taken == 0
        assert not release.is_set()
        release.set()


def test_a_closed_pull_gives_no_more(settings: Any) -> None:
    with talking(settings, Engage(95)) as talk:
        members = talk.client.members(7001, page_size=10)
        next(members)
        members.close()
        members.close()
        assert list(members) == []


def test_progress_is_known_from_page_0_on(settings: Any) -> None:
    with talking(settings, Engage(95)) as talk, talk.client.members(7001, page_size=10) as members:
        assert (members.cursor, members.expected_pages) == (None, None)
        next(members)
        assert members.expected_pages == 10
        assert members.cursor == Cursor("s-1", 95, 10, frozenset({0}))
