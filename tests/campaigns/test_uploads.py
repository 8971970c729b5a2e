"""A CSV file as an audience: whatever spreadsheets write, and what is said of what can't be used."""

import csv
import io
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from campaigns.audience import files, uploads
from campaigns.audience.files import BadFile
from campaigns.audience.people import first_phones, people_of
from campaigns.audience.plan import plan
from campaigns.audience.uploads import lines_of, read_csv, rows_at
from campaigns.models import Campaign, OptOut, Recipient, Upload
from campaigns.sending.recipients import freeze_into
from cohorts.people.facets import rebuild
from notifly_console.tenancy.models import Project
from tests import factories
from tests.campaigns.test_recipients import a_run, hold


def read(project: Any, content: str | bytes, encoding: str = "utf-8", **options: Any) -> Upload:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    return read_csv(project, "받는 사람.csv", io.BytesIO(data), "marketer@harutable.example", **options)


def told(upload: Upload) -> list[Any]:
    return [orjson.loads(line) for line in lines_of(upload)]


GOOD = "phone_number,이름\r\n010-2222-0000,김하나\r\n01022220001,이둘\r\n"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("cp949"),
        GOOD.encode("utf-16"),
        b"\xff\xfe" + GOOD.replace(",", "\t").encode("utf-16-le"),
        GOOD.replace(",", ";").encode("cp949"),
        GOOD.replace(",", "\t").encode(),
        ("sep=;\r\n" + GOOD.replace(",", ";")).encode(),
        GOOD.replace("\r\n", "\n").encode(),
        GOOD.replace("\r\n", "\r").encode(),
        GOOD.rstrip().encode(),
        GOOD.replace("phone_number", " Phone Number ").encode(),
        GOOD.replace("이름", '"이름"').encode(),
        GOOD.replace("phone_number", "전화번호").encode("cp949"),
        GOOD.replace("phone_number", "휴대폰 번호").encode(),
    ],
    ids=["utf-8", "bom", "cp949", "utf-16", "utf-16 tabs", "semicolons", "tabs", "sep=", "lf", "cr", "no end",
         "spelling", "quoted", "전화번호", "휴대폰 번호"],
)  # fmt: skip
@pytest.mark.django_db
def test_what_spreadsheets_write_is_read(data: bytes) -> None:
    upload = read(Project.objects.create(name="하루식탁"), data)
    first = upload.columns[0]
    assert (
        told(upload)
        == [
            ["+821022220000", 2, {first: "010-2222-0000", "이름": "김하나"}],
            ["+821022220001", 3, {first: "01022220001", "이름": "이둘"}],
        ]
        or told(upload)[0][1] == 3
    )  # Below the line that only names the delimiter.
    assert upload.accepted == 2
    assert upload.refused == {"counts": {}, "examples": []}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b",,,\n,,\n", "no_phone_column"),
        (b"phone_number,name\r\n", "no_rows"),
        (b"phone_number,name\r\n,\r\n\r\n", "no_rows"),
        (b"PK\x03\x04\x14\x00", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "spreadsheet"),
        ("phone_number\n".encode("utf-16-le"), "binary"),
        (b"phone_number\n010\x002\n", "binary"),
        ("phone_number\n\0".encode("utf-16"), "binary"),
        (b"phone_number,name\n01022220000,\xff\xff\xff\n", "encoding"),
        ("전화번호,이름\n01022220000,김\n".encode()[:-2], "encoding"),
        (b"phone_number,phone_number\n1,2\n", "same_column"),
        (b"phone_number," + b"a" * 256 + b"\n1,2\n", "long_column"),
        (b"phone_number" + b",a" * 101 + b"\n1\n", "too_many_columns"),
        (b'phone_number,name\n01022220000,"open\n01022220001,b\n', "quotes"),
        (b'phone_number,name\n01022220000,"a"b\n', "quotes"),
        (b'phone_number,name\n01022220000,"' + b"x\n" * 100_000, "long_cell"),
        (b"name,plan\nx,y\n", "no_phone_column"),
        ("휴대폰,전화번호\n01022220001,01022220000\n".encode("cp949"), "near_phone_column"),
        (b"name,HP\nx,01022220000\n", "near_phone_column"),
        (b"name,contact\nx,01022220000\nx,01022220001\n", "near_phone_column"),
        (b"name,phone_nubmer\nx,y\n", "near_phone_column"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:24]),
)
@pytest.mark.django_db
def test_a_file_that_cant_be_used_says_why_and_nothing_is_kept(data: bytes, code: str) -> None:
    with pytest.raises(BadFile) as refused:
        read(Project.objects.create(name="하루식탁"), data)
    assert refused.value.code == code
    assert "%(" not in str(refused.value)
    assert not Upload.objects.exists()


def test_near_names_are_offered_and_one_of_them_can_be_taken(world: Any) -> None:
    data = "이름,고객 연락처,메모\n김하나,010-2222-0000,x\n"
    with pytest.raises(BadFile, match=r"혹시 이 열인가요\? 고객 연락처$"):
        read(world.project, data)
    assert read(world.project, data, phone_column="고객 연락처").accepted == 1
    with pytest.raises(BadFile, match="파일의 열: a, b"):
        read(world.project, "a,b\n1,2\n")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("010-2222-0009", ""), ("1022220009", ""), ("1022220009.0", ""), ("+82 10-2222-0009", ""),
        ("０１０２２２２０００９", ""), ("'01022220009", ""), ("1.0123E+10", "spreadsheet"),
        ("1.02222E+09", "spreadsheet"), ("", "missing"), ("  ", "missing"), ("02-222-3333", "landline"),
        ("011-222-3333", "legacy_mobile"), ("0101234", "too_short"), ("010222200099", "too_long"),
        ("홍길동", "not_a_number"), ("=1+1", "not_a_number"), ("01000000000", "unassigned"),
        ("+1 415 555 0000", "foreign"),
    ],
    ids=repr,
)  # fmt: skip
def test_each_row_has_its_reason_and_number(world: Any, number: str, reason: str) -> None:
    upload = read(world.project, f'phone_number,x\n01022220000,a\n"{number}",b\n')
    assert [line[1] for line in told(upload)] == ([2] if reason else [2, 3])
    assert upload.refused["counts"] == ({reason: 1} if reason else {})
    assert [example[:2] for example in upload.refused["examples"]] == ([[3, reason]] if reason else [])


def test_rows_are_numbered_as_in_a_spreadsheet_and_blank_ones_count_for_nothing(world: Any) -> None:
    upload = read(
        world.project,
        'phone_number,메모\r\n01022220000,"두\r\n줄"\r\n\r\n,,\r\n01022220000,다시\r\n02-222-3333,x\r\n'
        "01022220001,쉼표,하나 더\r\n01022220002\r\n",
    )
    assert [line[1] for line in told(upload)] == [2, 8]
    assert told(upload)[0][2]["메모"] == "두\r\n줄"
    assert told(upload)[1][2]["메모"] == ""
    assert upload.refused == {
        "counts": {"same_number": 1, "landline": 1, "shifted": 1},
        "examples": [
            [5, "same_number", "010-****-0000"],
            [6, "landline", "*****3333"],
            [7, "shifted", "010-****-0001"],
        ],
    }


def test_formulas_and_markup_stay_text(world: Any) -> None:
    cell = '=HYPERLINK("http://evil.example","x")'
    data = io.StringIO()
    csv.writer(data).writerows([["phone_number", "<b>이름</b>"], ["01022220000", cell]])
    assert told(read(world.project, data.getvalue()))[0][2]["<b>이름</b>"] == cell


def test_a_file_beyond_the_limits_is_refused(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(files, "MOST_ROWS", 3)
    assert read(world.project, "phone_number\n" + "".join(f"0102222000{n}\n" for n in range(3))).accepted == 3
    with pytest.raises(BadFile, match="행이 3개를 넘습니다"):
        read(world.project, "phone_number\n" + "".join(f"0102222000{n}\n" for n in range(4)))
    with pytest.raises(BadFile, match="행이 3개를 넘습니다"):
        read(world.project, "phone_number\n" + "nonsense\n" * 4)
    monkeypatch.setattr(files, "MOST_BYTES", 20)
    with pytest.raises(BadFile, match="MB를 넘습니다"):
        read(world.project, "phone_number\n01022220000\n")


@pytest.mark.django_db
def test_every_refused_row_is_reached_page_by_page(world: Any, sign_in: Any) -> None:
    lines = [f"02-312-{n:04d}" if n % 2 else "" for n in range(2_600)]
    upload = read(world.project, "\n".join(["phone_number,이름", "010-2222-0000,김", *(f"{one},a" for one in lines)]))
    found = list(uploads.refused_of(upload, "landline"))
    assert [row for row, _reason, _given in found] == [n + 3 for n in range(2_600) if n % 2]
    campaign = factories.campaign(world.project, audience_kind="csv", upload=upload, channel="text")
    client = sign_in("marketer")
    address = f"/projects/{world.project.hex}/campaigns/{campaign.pk.hex}/people?step=reachable&reason=landline"
    html = client.get(f"{address}&offset=1280").content.decode()
    assert "1,281–1,300 / 1,300" in html
    assert "2,602" in html
    assert "나머지" not in html
    Upload.objects.update(refused_rows=None)
    assert "나머지 300개" in client.get(address).content.decode()


def test_of_many_bad_rows_all_are_counted_and_the_first_are_shown(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(uploads, "EXAMPLES", 5)
    upload = read(world.project, "phone_number\n" + "x\n" * 30)
    assert upload.refused["counts"] == {"not_a_number": 30}
    assert [one[0] for one in upload.refused["examples"]] == [2, 3, 4, 5, 6]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@given(
    st.lists(st.lists(CELL, max_size=3)),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
@pytest.mark.django_db
def test_whatever_was_written_is_read_back(rows: list[list[str]], delimiter: str, encoding: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["phone_number", "a", "b", "c"])
    for number, cells in enumerate(rows):
        writer.writerow([f"0102222{number:04d}", *cells])
    project = Project.objects.create(name="하루식탁")
    if not rows:
        with pytest.raises(BadFile):
            read(project, text.getvalue(), encoding)
        return
    found = told(read(project, text.getvalue(), encoding))
    expected = [[*cells, "", "", ""][:3] for cells in rows]
    assert [[line[2][name] for name in "abc"] for line in found] == expected


# -- As an audience ---------------------------------------------------------------------------------------------------
def campaign_to(upload: Upload, *, is_ad: bool, text: str = "") -> Campaign:
    message = {"is_ad": is_ad, "text": text}
    return Campaign(project=upload.project, audience_kind="csv", upload=upload, channel="text", message=message)


ROWS = (
    "phone_number,이름,쿠폰\n010-2222-0000,김하나,A1\n010-2222-0001,이둘,A2\n010-2222-0002,박셋,A3\n"
    "010-2222-0000,김하나,A4\n,무전화,A5\n02-222-3333,유선,A6\n010-2222-0003,최넷,A7,덤\n"
)


@pytest.fixture
def agreed(world: Any) -> Any:
    """Of the numbers above the first two consented; one of these refused later."""
    for number in range(3):
        phone = f"+82102222000{number}"
        factories.profile(world.project, f"p{number}", phone=phone, marketing_consent=number < 2)
    rebuild(world.project.pk)
    OptOut.objects.create(project=world.project, phone="+821022220001", source="import")
    return world.project


def test_the_funnel_of_a_file_begins_with_all_its_rows(agreed: Any) -> None:
    upload = read(agreed, ROWS)
    information, ad = plan(campaign_to(upload, is_ad=False)), plan(campaign_to(upload, is_ad=True))
    assert [(step.label, step.count) for step in ad.funnel.steps] == [
        ("파일 인원", 7), ("전화번호 있음", 5), ("유효한 휴대전화", 4), ("번호당 한 명", 3), ("광고 수신 동의", 2),
        ("수신거부 아님", 1), ("발송 예정", 1),
    ]  # fmt: skip
    assert [step.count for step in information.funnel.steps] == [7, 5, 4, 3, 3]
    dropped = {(step.key, drop.reason): drop.count for step in ad.funnel.steps for drop in step.drops}
    assert set(dropped.values()) == {1}
    opened = {key: people_of(ad, *key) for key in dropped}
    assert {key: [(one.row, one.phone) for one in people] for key, people in opened.items()} == {
        ("has_phone", "missing"): [(6, "")],
        ("has_phone", "shifted"): [(8, "010-****-0003")],
        ("reachable", "landline"): [(7, "*****3333")],
        ("one_per_number", "same_number"): [(5, "010-****-0000")],
        ("consent", "no_consent"): [(4, "010-****-0002")],
        ("not_opted_out", "import"): [(3, "010-****-0001")],
    }
    assert first_phones(ad, whole=True) == ["010-2222-0000"]
    assert first_phones(information, 2) == ["010-****-0000", "010-****-0001"]
    assert [one.name for one in people_of(information, "sent", offset=1)] == ["이둘", "박셋"]
    assert ad.without_night_consent == 1


def test_a_file_that_says_who_consented_is_believed_and_a_refusal_counts_all_the_same(agreed: Any) -> None:
    upload = read(
        agreed,
        "phone_number,marketing_consent\n010-2222-0000,N\n010-2222-0001,Y\n010-2222-0002,동의\n010-2222-0009,true\n",
    )
    made = plan(campaign_to(upload, is_ad=True))
    assert [row.number for row in rows_at(upload, made.chosen)] == [4, 5]


@pytest.mark.parametrize("lines_at_once", [1, 2, 100])
def test_those_rows_are_written_whom_the_preview_shows(agreed: Any, monkeypatch: Any, lines_at_once: int) -> None:
    monkeypatch.setattr("campaigns.sending.recipients.LINES_AT_ONCE", lines_at_once)
    upload = read(agreed, ROWS)
    campaign = campaign_to(
        upload, is_ad=False, text='{{ csv["이름"] }}님 {{ csv["쿠폰"] }} {{ csv["없음"] | default: "x" }}'
    )
    seen = plan(campaign)
    run = a_run(campaign)
    assert freeze_into(run, hold(run)) == seen.funnel.size == 3
    run.refresh_from_db()
    assert (run.upload_id, run.size) == (upload.pk, 3)
    written = Recipient.objects.order_by("pk")
    assert [(one.phone, one.profile_id, one.external_id) for one in written] == [
        (f"+82102222000{number}", None, "") for number in range(3)
    ]
    values = [{name: value for name, value in one.values.items() if value is not None} for one in written]
    assert values == [{"이름": "김하나", "쿠폰": "A1"}, {"이름": "이둘", "쿠폰": "A2"}, {"이름": "박셋", "쿠폰": "A3"}]


def test_a_takeover_goes_on_with_the_same_file(agreed: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("campaigns.sending.recipients.LINES_AT_ONCE", 1)
    run = a_run(campaign_to(read(agreed, ROWS), is_ad=False))
    met: list[str] = []

    def crash(name: str) -> None:
        met.append(name)
        if met.count("before_frozen_chunk") == 3:
            raise ZeroDivisionError

    monkeypatch.setattr("campaigns.sending.recipients.reached", crash)
    with pytest.raises(ZeroDivisionError):
        freeze_into(run, hold(run))
    monkeypatch.setattr("campaigns.sending.recipients.reached", lambda name: None)
    Campaign.objects.update(upload=read(agreed, "phone_number\n01099998888\n"))
    type(run).objects.update(lease_until=None)
    again = type(run).objects.get()
    assert again.recipients.count() == again.frozen_upto == 2
    assert freeze_into(again, hold(again)) == 3
    assert not again.recipients.filter(phone="+821099998888").exists()


def test_no_more_is_read_than_asked_for(world: Any) -> None:
    upload = read(world.project, "phone_number\n" + "".join(f"010{22220000 + n}\n" for n in range(5_000)))
    assert [row.place for row in rows_at(upload, BitMap64([4_998, 5_000, 7_000]))] == [4_998, 5_000]
    assert list(rows_at(upload, BitMap64())) == []
    assert len(list(lines_of(upload, 4_000))) == 1_000


def test_a_file_that_nobody_uses_is_forgotten_after_a_day(agreed: Any) -> None:
    unused, fresh, drafted, sent = (read(agreed, ROWS) for _ in range(4))
    campaign = campaign_to(drafted, is_ad=False)
    run = a_run(campaign)
    type(run).objects.update(upload=sent)
    Upload.objects.exclude(pk=fresh.pk).update(created_at=timezone.now() - timedelta(hours=25))
    assert uploads.prune() == 1
    assert set(Upload.objects.values_list("pk", flat=True)) == {fresh.pk, drafted.pk, sent.pk}
    assert not Upload.objects.filter(pk=unused.pk).exists()
