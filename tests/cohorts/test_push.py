"""What becomes of the pages that Mixpanel pushes: sessions, applied whole and in order, or not at all."""

import random
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from cohorts import membership
from cohorts.models import (
    Cohort,
    Drift,
    Profile,
    PushPage,
    PushRoad,
    PushSession,
    PushState,
    Refresh,
    Snapshot,
    SnapshotState,
    UserGroup,
)
from cohorts.push import intake, pages, push, rehearse, sessions
from integrations import inbox, webhooks
from integrations.models import InboundPage, InboundState
from tests import factories
from tests.integrations.pushing import COHORT, Pusher, member, page


def visible(cohort: int = COHORT) -> set[str]:
    """The external ids of the cohort's current version."""
    row = Cohort.objects.select_related("current").get(source_id=cohort)
    assert row.current is not None
    ids = membership.loaded(row.current.members)
    assert row.size == row.current.size == len(ids)
    return set(Profile.objects.filter(pk__in=list(ids)).values_list("external_id", flat=True))


def users(*numbers: int) -> set[str]:
    return {f"user-{number}" for number in numbers}


def session(**kwargs: Any) -> PushSession:
    return PushSession.objects.get(**kwargs)


def states() -> list[str]:
    return list(PushSession.objects.order_by("first_seq").values_list("state", flat=True))


# -- Three words ------------------------------------------------------------------------------------------------------
def test_members_replaces_and_leavers_leave(pusher: Pusher) -> None:
    pusher.sync([1, 2, 3], session="a")
    assert visible() == users(1, 2, 3)
    pusher.sync([2, 3, 4], session="b")
    assert visible() == users(2, 3, 4)
    current = Cohort.objects.get().current
    assert current is not None
    assert (current.number, current.joined_count, current.left_count) == (2, 1, 1)
    assert current.session == session(session_id="b")


def test_add_and_remove_change(pusher: Pusher) -> None:
    pusher.sync([1, 2, 3], session="a")
    pusher.sync([3, 4], session="b", action="add_members")
    pusher.sync([1, 9], session="b", action="remove_members")
    assert visible() == users(2, 3, 4)
    assert not Profile.objects.filter(external_id="user-9").exists(), "who leaves isn't made"


@pytest.mark.parametrize("action", ["members", "add_members"])
def test_an_unknown_cohort_is_made_by_its_first_page(pusher: Pusher, world: Any, action: str) -> None:
    pusher.sync([1, 2], action=action, name="  새 코호트 ")
    cohort = Cohort.objects.get()
    assert (cohort.screen_id, cohort.name, cohort.is_listed) == (f"mixpanel_{COHORT}", "새 코호트", False)
    assert cohort.pushed_at is not None
    assert cohort.refreshed_at is not None
    assert visible() == users(1, 2)
    group = UserGroup.objects.get()
    assert (group.name, group.partner_cohort) == ("새 코호트 (Mixpanel)", cohort)


def test_removal_from_an_unknown_cohort_says_that_we_lack_its_base(pusher: Pusher) -> None:
    pusher.sync([1], action="remove_members")
    assert visible() == set()
    assert PushRoad.objects.get().wants_full_why == "unknown_base"
    pusher.sync([1, 2], session="full")
    assert PushRoad.objects.get().wants_full_at is None


def test_an_empty_call_is_a_sign_of_life_and_no_version(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    before = timezone.now()
    for action in ("add_members", "remove_members"):
        pusher.sync([], session="b", action=action)
    cohort = Cohort.objects.get()
    assert (cohort.number, visible()) == (1, users(1))
    assert cohort.refreshed_at is not None
    assert cohort.refreshed_at > before
    assert PushRoad.objects.get().difference_at is not None


def test_a_full_list_without_anybody_is_held(pusher: Pusher) -> None:
    pusher.sync([1, 2, 3], session="a")
    pusher.sync([], session="b")
    assert visible() == users(1, 2, 3)
    held = Cohort.objects.get().held
    assert held is not None
    assert (held.state, held.size) == (SnapshotState.HELD, 0)
    pusher.sync([4], session="c", action="add_members")
    assert visible() == users(1, 2, 3), "what changes a held list is held with it"
    cohort = Cohort.objects.get()
    assert cohort.held is not None
    assert cohort.held.size == 1
    membership.accept_held(cohort, by="somebody")
    pusher.sync([5], session="d", action="add_members")
    assert visible() == users(4, 5)


def test_leavers_who_are_named_are_let_go_however_many(pusher: Pusher) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    pusher.sync([1, 2, 3], session="b", action="remove_members")
    assert visible() == users(4)
    assert Cohort.objects.get().held is None


def test_a_cohort_is_renamed_by_what_is_pushed(pusher: Pusher) -> None:
    pusher.sync([1], session="a", name="옛 이름")
    pusher.sync([], session="b", action="add_members", name="새 이름", mixpanel_cohort_description="설명")
    cohort = Cohort.objects.get()
    assert (cohort.name, cohort.name_key, cohort.description) == ("새 이름", "새 이름", "설명")
    assert UserGroup.objects.get().name == "새 이름 (Mixpanel)"


# -- Pages ------------------------------------------------------------------------------------------------------------
def test_nothing_is_seen_before_the_last_page(pusher: Pusher) -> None:
    pusher.sync([1], session="a", number=1, of=3)
    pusher.sync([2], session="a", number=2, of=3)
    cohort = Cohort.objects.get()
    assert cohort.current is None
    assert cohort.pushed_at is None
    one = session()
    assert (one.pages_here, one.pages, one.state) == (2, 3, PushState.GATHERING)
    pusher.sync([3], session="a", number=3, of=3)
    assert visible() == users(1, 2, 3)
    assert session().state == PushState.APPLIED
    assert not PushPage.objects.exists()
    assert set(InboundPage.objects.values_list("state", flat=True)) == {InboundState.APPLIED}


@pytest.mark.parametrize("seed", range(5))
def test_pages_come_in_any_order_and_again(pusher: Pusher, seed: int) -> None:
    dice = random.Random(seed)
    pages = [page([number], session="a", number=number, of=7) for number in range(1, 8)]
    sent = pages + dice.choices(pages, k=5)
    dice.shuffle(sent)
    for one in sent:
        assert pusher.send(one).status_code == 200
        if dice.random() < 0.4:
            pusher.work()
    pusher.work()
    assert visible() == users(*range(1, 8))
    assert Cohort.objects.get().number == 1


def test_a_day_replayed_in_any_order_changes_nothing(pusher: Pusher) -> None:
    day = [
        page([1, 2, 3], session="a"),
        page([4], session="b", action="add_members"),
        page([1], session="b", action="remove_members"),
        page([5], session="c", action="add_members", number=1, of=2),
        page([6], session="c", action="add_members", number=2, of=2),
        page([4], session="d", action="remove_members"),
    ]
    for one in day:
        pusher.send(one)
        pusher.work()
    truth, number = visible(), Cohort.objects.get().number
    random.Random(4).shuffle(day)
    for one in day * 2:
        assert pusher.send(one).status_code == 200
        pusher.work()
    assert (visible(), Cohort.objects.get().number) == (truth, number)


def test_both_parts_of_a_sync_may_mingle(pusher: Pusher) -> None:
    pusher.sync([1, 2], session="a")
    pusher.push([3], session="b", action="add_members", number=1, of=2)
    pusher.push([1], session="b", action="remove_members")
    pusher.work()
    assert visible() == users(2)
    pusher.sync([4], session="b", action="add_members", number=2, of=2)
    assert visible() == users(2, 3, 4)


def test_another_sync_waits_for_the_one_that_began_before(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    pusher.push([2], session="b", action="add_members", number=1, of=2)
    pusher.push([2], session="c", action="remove_members")
    pusher.work()
    assert visible() == users(1)
    pusher.sync([3], session="b", action="add_members", number=2, of=2)
    assert visible() == users(1, 3)


def test_pages_without_a_session_are_each_their_own_unless_they_say_how_many(pusher: Pusher) -> None:
    pusher.sync([1], session=None, of=None)
    pusher.sync([2], session=None, of=None, action="add_members")
    assert visible() == users(1, 2)
    pusher.push([5], session=None, number=2, of=2)
    pusher.push([4], session=None, number=1, of=2)
    pusher.work()
    assert visible() == users(4, 5)


def test_what_is_said_again_without_a_session_is_a_repeat_now_and_a_sync_later(
    pusher: Pusher, monkeypatch: Any
) -> None:
    moment = timezone.now().replace(minute=1)
    monkeypatch.setattr(webhooks, "timezone", SimpleNamespace(now=lambda: moment))
    pusher.sync([1, 2], session=None, of=None)
    pusher.sync([2], session=None, of=None, action="remove_members")
    pusher.sync([1, 2], session=None, of=None)
    assert visible() == users(1), "an old page that comes late brings nobody back"
    moment += timedelta(minutes=30)
    pusher.sync([2], session=None, of=None, action="add_members")
    pusher.sync([2], session=None, of=None, action="remove_members")
    assert visible() == users(1)
    moment += timedelta(minutes=30)
    pusher.sync([2], session=None, of=None, action="add_members")
    assert visible() == users(1, 2)


@pytest.mark.parametrize(
    ("series", "why"),
    [
        ([page([1], number=0, of=2)], "page_out_of_range"),
        ([page([1], number=3, of=2)], "page_out_of_range"),
        ([page([1], number=1, of=3), page([2], number=2, of=3), page([9], number=2, of=3)], "page_changed"),
        ([page([1], number=1, of=3), page([2], number=2, of=4)], "total_changed"),
    ],
)
def test_what_contradicts_itself_is_dropped_whole_and_a_whole_list_is_asked_for(
    pusher: Pusher, world: Any, series: list[Any], why: str
) -> None:
    factories.cohort(world.project, COHORT)
    for one in [*series, page([3], number=3, of=3)]:
        assert pusher.send(one).status_code == 200
    pusher.work()
    first = PushSession.objects.order_by("turn")[0]
    assert (first.state, first.why) == (PushState.INCONSISTENT, why)
    assert Cohort.objects.get().current is None
    road = PushRoad.objects.get()
    assert road.wants_full_why == why
    assert not Refresh.objects.exists(), "without a service account there is nobody to ask"
    pusher.sync([7], session="next")
    assert visible() == users(7)
    assert PushRoad.objects.get().wants_full_at is None


def test_a_whole_list_is_pulled_where_that_can_be_done(pusher: Pusher, world: Any) -> None:
    factories.connection(world.project)
    cohort = factories.cohort(world.project, COHORT)
    for one in (page([1], number=0, of=2), page([1], session="z", number=0, of=2)):
        pusher.send(one)
    pusher.work()
    run = Refresh.objects.get()
    assert (run.cohort, run.is_live) == (cohort, True)


def test_another_first_page_begins_again_from_the_top(pusher: Pusher) -> None:
    pusher.push([1], session="a", number=1, of=3)
    pusher.push([2], session="a", number=2, of=3)
    pusher.work()
    pusher.push([1, 10], session="a", number=1, of=2)
    pusher.work()
    assert (session().pages_here, session().pages) == (1, 2)
    pusher.sync([2], session="a", number=2, of=2)
    assert visible() == users(1, 2, 10)


def test_what_is_the_same_after_a_restart_from_the_top_counts_again(pusher: Pusher) -> None:
    pusher.push([1], session="a", number=1, of=3)
    pusher.push([2], session="a", number=2, of=3)
    pusher.work()
    pusher.push([1, 10], session="a", number=1, of=3)
    pusher.work()
    assert session().pages_here == 1
    pusher.push([2], session="a", number=2, of=3)
    pusher.push([3], session="a", number=3, of=3)
    pusher.work()
    assert visible() == users(1, 2, 3, 10)


def test_an_id_that_is_used_again_is_another_session(pusher: Pusher) -> None:
    pusher.sync([1, 2], session="a")
    pusher.sync([2, 3], session="a")
    assert visible() == users(2, 3)
    assert list(PushSession.objects.order_by("turn").values_list("turn", "state")) == [(1, "applied"), (2, "applied")]


# -- Given up ---------------------------------------------------------------------------------------------------------
def later(minutes: float) -> None:
    """Lets all that came have come so long ago."""
    moved = timedelta(minutes=minutes)
    for row in PushSession.objects.all():
        PushSession.objects.filter(pk=row.pk).update(last_page_at=row.last_page_at - moved)


def test_a_session_without_its_last_page_is_given_up_after_ten_minutes(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    pusher.sync([2], session="b", action="add_members", number=1, of=2)
    later(9.9)
    pusher.work()
    assert states() == ["applied", "gathering"]
    assert push.sweep() == 0
    later(0.2)
    assert push.sweep() == 1
    pusher.work()
    assert states() == ["applied", "abandoned"]
    assert visible() == users(1)
    assert PushRoad.objects.get().wants_full_at is None, "Mixpanel sends everything again"


def test_an_abandoned_session_that_comes_again_from_the_top_is_applied(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    pusher.sync([2], session="b", action="add_members", number=1, of=2)
    later(11)
    pusher.work()
    pusher.push([2], session="b", action="add_members", number=1, of=2)
    pusher.push([3], session="b", action="add_members", number=2, of=2)
    pusher.work()
    assert visible() == users(1, 2, 3)


def test_a_straggler_of_an_abandoned_session_revives_nothing_old(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    pusher.sync([2], session="b", action="add_members", number=1, of=2)
    later(11)
    pusher.work()
    pusher.sync([2, 3], session="c", action="add_members")
    pusher.sync([2], session="d", action="remove_members")
    for number in (1, 2):
        pusher.push([2] if number == 1 else [3], session="b", action="add_members", number=number, of=2)
    pusher.work()
    assert visible() == users(1, 3)
    assert session(session_id="b").why == "newer_applied"


def test_a_backlog_is_read_before_anything_is_given_up(pusher: Pusher, monkeypatch: Any) -> None:
    monkeypatch.setattr(pages, "PLACED_AT_ONCE", 2)
    for number in range(1, 6):
        pusher.push([number], session="a", number=number, of=5)
    InboundPage.objects.update(received_at=timezone.now() - timedelta(hours=2))
    pusher.work()
    assert visible() == users(1, 2, 3, 4, 5)


# -- Members ----------------------------------------------------------------------------------------------------------
def test_one_bad_member_among_a_thousand_is_left_out_and_shown(pusher: Pusher) -> None:
    people: list[Any] = [member(number) for number in range(999)]
    people.insert(500, {"mixpanel_distinct_id": "bro\ud800ken", "email": "x@y.example"})
    pusher.sync(people)
    assert len(visible()) == 999
    one = session()
    assert one.counts["received"] == 1000
    assert one.counts["refused"] == {"id_broken": 1}
    assert one.unusable == [[1, 501, "id_broken", "bro\ufffdken"]]


def test_every_kind_of_unusable_member_is_told_apart(pusher: Pusher) -> None:
    bad = [None, "x", [], {}, {"email": "a@b.example"}, {"mixpanel_distinct_id": " "}, {"mixpanel_distinct_id": 1.5}]
    bad += [{"mixpanel_distinct_id": {}}, {"mixpanel_distinct_id": True}, {"mixpanel_distinct_id": "x" * 256}]
    pusher.sync([1, *bad])
    assert visible() == users(1)
    assert session().counts["refused"] == {
        "not_an_object": 3,
        "id_missing": 3,
        "id_not_exact": 1,
        "id_not_text": 2,
        "id_too_long": 1,
    }


def test_ids_may_be_numbers_and_are_told_exactly(pusher: Pusher) -> None:
    pusher.sync([{"mixpanel_distinct_id": one} for one in (7, 7.0, 2**60 + 1, 10**25 + 1)])
    assert visible() == {"7", str(2**60 + 1), str(10**25 + 1)}


def test_a_pushed_member_is_a_profile_under_mixpanels_names(pusher: Pusher) -> None:
    pusher.sync([member(1, plan="골드", note="a\0b", empty="")])
    one = Profile.objects.get()
    assert one.properties == {
        "$email": "person1@mail.example",
        "$phone": "+821020000001",
        "$first_name": "가나",
        "$last_name": "다",
        "plan": "골드",
        "note": "ab",
    }
    assert (one.phone, one.email) == ("+821020000001", "person1@mail.example")


def test_raw_names_and_mapped_columns_are_read_as_they_are(pusher: Pusher, world: Any) -> None:
    factories.connection(world.project, phone_column="phone_number", email_column="$email", project_id=2195193)
    pusher.sync(
        [
            {"$distinct_id": "a", "$email": "A@B.example", "phone_number": "010-2000-0001", "$phone": "+15550100017"},
            {"mixpanel_distinct_id": "b", "email": "b@b.example", "$email": "raw@b.example"},
        ]
    )
    a, b = Profile.objects.order_by("external_id")
    assert (a.phone, a.email) == ("+821020000001", "a@b.example")
    assert a.properties["$phone"] == "+15550100017"
    assert b.email == "raw@b.example", "what comes under its own name counts"


def test_what_a_page_doesnt_say_is_kept(pusher: Pusher, world: Any) -> None:
    known = {"$phone": "010-2000-0009", "$email": "old@mail.example", "total_orders": 3}
    pusher.sync([{"$distinct_id": "user-1", **known}], session="a")
    pusher.sync([{"mixpanel_distinct_id": "user-1", "email": "new@mail.example", "phone_number": ""}], session="b")
    one = Profile.objects.get()
    assert one.properties == {**known, "$email": "new@mail.example"}
    assert (one.phone, one.email) == ("+821020000009", "new@mail.example")


def test_what_is_known_already_writes_nothing(pusher: Pusher) -> None:
    pusher.sync([1, 2], session="a")
    before = list(Profile.objects.values_list("updated_at", flat=True))
    pusher.sync([1, 2, 3], session="b")
    assert list(Profile.objects.order_by("pk").values_list("updated_at", flat=True))[:2] == before
    assert session(session_id="b").counts["unchanged"] == 2


def test_anonymous_members_are_counted_apart(pusher: Pusher) -> None:
    pusher.sync([1, {"mixpanel_distinct_id": "$device:1f2e"}])
    current = Cohort.objects.get().current
    assert current is not None
    assert current.reach["anonymous"] == 1
    assert (current.reach["reachable"], current.reach["phone"]) == (1, {"missing": 1})


def test_unknown_members_may_be_dropped_and_counted(pusher: Pusher, world: Any) -> None:
    factories.connection(world.project, project_id=2195193, drop_unknown=True)
    factories.profile(world.project, "user-2")
    pusher.sync([1, 2, 3])
    assert visible() == users(2)
    assert session().counts["dropped"] == 2


# -- Faults -----------------------------------------------------------------------------------------------------------
def test_a_page_that_always_fails_is_given_up_and_the_rest_goes_on(pusher: Pusher, monkeypatch: Any) -> None:
    pusher.sync([1], session="a")
    pusher.push([2], session="b", action="add_members")
    real = intake.take_in
    monkeypatch.setattr(intake, "take_in", lambda *args: 1 / 0)
    for _ in range(pages.MOST_ATTEMPTS + 1):  # Putting the page into its session was some progress.
        with pytest.raises(ZeroDivisionError):
            pusher.work()
    pusher.work()
    assert session(session_id="b").why == "crashed"
    assert PushRoad.objects.get().wants_full_why == "crashed"
    monkeypatch.setattr(intake, "take_in", real)
    pusher.sync([3], session="c", action="add_members")
    assert visible() == users(1, 3)


def test_waking_up_for_nothing_is_no_failure(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    for _ in range(pages.MOST_ATTEMPTS + 2):
        pusher.work()
    pusher.sync([2], session="b", action="add_members")
    assert visible() == users(1, 2)


def test_a_database_that_fails_for_a_moment_costs_a_sweep(pusher: Pusher, monkeypatch: Any) -> None:
    pusher.push([1])
    real = sessions.place

    def away(*_args: Any) -> Any:
        raise OperationalError("terminating connection")

    monkeypatch.setattr(sessions, "place", away)
    with pytest.raises(OperationalError):
        pusher.work()
    monkeypatch.setattr(sessions, "place", real)
    InboundPage.objects.update(received_at=timezone.now() - timedelta(seconds=30))
    assert push.sweep() == 1
    pusher.work()
    assert visible() == users(1)


def test_a_page_whose_key_is_gone_asks_for_a_whole_list(pusher: Pusher, settings: Any) -> None:
    from notifly_console.lib.crypto import KeyRing

    pusher.push([1])
    settings.CREDENTIALS_KEYS = KeyRing({"k2": b"2" * 32})
    pusher.work()
    assert PushRoad.objects.get().wants_full_why == "cannot_open"


def test_a_road_that_somebody_has_is_left_to_them(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    PushRoad.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    pusher.sync([2], session="b")
    assert visible() == users(1)
    PushRoad.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    pusher.work()
    assert visible() == users(2)


def test_nothing_happens_for_a_cohort_or_project_that_isnt_there(world: Any) -> None:
    push.take(world.id.hex, 5)
    push.take("0" * 32, 5)
    assert not Cohort.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_long_series_is_written_aside_and_a_fault_there_loses_nothing(pusher: Pusher, monkeypatch: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: nothing is done aside there")
    threads: set[str] = set()
    real = intake.take_in

    def noted(*args: Any) -> Any:
        threads.add(threading.current_thread().name)
        if len(threads) == 1 and PushSession.objects.get().page_rows.filter(is_read=True).count() == 10:
            threads.add("failed once")
            raise OperationalError("terminating connection")
        return real(*args)

    monkeypatch.setattr(intake, "take_in", noted)
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 30)
    for number in range(1, 31):
        pusher.push([number, 100 + number], session="a", number=number, of=30)
    with pytest.raises(OperationalError):
        pusher.work()
    pusher.work()
    assert visible() == users(*range(1, 31), *range(101, 131))
    assert Cohort.objects.get().number == 1
    assert {"writer_0", "failed once"} <= threads


# -- Forgetting -------------------------------------------------------------------------------------------------------
def test_sessions_of_long_ago_are_forgotten_but_the_last(pusher: Pusher) -> None:
    pusher.sync([1], session="a")
    pusher.sync([2], session="b", action="add_members")
    assert push.prune() == 0
    PushSession.objects.update(finished_at=timezone.now() - timedelta(days=91))
    push.prune()
    assert list(PushSession.objects.values_list("session_id", flat=True)) == ["b"]
    assert visible() == users(1, 2)


# -- Two roads --------------------------------------------------------------------------------------------------------
@pytest.fixture
def pulled(connect_to: Any, world: Any, sandbox: Any) -> Any:
    """`pulled(people)` sets who is in the stand-in's cohort COHORT, and pulls it."""
    from cohorts.pull import refresh
    from integrations.sandbox.accounts import PROJECT

    connect_to(project_id=PROJECT)
    sandbox.world.cohorts.clear()
    sandbox.world.cohorts.add("두 길", range(10), id=COHORT)

    def pull(people: Any) -> Refresh:
        sandbox.world.cohorts.set_members(COHORT, people)
        run = refresh.request(world.project, by="")
        refresh.run(run.pk)
        run.refresh_from_db()
        assert run.state == "succeeded", run.failure
        return run

    pull.name = sandbox.world.crowd.distinct_id  # type: ignore[attr-defined]
    pull.project = PROJECT  # type: ignore[attr-defined]
    return pull


def test_a_full_pull_heals_what_a_lost_acknowledgement_left_behind(pusher: Pusher, pulled: Any) -> None:
    def people(*numbers: int) -> list[dict[str, str]]:
        return [{"mixpanel_distinct_id": pulled.name(number)} for number in numbers]

    pusher.sync(people(1, 2, 3), project=pulled.project, session="a")
    # The sync that adds 4 is applied; every acknowledgement of it is lost. Then 4 leaves, so that Mixpanel, whose
    # snapshot hasn't moved, never says so.
    pusher.sync(people(4), project=pulled.project, session="b", action="add_members")
    assert visible() == {pulled.name(number) for number in (1, 2, 3, 4)}
    pulled([1, 2, 3])
    assert visible() == {pulled.name(number) for number in (1, 2, 3)}
    drift = Drift.objects.get()
    assert (drift.pulled, drift.pushed, drift.only_pulled_count, drift.only_pushed_count) == (3, 4, 0, 1)
    pusher.sync(people(5), project=pulled.project, session="c", action="add_members")
    assert visible() == {pulled.name(number) for number in (1, 2, 3, 5)}


def test_sessions_that_began_after_the_pull_are_on_top_of_it(
    pusher: Pusher, pulled: Any, world: Any, monkeypatch: Any
) -> None:
    from cohorts.pull import pulls

    name = pulled.name
    pusher.sync([{"mixpanel_distinct_id": name(1)}], project=pulled.project, session="a")
    pusher.push(
        [{"mixpanel_distinct_id": name(8)}],
        project=pulled.project, session="old", action="add_members", number=1, of=2,
    )  # fmt: skip
    real = pulls._publish

    def meanwhile(*args: Any) -> Any:
        pusher.push([{"mixpanel_distinct_id": name(9)}], project=pulled.project, session="new", action="add_members")
        PushSession.objects.filter(session_id="old").delete()
        InboundPage.objects.filter(envelope__session="old").update(state="dropped", settled_at=timezone.now())
        pusher.work()
        return real(*args)

    monkeypatch.setattr(pulls, "_publish", meanwhile)
    pulled([1, 2])
    assert visible() == {name(1), name(2), name(9)}
    monkeypatch.setattr(pulls, "_publish", real)


def test_a_session_that_began_before_the_pull_is_out_of_date(pusher: Pusher, pulled: Any) -> None:
    name = pulled.name
    pusher.sync([{"mixpanel_distinct_id": name(1)}], project=pulled.project, session="a")
    pusher.sync(
        [{"mixpanel_distinct_id": name(8)}],
        project=pulled.project, session="old", action="add_members", number=1, of=2,
    )  # fmt: skip
    pulled([1, 2])
    assert session(session_id="old").state == PushState.SUPERSEDED
    pusher.sync(
        [{"mixpanel_distinct_id": name(7)}],
        project=pulled.project, session="old", action="add_members", number=2, of=2,
    )  # fmt: skip
    assert visible() == {name(1), name(2)}


def test_a_cohort_that_only_comes_by_push_isnt_pulled_and_doesnt_vanish(pusher: Pusher, pulled: Any) -> None:
    pusher.sync([1], cohort=99, project=pulled.project)
    run = pulled([1, 2])
    assert run.receipt["cohorts"] == 1
    cohort = Cohort.objects.get(source_id=99)
    assert (cohort.is_listed, cohort.vanished_at) == (False, None)
    assert visible(99) == users(1)


def test_versions_keep_what_brought_them(pusher: Pusher, pulled: Any) -> None:
    pulled([1, 2, 3])
    said = [{"mixpanel_distinct_id": pulled.name(number)} for number in (1, 2, 4)]
    pusher.sync(said, project=pulled.project, action="add_members")
    names = {pulled.name(number) for number in (1, 2, 3, 4)}
    assert visible() == names, "who is added comes to those who were pulled"
    first, second = Snapshot.objects.order_by("number")
    assert first.refresh is not None
    assert second.session is not None
    assert inbox.newest(Cohort.objects.get().project_id) > 0
