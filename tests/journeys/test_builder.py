"""캠페인 생성 in a browser: by keyboard, in two tabs, while the server is away, on a telephone, and without scripts."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from campaigns.models import Campaign, Rules
from cohorts.models import Profile
from cohorts.people.facets import rebuild
from tests import factories as make

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]

SAVED = re.compile(r"드래프트 저장됨 · \d\d:\d\d KST")


@pytest.fixture
def new(world: Any) -> str:
    """The address of an empty builder; the project has a sender, rules, and cohorts to choose from."""
    make.sender_with_lists(world.project)
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0808701234")
    ids = make.profiles(world.project, 30)
    for n, profile in enumerate(Profile.objects.filter(pk__in=ids).order_by("pk")):
        profile.properties |= {"name": ["김서연", "이도현", "박지원"][n % 3], "grade": "VIP"}
        profile.marketing_consent = n % 5 != 0
        profile.save()
    rebuild(world.project.pk)
    make.cohort_with(world.project, 2785620, ids, "VIP 재구매 유도")
    make.cohort_with(world.project, 2803307, ids[:9], "첫 구매 후 30일, 재구매 없음")
    make.cohort(world.project, 2440120, "2025 재구매 이벤트 응모자", vanished_at=make.hours_ago(9), size=811)
    for n in range(60):
        make.cohort(world.project, n + 1, f"코호트 {n}", size=n)
    return f"/projects/{world.project.hex}/campaigns/new"


def saved(page: Any) -> None:
    expect(page.locator("#saved")).to_contain_text(SAVED)


def choose(page: Any, name: str) -> None:
    """A channel, a timing or an audience: the word on its pill. (What was chosen, the preview further on says, too.)"""
    page.get_by_text(name, exact=True).first.click()


def test_a_draft_is_saved_as_one_types_and_is_there_after_a_reload(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    expect(page.locator("#saved")).to_contain_text("적기 시작하면 드래프트로 저장합니다")
    page.get_by_label("캠페인 이름").press_sequentially("11월 재구매")
    saved(page)
    expect(page).to_have_url(re.compile(r"/campaigns/[0-9a-f]{32}/edit$"))
    choose(page, "문자")
    page.get_by_label("문자 내용").fill('{{ user["name"] | default: "고객" }}님, 안녕하세요')
    choose(page, "정보성 메시지")
    choose(page, "매주 정해진 요일에 발송")
    page.get_by_label("목요일").check()
    page.get_by_label("시작일").fill("2099-01-01")
    page.get_by_label("발송 시간").fill("09:30")
    page.get_by_label("무기한 발송").check()
    expect(page.get_by_label("종료일")).to_be_hidden()
    expect(page.locator("#forecast")).to_contain_text("1월 1일(목) 09:30 KST, 1월 8일(목) 09:30 KST")
    saved(page)
    page.reload()
    expect(page.get_by_label("캠페인 이름")).to_have_value("11월 재구매")
    expect(page.get_by_label("문자 내용")).to_have_value(re.compile("안녕하세요"))
    expect(page.get_by_label("목요일")).to_be_checked()
    assert Campaign.objects.count() == 1


def test_what_begins_with_an_event_has_no_end_unless_one_is_given(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    forever = page.get_by_label("무기한 발송")
    choose(page, "이벤트 기반 발송")
    expect(forever).to_be_checked()
    saved(page)
    expect(page.locator("#preview")).to_contain_text("~ 무기한")
    assert Campaign.objects.get().timing["forever"] is True
    choose(page, "예약 발송")
    choose(page, "1일 1회 발송")
    expect(forever).not_to_be_checked()
    forever.check()
    choose(page, "이벤트 기반 발송")
    choose(page, "예약 발송")
    expect(forever).to_be_checked()


def test_what_is_pressed_is_not_drawn_anew_under_the_pointer(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    choose(page, "외부 툴 연동 코호트")
    page.get_by_role("combobox", name="코호트 선택").fill("VIP")
    page.get_by_role("option", name="VIP 재구매 유도").click()
    box = page.get_by_role("link", name="다음").bounding_box()
    saved(page)
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    with page.expect_response(lambda answer: "/preview" in answer.url):
        page.evaluate("htmx.trigger(document.body, 'draft-saved')")
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    page.mouse.up()
    expect(page.get_by_role("link", name="이전")).to_have_attribute("href", re.compile("at=0"))


def test_a_part_that_has_just_come_hears_of_the_next_save(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    saved(page)
    asked = []

    def is_second(request: Any) -> bool:
        if request.url.endswith("/reach"):
            asked.append(request.url)
        return len(asked) == 2

    # Another save ends in the very moment in which the funnel has come.
    with page.expect_request(is_second):
        page.evaluate("""() => {
            const again = (event) => {
                if (event.target.id !== "reach") return;
                document.removeEventListener("htmx:afterSwap", again);
                setTimeout(() => htmx.trigger(document.body, "audience-changed"), 0);
            };
            document.addEventListener("htmx:afterSwap", again);
            htmx.trigger(document.body, "audience-changed");
        }""")


def test_a_cohort_is_chosen_by_keyboard_among_many(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    choose(page, "외부 툴 연동 코호트")
    box = page.get_by_role("combobox", name="코호트 선택")
    box.focus()
    page.keyboard.press("ArrowDown")
    listbox = page.get_by_role("listbox")
    expect(listbox.get_by_role("option")).to_have_count(20)
    expect(listbox).to_contain_text("코호트 63개 중 63개")
    box.press_sequentially("재구매")
    expect(listbox.get_by_role("option")).to_have_count(3)
    expect(listbox.get_by_role("option", name="2025 재구매")).to_be_disabled()
    active = box.get_attribute("aria-activedescendant")
    assert active == "option-2785620"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # round again: who is gone can't be reached
    assert box.get_attribute("aria-activedescendant") == active
    box.dispatch_event("keydown", {"key": "Enter", "isComposing": True})  # Enter ends a syllable first
    expect(listbox).to_be_visible()
    page.keyboard.press("Enter")
    expect(listbox).to_be_hidden()
    expect(box).to_have_value("VIP 재구매 유도")
    expect(page.get_by_role("heading", name="발송 대상 (24)")).to_be_visible()
    box.press_sequentially("없는 이름")
    expect(listbox).to_contain_text("맞는 코호트가 없습니다")
    page.keyboard.press("Escape")
    expect(box).to_have_value("VIP 재구매 유도")
    expect(listbox).to_be_hidden()
    saved(page)
    assert Campaign.objects.get().cohort.source_id == 2785620


def test_the_people_behind_a_drop_open_over_the_builder(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "카카오 친구톡")
    choose(page, "외부 툴 연동 코호트")
    page.get_by_role("combobox", name="코호트 선택").fill("VIP")
    page.get_by_role("option", name="VIP 재구매 유도").click()
    drop = page.get_by_role("link", name="광고 수신 동의 없음")
    drop.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="광고 수신 동의 없음 6명")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("user_0000005")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(drop).to_be_focused()
    expect(page).to_have_url(re.compile(r"/edit$"))


def test_a_variable_goes_to_the_cursor(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    text = page.get_by_label("문자 내용")
    text.fill("님, 반갑습니다")
    text.press("Home")
    page.get_by_role("button", name="문구 변수 추가").click()
    dialog = page.get_by_role("dialog", name="문구 변수 추가")
    expect(dialog.get_by_label("변수명")).to_be_focused()
    dialog.get_by_role("button", name="붙여넣기").click()
    expect(dialog).to_contain_text("넣을 값의 이름을 쓰거나 아래에서 골라 주세요.")
    dialog.get_by_label("변수명").fill("name")
    dialog.get_by_label("기본값 (선택)").fill("고객")
    dialog.get_by_role("button", name="붙여넣기").click()
    expect(dialog).to_have_count(0)
    expect(text).to_have_value('{{ user["name"] | default: "고객" }}님, 반갑습니다')
    expect(text).to_be_focused()
    expect(page.locator("#preview")).to_contain_text("고객님, 반갑습니다")


def test_link_buttons_are_added_and_the_phone_shows_them(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "카카오 친구톡")
    page.get_by_role("button", name="버튼 추가").click()
    first = page.get_by_label("버튼 1 이름")
    expect(first).to_be_focused()
    first.fill("보러 가기")
    page.get_by_label("모바일 URL").fill("https://hrtb.example")
    page.get_by_role("button", name="버튼 추가").click()
    page.get_by_label("버튼 2 이름").fill("나중에")
    page.get_by_role("button", name="버튼 2 위로").click()
    expect(page.get_by_label("버튼 1 이름")).to_have_value("나중에")
    expect(page.locator("#preview .kakao__button")).to_have_text(["나중에", "보러 가기"])
    page.get_by_role("button", name="버튼 1 빼기").click()
    expect(page.get_by_label("버튼 2 이름")).to_have_count(0)


def test_a_button_is_pressed_once_whatever_else_is_saved_meanwhile(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "카카오 친구톡")
    expect(page.get_by_role("button", name="버튼 추가")).to_be_visible()
    held: list[Any] = []
    page.route("**/campaigns/**", lambda route: held.append(route) if not held else route.continue_())
    page.get_by_label("캠페인 이름").press_sequentially("가")  # its save comes while the button has the focus
    page.get_by_role("button", name="버튼 추가").click()
    page.get_by_label("캠페인 설명 (선택)").press_sequentially("나")  # and this one while the press still waits
    page.keyboard.press("Tab")
    held[0].continue_()
    expect(page.get_by_label("버튼 1 이름")).to_be_visible()
    saved(page)
    expect(page.get_by_label("버튼 2 이름")).to_have_count(0)
    page.get_by_label("캠페인 이름").press_sequentially("다")
    saved(page)
    expect(page.locator("#saved.htmx-request")).to_have_count(0)
    assert len(Campaign.objects.get().message["buttons"]) == 1


def test_two_tabs_lose_nothing(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    page.get_by_label("캠페인 이름").fill("처음")
    saved(page)
    expect(page).to_have_url(re.compile(r"/edit$"))
    other = browse("admin", page.url)
    other.get_by_label("캠페인 이름").fill("관리자가 고침")
    saved(other)
    page.get_by_label("캠페인 설명 (선택)").fill("내 메모")
    conflict = page.get_by_role("alert").filter(has_text="그 사이에 관리자 님이 이 캠페인을 고쳤습니다")
    expect(conflict).to_be_visible()
    expect(page.get_by_label("캠페인 설명 (선택)")).to_have_value("내 메모")
    page.get_by_role("button", name="내 것으로 저장").click()
    expect(conflict).to_have_count(0)
    saved(page)
    one = Campaign.objects.get()
    assert (one.name, one.description) == ("처음", "내 메모")


def test_a_save_that_does_not_get_through_is_tried_again(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    away = [503, None]

    def answer(route: Any) -> None:
        if route.request.method != "POST" or not away:
            route.continue_()
        elif (status := away.pop(0)) is None:
            route.abort()
        else:
            route.fulfill(status=status, body="")

    page.route("**/campaigns/**", answer)
    page.clock.install()
    page.get_by_label("캠페인 이름").fill("꾸준히")
    page.clock.run_for(1_000)
    expect(page.locator("#saved")).to_contain_text("저장하지 못했습니다. 연결이 돌아오면 다시 시도합니다")
    for _ in range(4):
        page.clock.run_for(4_100)
    saved(page)
    assert Campaign.objects.get().name == "꾸준히"


def test_what_is_missing_is_said_with_links_to_the_fields(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    page.get_by_role("button", name="최종 확인").click()
    summary = page.get_by_role("alert").filter(has_text="고칠 곳이")
    expect(summary).to_be_focused()
    summary.get_by_role("link", name="캠페인 이름").click()
    expect(page.get_by_label("캠페인 이름")).to_be_focused()
    expect(page.get_by_label("캠페인 이름")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("캠페인 이름").fill("이제 있음")
    expect(page.get_by_label("캠페인 이름")).not_to_have_attribute("aria-invalid", "true")
    expect(summary.get_by_role("link", name="캠페인 이름")).to_have_count(0)


def test_what_is_wrong_with_a_file_is_said_until_another_is_chosen(browse: Any, new: str) -> None:
    page = browse("marketer", new)
    choose(page, "문자")
    page.locator("label", has=page.locator("#audience-csv")).click()
    choose_file = page.get_by_label("파일 올리기", exact=True).set_input_files
    bad = {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"name,score\nKim,1\n"}
    choose_file(bad)
    wrong = page.locator("#error-upload").get_by_text("전화번호 열이 없습니다.")
    expect(wrong).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 200):
        page.get_by_label("캠페인 이름").fill("파일로")
    saved(page)
    expect(wrong).to_be_visible()
    choose_file({**bad, "buffer": "전화번호\n010-2222-3333\n".encode()})
    expect(page.get_by_text("쓸 수 있는 행 1개")).to_be_visible()
    expect(wrong).to_have_count(0)


def test_the_whole_way_to_the_review_without_scripts(browse: Any, new: str) -> None:
    page = browse("marketer", new, java_script_enabled=False)
    page.get_by_label("캠페인 이름").fill("스크립트 없이")
    choose(page, "문자")
    choose(page, "즉시 발송")
    choose(page, "외부 툴 연동 코호트")
    page.get_by_role("combobox").or_(page.get_by_label("코호트 선택")).first.fill("VIP")
    page.get_by_role("button", name="저장").click()
    page.get_by_role("button", name="VIP 재구매 유도").click()
    expect(page.get_by_role("heading", name="발송 대상 (24)")).to_be_visible()
    choose(page, "정보성 메시지")
    choose(page, "SMS")
    page.get_by_label("발신 번호").select_option("16600412")
    page.get_by_label("문자 내용").fill("안녕하세요")
    page.get_by_role("button", name="최종 확인").click()
    expect(page.get_by_role("heading", name="최종 확인", level=1)).to_be_visible()
    expect(page.get_by_role("button", name="캠페인 생성하기")).to_be_enabled()
    page.get_by_role("link", name="이전").click()
    expect(page.get_by_label("문자 내용")).to_have_value("안녕하세요")


def test_nothing_is_wider_than_a_telephone(world: Any, browse: Any, new: str, narrow: Any) -> None:
    one = make.campaign(
        world.project,
        name="아주 긴 이름 " * 10,
        cohort=world.project and Campaign._meta.get_field("cohort").related_model.objects.get(source_id=2785620),
        channel="friendtalk",
        timing={"kind": "weekly", "start": "2099-01-01", "time": "09:00", "weekdays": [0, 1, 2], "forever": True},
        message={
            "profile": "KA01PF1",
            "text": "x" * 300,
            "buttons": [{"name": "보러 가기", "mobile_url": "https://a.b"}],
        },
    )
    page = browse("marketer", new, **narrow)
    page.set_viewport_size({"width": 390, "height": 844})
    at = f"/projects/{world.project.hex}/campaigns/{one.pk.hex}"
    for path in (new, f"{at}/edit", f"{at}/review", f"{at}/people", f"{at}/test", f"{at}/edit/variable"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
