"""Reports of the stand-in SOLAPI by webhook: what they carry, that they are tried again, doubled, turned around."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .solapi_asker import SENDER, SolapiAsker, alimtalk, sms


class Receiver(ThreadingHTTPServer):
    """Somebody who is told. Answers with `statuses`, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listening)
        self.posts: list[tuple[dict[str, str], list[Any]]] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?from=solapi"

    def elements(self, event: str = "SINGLE-REPORT") -> list[Any]:
        return [one for headers, posted in self.posts if headers["x-solapi-event-name"] == event for one in posted]


class Listening(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posts.append((headers | {":path": self.path}, json.loads(body)))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_message_is_told_once(solapi: SolapiAsker, receiver: Receiver) -> None:
    solapi.sent(sms("01040001009"))  # before anybody asked
    solapi.world.solapi.reports.add(receiver.url, secret="hush")
    solapi.world.config.report_batch = 2
    numbers = ["01040001000", "01040001001", "01040000003", "01040000005"]
    fields = {"deliveryId": "d-1"}
    group = solapi.sent(*(sms(number, customFields=fields) for number in numbers), alimtalk("01040000004"))
    solapi.world.solapi.reports.flush()

    told = receiver.elements()
    assert [one["data"]["to"] for one in told] == ["01040001000", "01040001001", "01040000005"]
    assert [one["data"]["statusCode"] for one in told] == ["4000", "4000", "3040"]
    assert {one["data"]["groupId"] for one in told} == {group}
    assert all(one["data"]["customFields"] == fields for one in told)
    assert len({one["eventDataId"] for one in told}) == 3
    headers = receiver.posts[0][0]
    assert headers["x-solapi-secret"] == hashlib.sha1(b"hush").hexdigest()
    assert (headers["content-type"], headers[":path"]) == ("application/json", "/hook?from=solapi")
    assert receiver.elements("GROUP-REPORT") == []  # one message has no report yet
    done = solapi.sent(sms("01040001234"))
    solapi.world.solapi.reports.flush()
    (report,) = receiver.elements("GROUP-REPORT")
    assert (report["data"]["groupId"], report["data"]["status"]) == (done, "COMPLETE")


def test_the_thread_tells_by_itself(solapi: SolapiAsker, receiver: Receiver) -> None:
    solapi.world.solapi.reports.add(receiver.url)
    solapi.sent(sms("01040001000"))
    for _ in range(200):
        if receiver.elements("GROUP-REPORT"):
            break
        threading.Event().wait(0.05)
    assert [one["data"]["to"] for one in receiver.elements()] == ["01040001000"]


def test_what_is_not_answered_with_200_comes_again(solapi: SolapiAsker, receiver: Receiver) -> None:
    solapi.world.solapi.reports.add(receiver.url, events=("SINGLE-REPORT",))
    solapi.world.config.report_retry_seconds = 3_600.0
    receiver.statuses = [500, 302]
    solapi.sent(sms("01040001000"))
    solapi.world.solapi.reports.flush()
    assert [one["retryCount"] for one in receiver.elements()] == [0, 1, 2]
    assert len({one["eventDataId"] for one in receiver.elements()}) == 1
    receiver.posts.clear()
    receiver.statuses = [500] * 9
    solapi.sent(sms("01040001000"))
    solapi.world.solapi.reports.flush()
    assert [one["retryCount"] for one in receiver.elements()] == [0, 1, 2, 3, 4]
    assert [one.status for one in solapi.world.solapi.reports.deliveries] == [500, 302, 200, *[500] * 5]


def test_shapes_copies_and_order(solapi: SolapiAsker, receiver: Receiver) -> None:
    config, reports = solapi.world.config, solapi.world.solapi.reports
    reports.add(receiver.url, events=("SINGLE-REPORT",))
    both = [sms("01040001000"), sms("01040001001")]

    config.report_shape = "flat"
    solapi.sent(*both)
    reports.flush()
    assert [one["to"] for one in receiver.elements()] == ["01040001000", "01040001001"]
    receiver.posts.clear()

    config.report_shape, config.report_copies = "mixed", 2
    solapi.sent(*both)
    reports.flush()
    assert [("eventDataId" in one) for one in receiver.elements()] == [True, False] * 2
    assert receiver.posts[0][1] == receiver.posts[1][1]
    receiver.posts.clear()

    config.report_shape, config.report_copies, config.report_order = "wrapped", 1, "backward"
    solapi.sent(*both)
    reports.flush()
    assert [one["data"]["to"] for one in receiver.elements()] == ["01040001001", "01040001000"]
    receiver.posts.clear()

    config.report_order = "stale_last"
    solapi.sent(both[0])
    reports.flush()
    assert [one["data"]["statusCode"] for one in receiver.elements()] == ["4000", "3000"]
    receiver.posts.clear()

    assert reports.repeat(2) == 2
    assert [one["data"]["statusCode"] for one in receiver.elements()] == ["4000", "3000"]


def test_a_replaced_message_says_so(solapi: SolapiAsker, receiver: Receiver) -> None:
    solapi.world.solapi.reports.add(receiver.url)
    solapi.sent(alimtalk("01040000002", options={"disableSms": False}, **{"from": SENDER}))
    solapi.world.solapi.reports.flush()
    (report,) = receiver.elements()
    assert (report["data"]["statusCode"], bool(report["data"]["replacement"])) == ("4000", True)


def test_addresses(solapi: SolapiAsker, receiver: Receiver) -> None:
    for url in ("https://127.0.0.1/x", "http://198.51.100.1/", "http://localhost.example/", "file:///x", ""):
        refused = solapi.ask("POST", "webhook/v1/outgoing", {"url": url})
        assert (refused.status_code, refused.json()["errorCode"]) == (400, "ValidationError")
    body = {"url": receiver.url, "secret": "hush", "eventNames": ["GROUP-REPORT"]}
    hook = solapi.ask("POST", "webhook/v1/outgoing", body).json()
    assert [one["url"] for one in solapi.get("webhook/v1/outgoing")["webhookList"]] == [receiver.url]
    assert solapi.ask("POST", "webhook/v1/outgoing", {**body, "eventNames": ["X"]}).status_code == 400
    solapi.sent(sms())
    solapi.world.solapi.reports.flush()
    assert receiver.elements() == []
    assert len(receiver.elements("GROUP-REPORT")) == 1
    assert solapi.ask("DELETE", f"webhook/v1/outgoing/{hook['webhookId']}").status_code == 200
    assert solapi.ask("DELETE", f"webhook/v1/outgoing/{hook['webhookId']}").status_code == 404
    solapi.sent(sms())
    assert solapi.world.solapi.reports.flush() == 0


def test_the_control_plane(solapi: SolapiAsker, receiver: Receiver) -> None:
    base = f"{solapi.sandbox.url}/_sandbox/solapi"
    assert solapi.http.post(f"{base}/hooks", json={"url": receiver.url, "secret": "hush"}).status_code == 200
    assert solapi.http.post(f"{base}/hooks", json={"url": "http://198.51.100.1/"}).status_code == 400
    solapi.sent(sms("01040001000"))
    assert solapi.http.post(f"{base}/reports", json={"do": "flush"}).status_code == 200
    assert [one["data"]["to"] for one in receiver.elements()] == ["01040001000"]
    shown = solapi.http.get(f"{base}/reports").json()
    assert [one["status"] for one in shown] == [200, 200]
    assert "hush" not in json.dumps(shown) + solapi.http.get(f"{base}/hooks").text
    assert solapi.http.post(f"{base}/reports", json={"do": "repeat", "last": 1}).json() == {"posts": 1}
    assert solapi.http.delete(f"{base}/hooks").json() == []
