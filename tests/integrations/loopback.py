"""A server of a few lines over a raw socket, for the answers that no well-behaved server gives."""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """A request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    connection: int
    body: str = ""

    @property
    def page(self) -> int:
        return int(self.form.get("page", 0))


Reply = Callable[[Asked, socket.socket], "bytes | None"]


def answer(status: int = 200, body: Any = b"", *headers: str, content_type: str = "application/json") -> bytes:
    """A whole HTTP answer; anything but bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + raw


@dataclass
class Loopback:
    """Answers each request with what `reply` returns; a reply that returns None has written for itself and the
    connection is closed. Counts who is being answered at the same time."""

    reply: Reply
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0

    def __enter__(self) -> "Loopback":
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._at_once = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Woken first: a thread in accept() would keep the socket listening.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for conn in self._open:
                conn.close()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open.add(conn)
            threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True).start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        try:
            with conn, conn.makefile("rb") as reader:
                while asked := _read(reader, number):
                    with self._lock:
                        self.asked.append(asked)
                        self._at_once += 1
                        self.most_at_once = max(self.most_at_once, self._at_once)
                    try:
                        said = self.reply(asked, conn)
                    finally:
                        with self._lock:
                            self._at_once -= 1
                    if said is None:
                        conn.shutdown(socket.SHUT_RDWR)
                        return
                    conn.sendall(said)
        except OSError:
            return  # The other side left, as some tests want it to.
        finally:
            with self._lock:
                self._open.discard(conn)


def _read(reader: Any, number: int) -> Asked | None:
    line = reader.readline().decode("latin-1")
    if not line.endswith("HTTP/1.1\r\n"):
        return None  # Gone, or not speaking HTTP.
    method, target, _ = line.split()
    headers: dict[str, str] = {}
    while header := reader.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0))).decode()
    parts = urlsplit(target)
    form = {} if body[:1] in "{[" else _flat(body)
    return Asked(method, parts.path, _flat(parts.query), headers, form, number, body)


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
