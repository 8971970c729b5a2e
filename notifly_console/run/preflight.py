"""What is looked at before anything starts: each problem is one sentence with its remedy."""

import importlib.util
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from integrations.checks import keys_of_credentials
from notifly_console.lib import embedded

PATIENCE = 3.0
"""Seconds that a database or broker is given to answer."""


class CannotStart(Exception):
    """The console can't start; the message is one sentence that says why and what to do."""


def check_parts() -> None:
    """Raises CannotStart when something that starts processes isn't installed."""
    for name in ("supervisor", "gunicorn", "celery"):
        if importlib.util.find_spec(name) is None:
            raise CannotStart(f"{name} is not installed in this environment. Run `make setup`.")


def check_port(port: int) -> None:
    """Raises CannotStart when `port` can't be listened on over loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise CannotStart(f"Port {port} is for root only. Choose another: PORT=8000 make run") from None
        except OSError:
            other = port + 1 if port < 65535 else 8000
            raise CannotStart(
                f"Port {port} is taken by another program. Stop that one, or choose another port: PORT={other} make run"
            ) from None


def check_folder(folder: Path) -> None:
    """Raises CannotStart when files can't be written under `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CannotStart(
            f"Can't write in {folder} ({error.strerror}). Give this account the right to, or name another folder "
            "with VAR_DIR."
        ) from None


def check_broker_is_allowed() -> None:
    """Raises CannotStart when a console that others reach would run on the embedded broker."""
    if settings.IS_LOCAL or settings.BROKER.kind == "redis" or os.environ.get("EMBEDDED_BROKER") == "1":
        return
    raise CannotStart(
        "ALLOWED_HOSTS names more than this machine, and the embedded broker is for a console on one machine only. "
        "Set REDIS_URL, or EMBEDDED_BROKER=1 if you know that this is what you want."
    )


def check_database() -> None:
    """Raises CannotStart when the database doesn't answer within a few seconds."""
    if connection.vendor == "sqlite":
        name = Path(str(connection.settings_dict["NAME"]))
        check_folder(name.parent)
        where = f"the SQLite file {name}"
    else:
        options = connection.settings_dict
        where = f"PostgreSQL at {options['HOST'] or 'localhost'}:{options['PORT'] or 5432}"
    try:
        _within(PATIENCE, _touch_database)
    except (DatabaseError, TimeoutError) as error:
        raise CannotStart(
            f"DATABASE_URL: {where} doesn't answer ({_reason(error)}). Start it or correct DATABASE_URL; "
            "without DATABASE_URL the console uses a SQLite file."
        ) from None


def _touch_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def check_migrations() -> None:
    """Raises CannotStart when a newer version of the console has already changed this database."""
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations) | {old for new in loader.disk_migrations.values() for old in new.replaces}
    ours = {app for app, _ in loader.disk_migrations}
    newer = sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations if app in ours and (app, name) not in known
    )
    if newer:
        raise CannotStart(
            f"This database was already changed by a newer version of the console ({', '.join(newer[:3])}). "
            "Run that version, or restore a backup from before the upgrade."
        )


def check_credentials() -> None:
    """Raises CannotStart when a stored secret doesn't open with the keys in CREDENTIALS_KEYS. Needs the tables."""
    for problem in keys_of_credentials(databases=["default"]):
        raise CannotStart(f"{problem.msg} {problem.hint}")


def check_redis() -> None:
    """Raises CannotStart when the Redis that REDIS_URL names doesn't answer within a few seconds."""
    if settings.BROKER.kind != "redis":
        return
    try:
        _within(PATIENCE, _ping_redis)
    except (RedisError, TimeoutError, OSError, ValueError) as error:
        raise CannotStart(
            f"REDIS_URL: Redis at {_redis_place(settings.BROKER.url)} doesn't answer ({_reason(error)}). Start it or "
            "correct REDIS_URL; without REDIS_URL the console brings its own broker."
        ) from None


def _ping_redis() -> None:
    with redis.Redis.from_url(settings.BROKER.url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
        client.ping()


def _redis_place(url: str) -> str:
    """Host and port, and nothing that may be a password."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"redis", "rediss"}:
            return "an address that doesn't begin with redis:// or rediss://"
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        return "an address that can't be read"


def _within(seconds: float, work: Callable[[], Any]) -> None:
    """Runs `work` and raises what it raises; TimeoutError when it takes longer than `seconds`. A driver's own limit
    doesn't cover looking a host's name up."""
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer in {seconds:.0f} seconds")
    if raised:
        raise raised[0]


def _reason(error: BaseException) -> str:
    """A driver's error in a few words, without addresses or passwords."""
    if isinstance(error, AuthenticationError):
        return "it refused the password"
    text = " ".join(str(error).split()).lower()
    for sign, words in REASONS:
        if sign in text:
            return words
    if isinstance(error, TimeoutError | RedisTimeout):
        return f"no answer in {PATIENCE:.0f} seconds"
    return type(error).__name__


REASONS = [
    ("connection refused", "nothing listens there"),
    ("timeout expired", f"no answer in {PATIENCE:.0f} seconds"),
    ("timed out", f"no answer in {PATIENCE:.0f} seconds"),
    ("no such file", "there is no socket there"),
    ("password authentication failed", "it refused the password"),
    ("no password supplied", "it wants a password"),
    ("invalid username-password", "it refused the password"),
    ("authentication required", "it wants a password"),
    ("does not exist", "it has no such database or role"),
    ("resolve", "its name is unknown"),
    ("name or service not known", "its name is unknown"),
    ("nodename nor servname", "its name is unknown"),
    ("unable to open database file", "the file can't be opened"),
    ("not a database", "the file is not a SQLite database"),
    ("readonly database", "the file can't be written"),
]


def broker_remark() -> str | None:
    """A sentence for a console that runs on the slow stand-in for a broker."""
    if settings.BROKER.kind != "folder" or embedded.valkey_binary() is not None:
        return None
    return "No embedded broker for this machine: messages go through a folder. Set REDIS_URL for real use."
