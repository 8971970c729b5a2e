"""A cohort that comes by both roads: where they differed, why, and how a full pull heals it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cohorts import membership
from cohorts.models import Cohort, Drift, DriftPart, Profile, PushSession, Refresh
from cohorts.pull import refresh
from cohorts.push import push
from cohorts.versions import drift
from cohorts.versions.undo import undo_last
from integrations.sandbox.accounts import PROJECT
from tests.integrations.pushing import COHORT, Pusher


class Roads:
    """The stand-in's cohort COHORT, and the pages that a Mixpanel of our own making pushes of it."""

    def __init__(self, world: Any, sandbox: Any, pusher: Pusher) -> None:
        self.world, self.sandbox, self.pusher = world, sandbox, pusher
        sandbox.world.cohorts.clear()
        sandbox.world.cohorts.add("두 길", range(10), id=COHORT)

    def holds(self, *people: int) -> None:
        self.sandbox.world.cohorts.set_members(COHORT, people)

    def name(self, number: int) -> str:
        return str(self.sandbox.world.crowd.distinct_id(number))

    def sync(self, *people: int, **kwargs: Any) -> None:
        self.push(*people, **kwargs)
        self.pusher.work()

    def push(self, *people: int, **kwargs: Any) -> Any:
        members = [{"mixpanel_distinct_id": self.name(number)} for number in people]
        return self.pusher.push(members, project=PROJECT, **kwargs)

    def pull(self, client: Any) -> None:
        """Presses the button, and does what a worker does then."""
        answer = client.post(self.address("refresh"), {"from": "cohort"})
        assert answer.status_code == 302
        run = Refresh.objects.latest("requested_at")
        refresh.run(run.pk)
        run.refresh_from_db()
        assert run.state == "succeeded", run.failure

    def first_pull(self) -> None:
        """Of the whole project, which is how the cohort becomes known."""
        run = refresh.request(self.world.project, by="")
        refresh.run(run.pk)
        run.refresh_from_db()
        assert run.state == "succeeded", run.failure

    def address(self, tail: str = "") -> str:
        return f"/projects/{self.world.project.hex}/cohorts/mixpanel_{COHORT}/{tail}"

    def visible(self) -> set[str]:
        current = Cohort.objects.select_related("current").get(source_id=COHORT).current
        assert current is not None
        ids = list(membership.loaded(current.members))
        return set(Profile.objects.filter(pk__in=ids).values_list("external_id", flat=True))

    def parts(self) -> dict[str, set[str]]:
        """The parts of the last comparison, by side and kind: external ids."""
        last = Drift.objects.order_by("-at").first()
        rows = DriftPart.objects.filter(drift=last)
        return {
            f"{row.only}-{row.kind}": set(
                Profile.objects.filter(pk__in=list(membership.loaded(row.people))).values_list("external_id", flat=True)
            )
            for row in rows
        }


@pytest.fixture
def roads(connect_to: Any, world: Any, sandbox: Any, pusher: Pusher) -> Roads:
    connect_to(project_id=PROJECT)
    return Roads(world, sandbox, pusher)


def test_a_lost_acknowledgement_and_a_leaver_are_shown_and_healed(roads: Roads, sign_in: Any) -> None:
    client = sign_in("marketer")
    roads.sync(1, 2, 3, session="a")
    roads.sync(4, session="b", action="add_members")
    # Our answer to it is lost: Mixpanel sends the page again, gives up, and keeps its older snapshot. Then 4 leaves, so
    # that nobody ever says that 4 is gone.
    roads.push(4, session="b", action="add_members")
    roads.pusher.work()
    assert roads.name(4) in roads.visible()
    roads.holds(1, 2, 3)
    roads.pull(client)
    assert roads.visible() == {roads.name(one) for one in (1, 2, 3)}
    assert roads.parts() == {"pushed-lost_ack": {roads.name(4)}}
    dialog = client.get(roads.address()).content.decode()
    assert "푸시에 0명이 빠져 있었고 1명이 남아 있었습니다." in dialog
    whole = client.get(roads.address("roads/")).content.decode()
    assert "확인 응답이 유실된 뒤 나간 유저" in whole
    assert roads.name(4) in whole
    # The next pull finds nothing more.
    roads.pull(client)
    assert "마지막 비교에서 두 경로가 같았습니다." in client.get(roads.address()).content.decode()
    assert roads.parts() == {}


def test_a_leaver_whom_nobody_named_yet_isnt_blamed_on_the_answer(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, 2, 3, session="a")
    roads.holds(1, 2)
    roads.pull(sign_in("owner"))
    assert roads.parts() == {"pushed-left_unsaid": {roads.name(3)}}


def test_people_of_an_abandoned_session_are_known_by_name(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, 2, 3, session="a")
    roads.sync(4, 5, session="b", action="add_members", number=1, of=2)
    PushSession.objects.filter(session_id="b").update(last_page_at=timezone.now() - timedelta(minutes=11))
    roads.pusher.work()
    assert PushSession.objects.get(session_id="b").state == "abandoned"
    roads.holds(1, 2, 3, 4, 5, 6)
    PushSession.objects.filter(session_id="b").update(last_page_at=timezone.now())
    roads.pull(sign_in("owner"))
    assert roads.parts() == {
        "pulled-unfinished": {roads.name(4), roads.name(5)},
        "pulled-page_lost": {roads.name(6)},
    }
    body = sign_in("viewer").get(roads.address("roads/")).content.decode()
    assert "끝나지 않은 세션에 들어 있던 유저" in body
    assert "빠진 쪽에 있었을 유저" in body


def test_whoever_came_after_the_last_sync_isnt_a_fault(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, session="a")
    roads.holds(1, 2)
    roads.pull(sign_in("owner"))
    assert roads.parts() == {"pulled-not_synced": {roads.name(2)}}


def test_somebody_who_is_no_profile_any_more_is_told_apart(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, 2, 3, session="a")
    Profile.objects.filter(external_id=roads.name(3)).delete()
    roads.holds(1, 2)
    roads.pull(sign_in("owner"))
    (part,) = DriftPart.objects.all()
    assert (part.only, part.kind, part.count, part.without_phone) == ("pushed", "no_profile", 1, 1)
    assert "삭제된 유저" in sign_in("viewer").get(roads.address("roads/")).content.decode()


def test_a_session_that_began_before_the_pull_is_dropped_and_one_that_came_after_is_on_top(
    roads: Roads, sign_in: Any, monkeypatch: Any
) -> None:
    from cohorts.pull import pulls

    roads.sync(1, 2, session="a")
    roads.push(7, session="late", action="add_members", number=1, of=2)
    roads.holds(1, 2, 3)
    seen = pulls.reached

    def between(point: str) -> None:
        seen(point)
        if point == "after_first_page":
            roads.sync(8, session="during", action="add_members")

    monkeypatch.setattr(pulls, "reached", between)
    roads.pull(sign_in("owner"))
    monkeypatch.undo()
    assert roads.visible() == {roads.name(one) for one in (1, 2, 3)}, "the unfinished one held the later one up"
    roads.pusher.work()
    assert roads.visible() == {roads.name(one) for one in (1, 2, 3, 8)}
    roads.push(7, session="late", action="add_members", number=2, of=2)
    push.take(roads.world.project.pk, COHORT)
    assert roads.name(7) not in roads.visible()


def test_drift_has_its_people_in_pages_and_its_own_answer_for_a_missing_part(roads: Roads, sign_in: Any) -> None:
    roads.sync(*range(20, 45), session="a")
    roads.holds(*range(20, 33))
    roads.pull(sign_in("owner"))
    client = sign_in("viewer")
    htmx = {"HX-Request": "true"}
    part = client.get(roads.address("roads/people/pushed-left_unsaid?offset=10"), headers=htmx).content.decode()
    assert part.count("<li>") == 2
    assert client.get(roads.address("roads/people/pushed-left_unsaid?offset=10")).status_code == 302
    assert client.get(roads.address("roads/people/pushed-nonsense")).status_code == 404
    assert client.get(roads.address("roads/people/x")).status_code == 404


def test_what_mixpanel_says_stands_beside_what_we_have(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, 2, 3, session="a")
    roads.holds(1, 2, 3, 4)
    roads.pull(sign_in("owner"))
    Cohort.objects.update(reported_size=7)
    body = sign_in("viewer").get(roads.address()).content.decode()
    assert "Mixpanel이 알려 준 수" in body
    assert "콘솔 4명" in body
    assert Drift.objects.get().reported == 4


def test_old_comparisons_go_and_the_last_stays(roads: Roads, sign_in: Any) -> None:
    roads.sync(1, session="a")
    roads.holds(1, 2)
    for _ in range(2):
        roads.pull(sign_in("owner"))
    first, last = Drift.objects.order_by("at")
    Drift.objects.update(at=timezone.now() - timedelta(days=91))
    drift.prune()
    assert Drift.objects.count() == 2, "the last comparison stays however old it is"
    Drift.objects.filter(pk=last.pk).update(at=timezone.now())
    drift.prune()
    assert list(Drift.objects.values_list("pk", flat=True)) == [last.pk]
    assert first.pk != last.pk


# -- The first push of a cohort that is pulled already -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "people", "left"),
    [("add_members", [10, 11], set(range(12))), ("remove_members", [8, 9], set(range(8))), ("members", [1], {1})],
)
def test_a_first_push_changes_what_was_pulled(
    roads: Roads, sign_in: Any, action: str, people: list[int], left: set[int]
) -> None:
    client = sign_in("owner")
    roads.first_pull()
    roads.sync(*people, action=action)
    cohort = Cohort.objects.select_related("held").get(source_id=COHORT)
    if action == "members":
        assert cohort.held is not None, "a whole list of less than half"
        membership.accept_held(cohort, by="")
    else:
        assert cohort.held_id is None
    assert roads.visible() == {roads.name(one) for one in left}
    roads.holds(*left)
    roads.pull(client)
    assert roads.parts() == {}, "nothing of what was pulled is drift"
    assert Drift.objects.count() == 1


def test_a_first_push_from_before_the_pull_is_older_than_it(roads: Roads) -> None:
    roads.push(11, action="add_members")
    roads.first_pull()
    roads.pusher.work()
    assert roads.visible() == {roads.name(one) for one in range(10)}
    assert PushSession.objects.get().why == "pulled_since"


def test_a_pull_before_the_first_session_is_complete_compares_nothing(roads: Roads, sign_in: Any) -> None:
    client = sign_in("owner")
    roads.first_pull()
    roads.sync(11, action="add_members", number=1, of=2)
    roads.pull(client)
    assert not Drift.objects.exists()
    assert roads.visible() == {roads.name(one) for one in range(10)}


def test_a_first_push_goes_on_from_what_mixpanel_has_and_not_from_what_was_undone(roads: Roads, sign_in: Any) -> None:
    client = sign_in("owner")
    roads.first_pull()
    roads.holds(*range(8))
    roads.pull(client)
    cohort = Cohort.objects.get(source_id=COHORT)
    undo_last(cohort, seen=cohort.current_id or 0, by="")
    assert len(roads.visible()) == 10
    roads.sync(11, action="add_members")
    assert roads.visible() == {roads.name(one) for one in (*range(8), 11)}
