"""Every address that machines call: no session, no CSRF token, no language; who calls proves itself with a key.

A call is answered when it is committed, and never waits for what becomes of it. What an answer makes Mixpanel do
decides what it is (mixpanel.md §5.3): a 4xx pauses the sync and mails its owners, so it is only for what a person there
must mend; whatever is our own fault is a 503, upon which the page comes again.
"""

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from uuid import UUID

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables

from integrations import hooks, inbox, inlets, senders
from integrations.mixpanel.webhook import NotAPage, PushedPage, action_of, parse_page
from integrations.models import InboundKind
from integrations.solapi.messenger import handles_of
from integrations.solapi.webhook import groups_of
from notifly_console.lib.throttle import Throttle
from notifly_console.lib.visitors import address_of
from notifly_console.tenancy import keys
from notifly_console.tenancy.models import ApiKey

log = structlog.get_logger(__name__)

DOORS = ("/mixpanel/", "/solapi/")
MOST_BYTES = 32 * 1024 * 1024
MOST_REPORT_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
LARGE_BYTES = 4 * 1024 * 1024
"""Bodies above this are read and parsed one at a time in a process: each may need many times its size."""
LARGE_PATIENCE_SECONDS = 10
"""One more may wait so long; the others are to come again, since each that waits keeps a thread from a page."""
TYPES = ("application/json", "text/json")
RETRY_SECONDS = 30
NOTHING_HERE = "Nothing is taken at this address. Copy the webhook URL again from 설정, without a slash at its end."
FAILURES = Throttle(10, 60)
_large = threading.Semaphore(1)
_waiting_for_large = threading.Semaphore(1)


# -- Past what is made for people -------------------------------------------------------------------------------------
class InboundMiddleware:
    """Leads calls of machines to their view directly: past sessions, tokens, languages and sign-in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(DOORS):
            try:
                match = resolve(request.path_info)
            except Resolver404:
                return _failure(Refused(404, NOTHING_HERE))
            if getattr(match.func, "is_inbound", False):
                request.resolver_match = match
                return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]
        return self.get_response(request)


class Refused(Exception):
    """The call is turned away; the text is for whoever made it."""

    def __init__(self, status: int, message: str, *, action: str = "", retry: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.action = action
        self.retry = retry


def inbound(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Wraps a view of this module: a refusal, and anything that goes wrong, in the shape that the caller reads."""

    @csrf_exempt
    @login_not_required
    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refused as refusal:
            return _failure(refusal)
        except DatabaseError as error:
            log.error("inbound_not_kept", error=type(error).__name__)
        except Exception:
            log.exception("inbound_broke_off")
        return _failure(Refused(503, "Notifly Console can't take this now; please send it again.", retry=RETRY_SECONDS))

    inner.is_inbound = True  # type: ignore[attr-defined]
    return inner


def _failure(refusal: Refused) -> HttpResponse:
    error = {"message": refusal.message, "code": refusal.status}
    answer = JsonResponse({"action": refusal.action, "status": "failure", "error": error}, status=refusal.status)
    if refusal.retry:
        answer.headers["Retry-After"] = str(refusal.retry)
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="Notifly Console", charset="UTF-8"'
    if refusal.status == 405:
        answer.headers["Allow"] = "POST"
    return answer


# -- Mixpanel's cohorts -----------------------------------------------------------------------------------------------
@inbound
def mixpanel_cohorts(request: HttpRequest, inlet: str) -> HttpResponse:
    """One page of a cohort sync. `inlet` is the project's id as it was pasted into Mixpanel."""
    if request.method != "POST":
        raise Refused(405, "Only POST is answered here.")
    length = _declared_length(request)
    key = _caller(request, inlet)
    if inbox.is_full(key.project_id):
        raise Refused(503, "Notifly Console is still busy with earlier pages.", retry=inbox.RETRY_SECONDS)
    _check_type(request)
    with _room_for(length):
        body = _read(request, length)
        try:
            page = parse_page(body)
        except NotAPage as problem:
            inlets.note_refusal(key.project_id, "not_a_page")
            raise Refused(400, str(problem), action=action_of(body)) from None
        _keep(request, key, page, body)
    return JsonResponse({"action": page.action, "status": "success"})


def _keep(request: HttpRequest, key: ApiKey, page: PushedPage, body: bytes) -> None:
    """All that happens before the answer, in one transaction."""
    address = address_of(request)
    with transaction.atomic():
        fits = inlets.belongs(key.project_id, page.project_id)
        if fits:
            inbox.keep(
                InboundKind.COHORT_PAGE,
                key.project_id,
                page.cohort_id,
                body=body,
                fingerprint=page.fingerprint(timezone.now()),
                envelope=page.envelope(),
                api_key_id=key.pk,
                more_follow=page.page < page.pages,
            )
            keys.note_use(key, address=address, what=f"mixpanel {page.project_id}/{page.integration_id or '-'}")
    if not fits:
        inlets.refuse_foreign(key.project_id, page.project_id, request)
        message = (
            f"This Notifly project takes cohorts of another Mixpanel project than {page.project_id}. "
            "Check under 설정 → API 인증 정보 which one it is."
        )
        raise Refused(403, message, action=page.action)


# -- SOLAPI's reports -------------------------------------------------------------------------------------------------
@inbound
def solapi_reports(request: HttpRequest, inlet: str) -> HttpResponse:
    """What became of messages: taken only as a hint to ask. `inlet` is the project's id as it was pasted into SOLAPI,
    which calls again, up to five times, upon anything but a 200."""
    if request.method != "POST":
        raise Refused(405, "Only POST is answered here.")
    length = _declared_length(request, MOST_REPORT_BYTES)
    row = hooks.caller(_project_id(inlet), request.headers.get("X-Solapi-Secret", ""))
    if row is None:
        raise Refused(401, "Unknown project or secret. Copy both again from 설정 → 발신 정보.")
    named = groups_of(_read(request, length, MOST_REPORT_BYTES))
    ours = senders.account_id(row) if named else ""
    handles = [handle for group, account in named for handle in handles_of(group, account or ours)]
    inbox.report("solapi", row.project_id, handles)
    hooks.note_call(row)
    return JsonResponse({"status": "success"})


# -- Who calls --------------------------------------------------------------------------------------------------------
@sensitive_variables("access_key", "secret")
def _caller(request: HttpRequest, inlet: str) -> ApiKey:
    """The key that the call proves itself with. Whatever is wrong with it, the answer is the same."""
    address = address_of(request) or ""
    access_key, secret = _basic(request)
    # Mixpanel calls for all its customers from the same few addresses: somebody else's wrong password keeps out nobody
    # who has a right one.
    if (seconds := FAILURES.wait(address)) and not keys.was_live(access_key, secret):
        raise Refused(429, "Too many failed attempts from this address; wait a minute.", retry=int(seconds) + 1)
    project_id = _project_id(inlet)
    key = keys.check(project_id, access_key, secret)
    if key is None:
        FAILURES.count(address)
        inlets.note_refusal(project_id, "unknown_key")
        raise Refused(
            401,
            "Unknown project, access key or secret key. Copy the URL, the access key (USERNAME) and the secret key "
            "(PASSWORD) again from 설정 → API 인증 정보.",
        )
    return key


def _basic(request: HttpRequest) -> tuple[str, str]:
    """User name and password of the call; empty ones where it brings none."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    name, password = name.strip(), password.strip()
    return (name, password) if colon and re.fullmatch(r"[0-9a-f]{32}", name) and len(password) < 200 else ("", "")


def _project_id(inlet: str) -> UUID | None:
    try:
        return UUID(inlet)
    except ValueError:
        return None


# -- The body ---------------------------------------------------------------------------------------------------------
def _declared_length(request: HttpRequest, most: int = MOST_BYTES) -> int | None:
    """How long the body says it is; None for one that comes in chunks."""
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        return None
    text = request.META.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else most + 1
    if length > most:
        raise _too_large(most)
    return length


def _check_type(request: HttpRequest) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise Refused(400, "The body must be sent as it is: Content-Encoding is not supported.")
    declared = request.headers.get("Content-Type", "")
    if declared and request.content_type not in TYPES:
        raise Refused(400, "Content-Type must be application/json.")
    charset = (request.content_params or {}).get("charset", "utf-8").lower().strip("\"'")
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise Refused(400, "The body must be UTF-8.")


@contextmanager
def _room_for(length: int | None) -> Iterator[None]:
    """Lets large bodies in one by one."""
    if length is not None and length <= LARGE_BYTES:
        yield
        return
    if not _large.acquire(blocking=False) and not _wait_for_room():
        raise Refused(503, "Notifly Console is busy with other large pages.", retry=RETRY_SECONDS)
    try:
        yield
    finally:
        _large.release()


def _wait_for_room() -> bool:
    if not _waiting_for_large.acquire(blocking=False):
        return False
    try:
        return _large.acquire(timeout=LARGE_PATIENCE_SECONDS)
    finally:
        _waiting_for_large.release()


def _read(request: HttpRequest, length: int | None, most: int = MOST_BYTES) -> bytes:
    """The body, in pieces. Of one in chunks no more is read than a body may have."""
    source: Any = request if length is not None else request.META.get("wsgi.input")
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := source.read(PIECE_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise _too_large(most)
    except OSError as error:
        raise Refused(503, "The body broke off.", retry=1) from error
    if length is not None and size < length:
        raise Refused(503, "The body is shorter than its Content-Length.", retry=1)
    return b"".join(pieces)


def _too_large(most: int) -> Refused:
    hint = " Export fewer properties." if most == MOST_BYTES else ""
    return Refused(413, f"A call may have {most // 1024 // 1024} MiB.{hint}")
