"""Keys of credentials: rotated while the console runs, killed and run again, and never missing without a word."""

import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from hashlib import sha256
from io import StringIO
from pathlib import Path
from random import sample
from typing import Any
from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from integrations import inbox
from integrations.connect import MixpanelSettings, opened
from integrations.mixpanel.schemas import Region
from integrations.mixpanel.webhook import parse_page
from integrations.models import Connection, InboundKind, InboundPage, InboundState, Kind
from integrations.register import register
from integrations.rotate import keys_in_use, reseal
from notifly_console.lib.crypto import CannotOpen, KeyRing
from notifly_console.tenancy import seeds
from notifly_console.tenancy.models import Project
from tests import factories
from tests.integrations.streams import Stream, Web, go_on

OLD, NEW = b"1" * 32, b"2" * 32
ONLY_OLD = KeyRing({"k1": OLD})
BOTH = KeyRing({"k2": NEW, "k1": OLD})
ONLY_NEW = KeyRing({"k2": NEW})
SETTINGS = MixpanelSettings(2_855_235, "u.1.mp-service-account", Region.US)


def rotate(*args: str) -> str:
    out = StringIO()
    call_command("rotate_credentials", *args, stdout=out, stderr=out)
    return out.getvalue()


def complaints() -> list[str]:
    return [
        f"{found.id} {found.msg} {found.hint}"
        for found in run_checks(databases=["default"])
        if str(found.id).startswith("integrations.")
    ]


@pytest.fixture
def sealed(world: Any, settings: Any) -> Connection:
    """A connection and a second factor, sealed under k1; the ring now holds k2 and k1."""
    settings.CREDENTIALS_KEYS = ONLY_OLD
    row, _ = register(world.project, SETTINGS, "the-secret-0001", actor=world.people["owner"])
    owner = world.people["owner"]
    Authenticator.objects.create(user=owner, type="totp", data={"secret": seeds.seal("SEED", owner.pk)})
    settings.CREDENTIALS_KEYS = BOTH
    return row


def test_a_dry_run_changes_nothing(sealed: Connection) -> None:
    assert "2 to be sealed under k2. Run with --apply to do it." in rotate()
    assert keys_in_use() == {"k1": 2}


def test_rotation_moves_connections_and_second_factors_and_then_the_old_key_may_go(
    sealed: Connection, settings: Any
) -> None:
    told = rotate("--apply")
    assert "2 sealed under k2." in told
    assert "the-secret" not in told
    settings.CREDENTIALS_KEYS = ONLY_NEW
    assert complaints() == []
    sealed.refresh_from_db()
    assert opened(sealed).account.secret.reveal() == "the-secret-0001"
    assert seeds.open_sealed(Authenticator.objects.get().data["secret"]) == "SEED"
    assert sealed.secret_hint == "0001"
    assert "0 to be sealed" in rotate()


def test_rotating_makes_no_open_form_stale(sealed: Connection) -> None:
    before = sealed.updated_at
    rotate("--apply")
    sealed.refresh_from_db()
    assert sealed.updated_at == before


def test_a_secret_entered_during_the_rotation_is_not_overwritten_by_the_old_one(
    sealed: Connection, world: Any, settings: Any
) -> None:
    settings.CREDENTIALS_KEYS = ONLY_OLD
    register(world.other_project, SETTINGS, "the-secret-0002")
    settings.CREDENTIALS_KEYS = BOTH
    rotation = reseal()
    next(rotation)  # The rows are read by now, and one is written.
    waiting = Connection.objects.get(sealed_secret__startswith="v1.k1.")
    waiting.set_secret("entered just now")
    waiting.save()
    list(rotation)
    waiting.refresh_from_db()
    assert waiting.secret().reveal() == "entered just now"


def test_a_key_still_in_use_is_named_at_start_and_what_it_sealed_never_is(sealed: Connection, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = ONLY_NEW
    (complaint,) = complaints()
    assert "integrations.E001" in complaint
    assert "2 stored credentials are sealed with the key k1" in complaint
    assert sealed.sealed_secret not in complaint
    with pytest.raises(CommandError, match="could not be opened"):
        rotate("--apply")
    assert keys_in_use() == {"k1": 2}


def test_a_key_with_other_bytes_is_named_at_start(sealed: Connection, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = KeyRing({"k1": b"3" * 32})
    (complaint,) = complaints()
    assert "integrations.E002 The key k1" in complaint


def test_without_a_database_to_ask_the_check_keeps_silent(settings: Any) -> None:
    assert not [found for found in run_checks() if str(found.id).startswith("integrations.")]


def test_a_lost_key_is_given_up_on_purpose_and_the_page_asks_for_the_secret(
    sealed: Connection, settings: Any, sign_in: Any, world: Any
) -> None:
    with pytest.raises(CommandError, match="is in CREDENTIALS_KEYS"):
        rotate("--forget", "k1")
    settings.CREDENTIALS_KEYS = ONLY_NEW
    page = f"/projects/{world.project.hex}/settings/"
    assert "저장된 비밀번호를 열 수 없습니다" in sign_in("admin").get(page).content.decode()
    assert "1 connections need their secret entered again; 1 second factors were removed." in rotate("--forget", "k1")
    assert complaints() == []
    assert "저장된 비밀번호를 열 수 없습니다" in sign_in("admin").get(page).content.decode()


def test_swapped_tokens_dont_open(sealed: Connection, world: Any) -> None:
    other, _ = register(world.other_project, SETTINGS, "the-secret-0002")
    Connection.objects.filter(pk=sealed.pk).update(sealed_secret=other.sealed_secret)
    Connection.objects.filter(pk=other.pk).update(sealed_secret=sealed.sealed_secret)
    for row in Connection.objects.all():
        with pytest.raises(CannotOpen):
            row.secret()


# -- Processes --------------------------------------------------------------------------------------------------------
ROWS = 2000


def database_url() -> str:
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    login = quote(known["USER"]) + (f":{quote(known['PASSWORD'])}" if known["PASSWORD"] else "")
    return f"postgres://{login}@{known['HOST'] or 'localhost'}:{known['PORT'] or 5432}/{known['NAME']}"


def written(ring: KeyRing) -> str:
    return ",".join(f"{key_id}:{b64encode(key).decode()}" for key_id, key in ring.keys.items())


def start_rotation() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "CREDENTIALS_KEYS": written(BOTH),
    }
    command = [sys.executable, "manage.py", "rotate_credentials", "--apply"]
    return subprocess.Popen(
        command, env=environment, cwd=django_settings.BASE_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


# -- Under a stream of calls ------------------------------------------------------------------------------------------
KEPT = 1_200
KNOWN_BY_ALL = KeyRing({"k1": OLD, "k2": NEW})


def keep_many(project: Project) -> None:
    """Calls that were taken days ago, and are still kept."""
    with transaction.atomic():
        for number in range(KEPT):
            body, prints = f"page {number}".encode(), sha256(str(number).encode()).hexdigest()
            inbox.keep(
                InboundKind.COHORT_PAGE, project.pk, 1, body=body, fingerprint=prints, envelope={}, api_key_id=None
            )
    inbox.settle(InboundPage.objects.all(), InboundState.APPLIED)


def every_page_opens() -> list[InboundPage]:
    pages = list(InboundPage.objects.all())
    assert all(inbox.body_of(page) for page in pages)
    return pages


def some_pages_open() -> None:
    ids = list(InboundPage.objects.values_list("pk", flat=True))
    assert all(inbox.body_of(page) for page in InboundPage.objects.filter(pk__in=sample(ids, 50)))


def serve(ring: KeyRing, folder: Path) -> Web:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "SECRET_KEY"}}
    more = {"DATABASE_URL": database_url(), "VAR_DIR": str(folder), "LOG_LEVEL": "CRITICAL"}
    web = Web(kept | more | {"CREDENTIALS_KEYS": written(ring)})
    web.start()
    return web


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_keys_are_rotated_under_a_stream_of_calls_and_no_call_notices(
    settings: Any, forgetful: None, tmp_path: Path
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("several web processes need PostgreSQL")
    project = Project.objects.create(name="Strom")
    settings.CREDENTIALS_KEYS = ONLY_OLD
    keep_many(project)
    pair = factories.api_key(project)
    settings.CREDENTIALS_KEYS = KNOWN_BY_ALL
    webs = [serve(KNOWN_BY_ALL, tmp_path)]
    # Not so fast that more waits than the console takes: there is no worker here.
    streams = [Stream(webs[0].port, project.hex, pair, name, is_doubtful=name == 4, pause=0.05) for name in range(1, 5)]
    try:
        go_on(streams)
        # The new key goes in front: the web first, while workers have the ring of before.
        webs.append(serve(BOTH, tmp_path))
        for one in streams:
            one.port = webs[1].port
        go_on(streams)
        webs.pop(0).stop()
        assert "k2" in {page.sealed_with for page in every_page_opens()}
        settings.CREDENTIALS_KEYS = BOTH

        killed = start_rotation()
        while not InboundPage.objects.filter(sealed_with="k2", subject=1).exists():
            assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
            some_pages_open()
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert keys_in_use()["k1"] > 0
        go_on(streams)
        again = start_rotation()
        while again.poll() is None:
            some_pages_open()
        assert again.returncode == 0, again.communicate()[1]
        go_on(streams)
    finally:
        for one in streams:
            one.stop.set()
        for one in streams:
            one.thread.join(20)
        for web in webs:
            web.kill()

    assert set().union(*(one.statuses for one in streams)) == {200}
    settings.CREDENTIALS_KEYS = ONLY_NEW
    assert complaints() == []
    assert keys_in_use() == {"k2": InboundPage.objects.count()}
    kept = {inbox.body_of(page) for page in every_page_opens()}
    assert {f"page {number}".encode() for number in range(KEPT)} <= kept
    acknowledged = {session for one in streams for session, _person in one.acknowledged}
    assert acknowledged == {parse_page(body).session_id for body in kept if body.startswith(b"{")}


# -- Killed halfway ---------------------------------------------------------------------------------------------------
def seal_many() -> None:
    projects = Project.objects.bulk_create([Project(name=str(number)) for number in range(ROWS)])
    rows = [Connection(project=project, kind=Kind.MIXPANEL) for project in projects]
    for row, project in zip(rows, projects, strict=True):
        row.set_secret(f"secret of {project.name}")
    Connection.objects.bulk_create(rows)


def resealed() -> int:
    return Connection.objects.filter(sealed_secret__startswith="v1.k2.").count()


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_rotation_killed_halfway_is_finished_by_the_next_and_readers_notice_nothing(settings: Any) -> None:
    settings.CREDENTIALS_KEYS = ONLY_OLD
    seal_many()
    settings.CREDENTIALS_KEYS = BOTH
    unreadable: list[str] = []
    read = 0
    over = threading.Event()
    everyone = list(Connection.objects.values_list("pk", flat=True))

    def keep_reading() -> None:
        nonlocal read
        while not over.wait(0.01):  # Else it would only compete with the rotation for the processor.
            for row in Connection.objects.select_related("project").filter(pk__in=sample(everyone, 20)):
                read += 1
                try:
                    found = row.secret().reveal()
                except CannotOpen as problem:
                    found = str(problem)
                if found != f"secret of {row.project.name}":
                    unreadable.append(found)
        connection.close()

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        killed = start_rotation()
        while not resealed():
            assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        halfway = resealed()
        assert 0 < halfway < ROWS

        again = start_rotation()
        _out, errors = again.communicate()
        assert again.returncode == 0, errors
    finally:
        over.set()
        reader.join()

    assert keys_in_use() == {"k2": ROWS}
    assert (unreadable, read > 0) == ([], True)
    settings.CREDENTIALS_KEYS = ONLY_NEW
    for row in Connection.objects.select_related("project"):
        assert row.secret().reveal() == f"secret of {row.project.name}"
