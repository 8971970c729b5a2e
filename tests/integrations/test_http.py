"""The door out, against servers that behave badly on real sockets."""

import base64
import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3

from integrations import http as door
from integrations.authorise import Basic
from integrations.http import (
    BadAnswer,
    CutOff,
    ForbiddenDestination,
    Halted,
    Refused,
    Session,
    TimedOut,
    TooLarge,
    Unreachable,
    VendorError,
    retry_after_seconds,
)
from integrations.reply_text import excerpt
from integrations.wire import Call, Halt
from notifly_console.lib.crypto import Secret
from tests.integrations.loopback import Asked, Loopback, Reply, answer

SECRET = "s3cret-그것-value"
AUTH = Basic("console.1a2b3c.mp-service-account", Secret(SECRET))
ENCODED = base64.b64encode(f"console.1a2b3c.mp-service-account:{SECRET}".encode()).decode()


def call(reply: Reply, method: str = "GET", **kwargs: Any) -> Any:
    with Loopback(reply) as server:
        session = Session([], override=server.url, backoff=0)
        try:
            return session.call(method, f"{server.url}/x", **kwargs), server
        finally:
            session.close()


def failure(reply: Reply, method: str = "GET", **kwargs: Any) -> VendorError:
    with pytest.raises(VendorError) as caught:
        call(reply, method, auth=AUTH, **kwargs)
    return caught.value


def everything_about(error: BaseException) -> str:
    """What a log or an error page with local variables could show of an exception, but for this test's own frames."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    told.stack[:] = [frame for frame in told.stack if "/tests/" not in frame.filename]
    return (
        "".join(told.format())
        + repr(error)
        + str(error)
        + repr(vars(error))
        + repr(error.__context__)
        + repr(error.__cause__)
    )


# -- What comes back --------------------------------------------------------------------------------------------------
def test_an_answer_is_read_whole_and_the_connection_is_kept() -> None:
    big = b"x" * 700_000

    with Loopback(lambda asked, conn: answer(200, big, content_type="text/plain")) as server:
        session = Session([], override=server.url)
        answers = [session.call("POST", f"{server.url}/x", form={"name": "값"}) for _ in range(3)]
        assert server.connections == 1
        assert server.asked[0].form == {"name": "값"}
    assert [(said.status, said.body, said.content_type) for said in answers] == [(200, big, "text/plain")] * 3


def test_credentials_go_as_utf8_basic_and_nothing_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    _, server = call(lambda asked, conn: answer(), auth=AUTH)
    assert server.asked[0].headers["authorization"] == f"Basic {ENCODED}"


def test_chunked_and_packed_bodies_are_unpacked() -> None:
    packed = gzip.compress(b"[1, 2]")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    said, _ = call(lambda asked, conn: head + chunked)
    assert said.body == b"[1, 2]"


def test_cookies_are_not_kept() -> None:
    with Loopback(lambda asked, conn: answer(200, b"", "Set-Cookie: a=b; Path=/")) as server:
        session = Session([], override=server.url)
        session.call("GET", f"{server.url}/x")
        session.call("GET", f"{server.url}/x")
    assert "cookie" not in server.asked[1].headers


# -- Where it may go --------------------------------------------------------------------------------------------------
@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Records every address that a socket is connected to."""
    addresses: list[Any] = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda sock, to: (addresses.append(to), connect(sock, to))[1])
    return addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/api",
        "http://mixpanel.com/api",
        "https://mixpanel.com:8443/api",
        "https://mixpanel.com.evil.example/",
        "https://user@mixpanel.com/",
        "https://evil.example@mixpanel.com/",
        "https://mixpanel.com:99999/",
        "file:///etc/passwd",
        "//mixpanel.com/",
        "http://127.0.0.1:9/",
    ],
)
def test_an_address_off_the_list_is_refused_before_anything_is_sent(url: str, connected: list[Any]) -> None:
    session = Session(["mixpanel.com"], override="http://127.0.0.1:9400")
    with pytest.raises(ForbiddenDestination):
        session.call("GET", url)
    assert connected == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "0.0.0.0", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1%lo"],
)
def test_a_public_name_that_leads_to_a_private_address_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, connected: list[Any]
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(Unreachable) as caught:
        Session(["mixpanel.com"]).call("GET", "https://mixpanel.com/api/app/me", auth=AUTH)
    assert (caught.value.host, caught.value.reason) == ("mixpanel.com", "private_address")
    assert connected == []


def test_a_name_that_nobody_knows_and_a_port_that_nobody_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable) as refused:
        Session([], override=free).call("GET", f"{free}/x", retry=False)
    assert refused.value.reason == "refused"

    def unknown(*args: Any, **kwargs: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable) as nowhere:
        Session(["mixpanel.com"]).call("GET", "https://mixpanel.com/api")
    assert nowhere.value.reason == "name"


def test_plain_http_where_tls_is_spoken_of_says_tls() -> None:
    with Loopback(lambda asked, conn: answer()) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(Unreachable) as caught:
            Session([], override=url).call("GET", f"{url}/x")
    assert caught.value.reason == "tls"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Loopback(lambda asked, conn: answer()) as elsewhere:
        error = failure(lambda asked, conn: answer(status, b"", f"Location: {elsewhere.url}/steal"))
        assert isinstance(error, Refused)
        assert error.status == status
        assert elsewhere.connections == 0


# -- How long and how much --------------------------------------------------------------------------------------------
def drip(before: bytes) -> Reply:
    def reply(asked: Asked, conn: socket.socket) -> None:
        conn.sendall(before)
        try:
            while True:
                conn.sendall(b"a")
                threading.Event().wait(0.02)
        except OSError:
            return

    return reply


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: /y\r\nContent-Length: 100000\r\n\r\n",
    ],
)
def test_a_dripping_answer_ends_with_the_call(before: bytes) -> None:
    assert isinstance(failure(drip(before), total_seconds=0.3), TimedOut)


@pytest.mark.parametrize("limits", [{"read_seconds": 0.1}, {"total_seconds": 0.1}])
def test_a_silent_server_times_out(limits: dict[str, float]) -> None:
    silence = threading.Event()
    try:
        error = failure(lambda asked, conn: silence.wait(20) and None, **limits)
    finally:
        silence.set()
    assert isinstance(error, TimedOut)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK", b"HTTP/1.1 301 Moved\r\nLocation: /y", b"HTTP/1.1 500 Oh"])
def test_an_answer_beyond_the_limit_is_dropped(head: bytes) -> None:
    sent = 0

    def flood(asked: Asked, conn: socket.socket) -> None:
        nonlocal sent
        conn.sendall(head + b"\r\n\r\n")
        block = b"x" * 1_000_000
        for _ in range(200):
            conn.sendall(block)
            sent += len(block)

    error = failure(flood)
    assert isinstance(error, TooLarge)
    assert sent < 100_000_000

    announced = head + b"\r\nContent-Length: %d\r\n\r\n" % (door.MAX_BODY_BYTES + 1)
    assert isinstance(failure(lambda asked, conn: announced), TooLarge)


def test_a_small_body_that_unpacks_into_a_flood_is_dropped() -> None:
    bomb = gzip.compress(bytes(door.MAX_BODY_BYTES + 1))
    assert isinstance(failure(lambda asked, conn: answer(200, bomb, "Content-Encoding: gzip")), TooLarge)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"", CutOff),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", CutOff),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", CutOff),
        (b"SMTP ready\r\n\r\n", CutOff),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", BadAnswer),
    ],
)
def test_broken_answers(said: bytes, kind: type[VendorError]) -> None:
    def reply(asked: Asked, conn: socket.socket) -> None:
        conn.sendall(said)

    assert type(failure(reply)) is kind


def test_a_halt_ends_a_call_that_waits_and_one_that_begins() -> None:
    halt, arrived, release = Halt(), threading.Event(), threading.Event()

    def reply(asked: Asked, conn: socket.socket) -> None:
        arrived.set()
        release.wait(20)

    def stop() -> None:
        arrived.wait(20)
        halt.now()

    threading.Thread(target=stop, daemon=True).start()
    try:
        assert isinstance(failure(reply, halt=halt), Halted)
        assert isinstance(failure(reply, halt=halt), Halted)
    finally:
        release.set()


# -- Patience ---------------------------------------------------------------------------------------------------------
def in_turn(*answers: bytes) -> Reply:
    rest = iter(answers)
    return lambda asked, conn: next(rest)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_repeated_through_bad_gateways(status: int) -> None:
    _, server = call(in_turn(answer(status), answer(status), answer(200)), retry=True)
    assert len(server.asked) == 3


def repeats(reply: Reply, method: str = "GET", **kwargs: Any) -> tuple[VendorError, int]:
    with Loopback(reply) as server, pytest.raises(VendorError) as caught:
        Session([], override=server.url, backoff=0).call(method, f"{server.url}/x", **kwargs)
    return caught.value, len(server.asked)


def test_patience_ends_after_three_repeats() -> None:
    error, asked = repeats(lambda asked, conn: answer(503), retry=True)
    assert isinstance(error, Refused)
    assert (error.status, asked) == (503, 4)


def test_what_is_never_repeated() -> None:
    assert repeats(lambda asked, conn: answer(429, b"", "Retry-After: 1"), retry=True)[1] == 1
    assert repeats(lambda asked, conn: answer(413, b"", "Retry-After: 1"), retry=True)[1] == 1
    assert repeats(lambda asked, conn: answer(500), retry=True)[1] == 1
    assert repeats(lambda asked, conn: answer(503), method="POST", retry=True)[1] == 1
    assert repeats(lambda asked, conn: answer(503))[1] == 1
    assert repeats(lambda asked, conn: None, retry=True)[1] == 1


NOW = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("99999999", 3600.0),
        ("Tue, 03 Feb 2026 09:02:00 GMT", 120.0),
        ("Tue, 03 Feb 2026 08:00:00 GMT", 0.0),
        ("Tue, 03 Feb 2027 09:02:00 GMT", 3600.0),
        ("-5", None),
        ("soon", None),
        ("１２", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds


def test_a_refusal_carries_the_wait() -> None:
    error = failure(lambda asked, conn: answer(429, b"", "Retry-After: 17"))
    assert isinstance(error, Refused)
    assert error.retry_after == 17.0


# -- What it tells ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"request": "/api/2.0/engage?project_id=1000001", "error": "bad where clause"}', "bad where clause"),
        (b'{"error": {"message": "nested", "code": 3}}', "nested"),
        (b'{"status": "error", "message": "only a message"}', "only a message"),
        (b'{"error": 7}', ""),
        (b'{"request": "/api?x=1"', ""),
        (b"[1]", ""),
        (b"upstream connect error", "upstream connect error"),
        (b"see https://mixpanel.com/x?project_id=1&secret=2 now", "see … now"),
        (
            b"<html><head><title>t</title></head><body><script>alert(1)</script><h1>503</h1> Try&nbsp;later</body>",
            "503 Try later",
        ),
        ("\u202eabc\x00\x1b[31m def\n\nghi".encode(), "abc [31m def ghi"),
        (b"\xff\xfe", "��"),
        (b"", ""),
    ],
)
def test_an_excerpt_is_clean(body: bytes, text: str) -> None:
    assert excerpt(body) == text


def test_an_excerpt_is_short() -> None:
    assert len(excerpt(b"word " * 100_000)) == 300
    assert len(excerpt(b'{"error": "' + b"e" * 50_000 + b'"}')) == 300
    assert excerpt(b"<" * 100_000) is not None


BAD: dict[str, Reply] = {
    "refused, echoing": lambda asked, conn: answer(400, {"error": f"you sent {SECRET} as Basic {ENCODED}"}),
    "refused in HTML": lambda asked, conn: answer(502, f"<p>{asked.headers['authorization']}</p>".encode()),
    "cut off": lambda asked, conn: None,
    "garbled": lambda asked, conn: b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    "silent": lambda asked, conn: threading.Event().wait(0.4) or None,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("retry", [False, True])
def test_no_exception_and_no_log_holds_the_secret(name: str, retry: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = failure(BAD[name], retry=retry, read_seconds=0.2)
    told = everything_about(error) + caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert SECRET not in told
    assert ENCODED not in told
    assert error.__context__ is None
    assert error.__cause__ is None


def test_credentials_do_not_print_themselves() -> None:
    assert SECRET not in repr(AUTH) + str(AUTH)


# -- For a signed vendor ----------------------------------------------------------------------------------------------
def test_json_goes_out_as_it_is_and_the_clock_comes_back() -> None:
    body = '{"a": "한"}'.encode()
    found, server = call(
        lambda asked, conn: answer(200, {}, "Date: Tue, 03 Feb 2026 09:02:00 GMT"), "PUT", json_body=body
    )
    assert server.asked[0].body == body.decode()
    assert server.asked[0].headers["content-type"] == "application/json"
    assert found.date == datetime(2026, 2, 3, 9, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "slug"),
    [
        ({"errorCode": "NotEnoughBalance", "errorMessage": "잔액 부족"}, "NotEnoughBalance"),
        ({"errorCode": 17}, ""),
        ({"errorCode": "no name <b>"}, ""),
        (["errorCode"], ""),
        (b"<html>", ""),
    ],
)
def test_a_refusal_names_itself(said: Any, slug: str) -> None:
    error = failure(lambda asked, conn: answer(400, said, "Date: Tue, 03 Feb 2026 09:02:00 GMT"))
    assert isinstance(error, Refused)
    assert error.slug == slug
    assert error.date == datetime(2026, 2, 3, 9, 2, tzinfo=UTC)


def test_what_breaks_behind_the_first_byte_is_never_called_unreached() -> None:
    """TLS can break on the way back as well; "nothing was sent" must only be said where it is so."""
    broken = urllib3.exceptions.SSLError("bad record")
    before, behind = Call(time.monotonic() + 1, None), Call(time.monotonic() + 1, None)
    behind.began = True
    assert isinstance(door._in_our_words(broken, before, "h"), Unreachable)
    assert isinstance(door._in_our_words(broken, behind, "h"), CutOff)


def test_a_request_is_noted_as_begun_when_its_first_byte_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[bool] = []
    explain = door._in_our_words
    monkeypatch.setattr(door, "_in_our_words", lambda e, call, h: (began.append(call.began), explain(e, call, h))[1])
    failure(lambda asked, conn: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable):
        Session([], override=free).call("POST", f"{free}/x")
    assert began == [True, False]
