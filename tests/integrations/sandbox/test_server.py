"""The socket, and the sandbox as a program of its own."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
from integrations.sandbox.server import MAX_REQUEST_BYTES, SandboxServer
from integrations.sandbox.world import SandboxConfig

from .conftest import Asker
from .test_limits import until

ROOT = Path(__file__).resolve().parents[3]


ALONE = ("-m", "integrations.sandbox")
MANAGED = ("manage.py", "sandbox")


def start(program: tuple[str, ...], *options: str) -> subprocess.Popen[str]:
    env = {"PATH": os.environ["PATH"]} if program == ALONE else dict(os.environ)
    return subprocess.Popen(
        [sys.executable, *program, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


@pytest.mark.parametrize("program", [ALONE, MANAGED])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_as_a_program_and_stops_when_told(program: tuple[str, ...], number: signal.Signals) -> None:
    process = start(program, "--port", "0", "--people", "300", "--seed", "3")
    assert process.stdout
    line = process.stdout.readline()
    url = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert url, line
    reply = requests.post(
        f"{url[0]}/us/api/query/cohorts/list", params={"project_id": PROJECT}, auth=(USERNAME, SECRET), timeout=30
    )
    assert reply.json()[0]["count"] == 303
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_it_needs_nothing_of_ours() -> None:
    script = (
        "import sys, integrations.sandbox.__main__; "
        "ours = ('django', 'notifly_console', 'cohorts', 'campaigns'); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ours"
        " or m.startswith('integrations.') and not m.startswith('integrations.sandbox')))"
    )
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("program", [ALONE, MANAGED])
def test_a_taken_port_is_one_sentence(program: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(program, "--port", str(taken.getsockname()[1]))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.fullmatch(r"(CommandError: )?Cannot listen on 127\.0\.0\.1:\d+: .+ Choose another --port\.\n", errors)


def test_it_stops_with_connections_open_and_an_answer_pending() -> None:
    server = SandboxServer(SandboxConfig(people=100)).start()
    url = server.url
    idle = socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=10)
    server.world.faults.add("slow", seconds=300)
    waiting = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    waiting.request(
        "GET", f"/api/query/cohorts/list?project_id={PROJECT}", headers={"Authorization": f"Basic {USERNAME}:{SECRET}"}
    )
    until(lambda: server.world.meter().running == 1)
    server.stop()
    server.stop()
    assert idle.recv(1) == b""
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
    idle.close()
    waiting.close()


def test_a_connection_is_kept_and_used_again(mixpanel: Asker) -> None:
    connection = http.client.HTTPConnection(mixpanel.url.removeprefix("http://"), timeout=30)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/nowhere")
        connection.getresponse().read()
        sockets.add(connection.sock)
    assert len(sockets) == 1
    connection.close()


def test_an_endless_request_is_turned_away(mixpanel: Asker) -> None:
    for headers in ({"Content-Length": str(MAX_REQUEST_BYTES + 1)}, {"Transfer-Encoding": "chunked"}):
        connection = http.client.HTTPConnection(mixpanel.url.removeprefix("http://"), timeout=30)
        connection.putrequest("POST", "/api/query/engage")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_it_listens_on_loopback_only(mixpanel: Asker) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", mixpanel.url)
