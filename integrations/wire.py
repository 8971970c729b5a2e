"""The sockets under `integrations.http`: held to a deadline, kept from private addresses, ended on request.

urllib3 and http.client time out a single read; what a sender that drips one byte now and then needs is a limit on
the whole, and what a closing pull needs is that its reads end now. Both are done where the socket is read.
"""

import http.client
import io
import ipaddress
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import create_connection

BUFFER_BYTES = 256 * 1024


class Halt:
    """Ends the calls that were given it, at once and from any thread, by shutting their sockets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._event = threading.Event()

    @property
    def called(self) -> bool:
        """Whether `now` was called."""
        return self._event.is_set()

    def pause(self, seconds: float) -> None:
        """Sleeps, but not longer than until `now` is called."""
        self._event.wait(seconds)

    def now(self) -> None:
        """Breaks every call in flight; the calls raise Halted."""
        self._event.set()
        with self._lock:
            for sock in self._sockets:
                _break(sock)

    def watch(self, sock: socket.socket) -> None:
        """Holds a socket while its answer is awaited."""
        with self._lock:
            self._sockets.add(sock)
        if self.called:
            _break(sock)

    def forget(self, sock: socket.socket) -> None:
        """Lets go of a socket whose answer is read."""
        with self._lock:
            self._sockets.discard(sock)


class Call:
    """What the connection underneath must know of the call it is serving."""

    def __init__(self, ends_at: float, halt: Halt | None) -> None:
        self.ends_at = ends_at
        self.halt = halt
        self.began = False
        """Whether a byte of the request may have left."""
        self._socket: socket.socket | None = None

    def remaining(self) -> float:
        return self.ends_at - time.monotonic()

    def hold(self, sock: socket.socket) -> None:
        self.release()
        self._socket = sock
        if self.halt is not None:
            self.halt.watch(sock)

    def release(self) -> None:
        if self._socket is not None and self.halt is not None:
            self.halt.forget(self._socket)
        self._socket = None


current_call: ContextVar[Call | None] = ContextVar("call", default=None)


class _ReadInTime(socket.SocketIO):
    """Reads from a socket, but not beyond the end of the call: a sender that drips a byte now and then would
    otherwise stay within the read timeout for ever."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        super().__init__(sock, "r")
        self._sock_in_time = sock
        self._call = call
        self._patience = sock.gettimeout() or self._call.remaining()

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._call.remaining()
        if remaining <= 0:
            raise TimeoutError("The call took too long.")
        self._sock_in_time.settimeout(min(remaining, self._patience))
        return super().readinto(buffer)


class _SocketInTime:
    """What http.client asks of a socket when it reads an answer: a file."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call

    def makefile(self, mode: str) -> io.BufferedReader:
        # As socket.makefile does it: the count keeps the socket open until the file is closed, too.
        raw = _ReadInTime(self._sock, self._call)
        self._sock._io_refs += 1  # type: ignore[attr-defined]
        return io.BufferedReader(raw, BUFFER_BYTES)


class _ResponseInTime(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        call = current_call.get()
        if call is None:
            super().__init__(sock, *args, **kwargs)
            return
        call.hold(sock)
        super().__init__(_SocketInTime(sock, call), *args, **kwargs)  # type: ignore[arg-type]


class PrivateAddress(OSError):
    reason = "private_address"


class _HTTP(HTTPConnection):
    response_class = _ResponseInTime

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _note_beginning()
        super().send(data)


class _HTTPS(HTTPSConnection):
    response_class = _ResponseInTime

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _note_beginning()
        super().send(data)


def _note_beginning() -> None:
    if call := current_call.get():
        call.began = True


class _PublicHTTPS(_HTTPS):
    def _new_conn(self) -> socket.socket:
        """Connects to an address that was looked at first, so that a name can't be pointed at a machine of ours."""
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise urllib3.exceptions.NameResolutionError(self.host, self, socket.gaierror(str(error))) from None
        addresses = [str(entry[4][0]) for entry in found]
        if not all(_is_public(address) for address in addresses):
            raise PrivateAddress("The name leads to a private address.")
        failure: OSError = OSError("The name has no address.")
        for address in addresses:
            try:
                return create_connection(
                    (address, self.port),
                    self.timeout,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(self, "No answer.") from failure
        raise urllib3.exceptions.NewConnectionError(self, "No connection.") from failure


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return _is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return _is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


PUBLIC_POOLS = {"https": _PublicPool}
OVERRIDE_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class NeverOn429(urllib3.Retry):
    RETRY_AFTER_STATUS_CODES = frozenset({503})


def _break(sock: socket.socket) -> None:
    try:
        # The plain socket's method: that of a TLS socket would drop its state under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # Gone already, which is what was wanted.
