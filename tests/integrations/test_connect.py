"""연결 테스트, rung by rung, against the stand-in Mixpanel: what is wrong, and what to do about it."""

import base64
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.budget import WINDOW
from integrations.connect import MixpanelSettings, client_of, mixpanel_of, row_of
from integrations.mixpanel.schemas import Region
from integrations.models import Budget, Connection, Query
from integrations.register import register
from integrations.sandbox import accounts
from notifly_console.audit.models import Entry
from notifly_console.lib.crypto import CannotOpen, KeyRing

SECRET = accounts.SECRET


@pytest.fixture
def connect(world: Any) -> Callable[..., Connection]:
    def make(
        username: str = accounts.USERNAME,
        project_id: int = accounts.PROJECT,
        region: str = "us",
        secret: str = SECRET,
        **settings: Any,
    ) -> Connection:
        values = MixpanelSettings(project_id, username, Region(region), **settings)
        return register(world.project, values, secret, actor=world.people["owner"])[0]

    return make


@pytest.fixture
def press(world: Any, sign_in: Any) -> Iterator[Callable[[], str]]:
    """Presses 연결 테스트 and gives the fragment that comes back. The secret is in none of it."""

    def post() -> str:
        response = sign_in("owner").post(
            f"/projects/{world.project.hex}/settings/mixpanel/test/",
            headers={"HX-Request": "true", "HX-Target": "mixpanel"},
        )
        assert response.status_code == 200
        page = response.content.decode()
        assert SECRET not in page
        assert base64.b64encode(SECRET.encode()).decode() not in page
        return page

    return post


def rungs(world: Any) -> dict[str, str]:
    """The state of each rung after the test."""
    row = row_of(world.project)
    assert row
    return {name: state for name, state, _said in row.health["rungs"]}


ALL_OK = dict.fromkeys(("reach", "account", "project", "budget", "cohorts", "columns"), "ok")


def test_all_is_well(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect()
    page = press()
    assert rungs(world) == ALL_OK
    assert "연결됨" in page
    assert "하루식탁" in page
    assert "2/60" in page
    assert Query.objects.count() == 2
    entry = Entry.objects.get(action="connection_tested")
    assert (entry.details, entry.actor) == ({"result": "ok"}, "owner@harutable.example")


def test_a_wrong_secret_is_told_from_another_region(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect(secret="not-the-right-secret")
    page = press()
    assert "사용자 이름 또는 비밀번호가 맞지 않습니다" in page
    assert "세 리전 모두" in page
    assert rungs(world) == {**dict.fromkeys(ALL_OK, "skipped"), "reach": "ok", "account": "bad"}


def test_an_expired_account_is_said_like_a_wrong_secret(sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.EXPIRED)
    assert "만료일" in press()


def test_where_a_region_cant_be_asked_the_secret_isnt_blamed(sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.EU_USERNAME, accounts.EU_PROJECT, "us")
    sandbox.world.faults.add("cut", endpoint="me", times=None)
    page = press()
    assert "일부 리전에 물어보지 못했습니다" in page
    assert "사용자 이름 또는 비밀번호가 맞지 않습니다" not in page


def test_another_region_is_named_and_one_press_switches_to_it(
    world: Any, sign_in: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    row = connect(accounts.EU_USERNAME, accounts.EU_PROJECT, "us")
    page = press()
    assert "이 계정은 다른 리전에 있습니다: EU" in page
    assert "EU 리전으로 바꾸고 다시 테스트" in page

    row.refresh_from_db()
    response = sign_in("owner").post(
        f"/projects/{world.project.hex}/settings/mixpanel/region/",
        {"region": "eu", "seen": row.updated_at.isoformat(), "then": "test"},
        headers={"HX-Request": "true", "HX-Target": "mixpanel"},
    )
    assert response.status_code == 200
    assert "연결됨" in response.content.decode() or "볼 수 있는 코호트가 없습니다" in response.content.decode()
    row.refresh_from_db()
    assert row.settings["region"] == "eu"
    assert rungs(world)["project"] == "ok"


def test_a_stranger_to_the_project_learns_which_ones_the_account_sees(
    world: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    connect(accounts.OUTSIDER)
    page = press()
    assert f"서비스 계정이 프로젝트 {accounts.PROJECT}에 속해 있지 않습니다" in page
    assert f"다른 회사 ({accounts.OTHER_COMPANY_PROJECT})" in page
    assert rungs(world)["project"] == "bad"
    assert Query.objects.count() == 0


def test_an_account_that_may_not_ask_who_it_is_still_passes(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.UNSCOPED)
    press()
    assert rungs(world) == ALL_OK


def test_such_an_account_in_a_foreign_project_is_a_stranger_not_a_wrong_secret(
    world: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    connect(accounts.UNSCOPED, accounts.NEW_PROJECT)
    assert "서비스 계정이 이 프로젝트에 속해 있지 않습니다" in press()
    assert rungs(world)["project"] == "bad"


def test_a_plan_without_the_api(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.FREE_USERNAME, accounts.FREE_PROJECT)
    assert "Mixpanel 요금제에 API 사용이 포함되어 있지 않습니다" in press()
    assert rungs(world)["cohorts"] == "bad"


def test_a_role_that_is_too_low(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.CONSUMER)
    page = press()
    assert "서비스 계정의 역할이 낮아" in page
    assert "지금은 읽을 수 있지만" not in page
    assert rungs(world)["cohorts"] == "bad"


def test_no_visible_cohort_hints_at_sharing(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect(accounts.NEW_USERNAME, accounts.NEW_PROJECT)
    assert "볼 수 있는 코호트가 없습니다" in press()
    assert rungs(world) == {**ALL_OK, "cohorts": "bad", "columns": "skipped"}


def test_our_own_hour_used_up_says_when_there_is_room_again(world: Any, sandbox: Any, connect: Any, press: Any) -> None:
    connect()
    budget = Budget.objects.create(region="us", mixpanel_project_id=accounts.PROJECT)
    oldest = timezone.now() - timedelta(minutes=30)
    Query.objects.bulk_create([Query(budget=budget, at=oldest) for _ in range(60)])
    page = press()
    assert "시간당 요청 한도를 모두 썼습니다" in page
    assert (timezone.localtime(oldest) + WINDOW).strftime("%H:%M") in page
    assert rungs(world) == {**ALL_OK, "budget": "bad", "cohorts": "skipped", "columns": "skipped"}
    assert not [entry for entry in sandbox.world.log if entry.endpoint == "cohorts/list"]


def test_mixpanels_own_429_says_when_and_keeps_the_refresh_from_asking(
    world: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    connect()
    sandbox.world.faults.add("rate_limited", endpoint="cohorts/list", retry_after=900, times=None)
    assert "시간당 요청 한도를 모두 썼습니다" in press()
    blocked = Budget.objects.get().blocked_until
    assert blocked
    assert timedelta(minutes=14) < blocked - timezone.now() <= timedelta(minutes=15)


def test_nobody_listens_at_mixpanels_address(world: Any, connect: Any, press: Any, settings: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.MIXPANEL_API_URL = f"http://127.0.0.1:{unused.getsockname()[1]}"
    connect()
    page = press()
    assert "Mixpanel에 연결할 수 없습니다: 127.0.0.1" in page
    assert "연결이 거부됨" in page
    assert rungs(world)["reach"] == "bad"


def test_a_mixpanel_that_hangs_ends_by_the_deadline(
    world: Any, connect: Any, press: Any, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("integrations.ladder.SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.MIXPANEL_API_URL = f"http://127.0.0.1:{silent.getsockname()[1]}"
        connect()
        page = press()
    assert "Mixpanel이 제시간에 답하지 않았습니다" in page
    assert rungs(world)["reach"] == "bad"


@pytest.mark.parametrize("fault", ["error_500", "text_502", "html_503", "cut", "malformed", "html_200", "no_results"])
@pytest.mark.parametrize("endpoint", ["me", "cohorts/list", "engage"])
def test_any_answer_ends_in_a_sentence(
    sandbox: Any, connect: Any, press: Any, fault: str, endpoint: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("integrations.ladder.SECONDS", 0.5)
    connect()
    sandbox.world.faults.add(fault, endpoint=endpoint, times=None)
    page = press()
    assert "알 수 없는 오류" not in page
    assert "alert(" not in page


def test_a_secret_that_doesnt_open_is_never_sent(
    world: Any, sandbox: Any, connect: Any, press: Any, settings: Any
) -> None:
    connect()
    settings.CREDENTIALS_KEYS = KeyRing({"k2": b"2" * 32})
    page = press()
    assert "저장된 비밀번호를 열 수 없습니다" in page
    assert list(sandbox.world.log) == []


def test_the_account_is_warned_of_before_it_fails(sandbox: Any, connect: Any, press: Any) -> None:
    soon = (timezone.now() + timedelta(days=3)).date().isoformat()
    sandbox.world.accounts = tuple(
        type(account)(**{**vars(account), "expires": soon, "sees_classified": False})
        if account.username == accounts.USERNAME
        else account
        for account in sandbox.world.accounts
    )
    connect()
    page = press()
    assert "서비스 계정이 곧 만료됩니다" in page
    assert "민감 정보로 분류된 속성" in page
    assert "확인 필요" in page


def test_a_phone_column_that_nobody_has_is_saved_and_others_are_offered(
    world: Any, sign_in: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    row = connect(phone_column="nope")
    page = press()
    assert "nope 열에 휴대전화 번호가 있는 프로필이 없습니다" in page
    assert "0%에 휴대전화 번호가 있음" in page
    assert "휴대전화 0% · 이메일 93%" in page
    assert 'data-state="warn"' in page

    client, address = sign_in("owner"), f"/projects/{world.project.hex}/settings/mixpanel/phone_number_column/"
    editing = client.get(address).content.decode()
    assert 'value="$phone"' in editing
    assert 'value="mobile"' in editing
    row.refresh_from_db()
    client.post(address, {"phone_number_column": "$phone", "seen": row.updated_at.isoformat()})
    row.refresh_from_db()
    assert row.settings["phone_column"] == "$phone"
    settled = client.get(f"/projects/{world.project.hex}/settings/").content.decode()
    assert "휴대전화 87% · 이메일 93%" in settled
    assert "연결됨" in settled


def test_the_columns_of_consent_are_offered_by_what_stands_in_them_and_none_is_taken_unasked(
    world: Any, sign_in: Any, sandbox: Any, connect: Any, press: Any
) -> None:
    row = connect()
    page = press()
    assert page.count("정하지 않음 · 아무도 동의하지 않은 것으로 봅니다") == 2

    client, address = sign_in("owner"), f"/projects/{world.project.hex}/settings/mixpanel/"
    editing = client.get(f"{address}marketing_consent_column/").content.decode()
    assert editing.index('value="marketing_agreed"') < editing.index('value="night_agreed"')
    assert 'value="order_count"' not in editing
    at_night = client.get(f"{address}night_consent_column/").content.decode()
    assert at_night.index('value="night_agreed"') < at_night.index('value="marketing_agreed"')
    assert "그 밖의 값, 빈 값, 열이 없는 유저는 모두 동의하지 않은 것으로 보고" in at_night
    row.refresh_from_db()
    seen = row.updated_at.isoformat()
    client.post(f"{address}marketing_consent_column/", {"marketing_consent_column": "marketing_agreed", "seen": seen})
    settled = client.get(f"/projects/{world.project.hex}/settings/").content.decode()
    assert "%가 동의함" in settled
    connection = mixpanel_of(world.project)
    assert connection
    assert (connection.marketing_consent_column, connection.night_consent_column) == ("marketing_agreed", "")


def test_what_a_test_found_is_dropped_when_the_connection_was_changed_meanwhile(
    world: Any, sandbox: Any, connect: Any, press: Any, monkeypatch: Any
) -> None:
    from integrations import ladder

    row = connect()
    climb = ladder.climb

    def slow(connection: Any) -> Any:
        report = climb(connection)
        Connection.objects.filter(pk=row.pk).update(updated_at=timezone.now())
        return report

    monkeypatch.setattr(ladder, "climb", slow)
    press()
    row.refresh_from_db()
    assert row.health == {}


# -- For those who use the connection ---------------------------------------------------------------------------------
def test_a_project_without_a_connection_has_none(world: Any) -> None:
    assert mixpanel_of(world.project) is None


def test_a_secret_moved_to_another_projects_row_doesnt_open_there(world: Any, connect: Any) -> None:
    row = connect()
    stolen = Connection.objects.create(
        project=world.other_project, kind=row.kind, settings=row.settings, sealed_secret=row.sealed_secret
    )
    assert stolen
    with pytest.raises(CannotOpen):
        mixpanel_of(world.other_project)


def test_the_client_of_a_connection_counts_on_the_shared_budget(world: Any, sandbox: Any, connect: Any) -> None:
    connect()
    connection = mixpanel_of(world.project)
    assert connection
    with client_of(connection, holder="refresh:1") as client:
        assert len(client.cohorts()) > 10
    assert Query.objects.count() == 1
    assert SECRET not in repr(connection)


# -- connect_mixpanel -------------------------------------------------------------------------------------------------
def command(world: Any, **changes: str) -> str:
    options = {
        "project": world.project.hex,
        "mixpanel_project": str(accounts.PROJECT),
        "username": accounts.USERNAME,
        "region": "us",
        **changes,
    }
    out = StringIO()
    call_command("connect_mixpanel", stdout=out, **options)
    return out.getvalue().strip()


def test_the_command_registers_once_and_changes_what_is_new(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("MIXPANEL_SECRET", SECRET)
    agreed = {"marketing_consent_column": "agreed", "night_consent_column": "at_night"}
    told = [command(world), command(world), command(world, phone_column="mobile", **agreed)]
    assert told == ["registered", "unchanged", "registered"]
    connection = mixpanel_of(world.project)
    assert connection
    assert (connection.phone_column, connection.email_column) == ("mobile", "$email")
    assert (connection.marketing_consent_column, connection.night_consent_column) == ("agreed", "at_night")
    assert connection.account.secret.reveal() == SECRET
    actions = list(Entry.objects.order_by("id").values_list("action", "actor"))
    assert actions == [("connection_registered", "system"), ("connection_changed", "system")]


def test_the_command_reads_the_secret_from_a_file(world: Any, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv("MIXPANEL_SECRET", raising=False)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("MIXPANEL_SECRET_FILE", str(tmp_path / "secret"))
    assert command(world) == "registered"
    connection = mixpanel_of(world.project)
    assert connection
    assert connection.account.secret.reveal() == SECRET


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"project": "0" * 32}, "--project"),
        ({"project": "nonsense"}, "--project"),
        ({"mixpanel_project": "-3"}, "--mixpanel-project"),
        ({"username": "name:secret"}, "--username"),
        ({"region": "uk"}, "--region"),
        ({"phone_column": "x" * 256}, "--phone-column"),
        ({"email_column": "\x00"}, "--email-column"),
        ({"unknown": "maybe"}, "--unknown"),
    ],
)
def test_the_command_names_the_option_that_is_wrong(
    world: Any, monkeypatch: Any, changes: dict[str, str], named: str
) -> None:
    monkeypatch.setenv("MIXPANEL_SECRET", SECRET)
    with pytest.raises(CommandError, match=f"^{named}: "):
        command(world, **changes)
    assert mixpanel_of(world.project) is None


def test_the_command_says_where_the_secret_comes_from(world: Any, monkeypatch: Any) -> None:
    monkeypatch.delenv("MIXPANEL_SECRET", raising=False)
    monkeypatch.delenv("MIXPANEL_SECRET_FILE", raising=False)
    with pytest.raises(CommandError, match="Set MIXPANEL_SECRET, or MIXPANEL_SECRET_FILE"):
        command(world)
    monkeypatch.setenv("MIXPANEL_SECRET_FILE", "/nowhere/secret")
    with pytest.raises(CommandError, match="MIXPANEL_SECRET_FILE can't be read: FileNotFoundError"):
        command(world)
