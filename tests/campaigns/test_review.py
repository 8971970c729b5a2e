"""최종 확인 → 캠페인 생성하기, and 테스트 발송하기: through the pages, to an account in this process."""

from typing import Any

import pytest

from campaigns.models import Campaign, CampaignState, Recipient, Run, RunKind
from cohorts.models import Profile
from integrations.messaging import TemplateStatus
from integrations.models import SenderListing
from notifly_console.audit.models import Entry
from tests import factories as make
from tests.campaigns import sending
from tests.campaigns.test_builder import at, saved
from tests.campaigns.test_drafts import FORM, HTMX

SURE = FORM | {"audience": "cohort", "cohort": "2785620", "text.sender": "16600412", "version": "1"}


@pytest.fixture(autouse=True)
def _by_day(day: Any) -> None:
    """Noon in Seoul, and nobody is woken."""


def press(client: Any, one: Campaign, do: str, **form: Any) -> Any:
    return client.post(at(one), SURE | {"do": do} | form, headers=HTMX)


# -- To the review ----------------------------------------------------------------------------------------------------
def test_an_unfinished_draft_is_led_to_what_is_missing(town: Any, sign_in: Any) -> None:
    one, client = town.made(name="", timing=""), sign_in("marketer")
    answer = press(client, one, "review", name="", timing="", **{"text.is_ad": "", "text.text": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "고칠 곳이 4개 있습니다" in page
    for field in ("name", "timing", "text.is_ad", "text.text"):
        assert f'href="#f-{field}"' in page, field
        assert f'id="error-{field}" hx-swap-oob="true"' in page, field
    assert 'name="checked" form="builder" value="1"' in page
    # From then on every save says what is left.
    answer = press(client, one, "", name="새 이름", timing="", checked="1", version="2", **{"text.is_ad": "no"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "고칠 곳이 1개 있습니다" in page


def test_the_same_without_scripts(town: Any, sign_in: Any) -> None:
    one, client = town.made(name=""), sign_in("marketer")
    answer = client.post(at(one), SURE | {"do": "review", "name": ""})
    assert answer.status_code == 422
    assert 'aria-describedby="error-name" aria-invalid="true"' in answer.content.decode()
    assert client.post(at(one), SURE | {"do": "review", "version": "1"}).headers["Location"] == at(one, "review")


def test_a_finished_draft_is_shown_as_it_will_go_out(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    assert press(client, one, "review").headers["HX-Redirect"] == at(one, "review")
    page = client.get(at(one, "review")).content.decode()
    for words in (
        "최종 확인",
        "11월 VIP 재구매 유도",
        "1660-0412",
        "1월 20일(수) 15:30 KST",
        "Asia/Seoul (KST)",
        "VIP 재구매 유도",
        "mixpanel_2785620",
        "발송 대상 (5)",
        "김서연님, 안녕하세요",
        "이전",
        "캠페인 생성하기",
    ):
        assert words in page, words
    assert 'id="launch">캠페인 생성하기' in page


def test_whoever_cant_get_it_is_counted_apart_and_named(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    person = Profile.objects.filter(project=town.project, phone__isnull=False).order_by("pk").first()
    assert person is not None
    Profile.objects.filter(pk=person.pk).update(properties=person.properties | {"name": "가" * 1200})
    assert press(client, one, "review").headers["HX-Redirect"] == at(one, "review")
    page = client.get(at(one, "review")).content.decode()
    assert "발송 대상 (5)" in page, "what the frozen audience will be"
    assert "1명은 받지 못합니다" in page
    assert "4명에게 보냅니다" in page
    assert "<small>4명" in page, "on the button"


def test_a_recurring_campaign_shows_its_next_three_runs(town: Any, sign_in: Any) -> None:
    form = {"timing": "weekly", "weekday": ["0", "3"], "start": "2026-07-06", "forever": "1", "time": "09:00"}
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one, "review")).content.decode()
    for words in ("7월 6일(월) 09:00 KST", "7월 9일(목) 09:00 KST", "7월 13일(월) 09:00 KST", "무기한"):
        assert words in page, words
    assert "그때의 최신 버전으로 다시 정하고" in page


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("22:30", "이 시각은 광고를 보낼 수 없는 밤(21:00–08:00, 한국 시간)입니다."),
        ("07:59", "07-02 08:00 KST까지 기다렸다 받습니다."),
        ("20:59", "다 보내기 전에 밤(21:00–08:00, 한국 시간)이 됩니다."),
        ("12:00", "광고는 21:00–08:00(한국 시간)에 보내지 않습니다."),
    ],
)
def test_the_night_is_told_before(town: Any, sign_in: Any, time: str, words: str) -> None:
    one = town.made(date="2026-07-02", time=time)
    assert words in sign_in("marketer").get(at(one, "review")).content.decode()


# -- Launch -----------------------------------------------------------------------------------------------------------
def launch(client: Any, one: Campaign, **form: Any) -> Any:
    return client.post(at(one, "launch"), {"version": str(one.version), "size": "5"} | form)


def test_the_button_launches_once_however_often_it_is_pressed(town: Any, sign_in: Any) -> None:
    one, client = town.made(timing="now"), sign_in("marketer")
    for _ in range(2):
        answer = launch(client, one)
        assert answer.headers["Location"] == at(one, "")
    one = saved(one)
    assert one.launched_by == "marketer@harutable.example"
    assert Run.objects.filter(campaign=one, kind=RunKind.REGULAR).count() == 1
    assert Entry.objects.filter(action="campaign_launched").count() == 1
    assert client.get(at(one, "review")).headers["Location"] == at(one, "")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"version": "0"}, "다른 사람이 그사이에 저장했습니다"),
        ({"size": "4"}, "발송 대상이 4명에서 5명으로 바뀌었습니다"),
        ({"size": ""}, "바뀌었습니다"),
        ({"version": "x"}, "다른 사람이 그사이에 저장했습니다"),
    ],
)
def test_what_changed_since_the_review_stops_it(town: Any, sign_in: Any, form: Any, words: str) -> None:
    one = town.made(timing="now")
    answer = launch(sign_in("marketer"), one, **form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert saved(one).state == CampaignState.DRAFT
    assert not Run.objects.exists()


def test_what_is_not_ready_is_not_launched_whatever_is_posted(town: Any, sign_in: Any) -> None:
    one = town.made(timing="now", **{"text.is_ad": ""})
    page = sign_in("marketer").get(at(one, "review")).content.decode()
    assert "이대로는 시작할 수 없습니다" in page
    assert 'id="launch" disabled>캠페인 생성하기' in page
    assert launch(sign_in("marketer"), one).status_code == 422
    assert not Run.objects.exists()


def test_a_viewer_neither_writes_nor_launches(town: Any, sign_in: Any) -> None:
    one, viewer = town.made(), sign_in("viewer")
    for path in ("edit", "review", "test"):
        assert viewer.get(at(one, path)).status_code == 403
    assert launch(viewer, one).status_code == 403


# -- 테스트 발송하기 ------------------------------------------------------------------------------------------
def test_the_test_is_asked_for_in_a_dialog_once_the_draft_is_saved(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    answer = press(client, one, "test", name="방금 고친 이름")
    assert "test-wanted" in answer.headers["HX-Trigger-After-Settle"]
    assert saved(one).name == "방금 고친 이름"
    dialog = client.get(at(one, "test"), headers={"HX-Request": "true", "HX-Target": "dialogs"}).content.decode()
    assert "<dialog" in dialog
    assert "김서연</option>" in dialog
    assert client.post(at(one), SURE | {"do": "test", "version": "2"}).headers["Location"] == at(one, "test")


def test_a_test_is_sent_with_a_real_recipients_values(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    htmx = {"HX-Request": "true", "HX-Target": "test-form"}
    answer = client.post(at(one, "test"), {"to": "010-5555-1234\n01055551235", "at": "1"}, headers=htmx)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "테스트를 보내고 있습니다" in page
    assert "010-****-1234" in page
    assert "every 2s" in page
    run = Run.objects.get(kind=RunKind.TEST)
    assert {(r.phone, r.values["name"]) for r in Recipient.objects.filter(run=run)} == {
        ("+821055551234", "정하은"),
        ("+821055551235", "정하은"),
    }
    assert run.message["text"].startswith("[테스트]")
    assert Entry.objects.filter(action="test_sent").count() == 1
    Recipient.objects.update(state="skipped", reason="opted_out")
    over = client.get(at(one, f"test/{run.number}"), headers=htmx).content.decode()
    assert "테스트가 끝났습니다" in over
    assert "수신거부" in over
    assert "every 2s" not in over


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("", "테스트를 받을 휴대전화 번호를 써 주세요."),
        ("02-123-4567", "02-123-4567"),
        ("\n".join(f"010-5555-{n:04d}" for n in range(6)), "5개 번호까지"),
    ],
)
def test_numbers_that_can_not_be_tested_are_said(town: Any, sign_in: Any, to: str, words: str) -> None:
    answer = sign_in("marketer").post(at(town.made(), "test"), {"to": to})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Run.objects.exists()


def test_a_message_that_can_not_be_sent_is_not_tested(town: Any, sign_in: Any) -> None:
    answer = sign_in("marketer").post(at(town.made(**{"text.text": ""}), "test"), {"to": "010-5555-1234"})
    assert answer.status_code == 422
    assert "먼저 메시지를 고쳐 주세요" in answer.content.decode()


def test_a_template_that_was_taken_back_stops_the_launch(town: Any, sign_in: Any) -> None:
    form = {
        "channel": "alimtalk",
        "message_of": "alimtalk",
        "alimtalk.profile": "KA01PF1",
        "alimtalk.template": "KA01TP2",
        "alimtalk.variables.0.name": "고객명",
        "alimtalk.variables.0.text": '{{ user["name"] }}',
        "alimtalk.variables.0.default": "고객",
    }
    one = town.made(**form)
    kept = SenderListing.objects.get()
    kept.data["templates"][1]["status"] = TemplateStatus.BLOCKED.value
    kept.save()
    page = sign_in("marketer").get(at(one, "review")).content.decode()
    assert "‘차단’ 상태의 템플릿은 보낼 수 없습니다." in page


# -- A stopped campaign that was edited -------------------------------------------------------------------------------
@pytest.mark.parametrize("batch", ["returned", "sent"])
def test_an_edit_of_what_was_stopped_says_whether_it_can_still_be(
    town: Any, sign_in: Any, batch: str, account: Any
) -> None:
    one = town.made()
    # Its moment has passed, and it was stopped before, or after, somebody had got it.
    late = one.timing | {"date": "2026-06-30"}
    Campaign.objects.filter(pk=one.pk).update(
        state=CampaignState.INACTIVE, launched_at=make.hours_ago(1), timing=late, brake="content"
    )
    run = sending.run(
        Campaign.objects.get(pk=one.pk), people=3, message=one.message | {"text": "그때"}, due_at=make.hours_ago(1)
    )
    sending.batch(run, batch)
    client = sign_in("marketer")
    page = client.get(at(one, "review")).content.decode()
    assert ("이미 일부에게 보낸 회차가 남아 있어" in page) == (batch == "sent")
    assert ("이대로는 시작할 수 없습니다" in page) == (batch == "sent")
    version = Campaign.objects.get(pk=one.pk).version
    answer = client.post(at(one, "launch"), {"version": version, "size": "5"})
    assert answer.status_code == (422 if batch == "sent" else 302)
    assert Run.objects.filter(campaign=one).count() == (1 if batch == "sent" else 2)
