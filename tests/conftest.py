"""The world that tests live in: a project with its people, a stranger's project, stand-in vendors on a real socket,
and no way out but loopback."""

import socket
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Fails whatever tries to reach anything but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise AssertionError(f"A test tried to reach {address!r}.")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


KEPT = {"django_content_type", "auth_permission"}
"""What `migrate` writes."""


@pytest.fixture(autouse=True, scope="session")
def _emptied_in_spite_of_the_audit_log() -> Iterator[None]:
    """A test with real transactions ends by emptying every table, the append-only one too. Row by row, since there are
    few: Django's own way makes new files for each table and index of PostgreSQL, and then announces a migration."""
    from importlib import import_module

    from django.db import connection, transaction
    from django.test import TransactionTestCase

    lock = import_module("notifly_console.audit.migrations.0001_squashed_0003").SQLITE
    teardown = TransactionTestCase._fixture_teardown

    def empty(_self: TransactionTestCase) -> None:
        unlock = [f"DROP TRIGGER {statement.split()[2]}" for statement in lock]
        again = list(lock)
        if is_postgresql := connection.vendor == "postgresql":
            unlock = ["ALTER TABLE audit_entry DISABLE TRIGGER USER"]
            again = ["SET CONSTRAINTS ALL IMMEDIATE", "ALTER TABLE audit_entry ENABLE TRIGGER USER"]
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(f"SELECT '{one}' WHERE EXISTS (SELECT 1 FROM \"{one}\")" for one in tables)
            )
            full = [f'"{name}"' for (name,) in cursor.fetchall()]
            with transaction.atomic():
                for statement in (*unlock, *(f"DELETE FROM {table}" for table in full), *again):
                    cursor.execute(statement)
            if is_postgresql and full:
                # So that the next test's rows lie in the order in which they come.
                cursor.execute(f"VACUUM {', '.join(full)}")

    TransactionTestCase._fixture_teardown = empty
    yield
    TransactionTestCase._fixture_teardown = teardown


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """One round of the real password hash instead of a million: the hash isn't what these tests are about."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    rounds, PBKDF2PasswordHasher.iterations = PBKDF2PasswordHasher.iterations, 1
    yield
    PBKDF2PasswordHasher.iterations = rounds


@pytest.fixture(autouse=True, scope="session")
def _one_look_for_static_files() -> Iterator[None]:
    """Each test client has a stack of middleware of its own; what it finds in our folders is the same each time."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = once  # type: ignore[method-assign]
    yield
    WhiteNoiseMiddleware.add_files_from_finders = look  # type: ignore[method-assign]


class World:
    """A project with one person of each role, and a stranger with a project of their own. Made on first use."""

    def __init__(self) -> None:
        from notifly_console.tenancy.models import Member, Project, Role, User

        self.project = Project.objects.create(name="하루식탁")
        self.other_project = Project.objects.create(name="남의 프로젝트")
        self.people: dict[str, User] = {}
        for role in Role:
            user = User(email=f"{role.value}@harutable.example", name=role.label)
            user.password = _hash()
            user.save()
            Member.objects.create(project=self.project, user=user, role=role)
            self.people[role.value] = user
        stranger = User(email="stranger@elsewhere.example", name="남")
        stranger.password = _hash()
        stranger.save()
        Member.objects.create(project=self.other_project, user=stranger, role=Role.OWNER)
        self.people["stranger"] = stranger

    @property
    def id(self) -> UUID:
        return self.project.id


_hashed: str | None = None


def _hash() -> str:
    global _hashed
    if _hashed is None:
        from django.contrib.auth.hashers import make_password

        _hashed = make_password(PASSWORD)
    return _hashed


@pytest.fixture
def world(db: None) -> World:
    return World()


@pytest.fixture
def sign_in(world: World) -> Any:
    """`sign_in("marketer")` gives a test client that is signed in as that person of the world."""
    from django.test import Client

    def make(who: str, **kwargs: Any) -> Client:
        client = Client(**kwargs)
        client.force_login(world.people[who], backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make


@pytest.fixture(scope="session")
def _sandbox() -> Iterator[Any]:
    from integrations.sandbox.server import SandboxConfig, SandboxServer

    with SandboxServer(SandboxConfig(people=3_000, seed=7), port=0) as server:
        yield server


@pytest.fixture
def sandbox(_sandbox: Any, settings: Any) -> Iterator[Any]:
    """The stand-in vendors in their initial state; `settings.MIXPANEL_API_URL` and `SOLAPI_API_URL` point at them."""
    _sandbox.world.reset()
    settings.MIXPANEL_API_URL = _sandbox.url
    settings.SOLAPI_API_URL = _sandbox.solapi_url
    settings.SOLAPI_REQUESTS_PER_SECOND = 10_000.0
    yield _sandbox
    _sandbox.world.reset()


@pytest.fixture
def forgetful() -> None:
    """What the webhook keeps in its process' memory is of other tests."""
    from tests.integrations.pushing import forget

    forget()


@pytest.fixture
def pusher(world: World, forgetful: None) -> Any:
    """Calls the webhook of the world's project with a live key (`tests/integrations/pushing.py`)."""
    from tests import factories
    from tests.integrations.pushing import Pusher

    return Pusher(world.id, factories.api_key(world.project))
