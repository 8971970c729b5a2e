"""API keys: issued once, checked by digest, revoked at once."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from notifly_console.audit.models import Entry
from notifly_console.tenancy import keys
from notifly_console.tenancy.models import ApiKey


def command(project_id: str) -> dict[str, str]:
    out = io.StringIO()
    call_command("issue_key", "--project", project_id, stdout=out)
    (line,) = out.getvalue().splitlines()
    return json.loads(line)


def test_the_command_prints_a_pair_that_opens(world: Any) -> None:
    pair = command(world.id.hex)
    assert set(pair) == {"access_key", "secret_key"}
    key = keys.check(world.id, pair["access_key"], pair["secret_key"])
    assert key is not None
    assert Entry.objects.get(action="api_key_issued").target == pair["access_key"]


def test_the_secret_is_kept_nowhere(world: Any) -> None:
    pair = command(world.id.hex)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            assert pair["secret_key"] not in repr(cursor.fetchall()), table
    assert pair["secret_key"] not in repr(keys.issue(world.project))


def test_a_pair_opens_its_own_project_only(world: Any) -> None:
    pair = command(world.id.hex)
    assert keys.check(world.other_project.id, pair["access_key"], pair["secret_key"]) is None
    assert keys.check(None, pair["access_key"], pair["secret_key"]) is None
    assert keys.check(world.id, pair["access_key"], pair["secret_key"] + "x") is None


def test_an_unknown_project_is_said(world: Any) -> None:
    for wrong in ("0" * 32, "x"):
        with pytest.raises(CommandError, match="no project"):
            command(wrong)


def test_only_so_many_keys_are_live_at_once(world: Any) -> None:
    first = keys.issue(world.project).key
    for _ in range(keys.MOST_LIVE - 1):
        keys.issue(world.project)
    with pytest.raises(keys.TooManyKeys):
        keys.issue(world.project)
    with pytest.raises(CommandError, match="ten live keys"):
        command(world.id.hex)
    keys.revoke(first, actor=world.people["owner"])
    keys.issue(world.project)


def test_a_key_is_revoked_once(world: Any) -> None:
    issued = keys.issue(world.project, actor=world.people["owner"])
    keys.revoke(issued.key, actor=world.people["admin"])
    assert keys.check(world.id, issued.key.access_key, issued.secret.reveal()) is None
    with pytest.raises(keys.AlreadyRevoked):
        keys.revoke(issued.key, actor=world.people["owner"])
    assert ApiKey.objects.get().revoked_by == "admin@harutable.example"


def test_the_database_takes_only_a_digest(world: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(project=world.project, access_key="x", secret_digest="a secret in plain words")
