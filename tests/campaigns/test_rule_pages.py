"""발송 규칙 and 수신거부 목록 through HTTP."""

import io
import re
from typing import Any

import pytest

from campaigns.models import OptOut, OptOutPull, Rules
from integrations.messaging import NotTaken
from notifly_console.audit.models import Entry
from tests.campaigns import provider

pytestmark = pytest.mark.django_db
GIVEN = {
    "sender_name": "하루식탁", "opt_out_number": "080-123-4567", "freshness_hours": "12", "freshness": "refuse",
    "night": "drop", "ceiling_won": "1,500,000", "brake_percent": "15",
}  # fmt: skip


@pytest.fixture
def rules_path(world: Any) -> str:
    return f"/projects/{world.project.hex}/settings/sending/"


@pytest.fixture
def list_path(world: Any) -> str:
    return f"/projects/{world.project.hex}/settings/opt-outs/"


def seen(html: str) -> str:
    return re.search(r'name="seen" value="([^"]*)"', html)[1]


# -- Rules ------------------------------------------------------------------------------------------------------------
def test_rules_are_saved_whole_and_recorded(world: Any, sign_in: Any, rules_path: str) -> None:
    client = sign_in("admin")
    html = client.get(rules_path).content.decode()
    response = client.post(f"{rules_path}save", GIVEN | {"seen": seen(html)}, follow=True)
    assert "저장했습니다" in response.content.decode()
    rules = Rules.objects.get(pk=world.project.pk)
    assert (rules.sender_name, rules.opt_out_number, rules.freshness_hours) == ("하루식탁", "0801234567", 12)
    assert (rules.freshness, rules.night, rules.ceiling_won, rules.brake_percent) == ("refuse", "drop", 1_500_000, 15)
    entry = Entry.objects.get(action="sending_rules_changed")
    assert set(entry.details["fields"]) == set(GIVEN)
    assert entry.details["brake_percent"] == "15"
    html = client.get(rules_path).content.decode()
    client.post(f"{rules_path}save", GIVEN | {"seen": seen(html)})
    assert Entry.objects.filter(action="sending_rules_changed").count() == 1, "nothing changed, nothing is recorded"
    client.post(f"{rules_path}save", GIVEN | {"seen": seen(html), "ceiling_won": ""})
    rules.refresh_from_db()
    assert rules.ceiling_won is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("opt_out_number", "02-123-4567", "080으로 시작하는"),
        ("opt_out_number", "080-1", "080으로 시작하는"),
        ("freshness_hours", "0", "1"),
        ("freshness_hours", "", "몇 시간이 지나면"),
        ("freshness_hours", "하루", "시간을 숫자로"),
        ("freshness", "never", "올바"),
        ("night", "", "필"),
        ("ceiling_won", "0", "1"),
        ("ceiling_won", "만원", "금액을 원 단위"),
        ("brake_percent", "101", "100"),
        ("brake_percent", "0", "1"),
        ("sender_name", "가" * 41, "40"),
    ],
)
def test_what_makes_no_sense_is_refused_and_kept_in_the_form(
    world: Any, sign_in: Any, rules_path: str, field: str, value: str, said: str
) -> None:
    response = sign_in("admin").post(f"{rules_path}save", GIVEN | {"seen": "", field: value})
    assert response.status_code == 422
    html = response.content.decode()
    assert said in html
    assert 'value="하루식탁"' in html or field == "sender_name"
    assert not Rules.objects.exists()


def test_two_who_save_at_once_dont_undo_each_other_unseen(world: Any, sign_in: Any, rules_path: str) -> None:
    client = sign_in("admin")
    html = client.get(rules_path).content.decode()
    client.post(f"{rules_path}save", GIVEN | {"seen": seen(html)})
    response = client.post(f"{rules_path}save", GIVEN | {"seen": seen(html), "brake_percent": "33"})
    assert response.status_code == 409
    html = response.content.decode()
    assert "그 사이에 다른 사람이 규칙을 바꿨습니다" in html
    assert "자동 멈춤" in html
    assert 'value="33"' in html, "what was written is kept"
    assert client.post(f"{rules_path}save", GIVEN | {"seen": seen(html), "brake_percent": "33"}).status_code == 302
    assert Rules.objects.get().brake_percent == 33


def test_who_may_not_change_them_reads_them(sign_in: Any, rules_path: str) -> None:
    html = sign_in("marketer").get(rules_path).content.decode()
    assert "소유자와 관리자만 바꿀 수 있습니다" in html
    assert "<button" not in html.split('<form class="rules')[1].split("</form>")[0]
    assert sign_in("marketer").post(f"{rules_path}save", GIVEN | {"seen": ""}).status_code == 403


# -- Opt-outs ---------------------------------------------------------------------------------------------------------
def test_a_number_is_added_found_and_removed_with_a_reason(world: Any, sign_in: Any, list_path: str) -> None:
    client = sign_in("marketer")
    response = client.post(f"{list_path}add", {"phone": "010 2000 0017", "note": "고객센터"}, follow=True)
    html = response.content.decode()
    assert "등록했습니다" in html
    assert "010-****-0017" in html
    assert "20000017" not in html
    assert (
        "이미 등록된 번호입니다"
        in client.post(f"{list_path}add", {"phone": "+821020000017"}, follow=True).content.decode()
    )
    for text, hits in (("0017", 1), ("01020000017", 1), ("010-2000-0017", 1), ("0102000", 0), ("17", 0), ("9999", 0)):
        html = client.post(f"{list_path}search", {"q": text}).content.decode()
        assert html.count("010-****-0017") >= hits, text
        assert f"{hits}개를 찾았습니다" in html, text
    row = OptOut.objects.get()
    path = f"{list_path}{row.pk}/remove"
    assert client.post(path, {}).status_code == 422
    assert OptOut.objects.exists()
    assert client.get(path, headers={"HX-Request": "true", "HX-Target": "dialogs"}).content.startswith(b"<dialog")
    assert client.post(path, {"reason": "본인이 다시 신청함"}).status_code == 302
    assert not OptOut.objects.exists()
    entry = Entry.objects.get(action="opt_out_removed")
    assert entry.details == {"source": "own", "reason": "본인이 다시 신청함"}
    assert "20000017" not in str(list(Entry.objects.values_list("details", "target")))


def test_what_is_no_mobile_number_is_refused_with_its_reason(sign_in: Any, list_path: str) -> None:
    response = sign_in("marketer").post(f"{list_path}add", {"phone": "02-123-4567"})
    assert response.status_code == 422
    assert 'value="02-123-4567"' in response.content.decode()
    assert not OptOut.objects.exists()


def test_a_file_and_a_list_are_imported_and_every_refused_row_is_told(sign_in: Any, list_path: str) -> None:
    client = sign_in("marketer")
    file = io.BytesIO(b"phone_number\n010-2000-0001\n02-123-4567\n010-2000-0002\n010-2000-0001\n")
    file.name = "refused.csv"
    html = client.post(f"{list_path}import", {"file": file}).content.decode()
    assert "2개를 새로 등록했습니다" in html
    assert "1개 행은 등록하지 않았습니다" in html
    assert "3행" in html
    html = client.post(f"{list_path}import", {"numbers": "01020000003\n010-2000-0001\n"}).content.decode()
    assert "1개를 새로 등록했습니다 (이미 있던 번호 1개)" in html
    assert client.post(f"{list_path}import", {}).status_code == 422
    xlsx = io.BytesIO(b"PK\x03\x04" + b"\0" * 64)
    xlsx.name = "a.xlsx"
    response = client.post(f"{list_path}import", {"file": xlsx})
    assert response.status_code == 422
    assert "CSV UTF-8" in response.content.decode()
    assert OptOut.objects.count() == 3


def test_the_providers_list_is_pulled_and_when_is_told(
    world: Any, sign_in: Any, list_path: str, account: provider.Provider
) -> None:
    account.listed_opt_outs = ["+821020000001", "+821020000002"]
    client = sign_in("marketer")
    response = client.post(f"{list_path}pull", follow=True)
    assert "2건을 확인해 2건을 새로 등록했습니다" in response.content.decode()
    pull = OptOutPull.objects.get(project=world.project)
    assert (pull.seen, pull.problem) == (2, "")
    account.fail("opt_outs", NotTaken("unreachable"))
    html = client.post(f"{list_path}pull", follow=True).content.decode()
    assert "마지막으로 가져오지 못했습니다" in html
    assert OptOut.objects.count() == 2


def test_a_long_list_is_paged_by_key(world: Any, sign_in: Any, list_path: str) -> None:
    rows = [OptOut(project=world.project, phone=f"+8210{n:08d}", source="import") for n in range(120)]
    OptOut.objects.bulk_create(rows)
    client = sign_in("viewer")
    found: list[str] = []
    path = list_path
    for _ in range(3):
        html = client.get(path).content.decode()
        found += re.findall(r'nowrap">(010-\*{4}-\d{4})', html)
        before = re.search(r"\?before=(\d+)", html)
        path = f"{list_path}?before={before[1]}" if before else ""
    assert len(found) == len(set(found)) == 120
    assert "해제</a>" not in html, "who may not change it isn't offered it"


def test_the_settings_page_leads_to_both(world: Any, sign_in: Any, rules_path: str, list_path: str) -> None:
    html = sign_in("viewer").get(f"/projects/{world.project.hex}/settings/").content.decode()
    assert f'href="{rules_path}"' in html
    assert f'href="{list_path}"' in html
