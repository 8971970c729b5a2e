"""`manage.py connect_solapi`, as an operator runs it."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations import senders
from integrations.messaging import Channel
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.audit.models import Entry


def run(world: Any, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    given = {"project": world.project.hex, "api_key": SOLAPI_API_KEY, **options}
    call_command("connect_solapi", stdout=out, stderr=err, **given)
    return out.getvalue().strip(), err.getvalue()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLAPI_SECRET", SOLAPI_API_SECRET)


def test_it_registers_once_and_lists_what_there_is(world: Any, sandbox: Any) -> None:
    assert run(world) == ("registered", "")
    assert senders.registered_channels(world.project) == set(Channel)
    assert run(world) == ("unchanged", "")
    assert Entry.objects.filter(action="connection_registered").count() == 1


def test_the_secret_from_a_file(world: Any, sandbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOLAPI_SECRET")
    with pytest.raises(CommandError, match="SOLAPI_SECRET_FILE"):
        run(world)
    monkeypatch.setenv("SOLAPI_SECRET_FILE", str(tmp_path / "missing"))
    with pytest.raises(CommandError, match="can't be read"):
        run(world)
    (tmp_path / "secret").write_text(SOLAPI_API_SECRET + "\n")
    monkeypatch.setenv("SOLAPI_SECRET_FILE", str(tmp_path / "secret"))
    assert run(world)[0] == "registered"
    assert senders.listing(world.project).problem == ""


def test_what_is_wrong_is_said_and_shows_no_secret(world: Any, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="--project: there is no project"):
        run(world, project="0" * 32)
    with pytest.raises(CommandError, match="--api-key"):
        run(world, api_key="not a key")
    monkeypatch.setenv("SOLAPI_SECRET", "a secret with spaces")
    with pytest.raises(CommandError, match="SOLAPI_SECRET") as caught:
        run(world)
    assert "a secret with" not in str(caught.value)


def test_a_provider_that_is_away_is_no_reason_not_to_register(world: Any, settings: Any) -> None:
    settings.SOLAPI_API_URL = "http://127.0.0.1:9"
    out, err = run(world)
    assert out == "registered"
    assert "can't be listed now" in err
    assert senders.is_connected(world.project)
