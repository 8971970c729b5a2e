"""A database that accepts and says nothing: a page doesn't wait for it, and goes on when it speaks again."""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from django.db import OperationalError, connection
from django.test import Client

from cohorts.models import Refresh
from notifly_console.lib.postgresql import silence
from tests import factories


class Proxy:
    """Stands between a client and PostgreSQL; as a `hole` it goes on accepting and reading, and says nothing."""

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.hole = False
        self.asked = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self.listener.accept()
                self.asked += 1
                self.open.append(client)
                server = None
                if not self.hole:
                    server = socket.create_connection(self.server)
                    self.open.append(server)
                    threading.Thread(target=self._carry, args=(server, client), daemon=True).start()
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if target is not None and not self.hole:
                    target.sendall(data)
        with suppress(OSError):
            if target is not None and not self.hole:
                target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.listener.close()
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it
            one.close()


@pytest.fixture
def proxy(db: None) -> Iterator[Proxy]:
    if connection.vendor != "postgresql":
        pytest.skip("a database server that falls silent needs PostgreSQL: set TEST_DATABASE_URL")
    parts = connection.settings_dict
    made = Proxy(parts["HOST"], int(parts["PORT"] or 5432))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    silence._silent_until.clear()
    yield
    silence._silent_until.clear()


# -- Asking ----------------------------------------------------------------------------------------------------------
def test_a_server_that_says_nothing_is_silent_and_taken_for_it_a_moment_longer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        place = ("127.0.0.1", str(listener.getsockname()[1]))
        with pytest.raises(silence.Silent):
            silence.ask(place)
        listener.accept()[0].close()
        with pytest.raises(silence.Silent):
            silence.ask(place)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_refusal_is_an_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    silence.ask(("127.0.0.1", str(port)))


def test_so_is_a_refusal_at_a_socket_in_a_folder(tmp_path: Path) -> None:
    silence.ask((str(tmp_path), "5432"))
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5433"))
        listener.listen()
        with pytest.raises(silence.Silent):
            silence.ask((str(tmp_path), "5433"))


# -- A connection ----------------------------------------------------------------------------------------------------
@pytest.fixture
def watched(proxy: Proxy) -> Iterator[Any]:
    """A connection by way of the proxy, as a page has it."""
    one: Any = connection.copy()
    one.settings_dict |= {"HOST": "127.0.0.1", "PORT": proxy.port, "WATCHED": True, "CONN_MAX_AGE": 60}
    yield one
    one.close()


def ask(one: Any, sql: str) -> Any:
    with one.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


@pytest.mark.postgres
def test_a_kept_connection_that_falls_silent_is_given_up(proxy: Proxy, watched: Any) -> None:
    assert ask(watched, "SELECT 1") == 1
    proxy.hole = True
    with pytest.raises(OperationalError, match="says nothing"):
        ask(watched, "SELECT 2")
    watched.close()
    with pytest.raises(OperationalError, match="says nothing"):
        ask(watched, "SELECT 3")
    proxy.hole = False
    silence._silent_until.clear()
    watched.close()
    assert ask(watched, "SELECT 4") == 4


@pytest.mark.postgres
def test_a_statement_that_takes_long_is_waited_for(proxy: Proxy, watched: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(silence, "PATIENCE_SECONDS", 0.05)
    assert ask(watched, "SELECT 1") == 1
    before = proxy.asked
    assert ask(watched, "SELECT 2 FROM pg_sleep(0.5)") == 2
    assert proxy.asked > before, "the server was asked whether it is there"


@pytest.mark.postgres
def test_no_statement_of_a_page_takes_for_ever(watched: Any) -> None:
    assert ask(watched, "SHOW statement_timeout") == "30s"


@pytest.mark.postgres
def test_a_worker_waits(proxy: Proxy, watched: Any) -> None:
    watched.settings_dict["WATCHED"] = False
    assert ask(watched, "SHOW statement_timeout") == "0"
    assert ask(watched, "SHOW idle_in_transaction_session_timeout") == "45s"
    assert watched.connection.info.get_parameters()["tcp_user_timeout"] == "20000"


# -- Pages -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def console(proxy: Proxy, transactional_db: None, tmp_path: Path) -> Iterator[int]:
    """The console behind gunicorn with the proxy for its database; its port."""
    parts = connection.settings_dict
    place = f"{parts['USER']}:{parts['PASSWORD']}@127.0.0.1:{proxy.port}"
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "notifly_console.wsgi", "--bind", f"127.0.0.1:{port}"]
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgres://{place}/{parts['NAME']}",
        "SECRET_KEY": conf.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "notifly_console.settings",
        "LOG_LEVEL": "ERROR",
    }
    said = tmp_path / "console.log"
    with said.open("wb") as log:
        server = subprocess.Popen(
            [*command, "--no-control-socket", "--worker-class", "gthread", "--log-level", "error"],
            cwd=conf.BASE_DIR,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        ready = False
        while not ready and server.poll() is None:
            with suppress(OSError):
                answer(port, "GET", "/healthz")
                ready = True
        assert ready, said.read_text(encoding="utf-8")
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def answer(port: int, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as asker:
        asker.request(method, path, body, headers)
        response = asker.getresponse()
        return response.status, response.read().decode()


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_page_doesnt_wait_for_it_and_a_press_is_kept_for_later(
    console: int, proxy: Proxy, world: Any, sign_in: Any
) -> None:
    factories.connection(world.project)
    client: Client = sign_in("marketer")
    page = f"/projects/{world.id.hex}/cohorts/"
    cookie = f"{conf.SESSION_COOKIE_NAME}={client.session.session_key}; {conf.CSRF_COOKIE_NAME}={'a' * 32}"
    form = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    assert answer(console, "GET", page, Cookie=cookie)[0] == 200
    proxy.hole = True
    assert answer(console, "GET", page, Cookie=cookie)[0] == 503, "the connection that it had kept"
    assert answer(console, "GET", page, Cookie=cookie)[0] == 503, "a new one"
    assert answer(console, "GET", "/healthz", Cookie=cookie)[0] == 200
    status, html = answer(console, "POST", f"{page}refresh", f"csrfmiddlewaretoken={'a' * 32}", **form)
    assert (status, Refresh.objects.count()) == (503, 0)
    # Without JavaScript: the page holds the press, token and all.
    (action,) = re.findall(r'<form method="post" action="([^"]+)">', html)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', html)
    proxy.hole = False
    while answer(console, "GET", page, Cookie=cookie)[0] == 503:
        time.sleep(0.1)  # for as long as the silence is remembered
    assert answer(console, "POST", action, f"csrfmiddlewaretoken={token}", **form)[0] == 302
    assert Refresh.objects.count() == 1
