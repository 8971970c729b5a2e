"""The versions of a cohort: the list, what two of them differ by, undoing the last one, and how long they are kept."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import AudienceKind
from cohorts import membership
from cohorts.models import Cohort, CohortRules, PhoneMoves, Profile, Snapshot
from cohorts.people import phone_moves
from cohorts.versions import compare, retain
from notifly_console.audit.models import Entry
from tests import factories
from tests.cohorts.conftest import SOME
from tests.integrations.pushing import COHORT, Pusher, member


def address(world: Any, tail: str = "", cohort: int = 1) -> str:
    return f"/projects/{world.project.hex}/cohorts/mixpanel_{cohort}/{tail}"


@pytest.fixture
def cohort(world: Any) -> Any:
    """A cohort of three versions: 1–4, then 1–6, then 3–6."""
    ids = factories.profiles(world.project, 6)
    made = factories.cohort(world.project, 1, "체험 3일차")
    factories.snapshot(made, ids[:4])
    factories.snapshot(made, ids)
    factories.snapshot(made, ids[2:])
    made.ids = ids
    return made


def sizes(cohort: Any) -> list[int]:
    return list(Snapshot.objects.filter(cohort=cohort).order_by("number").values_list("size", flat=True))


# -- The list ---------------------------------------------------------------------------------------------------------
def test_versions_say_how_they_came(pusher: Pusher, sign_in: Any, world: Any) -> None:
    pusher.sync([1, 2, 3], session="a-session-of-mixpanel")
    body = sign_in("viewer").get(address(world, cohort=COHORT)).content.decode()
    assert "푸시 세션" in body
    assert "a-session-of" in body
    pusher.sync([], session="b")
    held = Cohort.objects.get().held_id
    sign_in("marketer").post(address(world, "accept", COHORT), {"held": held})
    body = sign_in("viewer").get(address(world, "versions/", COHORT)).content.decode()
    assert "마케터 님이 확인하고 적용" in body


def test_a_cohort_without_a_version_says_what_to_do(sign_in: Any, world: Any) -> None:
    factories.cohort(world.project, 1)
    assert "아직 버전이 없습니다" in sign_in("viewer").get(address(world, "versions/")).content.decode()


# -- The difference ---------------------------------------------------------------------------------------------------
def test_two_versions_that_arent_neighbours_differ_by_people(cohort: Any, sign_in: Any, world: Any) -> None:
    found = compare.difference(cohort, 1, 3)
    assert found is not None
    assert list(found.sets["joined"]) == cohort.ids[4:]
    assert list(found.sets["left"]) == cohort.ids[:2]
    body = sign_in("viewer").get(address(world, "versions/1/3/")).content.decode()
    for name in ("user_0000004", "user_0000005", "user_0000000", "user_0000001"):
        assert name in body
    assert "user_0000002" not in body
    fragment = sign_in("viewer").get(
        address(world, "versions/1/3/"), headers={"HX-Request": "true", "HX-Target": "dialogs"}
    )
    assert fragment.content.decode().lstrip().startswith("<dialog")


def test_the_form_leads_to_the_difference_whatever_the_order(cohort: Any, sign_in: Any, world: Any) -> None:
    client = sign_in("viewer")
    answer = client.get(address(world, "versions/compare"), {"older": 3, "newer": 1})
    assert answer.headers["Location"] == address(world, "versions/1/3/")
    for bad in ({"older": 2, "newer": 2}, {"older": 1, "newer": 99}, {"older": "x"}):
        assert client.get(address(world, "versions/compare"), bad).headers["Location"] == address(world, "versions/")
    for missing in ("versions/3/1/", "versions/1/1/", "versions/1/9/", "versions/1/99999999999999999999/"):
        assert client.get(address(world, missing)).status_code == 404


def test_people_of_a_difference_come_in_pages_with_masked_ids(sign_in: Any, world: Any) -> None:
    ids = [factories.profile(world.project, f"0101234{n:04d}").pk for n in range(25)]
    cohort = factories.cohort_with(world.project, 1, ids[:1])
    factories.snapshot(cohort, ids)
    client = sign_in("viewer")
    page = client.get(
        address(world, "versions/1/2/people/joined?offset=20"), headers={"HX-Request": "true"}
    ).content.decode()
    assert page.count("<li>") == 4
    assert "01012340024" not in page
    whole = client.get(address(world, "versions/1/2/people/joined?offset=10"))
    assert whole.headers["Location"].endswith("versions/1/2/?joined=10#people-joined")
    assert client.get(address(world, "versions/1/2/people/nobody")).status_code == 404


def test_a_difference_is_downloaded_with_a_reason_and_recorded(cohort: Any, sign_in: Any, world: Any) -> None:
    Profile.objects.filter(pk=cohort.ids[4]).update(external_id="=cmd()")
    client = sign_in("marketer")
    refused = client.post(address(world, "versions/1/3/export"), {"what": "joined", "reason": ""})
    assert refused.status_code == 422
    assert "받는 이유를 입력해 주세요" in refused.content.decode()
    answer = client.post(address(world, "versions/1/3/export"), {"what": "joined", "reason": "이탈 확인"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert [row[0] for row in rows[1:]] == ["'=cmd()", "user_0000005"]
    assert "20000005" not in text
    entry = Entry.objects.get(action="profiles_exported")
    assert (entry.details["version"], entry.details["what"], entry.details["people"]) == ("1-3", "joined", 2)
    assert client.post(address(world, "versions/1/3/export"), {"what": "all", "reason": "이탈"}).status_code == 422


def test_phones_that_changed_between_versions_are_told(pusher: Pusher, sign_in: Any, world: Any) -> None:
    bare = member(4) | {"phone_number": ""}
    pusher.sync([1, 2, 3, bare], session="a")
    pusher.sync(
        [1, member(2, phone_number="+821099990002"), member(3, phone_number="02-123-4567"), member(4), 5], session="b"
    )
    cohort = Cohort.objects.get()
    found = compare.difference(cohort, 1, 2)
    assert found is not None
    assert found.counts == {"joined": 1, "left": 0, "phone_changed": 1, "phone_lost": 1, "phone_gained": 1}
    body = sign_in("viewer").get(address(world, "versions/1/2/", COHORT)).content.decode()
    for words in ("전화번호가 바뀐 사람", "전화번호가 없어진 사람", "지금까지 바뀐 것이 모두"):
        assert words in body
    # What changed after a version belongs to what comes after it.
    pusher.sync([1, 2, 3, 5, 6], session="c")
    sets = compare.difference(Cohort.objects.get(), 2, 3)
    assert sets is not None
    assert sets.counts == {"joined": 1, "left": 1, "phone_changed": 1, "phone_lost": 0, "phone_gained": 1}
    whole = compare.difference(Cohort.objects.get(), 1, 3)
    assert whole is not None
    assert whole.counts["phone_lost"] == whole.counts["phone_gained"] == 0
    assert whole.counts["phone_changed"] == 2, "there and back is a change, and the page says so"


def test_unchanged_people_leave_no_note(pusher: Pusher) -> None:
    pusher.sync([1, 2], session="a")
    pusher.sync([1, member(2, email="other@mail.example")], session="b")
    assert not PhoneMoves.objects.exists()


def test_a_version_from_before_the_notes_says_that_phones_arent_known(cohort: Any, sign_in: Any, world: Any) -> None:
    assert cohort.current.phone_mark is None
    body = sign_in("viewer").get(address(world, "versions/1/2/")).content.decode()
    assert "전화번호가 바뀐 사람은 알 수 없습니다" in body


# -- Undoing ----------------------------------------------------------------------------------------------------------
def test_undoing_makes_a_version_of_the_one_before(cohort: Any, sign_in: Any, world: Any) -> None:
    client = sign_in("marketer")
    page = client.get(address(world)).content.decode()
    assert f'name="seen" value="{cohort.current_id}"' in page
    answer = client.post(address(world, "undo"), {"seen": cohort.current_id, "from": "cohort"}, follow=True)
    assert "버전 3을(를) 되돌려 버전 2의 유저를 다시 씁니다." in answer.content.decode()
    now = Cohort.objects.select_related("current").get()
    assert now.current is not None
    assert (now.number, now.size, now.joined_count, now.left_count) == (4, 6, 2, 0)
    assert (now.current.undoes, now.current.restores, now.current.decided_by) == (3, 2, "마케터")
    assert now.current.reach["reachable"] == 6
    assert sizes(cohort) == [4, 6, 4, 6], "nothing is taken away"
    entry = Entry.objects.get(action="snapshot_undone")
    assert entry.details == {"undone": 3, "restored": 2, "version": 4}
    assert "버전 3을(를) 되돌려 버전 2의 유저를 쓰고 있습니다." in client.get(address(world)).content.decode()


@pytest.mark.parametrize("why", ["newer", "held", "first", "nonsense"])
def test_undoing_is_guarded_by_what_was_seen(cohort: Any, sign_in: Any, world: Any, why: str) -> None:
    seen: Any = cohort.current_id
    if why == "newer":
        factories.snapshot(cohort, cohort.ids)
    elif why == "held":
        factories.snapshot(cohort, [], state="held")
    elif why == "first":
        Cohort.objects.update(current=None)
        Snapshot.objects.all().delete()
        fresh = Cohort.objects.get()
        factories.snapshot(fresh, cohort.ids)
        seen = fresh.current_id
    else:
        seen = "x"
    before = Snapshot.objects.count()
    answer = sign_in("owner").post(address(world, "undo"), {"seen": seen, "from": "cohort"}, follow=True)
    words = {"held": "먼저 적용하거나 버려", "first": "되돌릴 이전 버전이 없습니다"}.get(why, "그 사이에 새 버전")
    assert words in answer.content.decode()
    assert Snapshot.objects.count() == before
    assert not Entry.objects.filter(action="snapshot_undone").exists()


def test_the_next_refresh_brings_it_again_and_says_so(
    town: Any, refreshed: Any, connected: Any, sign_in: Any, world: Any
) -> None:
    refreshed()
    town.world.cohorts.remove(SOME)
    town.world.cohorts.add("일부", range(10, 45), id=SOME)
    refreshed()
    row = Cohort.objects.get(source_id=SOME)
    assert (row.number, row.joined_count, row.left_count) == (2, 5, 10)
    sign_in("marketer").post(address(world, "undo", SOME), {"seen": row.current_id})
    assert Cohort.objects.get(source_id=SOME).size == 40
    refreshed()
    row = Cohort.objects.select_related("current").get(source_id=SOME)
    assert row.current is not None
    assert (row.number, row.size, row.current.returned_count) == (4, 35, 15)
    body = sign_in("viewer").get(address(world, cohort=SOME)).content.decode()
    assert "되돌린 변경 15명이 다시 들어옴" in body


def test_a_push_goes_on_from_what_mixpanel_says_not_from_the_undone(pusher: Pusher, sign_in: Any, world: Any) -> None:
    pusher.sync([1, 2], session="a")
    pusher.sync([3], session="b", action="add_members")
    row = Cohort.objects.get()
    sign_in("owner").post(address(world, "undo", COHORT), {"seen": row.current_id})
    assert Cohort.objects.get().size == 2
    pusher.sync([4], session="c", action="add_members")
    row = Cohort.objects.select_related("current").get()
    assert row.current is not None
    assert (row.size, row.current.returned_count) == (4, 1)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_undoings_at_once_one_does_it(world: Any, sign_in: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: there is no race to show")
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    ids = factories.profiles(world.project, 6)
    cohort = factories.cohort_with(world.project, 1, ids[:4])
    factories.snapshot(cohort, ids)
    clients = [sign_in("owner") for _ in range(8)]

    def press(client: Any) -> int:
        try:
            return int(client.post(address(world, "undo"), {"seen": cohort.current_id}).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(press, clients)) == {302}
    assert Entry.objects.filter(action="snapshot_undone").count() == 1
    assert Cohort.objects.get().number == 3


# -- Forgetting -------------------------------------------------------------------------------------------------------
def many(cohort: Any, count: int, *, days: int = 8) -> list[int]:
    """So many versions, published so many days ago."""
    for size in range(1, count + 1):
        membership.publish(cohort.pk, membership.BitMap64(range(size)), {})
    Snapshot.objects.filter(cohort=cohort).update(created_at=timezone.now() - timedelta(days=days))
    return sorted(Snapshot.objects.filter(cohort=cohort).values_list("number", flat=True))


def test_a_project_keeps_as_many_versions_as_it_says(world: Any) -> None:
    CohortRules.objects.create(project=world.project, keep_versions=5)
    mine = factories.cohort(world.project, 1)
    other = factories.cohort(world.other_project, 1)
    many(mine, 12)
    many(other, 12)
    retain.prune()
    assert sorted(mine.snapshots.values_list("number", flat=True)) == [8, 9, 10, 11, 12]
    assert other.snapshots.count() == 12


def test_all_versions_of_the_last_days_are_kept(world: Any) -> None:
    """So that a cohort which changes every half an hour has more than a day of history."""
    CohortRules.objects.create(project=world.project, keep_versions=5)
    cohort = factories.cohort(world.project, 1)
    many(cohort, 40)
    Snapshot.objects.filter(number__gt=10).update(created_at=timezone.now() - timedelta(days=6))
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == list(range(11, 41))
    CohortRules.objects.update(keep_all_days=0)
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == [36, 37, 38, 39, 40]


def test_many_versions_are_listed_by_pages_and_any_two_compared(world: Any, sign_in: Any) -> None:
    cohort = factories.cohort(world.project, 1)
    many(cohort, 120)
    client = sign_in("viewer")
    there = f"/projects/{world.project.hex}/cohorts/mixpanel_1/versions/"
    first, last = (client.get(there, {"page": page}).content.decode() for page in (1, 3))
    assert "버전 120개 중 1–50" in first
    assert "버전 120개 중 101–120" in last
    assert 'id="diff-71"' in first
    assert f'href="{there}70/71/"' in first
    assert 'id="diff-70"' not in first
    assert 'id="diff-2"' in last
    assert 'id="diff-1"' not in last
    for page in (first, last):
        assert page.count('<option value="1"') == 2


def test_days_count_too_but_the_current_and_the_one_before_stay(world: Any) -> None:
    CohortRules.objects.create(project=world.project, keep_days=7)
    cohort = factories.cohort(world.project, 1)
    many(cohort, 6, days=0)
    Snapshot.objects.filter(number__lte=3).update(created_at=timezone.now() - timedelta(days=8))
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == [4, 5, 6]
    Snapshot.objects.update(created_at=timezone.now() - timedelta(days=8))
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == [5, 6]


def test_a_version_that_a_campaign_uses_is_kept(world: Any) -> None:
    from campaigns.audience import keep_versions
    from campaigns.models import Run, RunState

    CohortRules.objects.create(project=world.project, keep_versions=5)
    cohort = factories.cohort(world.project, 1)
    many(cohort, 12)
    campaign = factories.campaign(world.project, cohort=cohort, audience_kind=AudienceKind.COHORT)
    used = cohort.snapshots.get(number=2)
    run = Run.objects.create(
        project=world.project, campaign=campaign, number=1, due_at=timezone.now(), state=RunState.SENDING,
        channel="sms", snapshot=used, snapshot_number=2,
    )  # fmt: skip
    keep_versions.tell()
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == [2, 8, 9, 10, 11, 12]
    Run.objects.filter(pk=run.pk).update(state=RunState.DONE, finished_at=timezone.now())
    keep_versions.tell()
    Snapshot.objects.update(kept_until=timezone.now() - timedelta(seconds=1))
    retain.prune()
    assert sorted(cohort.snapshots.values_list("number", flat=True)) == [8, 9, 10, 11, 12]


def test_notes_of_phones_go_with_the_versions_that_need_them(pusher: Pusher, world: Any) -> None:
    pusher.sync([1], session="a")
    for number in range(3):
        pusher.sync([member(1, phone_number=f"+82109999000{number}"), number + 2], session=f"s{number}")
    assert PhoneMoves.objects.count() == 3
    phone_moves.prune()
    assert PhoneMoves.objects.count() == 3
    Snapshot.objects.filter(number__lte=2).delete()
    phone_moves.prune()
    assert PhoneMoves.objects.count() == 1
