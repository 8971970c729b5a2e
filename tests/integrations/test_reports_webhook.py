"""The webhook for SOLAPI's reports: who may call, what is believed, and who is told."""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from integrations import hooks, inbox, senders
from integrations.models import Connection, SenderListing
from integrations.solapi.webhook import groups_of
from notifly_console.audit.models import Entry
from tests import factories

SECRET = "hook-secret-0001"
HEADER = hashlib.sha1(SECRET.encode()).hexdigest()


@pytest.fixture
def row(world: Any) -> Connection:
    made = factories.sender(world.project)
    hooks.set_secret(made, SECRET, actor=world.people["owner"])
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[UUID, list[str]]]:
    heard: list[tuple[UUID, list[str]]] = []
    monkeypatch.setattr(inbox, "_hints", {"solapi": lambda project, handles: heard.append((project, list(handles)))})
    return heard


def call(world: Any, body: Any, header: str | None = HEADER, project: str | None = None, **extra: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Solapi-Event-Name": "SINGLE-REPORT", **({"X-Solapi-Secret": header} if header is not None else {})}
    url = f"/solapi/projects/{project or world.project.hex}/reports"
    return Client().post(url, raw, content_type="application/json", headers=headers, **extra)


def wrapped(**data: Any) -> dict[str, Any]:
    return {"eventDataId": "E1", "retryCount": 0, "data": data}


def test_both_shapes_name_their_groups_once(world: Any, row: Connection, told: Any) -> None:
    body = [
        wrapped(messageId="M1", groupId="G1", accountId="486", statusCode="4000"),
        {"messageId": "M2", "groupId": "G1", "accountId": "486"},
        {"messageId": "M3", "groupId": "G2"},
    ]
    response = call(world, body)
    assert response.status_code == 200
    assert told == [(world.project.id, ["G1@486", "G1", "G2"])]


def test_the_account_is_known_from_the_listing_where_a_report_names_none(
    world: Any, row: Connection, told: Any
) -> None:
    SenderListing.objects.create(connection=row, data={"account": "486"})
    assert call(world, [wrapped(groupId="G2")]).status_code == 200
    assert told == [(world.project.id, ["G2@486", "G2"])]


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[", b"null", b"7", b"{}", [], [None, 7, "x"], [{"groupId": {"$ne": 1}}], [{"groupId": "../x"}],
     [{"groupId": "G" * 65}], b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_what_names_no_group_is_taken_and_tells_nobody(world: Any, row: Connection, told: Any, body: Any) -> None:
    assert call(world, body).status_code == 200
    assert told == []


def test_no_call_names_more_groups_than_can_be_asked_for() -> None:
    body = json.dumps([{"groupId": f"G{n}"} for n in range(5_000)]).encode()
    assert len(groups_of(body)) == 1_000


@pytest.mark.parametrize("header", [None, "", "wrong", SECRET, HEADER + "0", HEADER[:-1], "\x00", "x" * 100_000])
def test_without_the_secret_nobody_is_told(world: Any, row: Connection, told: Any, header: str | None) -> None:
    assert call(world, [{"groupId": "G1"}], header).status_code == 401
    assert told == []
    assert Connection.objects.get(pk=row.pk).hook_called_at is None


def test_the_header_is_taken_in_any_case(world: Any, row: Connection, told: Any) -> None:
    assert call(world, [{"groupId": "G1"}], HEADER.upper()).status_code == 200


def test_another_projects_secret_opens_only_its_own_door(world: Any, row: Connection, told: Any) -> None:
    factories.sender(world.other_project)
    assert call(world, [], project=world.other_project.hex).status_code == 401
    for name in ("0" * 32, "x", "00000000-0000-0000-0000-000000000000"):
        assert call(world, [], project=name).status_code == 401


def test_without_a_secret_of_its_own_a_sender_lets_nobody_in(world: Any, told: Any) -> None:
    factories.sender(world.project)
    assert call(world, [], hashlib.sha1(b"").hexdigest()).status_code == 401
    assert call(world, [], "").status_code == 401


def test_a_body_beyond_the_limit(world: Any, row: Connection, told: Any) -> None:
    assert call(world, b" " * (1024 * 1024) + b"[]").status_code == 413
    assert call(world, b" " * (1024 * 1024 - 2) + b"[]").status_code == 200


def test_a_repeat_tells_again_and_does_no_harm(world: Any, row: Connection, told: Any) -> None:
    for _ in range(3):
        assert call(world, [wrapped(groupId="G1", accountId="486")]).status_code == 200
    assert len(told) == 3


def test_a_handler_that_fails_has_solapi_call_again(
    world: Any, row: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(project: UUID, handles: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(inbox, "_hints", {"solapi": broken})
    assert call(world, [{"groupId": "G1"}]).status_code == 503


def test_nobody_who_wants_to_know_is_no_error(world: Any, row: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_hints", {})
    assert call(world, [{"groupId": "G1"}]).status_code == 200


def test_exactly_one_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_hints", {})

    def first(project: UUID, handles: Any) -> None: ...
    def second(project: UUID, handles: Any) -> None: ...

    assert inbox.on_report("solapi")(first) is first
    inbox.on_report("solapi")(first)
    with pytest.raises(ImproperlyConfigured):
        inbox.on_report("solapi")(second)


def test_the_last_call_is_remembered_to_the_minute(world: Any, row: Connection, told: Any) -> None:
    call(world, [])
    first = Connection.objects.get(pk=row.pk).hook_called_at
    assert first
    call(world, [])
    assert Connection.objects.get(pk=row.pk).hook_called_at == first
    Connection.objects.filter(pk=row.pk).update(hook_called_at=timezone.now() - timedelta(hours=1))
    call(world, [])
    assert Connection.objects.get(pk=row.pk).hook_called_at > first - timedelta(minutes=1)


def test_a_new_secret_shuts_the_old_one_out_and_is_no_change_of_the_account(
    world: Any, row: Connection, told: Any
) -> None:
    before = Connection.objects.get(pk=row.pk)
    made = hooks.make_secret(row, actor=world.people["owner"])
    assert call(world, []).status_code == 401
    assert call(world, [], hooks.sent_by(made.reveal())).status_code == 200
    after = Connection.objects.get(pk=row.pk)
    assert after.updated_at == before.updated_at
    assert made.reveal() not in str(after.__dict__)
    entry = Entry.objects.latest("id")
    assert (entry.action, entry.target, entry.details) == ("connection_secret_changed", "solapi", {"what": "webhook"})
    assert senders.is_connected(world.project)
