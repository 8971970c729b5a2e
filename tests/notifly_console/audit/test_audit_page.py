"""The audit log: append-only, complete about accounts, and readable."""

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client

from integrations.failures import sending, sentence
from notifly_console.audit import words
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.audit.record import record
from tests.conftest import PASSWORD
from tests.notifly_console.tenancy.totp import set_up

OWNER = "owner@harutable.example"


@pytest.fixture(autouse=True)
def _no_attempts_yet(db: None) -> None:
    cache.clear()


def page_of(client: Client, world: Any, query: str = "") -> str:
    response = client.get(f"/projects/{world.project.hex}/audit/{query}")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry", "UPDATE audit_entry SET details = '{}'"],
)
def test_the_database_refuses_to_change_an_entry(world: Any, statement: str) -> None:
    record(Action.PROJECT_CHANGED, project_id=world.id, actor=world.people["owner"])
    before = list(Entry.objects.values())
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Entry.objects.values()) == before


def test_postgresql_refuses_to_empty_it(world: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_entry")


@pytest.mark.django_db(transaction=True)  # a factor is told of when its transaction has committed
def test_what_happens_to_an_account_is_recorded_without_secrets(world: Any) -> None:
    client = Client(REMOTE_ADDR="198.51.100.7")
    client.post("/accounts/login/", {"login": OWNER, "password": "a wrong password"})
    client.post("/accounts/login/", {"login": "nobody@x.example", "password": "a wrong password"})
    client.post("/accounts/login/", {"login": OWNER, "password": PASSWORD})
    secret = set_up(client)
    new = "a wholly different sentence"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    client.post("/accounts/reauthenticate/", {"password": new})
    client.post("/accounts/2fa/app/deactivate/")
    client.post("/accounts/logout/")
    rows = Entry.objects.filter(project_id=world.id).order_by("pk")
    assert [row.action for row in rows] == [
        "sign_in_failed", "signed_in", "second_factor_added", "second_factor_added", "password_changed",
        "second_factor_removed", "second_factor_removed", "signed_out",
    ]  # fmt: skip
    assert {row.address for row in rows} == {"198.51.100.7"}
    everything = str(list(Entry.objects.values()))
    for never in (PASSWORD, new, "a wrong password", secret, "nobody@x.example"):
        assert never not in everything
    assert Entry.objects.filter(project_id=None, action="sign_in_failed").count() == 1


def test_entries_read_like_sentences_with_the_zone(world: Any, sign_in: Any, time_machine: Any) -> None:
    time_machine.move_to("2026-11-25T03:04:05Z", tick=False)
    owner = world.people["owner"]
    record(
        Action.MEMBER_ROLE_CHANGED,
        project_id=world.id,
        actor=owner,
        target="x@x.example",
        before="viewer",
        after="admin",
    )
    record(Action.CREDENTIALS_ROTATED, project_id=world.id, count=1200)
    page = page_of(sign_in("admin"), world)
    for said in (
        "구성원 역할 변경",
        "뷰어 → 관리자",
        "x@x.example",
        OWNER,
        "2026-11-25 12:04:05 KST",
        "시스템",
        "1,200",
    ):
        assert said in page


def test_codes_are_said_in_words(world: Any, sign_in: Any) -> None:
    tested = {"project_id": world.id, "actor": world.people["owner"], "target": "mixpanel"}
    record(Action.CONNECTION_TESTED, **tested, result="wrong_secret")
    record(Action.CONNECTION_TESTED, **tested, result="out_of_balance")
    record(Action.CONNECTION_TESTED, **tested, result="ok")
    record(Action.CONNECTION_CHANGED, **tested, before={"region": "us"}, after={"region": "in"})
    record(Action.CONNECTION_CHANGED, **tested, before={"phone_column": "$phone"}, after={"phone_column": "tel"})
    record(Action.PROFILES_EXPORTED, **tested, what="joined", version=3, people=1200, refresh="0123")
    record(Action.OPT_OUT_REMOVED, **tested, source="provider")
    page = page_of(sign_in("admin"), world)
    for said in (
        str(sentence("wrong_secret").title), str(sending("out_of_balance").title), "정상", "US → India", "리전",
        "phone_number_column", "$phone → tel", "들어온 사람", "1,200", "080 수신거부",
    ):  # fmt: skip
        assert said in page, said
    for code in ("wrong_secret", "out_of_balance", "joined<", "phone_column<", "provider", "0123"):
        assert code not in page, code


def recorded_facts() -> set[str]:
    """The names of all facts that a call of `record` in the sources writes."""
    taken = set(inspect.signature(record).parameters)
    found = set()
    for room in ("campaigns", "cohorts", "integrations", "notifly_console"):
        for source in (Path(settings.BASE_DIR) / room).rglob("*.py"):
            for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("record", "_record", "_tell"):
                    found |= {word.arg for word in call.keywords if word.arg}
    return found - taken - {"before", "after"}


def test_every_fact_that_is_recorded_has_a_name_for_people() -> None:
    facts = recorded_facts()
    assert {"result", "role", "whole_contacts"} <= facts
    assert {fact for fact in facts if not words.is_named(fact)} == set()


def test_another_projects_entries_arent_there(world: Any, sign_in: Any) -> None:
    record(Action.PROJECT_CHANGED, project_id=world.other_project.id, target="남의 일")
    assert "남의 일" not in page_of(sign_in("owner"), world)


def test_filters_by_person_action_and_day(world: Any, sign_in: Any, time_machine: Any) -> None:
    owner, admin = world.people["owner"], world.people["admin"]
    time_machine.move_to("2026-11-24T14:59:59Z", tick=False)  # 23:59:59 in Seoul
    record(Action.PROJECT_CHANGED, project_id=world.id, actor=owner, target="어제 것")
    time_machine.move_to("2026-11-24T15:00:00Z", tick=False)  # midnight
    record(Action.MEMBER_INVITED, project_id=world.id, actor=admin, target="오늘 것")
    client = sign_in("owner")
    for query, shown, hidden in [
        (f"?actor={OWNER}", "어제 것", "오늘 것"),
        ("?action=member_invited", "오늘 것", "어제 것"),
        ("?since=2026-11-25", "오늘 것", "어제 것"),
        ("?until=2026-11-24", "어제 것", "오늘 것"),
    ]:
        page = page_of(client, world, query)
        assert shown in page
        assert hidden not in page


@pytest.mark.parametrize(
    "query", ["?since=tomorrow", "?since=2026-12-02&until=2026-12-01", "?action=drop", "?before=x", "?before=0"]
)
def test_a_filter_that_makes_no_sense_is_said(world: Any, sign_in: Any, query: str) -> None:
    response = sign_in("owner").get(f"/projects/{world.project.hex}/audit/{query}")
    assert response.status_code == 422
    assert "field__error" in response.content.decode()


@pytest.mark.parametrize("query", ["?actor=%00", "?until=9999-12-31", "?before=4611686018427387904", "?actor=%F0%9F"])
def test_odd_values_are_no_crash(world: Any, sign_in: Any, query: str) -> None:
    assert sign_in("owner").get(f"/projects/{world.project.hex}/audit/{query}").status_code in (200, 422)


def test_paging_goes_through_all_and_back(world: Any, sign_in: Any) -> None:
    for n in range(120):
        record(Action.PROJECT_CHANGED, project_id=world.id, target=f"n{n:03}")
    client = sign_in("owner")
    seen: list[str] = []
    query, back = "", ""
    while True:
        response = client.get(f"/projects/{world.project.hex}/audit/{query}")
        seen += [line.entry.target for line in response.context["lines"]]
        if not (query := response.context["older"]):
            back = response.context["newer"]
            break
        record(Action.PROJECT_CHANGED, project_id=world.id, target="meanwhile")
    assert seen == [f"n{n:03}" for n in reversed(range(120))]
    earlier = client.get(f"/projects/{world.project.hex}/audit/{back}").context["lines"]
    assert [line.entry.target for line in earlier] == seen[50:100]
