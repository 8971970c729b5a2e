"""The sandbox's socket: a threaded HTTP/1.1 server on loopback that keeps connections open.

with SandboxServer(SandboxConfig(people=2_000)) as sandbox:
    requests.get(f"{sandbox.url}/us/api/app/me", auth=(USERNAME, SECRET))
    sandbox.world.faults.add("html_503", endpoint="engage")
"""

import contextlib
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from integrations.sandbox.accounts import PROJECT, SECRET, SOLAPI_API_KEY, SOLAPI_API_SECRET, USERNAME
from integrations.sandbox.control import PREFIX, control
from integrations.sandbox.mixpanel import api as mixpanel
from integrations.sandbox.solapi import api as solapi
from integrations.sandbox.wire import Answer, Asked, as_json
from integrations.sandbox.world import SandboxConfig, World

HOST = "127.0.0.1"
MAX_REQUEST_BYTES = 20 * 1024 * 1024
DRIP_PIECES = 20


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    # Without these two each keep-alive answer waits 40 ms for a delayed ACK.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "Listener"

    def handle_any(self) -> None:
        """Read the request, work out the answer, send it as it is to be sent."""
        world = self.server.world
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(as_json({"error": "the body needs a Content-Length of at most 20 MiB"}, 413), world.ended)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        ended = world.ended
        if asked.path.startswith(PREFIX):
            reply = control(world, asked)
        else:
            vendor = solapi if asked.path.startswith(f"{solapi.PREFIX}/") else mixpanel
            reply = vendor.answer(world, asked)
        try:
            self._send(reply, ended)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client went away; nobody is left to tell

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            return None
        return self.rfile.read(int(length))

    def _send(self, reply: Answer, ended: threading.Event) -> None:
        """Send the answer. `ended` cuts waits short when the world is reset."""
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                reply.release()

        try:
            if reply.wait:
                ended.wait(reply.wait)
            if reply.cut in ("whole", "reset"):
                release()
                self._hang_up(reset=reply.cut == "reset")
                return
            self.send_response_only(reply.status)
            self.send_header("Date", self.date_time_string())
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self._send_body(reply, ended, release)
        finally:
            release()

    def _send_body(self, reply: Answer, ended: threading.Event, release: Callable[[], None]) -> None:
        body = memoryview(reply.body)
        if reply.cut == "body":
            self.wfile.write(body[: len(body) // 2])
            release()
            self._hang_up()
            return
        if reply.drip:
            piece = max(len(body) // DRIP_PIECES, 1)
            while len(body) > piece:
                self.wfile.write(body[:piece])
                self.wfile.flush()
                body = body[piece:]
                ended.wait(reply.drip / DRIP_PIECES)
        # The query is over before the client can know it, or its next request would find the place still taken.
        release()
        self.wfile.write(body)
        self.wfile.flush()

    def _hang_up(self, reset: bool = False) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
            if reset:  # closed with nothing to wait for, it sends RST
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.server.reset(self.connection)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are in `world.log`."""


class Listener(ThreadingHTTPServer):
    """The listening socket, with the connections it has open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((HOST, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that stopping can end it."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """The connection is over."""
        with self._open_lock:
            known = request in self._open
            self._open.discard(request)
        if known:
            super().shutdown_request(request)
        else:
            self.close_request(request)

    def reset(self, request: socket.socket) -> None:
        """This connection is to end without a goodbye."""
        with self._open_lock:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        """Close what is still open."""
        with self._open_lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class SandboxServer:
    """A sandbox in a thread of this process. `world` is its state, `url` its address once started."""

    def __init__(self, config: SandboxConfig | None = None, port: int = 0) -> None:
        self.world = World(config)
        self._port = port
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """For example `http://127.0.0.1:8123`, without a slash at the end."""
        if self._listener is None:
            raise RuntimeError("the sandbox isn't running")
        return f"http://{HOST}:{self._listener.server_address[1]}"

    @property
    def solapi_url(self) -> str:
        """What stands for https://api.solapi.com."""
        return self.url + solapi.PREFIX

    def start(self) -> "SandboxServer":
        """Listen. Raises OSError when the port is taken."""
        self._listener = Listener(self.world, self._port)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection. Does nothing when it isn't running."""
        listener, thread = self._listener, self._thread
        if listener is None or thread is None:
            return
        self.world.ended.set()
        listener.shutdown()
        listener.server_close()
        listener.end_connections()
        thread.join(timeout=5)
        self._listener = self._thread = None

    def __enter__(self) -> "SandboxServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    config: SandboxConfig, port: int, say: Callable[[str], Any], reports_to: tuple[str, str] | None = None
) -> None:
    """Run a sandbox until SIGINT or SIGTERM. `say` gets each line for the person at the terminal; `reports_to` is the
    address and the secret of a webhook that SOLAPI's reports go to.

    Raises OSError when the port is taken, ValueError for an address on another machine. Only from the main thread,
    since it handles signals.
    """

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with contextlib.suppress(KeyboardInterrupt), SandboxServer(config, port) as sandbox:
        if reports_to is not None:
            sandbox.world.solapi.reports.add(*reports_to)
        say(f"Mixpanel sandbox: {sandbox.url} ({config.people:,} people, seed {config.seed})")
        say(f"  project {PROJECT}, service account {USERNAME}, secret {SECRET}")
        say(f"SOLAPI sandbox: {sandbox.solapi_url}")
        say(f"  API key {SOLAPI_API_KEY}, API secret {SOLAPI_API_SECRET}")
        threading.Event().wait()
