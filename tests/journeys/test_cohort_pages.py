"""The cohort pages in a browser: keyboard, history, what moves by itself, and a server that is away for a while."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from cohorts.models import CohortRules, Every, PullState, Refresh, RefreshState, SnapshotState
from tests import factories as make

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def list_path(world: Any) -> str:
    make.connection(world.project)
    ids = make.profiles(world.project, 30)
    vip = make.cohort_with(world.project, 2785620, ids[:12], "VIP 재구매 유도", description="최근 90일에 3회 이상 구매")
    make.snapshot(vip, ids[2:25])
    held = make.cohort_with(world.project, 2806114, ids[:20], "겨울 밀키트 관심 고객")
    make.snapshot(held, ids[:3], state=SnapshotState.HELD)
    make.cohort(world.project, 1, "A" * 300 + " <img src=x onerror=alert(1)>")
    world.vip = vip
    return f"/projects/{world.project.hex}/cohorts/"


def test_a_row_opens_by_keyboard_and_gives_the_focus_back(world: Any, browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.locator("#c-2785620").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="코호트 상세 정보")
    expect(dialog).to_be_visible()
    expect(page).to_have_url(re.compile(r"/cohorts/mixpanel_2785620/$"))
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/cohorts/$"))
    assert page.evaluate("document.activeElement.id") == "c-2785620"
    world.vip.refresh_from_db()
    assert world.vip.watched_at is not None


def test_the_back_button_closes_and_the_forward_button_shows_the_cohort(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.get_by_text("최근 90일에 3회 이상 구매").click()  # anywhere on the row
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#c-2785620")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="코호트 상세 정보", level=1)).to_be_visible()
    page.get_by_role("link", name="닫기").click()
    expect(page.get_by_role("heading", name="외부 툴 유저 코호트 관리")).to_be_visible()


def test_members_are_paged_and_searched_inside_the_dialog(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.locator("#c-2785620").click()
    members = page.locator("#people-members")
    members.get_by_role("link", name="다음").click()
    expect(members.get_by_text("11–20 / 23")).to_be_visible()
    page.get_by_label("사용자 ID 검색").fill("user_0000024")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("1명을 찾았습니다.")
    page.locator("#versions").scroll_into_view_if_needed()
    expect(page.get_by_role("link", name="모든 버전 보기")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="닫기", exact=True).click()
    expect(page).to_have_url(re.compile(r"/cohorts/$"))


def test_the_id_is_copied_and_the_copy_is_confirmed(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path, permissions=["clipboard-read", "clipboard-write"])
    page.locator("#c-2785620").click()
    page.get_by_role("button", name="코호트 ID 복사").click()
    expect(page.get_by_text("복사했습니다")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "mixpanel_2785620"


def test_deciding_in_the_dialog_changes_the_list_behind_it(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.get_by_role("link", name="달라진 내용 보기").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="새 버전 적용").click()
    expect(dialog.get_by_text("새 버전을 적용했습니다.")).to_be_visible()
    expect(dialog.locator("#held")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#live").get_by_text("확인 필요")).to_have_count(0)


def test_a_refresh_is_followed_without_a_reload_and_the_focus_stays(world: Any, browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="리프레시", exact=True).click()
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")
    page.locator("#c-2785620").focus()
    run = Refresh.objects.get()
    run.state, run.started_at, run.listed_at = RefreshState.RUNNING, make.hours_ago(0), make.hours_ago(0)
    run.save()
    turn = make.pull(run, world.vip, PullState.RUNNING, received=12, total=25)
    expect(page.locator("#run-words")).to_contain_text("유저 12명 읽음")
    expect(page.locator("#announce")).to_contain_text("리프레시하고 있습니다")
    assert page.evaluate("document.activeElement.id") == "c-2785620"
    turn.state = PullState.DONE
    turn.save()
    run.state, run.finished_at = RefreshState.SUCCEEDED, make.hours_ago(0)
    run.receipt = {"cohorts": 1, "received": 25}
    run.save()
    expect(page.locator("#run-words")).to_contain_text("마지막 리프레시")
    assert page.evaluate("window.sameDocument")
    assert Refresh.objects.count() == 1


def test_a_press_that_meets_a_server_that_is_away_is_sent_until_it_is_taken(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    away = [503, 503, None, 503]  # None: the line is cut

    def answer(route: Any) -> None:
        if not away:
            route.continue_()
        elif (status := away.pop(0)) is None:
            route.abort()
        else:
            route.fulfill(status=status, body="")

    page.route("**/cohorts/refresh", answer)
    page.clock.install()
    page.get_by_role("button", name="리프레시", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("누르신 리프레시를 기억하고 있으며")
    for _ in range(200):  # a hundred of its seconds, and time for the answers to come
        if away:
            page.clock.run_for(500)
            page.wait_for_timeout(20)
    assert not away
    page.reload()  # and impatience loses nothing
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert Refresh.objects.count() == 1


def test_the_first_refresh_of_all_is_as_patient(world: Any, browse: Any) -> None:
    make.connection(world.project)
    page = browse("marketer", f"/projects/{world.project.hex}/cohorts/")
    away = [503]
    page.route(
        "**/cohorts/refresh",
        lambda route: route.fulfill(status=away.pop(), body="") if away else route.continue_(),
    )
    page.clock.install()
    page.get_by_role("button", name="첫 리프레시 시작").click()
    expect(page.get_by_role("alert")).to_contain_text("기억하고 있으며")
    page.clock.run_for(3_100)
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_press_is_given_up_aloud_after_two_minutes(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.route("**/cohorts/refresh", lambda route: route.fulfill(status=503, body=""))
    page.clock.install()
    page.get_by_role("button", name="리프레시", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("기억하고 있으며")
    for _ in range(45):
        page.clock.run_for(3_100)
        if "2분 동안" in page.get_by_role("alert").inner_text():
            break
    expect(page.get_by_role("alert")).to_contain_text("리프레시를 다시 눌러 주세요")
    assert not Refresh.objects.exists()


def test_an_act_that_fails_says_so(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.route("**/discard", lambda route: route.fulfill(status=503, body=""))
    page.get_by_role("button", name="버리기").click()
    expect(page.locator("#toasts")).to_contain_text("서버가 잠시 응답하지 않습니다.")
    expect(page.get_by_role("button", name="버리기")).to_be_visible()


def test_typing_searches_and_the_address_keeps_it(browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path)
    page.get_by_label("코호트 검색").press_sequentially("재구매")
    expect(page.locator("#c-2806114")).to_have_count(0)
    expect(page.locator("#c-2785620")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q="))
    page.locator("#c-2785620").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?q="))
    expect(page.locator("#c-2785620")).to_be_focused()


def test_everything_works_without_scripts(world: Any, browse: Any, list_path: str) -> None:
    page = browse("marketer", list_path, java_script_enabled=False)
    page.get_by_role("button", name="리프레시", exact=True).click()
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")
    page.locator("#c-2806114").click()
    page.get_by_role("button", name="새 버전 적용").click()
    expect(page.get_by_text("새 버전을 적용했습니다.")).to_be_visible()
    page.goto(f"{list_path}mixpanel_2785620/")
    page.get_by_label("사용자 ID 검색").fill("user_0000024")
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_contain_text("1명을 찾았습니다.")


def test_nothing_is_wider_than_a_telephone(world: Any, browse: Any, list_path: str, narrow: Any) -> None:
    person = make.profile(world.project, "x" * 255, properties={"k" * 200: "v" * 5000})
    page = browse("admin", list_path, **narrow)
    page.set_viewport_size({"width": 390, "height": 844})
    at = f"/projects/{world.project.hex}"
    for path in (list_path, f"{list_path}mixpanel_1/", f"{at}/profiles/", f"{at}/profiles/{person.pk}/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_contacts_are_shown_on_demand(world: Any, browse: Any, list_path: str) -> None:
    person = make.profile(world.project, "sunny_0417", phone="+821098765432", properties={"$name": "김서연"})
    page = browse("admin", f"/projects/{world.project.hex}/profiles/")
    page.get_by_label("유저 찾기").fill("010-9876-5432")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="sunny_0417").click()
    expect(page).to_have_url(re.compile(rf"/profiles/{person.pk}/$"))
    expect(page.get_by_text("010-****-5432")).to_be_visible()
    page.get_by_role("button", name="연락처 보기").click()
    expect(page.get_by_text("010-9876-5432").first).to_be_visible()
    page.get_by_role("link", name="가리기").click()
    expect(page.get_by_text("010-****-5432")).to_be_visible()


def test_the_timetable_shows_how_much_of_an_hour_is_used(world: Any, browse: Any, list_path: str) -> None:
    CohortRules.objects.create(project=world.project, every=Every.HOURS, hours=6)
    page = browse("viewer", f"{list_path}schedule")
    used = page.get_by_role("region", name="앞으로 24시간").get_by_role("meter").first
    box = used.bounding_box()
    assert box is not None
    assert box["width"] >= 96
    left = page.locator(".cell-list").first.evaluate("cell => getComputedStyle(cell).textAlign")
    assert left in ("left", "start")
