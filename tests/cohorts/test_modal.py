"""코호트 상세 정보: page, dialog, its parts, and the decision about a held version."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from cohorts.models import PullState, RefreshState, Snapshot, SnapshotState
from cohorts.pages import detail
from notifly_console.audit.models import Entry
from tests import factories as make

MOST_QUERIES = 12


def address(world: Any, source_id: int, rest: str = "") -> str:
    return f"/projects/{world.project.hex}/cohorts/mixpanel_{source_id}/{rest}"


def htmx(target: str) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": target, "HX-Current-URL": "http://testserver/"}


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response
    return response.content.decode()


@pytest.fixture
def twenty(world: Any) -> Any:
    """A cohort whose second version holds twenty people, of whom two came and three went."""
    world.ids = make.profiles(world.project, 23)
    world.cohort = make.cohort_with(
        world.project, 2785620, world.ids[:21], "VIP 재구매 유도", description="최근 90일에 3회 이상 구매"
    )
    reach = {
        "reachable": 15, "with_email": 12, "anonymous": 1,
        "phone": {"missing": 3, "legacy_mobile": 2}, "email": {"missing": 8},
    }  # fmt: skip
    make.snapshot(world.cohort, world.ids[3:23], reach=reach)
    return world


def test_the_page_has_every_documented_part(twenty: Any, sign_in: Any) -> None:
    html = text_of(sign_in("marketer").get(address(twenty, 2785620)))
    for label in (
        "코호트 상세 정보", "코호트 ID", "코호트 기본 정보", "코호트 이름", "코호트 정보", "코호트 구성", "사용자 수",
        "사용자 ID 리스트", "닫기", "이 코호트만 리프레시", "유효한 휴대전화 번호", "사이즈 변화",
        "직전 버전과 달라진 점",
    ):  # fmt: skip
        assert label in html
    assert 'data-copy="mixpanel_2785620"' in html
    assert "VIP 재구매 유도" in html
    assert "최근 90일에 3회 이상 구매" in html
    assert "<b>20</b>" in html
    assert "user_0000003" in html
    assert "1–10 / 20" in html
    assert "전화번호 없음</span><b>3</b>" in html
    assert "서비스가 끝난 01X 번호</span><b>2</b>" in html
    assert "75.0%" in html
    assert "그중 익명 1명" in html
    assert "+2<" in html
    assert "−3<" in html
    assert 'class="line" d="M0 ' in html
    assert '<th scope="row" class="nowrap cell-title">2' in html


def test_a_chart_of_one_day_is_marked_in_hours(twenty: Any, sign_in: Any) -> None:
    first, second = twenty.cohort.snapshots.order_by("number")
    noon = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

    def marks(between: timedelta) -> list[str]:
        Snapshot.objects.filter(pk=first.pk).update(created_at=noon)
        Snapshot.objects.filter(pk=second.pk).update(created_at=noon + between)
        axis = (
            text_of(sign_in("marketer").get(address(twenty, 2785620))).split('class="chart__x"')[1].split("</div>")[0]
        )
        return re.findall(r"<span>(.+?)</span>", axis)

    assert marks(timedelta(hours=3)) == ["12:00", "13:30", "15:00"]
    assert marks(timedelta(days=2)) == ["03.02", "03.03", "03.04"]


def test_htmx_gets_the_dialog_or_its_body_and_everybody_else_a_page(twenty: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    assert "<html" in text_of(client.get(address(twenty, 2785620)))
    dialog = text_of(client.get(address(twenty, 2785620), headers=htmx("dialogs")))
    assert "<html" not in dialog
    assert f'data-address="{address(twenty, 2785620)}"' in dialog
    assert 'aria-labelledby="cohort-title"' in dialog
    body = text_of(client.get(address(twenty, 2785620), headers=htmx("cohort")))
    assert "<dialog" not in body
    assert 'id="cohort"' in body
    # The table of versions is far down: the dialog fetches it when it comes into view.
    assert "모든 버전 보기" in body
    assert "모든 버전 보기" not in dialog
    versions = text_of(client.get(address(twenty, 2785620), headers=htmx("versions")))
    assert versions.lstrip().startswith('<section class="ruled" id="versions"')
    assert "모든 버전 보기" in versions


def test_members_page_by_rank_and_stop_at_the_end(twenty: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = text_of(client.get(address(twenty, 2785620, "people/members?offset=10"), headers=htmx("people-members")))
    assert "11–20 / 20" in html
    assert "user_0000013" in html
    assert "user_0000012" not in html
    assert "11–20 / 20" in text_of(client.get(address(twenty, 2785620, "?members=99999")))
    assert client.get(address(twenty, 2785620, "people/held_joined")).status_code == 404
    assert client.get(address(twenty, 2785620, "people/nonsense"), headers=htmx("x")).status_code == 404


def test_a_deleted_profile_is_named_so(twenty: Any, sign_in: Any) -> None:
    from cohorts.models import Profile

    Profile.objects.filter(pk=twenty.ids[3]).delete()
    assert "삭제된 유저" in text_of(sign_in("marketer").get(address(twenty, 2785620)))


def test_a_search_finds_members_by_the_beginning_only_and_is_recorded_without_its_text(
    twenty: Any, sign_in: Any
) -> None:
    client = sign_in("marketer")
    make.profile(twenty.project, "user_0000003_outside")
    html = text_of(client.post(address(twenty, 2785620, "members"), {"q": "user_0000003"}, headers=htmx("found")))
    assert "1명을 찾았습니다." in html
    assert "outside" not in html
    entry = Entry.objects.get(action="profiles_searched")
    assert entry.target == "mixpanel_2785620"
    assert entry.details == {"by": ["id"], "found": 1}
    nothing = client.post(address(twenty, 2785620, "members"), {"q": "_"}, headers=htmx("found"))
    assert "이렇게 시작하는 사용자 ID가 이 코호트에 없습니다." in text_of(nothing)
    text_of(client.post(address(twenty, 2785620, "members"), {"q": ""}, headers=htmx("found")), 422)
    assert "<html" in text_of(client.post(address(twenty, 2785620, "members"), {"q": "user"}))


def test_ids_that_are_contacts_are_masked(world: Any, sign_in: Any) -> None:
    people = [make.profile(world.project, text).pk for text in ("010-9876-5432", "sunny@mail.example", "m_1")]
    make.cohort_with(world.project, 1, people)
    html = text_of(sign_in("admin").get(address(world, 1)))
    assert "010-****-5432" in html
    assert "s*****y@mail.example" in html
    assert "m_1<" in html
    assert "9876" not in html
    assert "sunny@" not in html


@pytest.mark.parametrize("small", [10_000, 0])
def test_ids_that_are_contacts_are_found_whole_by_those_who_see_them_masked(
    world: Any, sign_in: Any, monkeypatch: Any, small: int
) -> None:
    monkeypatch.setattr(detail, "SMALL", small)
    people = [make.profile(world.project, text).pk for text in ("010-9876-5432", "sunny@mail.example", "010-order")]
    make.cohort_with(world.project, 1, people)
    admin, viewer = sign_in("admin"), sign_in("viewer")

    def found(client: Any, text: str) -> str:
        return text_of(client.post(address(world, 1, "members"), {"q": text}, headers=htmx("found")))

    for text in ("010-9", "010-9876-543", "sunny@mail.exampl"):
        assert "이 코호트에 없습니다" in found(viewer, text)
        assert "전체를 입력해야 찾을 수 있습니다" in found(viewer, text)
        assert "1명을 찾았습니다." in found(admin, text)
    assert "1명을 찾았습니다." in found(viewer, "010-")
    assert "1명을 찾았습니다." in found(viewer, "010-9876-5432")
    assert "2명을 찾았습니다." in found(admin, "010-")


def test_looking_is_noted_by_a_post_and_never_by_get(twenty: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    text_of(client.get(address(twenty, 2785620)))
    twenty.cohort.refresh_from_db()
    assert twenty.cohort.watched_at is None
    assert client.post(address(twenty, 2785620, "watch")).status_code == 204
    twenty.cohort.refresh_from_db()
    assert twenty.cohort.watched_at is not None


def test_another_projects_cohort_is_as_missing_as_one_that_does_not_exist(twenty: Any, sign_in: Any) -> None:
    make.cohort(twenty.other_project, 77)
    client = sign_in("owner")
    assert client.get(address(twenty, 77)).status_code == 404
    assert client.get(address(twenty, 78)).status_code == 404
    assert client.get(address(twenty, 10**30)).status_code == 404


def test_a_cohort_that_was_never_read_says_so(world: Any, sign_in: Any) -> None:
    make.cohort(world.project, 1, reported_size=8300)
    html = text_of(sign_in("marketer").get(address(world, 1)))
    assert "아직 읽지 않았습니다." in html
    assert "8,300명" in html


# -- Held ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def held(twenty: Any) -> Any:
    twenty.held = make.snapshot(twenty.cohort, twenty.ids[:5], state=SnapshotState.HELD)
    return twenty


def test_a_held_version_shows_both_numbers_and_who_would_come_and_go(held: Any, sign_in: Any) -> None:
    html = text_of(sign_in("marketer").get(address(held, 2785620)))
    part = html.split('id="held"')[1].split("</section>")[0]
    assert "<b>20명</b>에서 <b>5명</b>" in part
    assert "+3<" in part
    assert "−18<" in part
    assert "user_0000000" in part
    assert "새 버전 적용" in part
    assert "버리기" in part
    assert "새 버전 적용" not in text_of(sign_in("viewer").get(address(held, 2785620)))


@pytest.mark.parametrize(
    ("act", "size", "action"), [("accept", 5, "snapshot_accepted"), ("discard", 20, "snapshot_discarded")]
)
def test_deciding_applies_or_throws_away_and_is_recorded(
    held: Any, sign_in: Any, act: str, size: int, action: str
) -> None:
    response = sign_in("marketer").post(address(held, 2785620, act), {"held": held.held.pk}, headers=htmx("cohort"))
    assert 'id="held"' not in text_of(response)
    assert "cohorts-changed" in response.headers["HX-Trigger"]
    held.cohort.refresh_from_db()
    assert held.cohort.held is None
    assert held.cohort.size == size
    assert Entry.objects.get(action=action).target == "mixpanel_2785620"


def test_a_decision_about_a_version_that_is_held_no_more_changes_nothing(held: Any, sign_in: Any) -> None:
    seen = held.held.pk
    newer = make.snapshot(held.cohort, held.ids[:4], state=SnapshotState.HELD)
    response = sign_in("marketer").post(address(held, 2785620, "accept"), {"held": seen}, follow=True)
    assert "다른 사람이 결정했거나" in text_of(response)
    held.cohort.refresh_from_db()
    assert held.cohort.held == newer
    assert not Entry.objects.filter(action="snapshot_accepted").exists()


# -- While it is read ------------------------------------------------------------------------------------------------
def test_an_open_cohort_follows_its_refresh_and_is_told_when_it_ends(twenty: Any, sign_in: Any) -> None:
    run = make.refresh(twenty.project, cohort=twenty.cohort)
    turn = make.pull(run, twenty.cohort, PullState.RUNNING, received=5, total=20)
    client = sign_in("marketer")
    html = text_of(client.get(address(twenty, 2785620)))
    token = html.split("run?v=")[1].split('"')[0]
    assert "유저 5명 읽음" in html
    assert client.get(address(twenty, 2785620, f"run?v={token}"), headers=htmx("cohort-run")).status_code == 204
    turn.state, turn.received = PullState.DONE, 20
    turn.save()
    run.state, run.finished_at = RefreshState.SUCCEEDED, make.hours_ago(0)
    run.save()
    response = client.get(address(twenty, 2785620, f"run?v={token}"), headers=htmx("cohort-run"))
    assert "every 2s" not in text_of(response)
    assert "cohort-changed" in response.headers["HX-Trigger"]


@pytest.mark.parametrize("people", [100, 40_000])
def test_the_number_of_queries_does_not_grow_with_the_members(world: Any, sign_in: Any, people: int) -> None:
    ids = make.profiles(world.project, 100)
    filler = range(10_000_000, 10_000_000 + people)
    one = make.cohort_with(world.project, 1, [*ids, *filler])
    make.snapshot(one, [*ids[10:], *filler, 99_999_999])
    make.snapshot(one, ids[:20], state=SnapshotState.HELD)
    make.pull(make.refresh(world.project), one, PullState.RUNNING, received=5)
    client = sign_in("admin")
    client.get(address(world, 1))  # the session notes when it began
    with CaptureQueriesContext(database) as captured:
        text_of(client.get(address(world, 1)))
    assert len(captured) <= MOST_QUERIES, "\n".join(query["sql"][:160] for query in captured)


def test_searching_a_large_cohort_stays_one_bounded_statement(world: Any, sign_in: Any) -> None:
    ids = make.profiles(world.project, 60)
    one = make.cohort_with(world.project, 1, [*ids[::2], *range(10_000_000, 10_020_000)])
    html = text_of(
        sign_in("marketer").post(address(world, one.source_id, "members"), {"q": "user_00"}, headers=htmx("found"))
    )
    assert "처음 20명입니다." in html
    shown = [int(part[:7]) for part in html.split(">user_")[1:]]
    assert len(shown) == 20
    assert all(number % 2 == 0 for number in shown)


def test_headings_skip_no_level_and_each_pager_has_a_name_of_its_own(world: Any, sign_in: Any) -> None:
    ids = make.profiles(world.project, 90)
    cohort = make.cohort_with(world.project, 2785621, ids[:60], "VIP")
    make.snapshot(cohort, ids[30:90])
    html = text_of(sign_in("marketer").get(address(world, 2785621)))
    levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
    assert levels[0] == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels)), levels
    pagers = re.findall(r'<nav class="pager" aria-label="([^"]+)"', html)
    assert len(pagers) == len(set(pagers)) == 3, pagers
