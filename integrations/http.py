"""The one door out: every request that the console makes to somebody else's computer goes through here.

Fixed for all of them: https to hosts named in code (or the operator's override), no redirects, no proxies or netrc
from the environment, no private address behind a public name, a limit on time and on size, and errors in our own
words that hold neither the request nor a secret.
"""

import http.client
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from integrations.authorise import Credentials
from integrations.reply_text import error_code, excerpt
from integrations.wire import (
    OVERRIDE_POOLS,
    PUBLIC_POOLS,
    Call,
    Halt,
    NeverOn429,
    PrivateAddress,
    current_call,
)

CONNECT_SECONDS = 3.05
READ_SECONDS = 30.0
TOTAL_SECONDS = 120.0
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0
CHUNK_BYTES = 256 * 1024


# -- What can go wrong ------------------------------------------------------------------------------------------------
class VendorError(Exception):
    """A request to an outside system didn't give an answer to use. `code` is a stable slug for pages to translate."""

    code: ClassVar[str] = "vendor_error"

    def __str__(self) -> str:
        details = ", ".join(str(arg) for arg in self.args if arg not in (None, ""))
        return f"{self.code}: {details}" if details else self.code


class ForbiddenDestination(VendorError):
    """The address is not on the list of hosts that this session may talk to. Nothing was sent."""

    code = "forbidden_destination"

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


class Unreachable(VendorError):
    """No connection. `reason`: name (DNS), refused, no_answer, tls, private_address or network. Nothing was sent."""

    code = "unreachable"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason


class TimedOut(VendorError):
    """Connected and asked, but the answer didn't come (whole) in time. What the vendor did is unknown."""

    code = "timed_out"


class CutOff(VendorError):
    """The connection broke before the answer was whole. What the vendor did is unknown."""

    code = "cut_off"


class Halted(VendorError):
    """We gave the call up ourselves, by its `Halt`."""

    code = "halted"


class TooLarge(VendorError):
    """The answer is larger than `limit` bytes."""

    code = "too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class BadAnswer(VendorError):
    """An answer that isn't what the vendor's documents promise. `reason` says what was missing, in our words."""

    code = "bad_answer"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(VendorError):
    """A status other than 2xx. `text` is the vendor's explanation, cleaned and short; `retry_after` is in seconds;
    `slug` is the vendor's own name of the error (a JSON body's `errorCode`), "" where it gave none; `date` is when it
    said so, by its clock."""

    code = "refused"

    def __init__(
        self,
        status: int,
        text: str = "",
        retry_after: float | None = None,
        *,
        slug: str = "",
        date: datetime | None = None,
    ) -> None:
        super().__init__(status, slug, text, retry_after)
        self.status = status
        self.text = text
        self.retry_after = retry_after
        self.slug = slug
        self.date = date


# -- What goes in and comes out ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Answer:
    """A 2xx answer, read whole and unpacked."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    date: datetime | None = None
    """When it was given, by the vendor's clock."""


def retry_after_seconds(value: str | None, *, now: datetime | None = None) -> float | None:
    """A Retry-After header (RFC 9110 §10.2.3: seconds or an HTTP date) as 0 to 3600 seconds; None if it is neither."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    moment = _moment(text)
    if moment is None:
        return None
    return min(max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def _moment(text: str | None) -> datetime | None:
    """An HTTP date, or None for what is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# -- The session ------------------------------------------------------------------------------------------------------
class Session:
    """Calls to a closed list of hosts. Safe to share between threads; `threads` connections are kept per host.

    `hosts` come from code; `override` is an operator's base URL from the environment, the only address that may be
    plain http or private."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        override: str = "",
        threads: int = 5,
        backoff: float = 0.3,
    ) -> None:
        self._hosts = frozenset(hosts)
        self._override = _origin(override) if override else None
        self._once = self._open(threads, urllib3.Retry(0, read=False))
        self._patient = self._open(threads, _reads(backoff))

    def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json_body: bytes | None = None,
        auth: Credentials | None = None,
        retry: bool = False,
        read_seconds: float = READ_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        halt: Halt | None = None,
    ) -> Answer:
        """One request and its 2xx answer. `json_body` is JSON that is encoded already. `retry=True` repeats a GET (and
        only a GET) up to three times where nothing answered or on 502, 503 and 504; never on 429. Raises the
        VendorErrors above; a redirect is a Refused."""
        call = Call(time.monotonic() + total_seconds, halt)
        request = requests.Request(
            method,
            url,
            params=params,
            data=form if json_body is None else json_body,
            headers={"Content-Type": "application/json"} if json_body is not None else None,
            auth=_Authorisation(auth) if auth is not None else None,
        )
        outcome = self._attempt(request, call, auth, retry, read_seconds)
        # Raised out here, where no exception is being handled, so that its context is not one that holds the request.
        if isinstance(outcome, VendorError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Closes the connections that are kept open."""
        self._once.close()
        self._patient.close()

    def _attempt(
        self, request: requests.Request, call: Call, auth: Credentials | None, retry: bool, read_seconds: float
    ) -> Answer | VendorError:
        host = urlsplit(request.url).hostname or ""
        if not self._may_talk_to(request.url):
            return ForbiddenDestination(host)
        session = self._patient if retry else self._once
        token = current_call.set(call)
        try:
            with session.send(
                session.prepare_request(request),
                timeout=(CONNECT_SECONDS, read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _outcome(response, call, auth)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            return _in_our_words(error, call, host)
        finally:
            current_call.reset(token)
            call.release()

    def _may_talk_to(self, url: str) -> bool:
        origin = _origin(url)
        if self._override is not None and origin == self._override:
            return True
        scheme, host, port = origin
        return scheme == "https" and port == 443 and host in self._hosts and "@" not in urlsplit(url).netloc

    def _open(self, threads: int, retries: urllib3.Retry) -> requests.Session:
        session = _NoRedirects()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update({"User-Agent": "notifly-console", "Accept": "application/json"})
        session.adapters.clear()
        session.mount(
            "https://",
            _Adapter(PUBLIC_POOLS, pool_maxsize=threads, max_retries=retries),
        )
        if self._override is not None:
            scheme, host, port = self._override
            bracketed = f"[{host}]" if ":" in host else host
            adapter = _Adapter(OVERRIDE_POOLS, pool_maxsize=threads, max_retries=retries)
            for prefix in (
                f"{scheme}://{bracketed}:{port}/",
                f"{scheme}://{bracketed}/",
            ):
                session.mount(prefix, adapter)
        return session


def _reads(backoff: float) -> urllib3.Retry:
    # Answers that never began and gateways that say "not now"; a 429 is a matter of budgets, not of patience.
    return NeverOn429(
        3,
        connect=2,
        read=False,
        status=3,
        other=0,
        redirect=False,
        status_forcelist={502, 503, 504},
        allowed_methods={"GET"},
        backoff_factor=backoff,
        backoff_jitter=backoff * 2 / 3,
        retry_after_max=5,
        raise_on_status=False,
    )


def _outcome(response: requests.Response, call: Call, auth: Credentials | None) -> Answer | VendorError:
    body = _read(response, call)
    if isinstance(body, VendorError):
        return body
    date = _moment(response.headers.get("Date"))
    if 200 <= response.status_code < 300:
        return Answer(response.status_code, body, response.headers.get("Content-Type", ""), date)
    text = excerpt(body)
    return Refused(
        response.status_code,
        auth.hide(text) if auth else text,
        retry_after_seconds(response.headers.get("Retry-After")),
        slug=error_code(body),
        date=date,
    )


def _read(response: requests.Response, call: Call) -> bytes | VendorError:
    announced = response.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > MAX_BODY_BYTES:
        return TooLarge(MAX_BODY_BYTES)
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
        size += len(part)
        if size > MAX_BODY_BYTES:
            return TooLarge(MAX_BODY_BYTES)
        if call.remaining() <= 0:
            return TimedOut()
        parts.append(part)
    return b"".join(parts)


def _in_our_words(error: BaseException, call: Call, host: str) -> VendorError:
    if call.halt is not None and call.halt.called:
        return Halted()
    chain = _chain(error)
    kinds = urllib3.exceptions
    if refusal := next((cause for cause in chain if isinstance(cause, PrivateAddress)), None):
        return Unreachable(host, refusal.reason)
    # From the particular to the general: NewConnectionError is a kind of ConnectTimeoutError, and so on.
    verdicts: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], VendorError], ...] = (
        (kinds.NameResolutionError, Unreachable(host, "name")),
        (kinds.SSLError, Unreachable(host, "tls")),
        (requests.exceptions.SSLError, Unreachable(host, "tls")),
        (ConnectionRefusedError, Unreachable(host, "refused")),
        (kinds.NewConnectionError, Unreachable(host, "network")),
        (kinds.ConnectTimeoutError, Unreachable(host, "no_answer")),
        ((kinds.ReadTimeoutError, TimeoutError), TimedOut()),
        (kinds.DecodeError, BadAnswer("the body can't be unpacked")),
        (kinds.InvalidHeader, BadAnswer("a header can't be read")),
    )
    for kind, verdict in verdicts:
        if any(isinstance(cause, kind) for cause in chain):
            # TLS may break behind the request as well as before it: only what came before is "nothing was sent".
            return CutOff() if isinstance(verdict, Unreachable) and call.began else verdict
    return CutOff()


def _chain(error: BaseException) -> list[BaseException]:
    """The error and everything it was made from: requests wraps urllib3's errors, in arguments as often as causes."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        item = queue.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [
                *item.args,
                item.__cause__,
                item.__context__,
                getattr(item, "reason", None),
            ]
    return found


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, parts.hostname or "", port


class _Adapter(HTTPAdapter):
    def __init__(self, pools: dict[str, Any], **kwargs: Any) -> None:
        self._pools = pools
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


class _NoRedirects(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # type: ignore[override]
        """None is followed, and none is prepared either: requests would read that answer's whole body to do so."""


class _Authorisation(requests.auth.AuthBase):
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests on the prepared request."""
        r.headers["Authorization"] = self._credentials.header()
        return r
