"""A pushed series that would take the phone from everybody waits for a person."""

from typing import Any

import pytest

from cohorts.models import Profile, PushSession, PushState
from cohorts.pull import forewarn
from cohorts.push import rehearse
from integrations import inlets
from integrations.models import Inlet
from tests.integrations.pushing import Pusher, member


@pytest.fixture(autouse=True)
def many(monkeypatch: Any) -> None:
    monkeypatch.setattr(forewarn, "MANY", 3)


def phones() -> dict[str, Any]:
    return dict(Profile.objects.order_by("pk").values_list("external_id", "phone"))


def without_phones(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    return [{"mixpanel_distinct_id": f"user-{number}", "mobile": "-", **more} for number in numbers]


def page_of(world: Any, sign_in: Any, who: str = "admin") -> str:
    return str(sign_in(who).get(f"/projects/{world.project.hex}/settings/push/").content.decode())


def confirm(world: Any, sign_in: Any, session: str = "") -> None:
    """What an admin does with the button of the session that waits."""
    waiting = PushSession.objects.filter(state=PushState.AWAITING)
    asked = waiting.get(session_id=session) if session else waiting.get()
    sign_in("admin").post(f"/projects/{world.project.hex}/settings/push/confirm", {"session": asked.pk})


def test_another_column_waits_before_anybody_loses_a_phone(pusher: Pusher, world: Any, sign_in: Any) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    before = phones()
    assert all(before.values())
    inlets.change_columns(world.project, phone_column="mobile")
    pusher.sync(without_phones(1, 2, 3, 4), session="b")
    assert phones() == before
    held = PushSession.objects.get(session_id="b")
    assert (held.state, held.rehearsal["phones_lost"]) == (PushState.AWAITING, 4)
    html = page_of(world, sign_in)
    assert "지금 문자를 받을 수 있는 4명이 받을 수 없게 됩니다" in html
    # An admin says that it is so: then it is taken, and not asked about again.
    confirm(world, sign_in)
    pusher.work()
    assert not any(phones().values())
    assert PushSession.objects.get(session_id="b").state == PushState.APPLIED


def test_columns_that_were_right_once_are_watched_all_the_same(
    pusher: Pusher, world: Any, sign_in: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 0)
    pusher.sync([1, 2, 3, 4], session="a")
    assert PushSession.objects.get().state == PushState.AWAITING, "the first import of such a size"
    confirm(world, sign_in)
    pusher.work()
    before = phones()
    assert all(before.values())
    pusher.sync([member(number, phone_number="none") for number in (1, 2, 3, 4)], session="b")
    assert phones() == before
    held = PushSession.objects.get(session_id="b")
    assert (held.state, held.rehearsal["phones_lost"]) == (PushState.AWAITING, 4)


@pytest.mark.parametrize("pressed", ["first", "loses"])
def test_one_press_takes_no_phones_that_stand_beside_another_button(
    pusher: Pusher, world: Any, sign_in: Any, monkeypatch: Any, pressed: str
) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    before = phones()
    pusher.sync([member(number, phone_number="none") for number in (1, 2, 3, 4)], session="loses")
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 0)
    pusher.sync([5], session="first", cohort=8)
    assert set(PushSession.objects.filter(state=PushState.AWAITING).values_list("session_id", flat=True)) == {
        "loses",
        "first",
    }
    confirm(world, sign_in, pressed)
    still = PushSession.objects.get(state=PushState.AWAITING)
    assert still.session_id == ("loses" if pressed == "first" else "first")
    assert bool(Inlet.objects.get().confirmed_for) == (pressed == "first"), "later first imports are asked about"
    if pressed == "first":
        assert phones() == before


def test_a_column_that_was_mended_meanwhile_is_read(pusher: Pusher, world: Any, sign_in: Any) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    before = phones()
    inlets.change_columns(world.project, phone_column="mobile")
    pusher.sync(without_phones(1, 2, 3, 4), session="b")
    inlets.change_columns(world.project, phone_column="$phone")
    confirm(world, sign_in)
    pusher.work()
    assert phones() == before


def test_something_else_in_the_column_is_no_better(pusher: Pusher, world: Any) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    pusher.sync([member(number, phone_number="none") for number in (1, 2, 3)], session="b", action="add_members")
    assert all(phones().values())
    assert PushSession.objects.get(session_id="b").state == PushState.AWAITING


@pytest.mark.parametrize(
    "people",
    [
        without_phones(1, 2, 3, 4),
        [*without_phones(1, 2, 3), member(4)],
        [member(1, phone_number="none"), member(2, phone_number="none")],
        without_phones(11, 12, 13, 14),
    ],
    ids=["no phone said", "one has a phone", "fewer than many", "nobody known"],
)
def test_what_takes_no_phones_waits_for_nobody(pusher: Pusher, world: Any, people: list[dict[str, Any]]) -> None:
    pusher.sync([1, 2, 3, 4], session="a")
    pusher.sync(people, session="b", action="add_members")
    assert PushSession.objects.get(session_id="b").state == PushState.APPLIED
