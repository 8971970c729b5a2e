"""The web server's worker: a thread gets a request once it is there, not when somebody begins to send it.

gunicorn's threaded worker hands a connection to a thread as soon as a byte of it has come, and the thread waits for the
rest as long as its sender likes: eight senders of a byte now and then, and no page answers any more. Here a request
gathers aside, at the cost of a socket, until it is whole. Of one too large for that a thread reads the rest, and lets
go of a sender that is slower than any network people work with. Nor does the loop that accepts wait for somebody to
hang up. And of its threads, half are for people: calls of machines wait for the others, however many come; and while
somebody looks at pages they have one, since the threads of a process take turns at computing.

`gunicorn --worker-class notifly_console.serve.Worker`; otherwise it is gunicorn's `gthread`.
"""

import errno
import json
import mmap
import re
import selectors
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

WHOLE_SECONDS = 60.0
"""So long may a request gather."""
MOST_HEAD = 64 * 1024
MOST_GATHERED = 4 * 1024 * 1024
LARGEST = 33 * 1024 * 1024
"""What says that it is larger gets a thread at once, to be refused unread."""
MOST_HELD = 64 * 1024 * 1024
"""In all that gather: above it, whoever has been gathering longest is let go of."""
PIECE = 256 * 1024
GRACE_SECONDS = 10.0
SLOWEST = 64 * 1024
"""Bytes a second that a thread, once the grace is over, expects of a sender."""
LINGER_SECONDS = 2.0

_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_IN_CHUNKS = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_WAITS_TO_BE_ASKED = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_OF_MACHINES = re.compile(rb"POST /(mixpanel|solapi)/")
SOMEBODY_LOOKS = 2.0
"""So many seconds after a page was asked for."""
MOST_PAUSE = 0.1
"""While somebody looks, a machine's thread rests after a call for as long as the call took, and never longer."""
SWITCHED_AFTER = 0.001
"""Seconds that a thread computes before another one gets its turn. With Python's own 0.005 a page waits so long for
each thread that computes, whenever it comes back from the database."""
GIVES_WAY_SECONDS = 0.002
"""So long a process with more connections than another waits before it takes one more: time enough for that one to be
woken and take it."""
MOST_WAITING = 16
"""Calls of machines that wait for a thread; more are to come again."""


def _come_again(message: str, seconds: int) -> bytes:
    """An answer in the shape that Mixpanel shows, to whoever it is."""
    body = json.dumps({"action": "", "status": "failure", "error": {"message": message, "code": 503}})
    return (
        f"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: {seconds}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_LATE = _come_again("The request came too slowly.", 1)
_BUSY = _come_again("Notifly Console is busy with other calls; please send it again.", 5)


class Paced(SocketUnreader):
    """What a thread reads from a socket, as long as it comes fast enough."""

    until = float("inf")

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece. Raises ConnectionResetError for a sender who is too slow."""
        left = self.until - time.monotonic()
        before = self.sock.gettimeout()
        try:
            self.sock.settimeout(max(0.001, left) if before is None else max(0.001, min(before, left)))
            piece: bytes = super().chunk(size_hint)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the sender is too slow") from None
        finally:
            self.sock.settimeout(before)
        self.until += len(piece) / SLOWEST
        return piece


class Connection(TConn):
    """A connection, and what has come of its next request."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, linger: Callable[..., None]) -> None:
        super().__init__(cfg, sock, client, server)
        self.parser = http.get_parser(cfg, sock, client)
        self.parser.unreader = Paced(sock)
        self.initialized = True
        self._linger = linger
        self.begin()

    def begin(self) -> None:
        """Waits for a new request."""
        self.came = bytearray()
        self.wanted: int | None = None
        """How much is to come before a thread gets it; None while the head isn't there."""
        self.is_machine = False
        self.is_whole = False
        self.until = time.monotonic() + WHOLE_SECONDS

    def gather(self) -> bool:
        """Takes what is there, and never more than belongs to this request; whether that is enough for a thread.
        Raises OSError where the sender is gone, or sends no end of a head."""
        if self.wanted is None:
            seen = self._received(MOST_HEAD, socket.MSG_PEEK)
            begin, before = max(0, len(self.came) - 3), len(self.came)
            self.came += seen
            end = self.came.find(b"\r\n\r\n", begin)
            if end >= 0:
                del self.came[end + 4 :]
                self._read_head()
            elif len(self.came) > MOST_HEAD:
                raise OSError(errno.EMSGSIZE, "no end of a head")
            if len(self.came) > before:
                self.sock.recv(len(self.came) - before)
        while self.wanted is not None and len(self.came) < self.wanted:
            piece = self._received(min(PIECE, self.wanted - len(self.came)))
            if not piece:
                return False
            self.came += piece
        return self.wanted is not None

    def _received(self, most: int, flags: int = 0) -> bytes:
        """What is there, b"" for nothing yet."""
        try:
            piece: bytes = self.sock.recv(most, flags)
        except BlockingIOError:
            return b""
        if not piece:
            raise ConnectionResetError(errno.ECONNRESET, "the sender is gone")
        return piece

    def _read_head(self) -> None:
        head = bytes(self.came)
        self.is_machine = _OF_MACHINES.match(head) is not None
        declared = _LENGTH.search(head)
        length = int(declared[1]) if declared else 0
        # A body in chunks is read by a thread; so is what a large one has beyond the limit.
        self.wanted = len(head) + (min(length, MOST_GATHERED) if length <= LARGEST else 0)
        self.is_whole = length <= MOST_GATHERED and not _IN_CHUNKS.search(head)
        if self.wanted > len(head) and _WAITS_TO_BE_ASKED.search(head):
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def hand_over(self) -> None:
        """Gives what has come to the parser, which a thread will read."""
        self.parser.unreader.unread(bytes(self.came))
        self.came = bytearray()

    def close(self, graceful: bool = False) -> None:
        """Closes it; `graceful`: once the other side has, or had time to."""
        if graceful:
            self._linger(self)
        else:
            super().close()


class Holdings:
    """How many connections each process of this server holds, in memory that they have in common: made before gunicorn
    forks. Nothing more than a hint, so nobody locks it."""

    PLACES = 64
    ENTRY = struct.Struct("=dq")
    OUTDATED_SECONDS = 2.5
    """Who said nothing for so long is gone, or hangs: a process says it each second at least."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self.PLACES * self.ENTRY.size)

    def tell(self, place: int, connections: int) -> None:
        """Notes what the process at this place holds."""
        self.ENTRY.pack_into(self._memory, place % self.PLACES * self.ENTRY.size, time.monotonic(), connections)

    def is_above_another(self, place: int, connections: int) -> bool:
        """Whether a process at another place holds fewer than `connections`."""
        since = time.monotonic() - self.OUTDATED_SECONDS
        return any(
            told > since and held < connections and other != place % self.PLACES
            for other, (told, held) in enumerate(self.ENTRY.iter_unpack(self._memory[:]))
        )


class Worker(ThreadWorker):
    """See above."""

    HOLDINGS = Holdings()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gathering: dict[Connection, None] = {}
        self.held = 0
        self.lingering: dict[socket.socket, float] = {}
        self.for_machines = max(1, self.cfg.threads // 2)
        self.machines = 0
        """How many threads answer machines now."""
        self.looked_at = float("-inf")
        self.waiting: deque[Connection] = deque()

    def init_process(self) -> None:
        sys.setswitchinterval(SWITCHED_AFTER)
        super().init_process()

    def notify(self) -> None:
        """Called at each turn of the loop: says that the process is alive, and what it holds."""
        super().notify()
        self.HOLDINGS.tell(self.age, self.nr_conns)

    # -- Until a request is there -------------------------------------------------------------------------------------
    def accept(self, listener: socket.socket) -> None:
        """Takes a connection, if no process that holds fewer does."""
        if self.HOLDINGS.is_above_another(self.age, self.nr_conns):
            time.sleep(GIVES_WAY_SECONDS)
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self._gather(Connection(self.cfg, sock, client, listener.getsockname(), self.linger), is_new=True)

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """Another request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        conn.begin()
        self._gather(conn, is_new=True)

    def _gather(self, conn: Connection, _sock: Any = None, *, is_new: bool = False) -> None:
        before = len(conn.came)
        try:
            is_there = conn.gather()
        except OSError:
            if not is_new:
                self._forget(conn, before)
            self._close(conn)
            return
        if is_there:
            if not is_new:
                self._forget(conn, before)
            conn.hand_over()
            self.enqueue_req(conn)
            return
        self.held += len(conn.came) - before
        if is_new:
            self.gathering[conn] = None
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._gather, conn))
        while self.held > MOST_HELD:
            self._let_go(next(iter(self.gathering)))

    def _forget(self, conn: Connection, held: int) -> None:
        self.poller.unregister(conn.sock)
        del self.gathering[conn]
        self.held -= held

    def _let_go(self, conn: Connection) -> None:
        """Of one who takes too long: with a word, where there is a request to answer."""
        self._forget(conn, len(conn.came))
        self._close(conn, _LATE if conn.wanted is not None else b"")

    def _close(self, conn: Connection, answer: bytes = b"") -> None:
        self.nr_conns -= 1
        try:
            if answer:
                conn.sock.send(answer)
        except OSError:
            answer = b""
        conn.close(graceful=bool(answer))

    def murder_pending(self) -> None:
        """Lets go of whoever took too long: to send a request, or to hang up."""
        super().murder_pending()
        now = time.monotonic()
        while self.gathering and (first := next(iter(self.gathering))).until < now:
            self._let_go(first)
        while self.lingering and (sock := next(iter(self.lingering))) and self.lingering[sock] < now:
            self._hang_up(sock)

    # -- Whose turn it is ---------------------------------------------------------------------------------------------
    def enqueue_req(self, conn: Connection) -> None:
        """Gives a request to a thread, or lets it wait for one."""
        if not conn.is_machine:
            self.looked_at = time.monotonic()
            super().enqueue_req(conn)
        elif self._has_room():
            self.machines += 1
            super().enqueue_req(conn)
        elif len(self.waiting) < MOST_WAITING:
            self.waiting.append(conn)
        else:
            self._close(conn, _BUSY)

    def _has_room(self) -> bool:
        """Whether one more thread may answer a machine."""
        return self.machines < (1 if self._somebody_looks() else self.for_machines)

    def _somebody_looks(self) -> bool:
        return time.monotonic() - self.looked_at < SOMEBODY_LOOKS

    def handle(self, conn: Connection) -> Any:
        """In a thread: answers a request. What is still to come of it has its pace from now on. A machine's has been
        answered when the thread rests."""
        began = time.monotonic()
        conn.parser.unreader.until = began + GRACE_SECONDS
        result = super().handle(conn)
        if conn.is_machine and self._somebody_looks():
            time.sleep(min(MOST_PAUSE, time.monotonic() - began))
        return result

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """A thread is free again."""
        if conn.is_machine:
            self.machines -= 1
            while self.waiting and self._has_room():
                self.enqueue_req(self.waiting.popleft())
        super().finish_request(conn, fs)

    # -- After an answer ----------------------------------------------------------------------------------------------
    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Whether the connection is kept. Where something of the body may still be to come no thread waits for it."""
        return conn.is_whole and bool(super()._keepalive_after(conn, keepalive))

    def linger(self, conn: Connection) -> None:
        """Closes our side, and reads past what is still sent: a socket closed with something unread takes the answer
        with it (RFC 9112, 9.6)."""
        sock = conn.sock
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, selectors.EVENT_READ, self._read_past)
        except (OSError, ValueError, KeyError):
            sock.close()
            return
        self.lingering[sock] = time.monotonic() + LINGER_SECONDS

    def _read_past(self, sock: socket.socket) -> None:
        try:
            if sock.recv(PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._hang_up(sock)

    def _hang_up(self, sock: socket.socket) -> None:
        del self.lingering[sock]
        self.poller.unregister(sock)
        sock.close()
