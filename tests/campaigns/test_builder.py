"""캠페인 생성, part by part: whom it reaches, what it says, how it is shown."""

import json
import re
from io import BytesIO
from typing import Any

import pytest

from campaigns.models import Campaign, Picture, Rules
from cohorts.models import Profile
from cohorts.people.facets import rebuild
from notifly_console.audit.models import Entry
from tests import factories as make
from tests.campaigns.test_drafts import FORM, HTMX

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (800).to_bytes(4, "big") + (600).to_bytes(4, "big") + b"\x08\x02\0\0\0"
DIALOG = {"HX-Request": "true", "HX-Target": "dialogs"}


def at(one: Campaign, path: str = "edit") -> str:
    return f"/projects/{one.project.hex}/campaigns/{one.pk.hex}/{path}"


def saved(one: Campaign) -> Campaign:
    one.refresh_from_db()
    return one


# -- Channels ---------------------------------------------------------------------------------------------------------
def test_a_channel_without_a_sender_is_marked_and_leads_to_where_it_is_registered(world: Any, sign_in: Any) -> None:
    make.sender_with_lists(world.project, kakao=False)
    page = sign_in("admin").get(f"/projects/{world.project.hex}/campaigns/new").content.decode()
    assert page.count("발신 정보 미등록") == 2
    assert 'value="alimtalk" disabled' in page
    assert 'value="text">' in page
    assert "발신 정보 등록하기" in page
    assert "관리자에게 등록을 요청해 주세요." in sign_in("marketer").get(
        f"/projects/{world.project.hex}/campaigns/new"
    ).content.decode()  # fmt: skip


# -- Whom it reaches --------------------------------------------------------------------------------------------------
def test_the_funnel_is_shown_with_the_numbers_behind_it(town: Any, sign_in: Any) -> None:
    page = sign_in("marketer").get(at(town.made())).content.decode()
    assert "발송 대상 (5)" in page
    assert "12명 중 5명에게 보냅니다" in page
    for words in (
        "전화번호 없음",
        "유선 전화",
        "같은 번호를 쓰는 다른 유저",
        "광고 수신 동의 없음",
        "직접 등록한 수신거부",
    ):
        assert words in page, words
    assert "010-****-0000" in page
    assert "010-2000-0000" not in page
    assert "010-2000-0000" in sign_in("admin").get(at(Campaign.objects.get())).content.decode()


def test_saving_says_when_the_reach_changed(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    form = FORM | {"audience": "cohort", "cohort": "2785620", "text.sender": "16600412"}
    same = client.post(at(one), form | {"version": "1", "name": "새 이름"}, headers=HTMX)
    assert "draft-saved" in same.headers["HX-Trigger-After-Settle"]
    assert "audience-changed" not in same.headers["HX-Trigger-After-Settle"]
    other = client.post(at(one), form | {"version": "2", "name": "새 이름", "text.is_ad": "no"}, headers=HTMX)
    assert "audience-changed" in other.headers["HX-Trigger-After-Settle"]
    assert "발송 대상 (8)" in client.get(at(one, "edit/reach"), headers={"HX-Request": "true"}).content.decode()


def test_every_number_opens_the_people_behind_it(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("viewer")
    dialog = client.get(at(one, "people"), {"step": "consent", "reason": "no_consent"}, headers=DIALOG).content.decode()
    assert "<dialog" in dialog
    assert "광고 수신 동의 없음 2명" in dialog
    assert "user_1" in dialog
    assert "010-****-0001" in dialog
    whole = client.get(at(one, "people"), {"step": "one_per_number", "reason": "same_number"}).content.decode()
    assert "user_7님이 받습니다" in whole
    assert "<dialog" not in whole
    sent = client.get(at(one, "people"), {"step": "sent"}).content.decode()
    assert "발송 예정 5명" in sent
    for odd in ({"step": "nowhere"}, {"step": "consent", "reason": "none"}):
        assert client.get(at(one, "people"), odd).status_code == 404


def test_many_people_are_paged(world: Any, sign_in: Any) -> None:
    ids = make.profiles(world.project, 45)
    rebuild(world.project.pk)
    cohort = make.cohort_with(world.project, 5, ids)
    one = make.campaign(world.project, cohort=cohort, channel="text", message={"is_ad": False})
    client = sign_in("viewer")
    first = client.get(at(one, "people"), {"step": "sent"}).content.decode()
    assert "1–20 / 45" in first
    last = client.get(at(one, "people"), {"step": "sent", "offset": "999"}).content.decode()
    assert "41–45 / 45" in last
    assert "user_0000044" in last


def test_an_old_cohort_is_said_to_be_old_and_what_the_rule_makes_of_it(town: Any, sign_in: Any) -> None:
    one = town.made()
    town.cohort.refreshed_at = make.hours_ago(30)
    town.cohort.save()
    Rules.objects.update(freshness="refuse")
    page = sign_in("marketer").get(at(one, "edit/reach")).content.decode()
    assert "이 코호트는 30시간 전에 읽은 것입니다" in page
    assert "먼저 리프레시해 주세요." in page


def test_refreshing_from_the_builder_joins_and_is_recorded(town: Any, sign_in: Any) -> None:
    make.connection(town.project)
    one, client = town.made(), sign_in("marketer")
    form = FORM | {"audience": "cohort", "cohort": "2785620", "text.sender": "16600412", "do": "refresh"}
    assert client.post(at(one), form | {"version": "1"}, headers=HTMX).status_code == 200
    assert Entry.objects.filter(action="refresh_requested", target="mixpanel_2785620").count() == 1
    page = client.get(at(one, "edit/freshness")).content.decode()
    assert "리프레시하고 있습니다" in page
    assert "every 2s" in page


# -- A file -----------------------------------------------------------------------------------------------------------
def file(text: str, name: str = "손님.csv", encoding: str = "utf-8-sig") -> BytesIO:
    made = BytesIO(text.encode(encoding))
    made.name = name
    return made


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_file_becomes_the_audience_with_a_reason_for_each_row(town: Any, sign_in: Any, encoding: str) -> None:
    one, client = town.made(), sign_in("marketer")
    rows = "phone_number,이름,marketing_consent\n010-2222-3333,김서연,Y\n02-123-4567,이도현,Y\n010-2222-3333,박지원,Y\n"
    form = FORM | {"audience": "csv", "version": "1", "do": "csv", "file": file(rows, encoding=encoding)}
    answer = client.post(at(one), form, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "쓸 수 있는 행 1개" in page
    assert "3행" in page
    assert "유선 전화" in page
    assert "audience-changed" in answer.headers["HX-Trigger-After-Settle"]
    reach = client.get(at(one, "edit/reach")).content.decode()
    assert "발송 대상 (1)" in reach
    dialog = client.get(at(one, "people"), {"step": "reachable", "reason": "landline"}, headers=DIALOG)
    assert "유선 전화 1명" in dialog.content.decode()
    assert saved(one).audience_kind == "csv"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("HP,이름\n010-2222-3333,김서연\n", "혹시 이 열인가요? HP"),
        ("", "파일에 내용이 없습니다"),
        ("PK\x03\x04", "엑셀 통합 문서입니다"),
    ],
)
def test_a_file_that_can_not_be_used_leaves_the_audience_as_it_was(
    town: Any, sign_in: Any, rows: str, words: str
) -> None:
    one = town.made()
    form = FORM | {"audience": "cohort", "cohort": "2785620", "version": "1", "do": "csv"}
    answer = sign_in("marketer").post(at(one), form | {"file": file(rows, encoding="utf-8")}, headers=HTMX)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert (saved(one).audience_kind, one.upload) == ("cohort", None)


def test_another_name_for_the_column_with_numbers(town: Any, sign_in: Any) -> None:
    one = town.made()
    form = FORM | {"version": "1", "do": "csv", "phone_column": "휴대폰"}
    answer = sign_in("marketer").post(at(one), form | {"file": file("휴대폰,이름\n010-2222-3333,김서연\n")})
    assert answer.status_code == 302
    assert saved(one).upload.accepted == 1


# -- What it says -----------------------------------------------------------------------------------------------------
def test_a_template_is_chosen_and_its_variables_appear(town: Any, sign_in: Any) -> None:
    one, client = town.made(channel="alimtalk"), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    assert "정기배송 출발" in page
    assert "반려된 것" not in page
    base = FORM | {"channel": "alimtalk", "message_of": "alimtalk", "audience": "cohort", "cohort": "2785620"}
    chosen = base | {"alimtalk.profile": "KA01PF1", "alimtalk.template": "KA01TP1", "template_shown": " "}
    answer = client.post(at(one), chosen | {"version": "1"}, headers=HTMX).content.decode()
    assert "템플릿 변수 (2)" in answer
    assert '<b class="variable">#{송장번호}</b>' in answer
    assert saved(one).message["template_text"] == make.SHIPPED
    given = chosen | {
        "template_shown": "KA01PF1 KA01TP1",
        "alimtalk.variables.0.name": "고객명",
        "alimtalk.variables.0.text": '{{ user["name"] }}',
        "alimtalk.variables.0.default": "고객",
        "alimtalk.variables.1.name": "송장번호",
        "alimtalk.variables.1.text": '{{ user["tracking_no"] }}',
        "alimtalk.variables.1.missing": "skip",
        "version": "2",
    }
    answer = client.post(at(one), given, headers=HTMX).content.decode()
    assert "템플릿 변수 (2)" not in answer, "what is being typed in is left alone"
    kept = saved(one).message["variables"]
    assert [(v["name"], v["default"], v["skips_missing"]) for v in kept] == [
        ("고객명", "고객", False),
        ("송장번호", "", True),
    ]
    other = given | {"alimtalk.template": "KA01TP2", "version": "3"}
    client.post(at(one), other, headers=HTMX)
    assert [(v["name"], v["default"]) for v in saved(one).message["variables"]] == [("고객명", "고객")]


def test_link_buttons_are_added_moved_and_removed_by_buttons_of_the_form(town: Any, sign_in: Any) -> None:
    one, client = town.made(channel="friendtalk"), sign_in("marketer")
    base = FORM | {"channel": "friendtalk", "message_of": "friendtalk", "friendtalk.text": "안녕하세요"}
    names: list[str] = []

    def press(act: str) -> list[str]:
        nonlocal names
        form = base | {
            "do": act,
            "version": str(saved(one).version),
            "friendtalk.buttons.name": names,
            "friendtalk.buttons.mobile_url": [f"https://hrtb.example/{name}" for name in names],
            "friendtalk.buttons.pc_url": ["" for _ in names],
        }
        assert client.post(at(one), form).status_code == 302
        names = [button["name"] for button in saved(one).message["buttons"]]
        return names

    assert press("button-new") == [""]
    names = ["가", "나", "다"]
    assert press("button-up:2") == ["가", "다", "나"]
    assert press("button-down:0") == ["다", "가", "나"]
    assert one.message["buttons"][0]["mobile_url"] == "https://hrtb.example/다"
    assert press("button-gone:1") == ["다", "나"]
    for odd in ("button-up:0", "button-down:1", "button-gone:9", "button-up:-1", "button-up:x"):
        assert press(odd) == ["다", "나"]
    for _ in range(4):
        press("button-new")
    assert len(names) == 5


def test_a_picture_is_kept_and_shown_to_the_project_only(town: Any, sign_in: Any) -> None:
    one, client = town.made(channel="friendtalk"), sign_in("marketer")
    picture = BytesIO(PNG)
    picture.name = "상자.png"
    form = FORM | {"channel": "friendtalk", "message_of": "friendtalk", "version": "1", "do": "picture:friendtalk"}
    answer = client.post(at(one), form | {"friendtalk.file": picture}, headers=HTMX)
    kept = Picture.objects.get()
    assert (kept.width, kept.height, kept.media_type) == (800, 600, "image/png")
    assert saved(one).message["picture"] == kept.pk.hex
    assert f'src="/projects/{town.project.hex}/campaigns/pictures/{kept.pk.hex}"' in answer.content.decode()
    shown = client.get(f"/projects/{town.project.hex}/campaigns/pictures/{kept.pk.hex}")
    assert (shown.content, shown.headers["Content-Type"]) == (PNG, "image/png")
    other = f"/projects/{town.other_project.hex}/campaigns/pictures/{kept.pk.hex}"
    assert sign_in("stranger").get(other).status_code == 404
    gone = form | {"version": "2", "do": "no-picture:friendtalk", "friendtalk.picture": kept.pk.hex}
    client.post(at(one), gone, headers=HTMX)
    assert saved(one).message["picture"] == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"GIF89a", "JPG나 PNG 사진만"), (b"<svg onload=alert(1)>", "JPG나 PNG 사진만"), (b"", "올릴 사진을")],
)
def test_what_is_no_picture_is_refused(town: Any, sign_in: Any, content: bytes, words: str) -> None:
    one = town.made(channel="friendtalk")
    form = FORM | {"channel": "friendtalk", "message_of": "friendtalk", "version": "1", "do": "picture:friendtalk"}
    data = BytesIO(content)
    data.name = "x.png"
    answer = sign_in("marketer").post(at(one), form | {"friendtalk.file": data}, headers=HTMX)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Picture.objects.exists()


def test_what_is_wrong_with_what_was_written_is_said_at_once(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    base = FORM | {"version": "1", "text.sender": "16600412"}
    said = client.post(at(one), base | {"text.text": "{{ name }}님"}, headers=HTMX).content.decode()
    assert 'id="error-text.text" hx-swap-oob="true"' in said
    assert "알 수 없는 변수입니다" in said
    assert "문자 내용을 써 주세요" not in client.post(
        at(one), base | {"text.text": "", "version": "2"}, headers=HTMX
    ).content.decode()  # fmt: skip


def test_characters_that_can_not_be_sent_are_replaced_in_one_press(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    base = FORM | {"version": "1", "text.text": "봄 — 세일 🌸 2월", "text.sender": "16600412"}
    said = client.post(at(one), base, headers=HTMX).content.decode()
    assert "‘—’은(는) 문자로 보낼 수 없습니다." in said
    answer = client.post(at(one), base | {"version": "2", "do": "mend:text.text"}, headers=HTMX)
    assert "builder:set" in answer.headers["HX-Trigger-After-Settle"]
    assert saved(one).message["text"] == "봄 - 세일  2월"


# -- The phone --------------------------------------------------------------------------------------------------------
def test_the_phone_shows_the_text_with_a_real_recipients_values(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    assert "(광고)하루식탁\n김서연님, 안녕하세요\n무료수신거부 <u>0808701234</u>" in page
    assert "5명 중 <b>김서연</b> 님의 실제 값으로 그렸습니다." in page
    second = client.get(at(one, "edit/preview"), {"at": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert "정하은님, 안녕하세요" in second
    assert "edit/preview?at=2" in second
    assert client.get(at(one, "edit/preview"), {"at": "99999999"}).status_code == 200


def test_the_phone_masks_contacts_for_those_who_may_not_see_them(town: Any, sign_in: Any) -> None:
    one = town.made(**{"text.text": '{{ user["$phone_number"] }}'})
    assert "01020000000" not in sign_in("marketer").get(at(one, "edit/preview")).content.decode()
    assert "01020000000" in sign_in("admin").get(at(one, "edit/preview")).content.decode()


def test_the_phone_shows_an_alimtalk_and_what_goes_out_instead(town: Any, sign_in: Any) -> None:
    form = {
        "channel": "alimtalk",
        "message_of": "alimtalk",
        "alimtalk.profile": "KA01PF1",
        "alimtalk.template": "KA01TP2",
        "alimtalk.variables.0.name": "고객명",
        "alimtalk.variables.0.text": '{{ user["name"] }}',
        "alimtalk.fallback": "1",
        "alimtalk.sender": "16600412",
        "alimtalk.fallback.text": "환영합니다",
    }
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    assert "알림톡 도착" in page
    assert "<b>김서연</b>님, 환영합니다." in page
    other = client.get(at(one, "edit/preview"), {"as": "fallback"}).content.decode()
    assert "SMS · 10바이트" in other
    assert re.search(r'fallback.source" value="own" checked', page)
    one = town.made(**form | {"alimtalk.fallback.source": "same"})
    page = client.get(at(one)).content.decode()
    assert re.search(r'fallback.source" value="same" checked', page)
    assert "환영합니다</textarea>" in page, "kept for a change of mind"
    other = client.get(at(one, "edit/preview"), {"as": "fallback"}).content.decode()
    assert "김서연님, 환영합니다." in other, "the same words"
    long = {
        "alimtalk.template": "KA01TP1",
        "alimtalk.variables.1.name": "송장번호",
        "alimtalk.variables.1.text": "가" * 40,
    }
    page = client.get(at(town.made(**(form | long | {"alimtalk.fallback.source": "same"})))).content.decode()
    assert "대체 문자가 8명에게는 LMS로 나갑니다" in page
    assert "줄이면 모두 SMS로" not in page, "nobody can shorten an approved template"
    assert "대체 문자 내용" not in problems_of(client.get(at(one, "review")).content.decode())


def problems_of(page: str) -> str:
    return page.split('id="problems"')[1].split("</div>\n")[0]


def test_the_phone_shows_a_friendtalk_with_its_buttons(town: Any, sign_in: Any) -> None:
    form = {
        "channel": "friendtalk",
        "message_of": "friendtalk",
        "friendtalk.profile": "KA01PF1",
        "friendtalk.text": '{{ user["name"] }}님',
        "friendtalk.buttons.name": ["보러 가기"],
        "friendtalk.buttons.mobile_url": ["https://hrtb.example"],
    }
    page = sign_in("marketer").get(at(town.made(**form))).content.decode()
    assert "(광고)" in page
    assert "김서연님" in page
    assert "보러 가기</span>" in page


def test_a_variable_that_can_not_be_read_is_said_in_the_phone(town: Any, sign_in: Any) -> None:
    page = sign_in("marketer").get(at(town.made(**{"text.text": "{{ user"}))).content.decode()
    assert "닫아 주세요" in page


# -- 문구 변수 추가 ---------------------------------------------------------------------------------------------
def test_the_dialog_offers_what_real_people_have(town: Any, sign_in: Any) -> None:
    address = at(town.made(), "edit/variable")
    dialog = sign_in("marketer").get(address, {"into": "text.text"}, headers=DIALOG)
    page = dialog.content.decode()
    for label in ("문구 변수 추가", "변수 유형", "변수명", "기본값 (선택)", "취소", "붙여넣기"):
        assert label in page, label
    assert 'data-value="grade"' in page
    assert 'data-value="$phone_number"' in page


@pytest.mark.parametrize(
    ("field", "default", "written"),
    [
        ("name", "고객", '{{ user["name"] | default: "고객" }}'),
        ("name", "", '{{ user["name"] }}'),
        ('a "b"', "", "{{ user['a \"b\"'] }}"),
    ],
)
def test_the_dialog_answers_with_the_text_for_the_cursor(
    town: Any, sign_in: Any, field: str, default: str, written: str
) -> None:
    one, client = town.made(), sign_in("marketer")
    given = {"into": "text.text", "given": "1", "category": "user", "field": field, "default": default}
    answer = client.get(at(one, "edit/variable"), given, headers=HTMX | {"HX-Target": "variable-form"})
    assert answer.status_code == 204
    assert json.loads(answer.headers["HX-Trigger"])["builder:insert"] == {"field": "text.text", "text": written}
    page = client.get(at(one, "edit/variable"), given)
    assert page.status_code == 200
    assert "넣을 문구" in page.content.decode()


@pytest.mark.parametrize("field", ["", " ", "a\"b'c", "x" * 256])
def test_a_name_that_can_not_be_written_is_refused(town: Any, sign_in: Any, field: str) -> None:
    given = {"into": "text.text", "given": "1", "category": "user", "field": field}
    answer = sign_in("marketer").get(at(town.made(), "edit/variable"), given)
    assert answer.status_code == 422


def test_profiles_of_nobody_offer_only_what_everybody_has(world: Any, sign_in: Any) -> None:
    one = make.campaign(world.project)
    assert not Profile.objects.exists()
    page = sign_in("marketer").get(at(one, "edit/variable")).content.decode()
    assert 'data-value="$user_id"' in page


def test_refreshing_without_mixpanel_says_so(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    form = FORM | {"audience": "cohort", "cohort": "2785620", "text.sender": "16600412", "do": "refresh"}
    answer = client.post(at(one), form | {"version": "1"}, headers=HTMX)
    assert json.loads(answer.headers["HX-Trigger-After-Settle"])["console:toast"]["bad"]
    page = client.post(at(one), form | {"version": "1"}, follow=True).content.decode()
    assert "Mixpanel이 연결되어 있지 않습니다" in page


def test_where_a_character_stands_is_said(town: Any, sign_in: Any) -> None:
    page = sign_in("marketer").get(at(town.made(**{"text.text": "봄 — 세일"}))).content.decode()
    assert "문자로 보낼 수 없는 글자가 있습니다" in page
    one = town.made()
    said = sign_in("marketer").post(at(one), FORM | {"version": "1", "text.text": "봄 — 세일"}, headers=HTMX)
    assert "3번째 글자: ‘—’은(는) 문자로 보낼 수 없습니다." in said.content.decode()
