"""유저 코호트 관리, as a person and a browser meet it."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from cohorts.models import PullState, Refresh, RefreshState, SnapshotState
from tests import factories as make

MOST_QUERIES = 12


def address(world: Any, rest: str = "") -> str:
    return f"/projects/{world.project.hex}/cohorts/{rest}"


def htmx(world: Any, target: str = "live", shown: str = "") -> dict[str, str]:
    return {
        "HX-Request": "true",
        "HX-Target": target,
        "HX-Current-URL": f"http://testserver{address(world)}{shown}",
    }


@pytest.fixture
def connected(world: Any) -> Any:
    make.connection(world.project)
    return world


def text_of(response: Any) -> str:
    assert response.status_code in (200, 422), response
    return response.content.decode()


def token_of(html: str) -> str:
    return html.split("live?v=")[1].split('"')[0].split("&")[0]


# -- What it shows ---------------------------------------------------------------------------------------------------
def test_every_column_and_state_has_its_words(connected: Any, sign_in: Any) -> None:
    project = connected.project
    ids = make.profiles(project, 30)
    grown = make.cohort_with(project, 2785620, ids[:10], "VIP 재구매 유도", description="최근 90일에 3회 이상")
    make.snapshot(grown, ids[2:20])
    held = make.cohort_with(project, 2806114, ids[:20], "겨울 밀키트")
    make.snapshot(held, ids[:4], state=SnapshotState.HELD)
    make.cohort_with(project, 2512032, ids[:5], "휴면", failed_at=make.hours_ago(1), failure="cut_off")
    make.cohort_with(project, 2440718, ids[:5], "추석", vanished_at=make.hours_ago(50))
    make.cohort(project, 1, "", reported_size=8300)
    old = make.cohort_with(project, 2, ids[:3], "오래된 것")
    old.refreshed_at = make.hours_ago(30)
    old.save()
    html = text_of(sign_in("marketer").get(address(connected)))
    for label in ("코호트 ID", "출처", "이름", "사이즈", "설명", "마지막 리프레시", "상태"):
        assert f">{label}<" in html
    assert "mixpanel_2785620" in html
    assert "+10" in html
    assert "−2" in html
    assert "최근 90일에 3회 이상" in html
    assert "사이즈가 20명에서 4명으로 80% 줄었습니다." in html
    for words in ("달라진 내용 보기", "새 버전 적용", "버리기", "지금 다시 시도", "확인 필요", "실패", "첫 버전"):
        assert words in html
    assert "Mixpanel과의 연결이 도중에 끊겼습니다" in html
    assert "Mixpanel에 없음" in html
    assert "약 8,300" in html
    assert "오래됨" in html
    assert 'aria-label="리프레시"' in html
    assert "이번 시간 Mixpanel 요청 <b>0/60</b>" in html
    assert 'title="' in html.split("최근 90일에 3회 이상")[1].split("</tr>")[0]


def test_a_viewer_sees_no_button_that_they_may_not_press(connected: Any, sign_in: Any) -> None:
    ids = make.profiles(connected.project, 20)
    held = make.cohort_with(connected.project, 1, ids)
    make.snapshot(held, ids[:2], state=SnapshotState.HELD)
    html = text_of(sign_in("viewer").get(address(connected)))
    assert "달라진 내용 보기" in html
    assert "새 버전 적용" not in html
    assert 'aria-label="리프레시"' not in html


def test_search_takes_names_descriptions_and_ids_in_both_spellings(connected: Any, sign_in: Any) -> None:
    make.cohort(connected.project, 2785620, "VIP 재구매")
    make.cohort(connected.project, 111, "다른 것", description="재구매 없음")
    client = sign_in("marketer")
    for text, both in (("재구매", True), ("vip", False), ("mixpanel_27856", False), ("2785620", False)):
        html = text_of(client.get(address(connected), {"q": text}))
        assert "mixpanel_2785620" in html
        assert ("mixpanel_111" in html) is both
    assert "검색 결과가 없습니다" in text_of(client.get(address(connected), {"q": "블랙프라이데이"}))
    assert "검색 결과가 없습니다" in text_of(client.get(address(connected), {"q": "100%_\\\0"}))


def test_sorting_puts_the_unknown_last_both_ways(connected: Any, sign_in: Any) -> None:
    ids = make.profiles(connected.project, 9)
    make.cohort_with(connected.project, 1, ids[:2], "나")
    make.cohort_with(connected.project, 2, ids, "가")
    make.cohort(connected.project, 3, "다")
    client = sign_in("marketer")

    def order(sort: str) -> list[str]:
        html = text_of(client.get(address(connected), {"sort": sort}))
        return [part.split("<")[0] for part in html.split('cell-sub">mixpanel_')[1:]]

    assert order("name") == ["2", "1", "3"]
    assert order("-name") == ["3", "1", "2"]
    assert order("size") == ["1", "2", "3"]
    assert order("-size") == ["2", "1", "3"]
    assert order("nonsense; DROP") == ["2", "1", "3"]


def test_pages_have_counts_and_an_end(connected: Any, sign_in: Any) -> None:
    for number in range(1, 121):
        make.cohort(connected.project, number, f"코호트 {number:03d}")
    client = sign_in("marketer")
    assert "코호트 120개 중 1–30" in text_of(client.get(address(connected)))
    assert "코호트 120개 중 91–120" in text_of(client.get(address(connected), {"page": "4"}))
    assert "코호트 120개 중 91–120" in text_of(client.get(address(connected), {"page": "99999"}))
    assert "코호트 120개 중 1–30" in text_of(client.get(address(connected), {"page": "-1"}))


@pytest.mark.parametrize("count", [3, 200])
def test_the_number_of_queries_does_not_grow_with_the_cohorts(connected: Any, sign_in: Any, count: int) -> None:
    ids = make.profiles(connected.project, 10)
    run = make.refresh(connected.project)
    for number in range(1, count + 1):
        one = make.cohort_with(connected.project, number, ids, f"코호트 {number}")
        make.pull(run, one, PullState.RUNNING if number == 1 else PullState.WAITING, received=3)
    client = sign_in("admin")
    client.get(address(connected))  # the session notes when it began
    with CaptureQueriesContext(database) as captured:
        text_of(client.get(address(connected)))
    assert len(captured) <= MOST_QUERIES, "\n".join(query["sql"][:160] for query in captured)


# -- Before there is anything ----------------------------------------------------------------------------------------
def test_without_a_connection_an_admin_is_sent_to_the_settings_and_others_to_an_admin(world: Any, sign_in: Any) -> None:
    html = text_of(sign_in("admin").get(address(world)))
    assert "아직 연동된 외부 툴이 없습니다" in html
    assert "믹스패널 연동하기" in html
    html = text_of(sign_in("marketer").get(address(world)))
    assert "믹스패널 연동하기" not in html
    assert "소유자나 관리자" in html


def test_connected_but_never_refreshed_then_reading_then_nothing_visible(connected: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    assert "첫 리프레시 시작" in text_of(client.get(address(connected)))
    run = make.refresh(connected.project, listed_at=None)
    html = text_of(client.get(address(connected)))
    assert "코호트 목록을 읽는 중" in html
    assert "skeleton" in html
    Refresh.objects.filter(pk=run.pk).update(state=RefreshState.SUCCEEDED, finished_at=make.hours_ago(0))
    assert "Mixpanel에서 볼 수 있는 코호트가 없습니다" in text_of(client.get(address(connected)))


# -- While it moves --------------------------------------------------------------------------------------------------
def test_a_running_refresh_says_how_far_it_is_and_who_began_it(connected: Any, sign_in: Any) -> None:
    run = make.refresh(connected.project, requested_by="박지원")
    one, two = make.cohort(connected.project, 1), make.cohort(connected.project, 2, reported_size=8300)
    make.pull(run, one, PullState.DONE, received=41_208)
    make.pull(run, two, PullState.RUNNING, received=5_400, total=8_300)
    html = text_of(sign_in("marketer").get(address(connected)))
    assert "리프레시하고 있습니다" in html
    assert "코호트 1/2" in html
    assert "유저 46,608명 읽음" in html
    assert "박지원 님이 시작" in html
    assert "5,400 / 8,300명" in html
    assert "every 2s" in html


def test_a_waiting_refresh_says_until_when_with_zone(connected: Any, sign_in: Any) -> None:
    from django.utils import timezone

    later = timezone.localtime(make.hours_ago(-0.3))
    run = make.refresh(connected.project, RefreshState.WAITING, not_before=later, waiting_for="hourly_budget_spent")
    make.pull(run, make.cohort(connected.project, 1))
    html = text_of(sign_in("marketer").get(address(connected)))
    assert f"<b>{later:%H:%M}</b></time>에 이어서 진행합니다." in html
    assert f"{later:%Y-%m-%d %H:%M:%S} KST" in html
    assert "한도" in html


@pytest.mark.parametrize("state", [RefreshState.FAILED, RefreshState.PARTIAL])
def test_a_failed_refresh_says_why_and_what_to_do(connected: Any, sign_in: Any, state: str) -> None:
    make.cohort(connected.project, 1)
    make.refresh(connected.project, state, failure="wrong_credentials")
    html = text_of(sign_in("admin").get(address(connected)))
    assert "Mixpanel이 서비스 계정을 받아들이지 않았습니다" in html
    assert "프로젝트 번호(2195193)" in html, "which may be what is wrong"
    assert "연결 테스트" in html
    assert "이전 버전은 그대로 남아 있습니다." in html


def test_an_unchanged_poll_is_204_and_cheap_and_a_changed_one_is_the_fragment(connected: Any, sign_in: Any) -> None:
    run = make.refresh(connected.project)
    turn = make.pull(run, make.cohort(connected.project, 1), PullState.RUNNING, received=10)
    client = sign_in("marketer")
    token = token_of(text_of(client.get(address(connected))))
    with CaptureQueriesContext(database) as captured:
        response = client.get(address(connected, f"live?v={token}"), headers=htmx(connected))
    assert response.status_code == 204
    signing_in = 2  # the session with its person, the memberships
    assert len(captured) - signing_in <= 2, [query["sql"][:120] for query in captured]
    turn.received = 20
    turn.save()
    html = text_of(client.get(address(connected, f"live?v={token}"), headers=htmx(connected)))
    assert html.lstrip().startswith('<div id="live"')
    assert "<html" not in html
    assert 'hx-swap-oob="innerHTML:#announce"' not in html
    Refresh.objects.filter(pk=run.pk).update(state=RefreshState.SUCCEEDED, finished_at=make.hours_ago(0))
    html = text_of(client.get(address(connected, f"live?v={token}"), headers=htmx(connected)))
    assert "리프레시를 마쳤습니다" in html.split('hx-swap-oob="innerHTML:#announce"')[1]
    assert "every 2s" not in html


def test_a_poll_without_htmx_is_sent_to_the_page(connected: Any, sign_in: Any) -> None:
    response = sign_in("marketer").get(address(connected, "live?v=x&q=vip"))
    assert response.status_code == 302
    assert response.url == address(connected, "?q=vip")


# -- Acts ------------------------------------------------------------------------------------------------------------
def test_pressing_refresh_twice_joins_the_first_run(connected: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    assert client.post(address(connected, "refresh")).url == address(connected)
    assert Refresh.objects.count() == 1
    response = client.post(address(connected, "refresh"), headers=htmx(connected))
    assert Refresh.objects.count() == 1
    assert "console:toast" in response.headers["HX-Trigger"]
    assert text_of(response).lstrip().startswith('<div id="live"')
    assert Refresh.objects.get().requested_by == "마케터"


def test_a_press_keeps_the_search_that_was_shown(connected: Any, sign_in: Any) -> None:
    make.cohort(connected.project, 1, "하나")
    make.cohort(connected.project, 2, "둘")
    html = text_of(sign_in("marketer").post(address(connected, "refresh"), headers=htmx(connected, shown="?q=하나")))
    assert "mixpanel_1" in html
    assert "mixpanel_2" not in html


def test_refreshing_is_recorded(connected: Any, sign_in: Any) -> None:
    from notifly_console.audit.models import Entry

    sign_in("marketer").post(address(connected, "refresh"))
    entry = Entry.objects.get(action="refresh_requested")
    assert entry.actor == connected.people["marketer"].email
    assert entry.project_id == connected.project.id


def test_a_name_of_ten_kilobytes_and_markup_stays_text(connected: Any, sign_in: Any) -> None:
    make.cohort(connected.project, 1, "<svg/onload=alert(1)>" + "가" * 10_000)
    html = text_of(sign_in("marketer").get(address(connected)))
    assert "<svg/onload" not in html
    assert html.count("가" * 130) == 0
