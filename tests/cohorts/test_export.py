"""CSV downloads: who may, what is written down, what a spreadsheet makes of the cells."""

import csv
import io
from typing import Any

import pytest

from notifly_console.audit.models import Entry
from notifly_console.lib.spreadsheet import safe_cell
from tests import factories as make

REASON = "11월 재구매 분석"


@pytest.fixture
def exported(world: Any) -> Any:
    ids = make.profiles(world.project, 5)
    ids.append(make.profile(world.project, "=cmd|'/c calc'!A1", phone_raw="+1 202 555 0143", phone_reason="foreign").pk)
    world.one = make.cohort_with(world.project, 1, ids[:3])
    make.snapshot(world.one, ids[2:])
    return world


def download(world: Any, client: Any, what: str = "members", reason: str = REASON) -> Any:
    return client.post(f"/projects/{world.project.hex}/cohorts/mixpanel_1/export", {"what": what, "reason": reason})


def rows_of(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    raw = b"".join(response.streaming_content)
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_a_marketer_gets_masked_and_an_admin_whole_contacts(exported: Any, sign_in: Any) -> None:
    head, *people = rows_of(download(exported, sign_in("marketer")))
    assert head == ["사용자 ID", "이름", "전화번호", "이메일", "문자 받을 수 있음", "받을 수 없는 이유"]
    assert people[0] == ["user_0000002", "고객 2", "010-****-0002", "p*****2@mail.example", "예", ""]
    _head, *people = rows_of(download(exported, sign_in("admin")))
    assert people[0] == ["user_0000002", "고객 2", "010-2000-0002", "person2@mail.example", "예", ""]
    assert people[-1] == ["'=cmd|'/c calc'!A1", "", "'+1 202 555 0143", "", "아니요", "해외 번호"]
    assert len(people) == 4


@pytest.mark.parametrize(("what", "expected"), [("joined", 3), ("left", 2)])
def test_those_who_joined_and_left_can_be_downloaded(exported: Any, sign_in: Any, what: str, expected: int) -> None:
    assert len(rows_of(download(exported, sign_in("marketer"), what))) == expected + 1


def test_the_file_is_an_attachment_with_a_telling_name(exported: Any, sign_in: Any) -> None:
    response = download(exported, sign_in("marketer"))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="mixpanel_1_v2_members_')
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("reason", ["", " ", "x"])
def test_without_a_reason_nothing_is_given_and_nothing_recorded(exported: Any, sign_in: Any, reason: str) -> None:
    response = download(exported, sign_in("admin"), reason=reason)
    assert response.status_code == 422
    assert "받는 이유" in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    assert not Entry.objects.exists()


def test_a_download_is_recorded_with_its_reason_and_number(exported: Any, sign_in: Any) -> None:
    rows_of(download(exported, sign_in("admin")))
    entry = Entry.objects.get()
    assert entry.action == "profiles_exported"
    assert entry.details == {
        "what": "members", "version": 2, "people": 4, "whole_contacts": True, "reason": REASON,
    }  # fmt: skip


def test_who_may_not_and_what_is_not_there(exported: Any, sign_in: Any) -> None:
    assert download(exported, sign_in("viewer")).status_code == 403
    assert download(exported, sign_in("stranger")).status_code == 404
    assert download(exported, sign_in("owner"), "everything").status_code == 422


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"])
def test_no_cell_is_a_formula(first: str) -> None:
    assert safe_cell(f"{first}1+1") == f"'{first}1+1"
    assert safe_cell(f"a{first}") == f"a{first}"
