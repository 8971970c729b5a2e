"""When a session ends, and where a person is signed in.

A session ends after half an hour without a person's act, twelve hours after signing in, when the password changes
elsewhere, or when the person ends it in 마이페이지.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user, logout
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from notifly_console.lib.visitors import address_of, page_of
from notifly_console.tenancy.models import Session, User
from notifly_console.tenancy.session_store import kept_under

BEGAN = "session_began"
LAST_ACT = "session_last_act"
ADDRESS = "session_address"
AGENT = "session_agent"
WRITE_EVERY_SECONDS = 60

BROWSERS = (("Edg/", "Edge"), ("Whale/", "Whale"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
SYSTEMS = (("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
           ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


class PersonMiddleware(AuthenticationMiddleware):
    """Puts the signed-in person on the request, at their first use."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: person_of(request))  # type: ignore[assignment]


def person_of(request: HttpRequest) -> Any:
    """Whom the request's session signs in. The person came with the session; where anything about the two isn't as
    usual (another key signed it, the account is closed, the password has changed), Django's own slower rule decides."""
    session = request.session
    named = session.get(SESSION_KEY)
    person = getattr(session, "person", None)
    if (
        person is not None
        and str(person.pk) == named
        and person.is_active
        and session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and constant_time_compare(session.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash())
    ):
        return person
    return get_user(request)


class SessionLimitsMiddleware:
    """Ends sessions that are idle or old. A page that polls by itself (header `X-Console-Poll`) is no act."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    def _check(self, request: HttpRequest) -> None:
        now = int(time.time())
        session = request.session
        if BEGAN not in session:
            begin(request)
        last_act = session.setdefault(LAST_ACT, now)
        is_idle = now - last_act > settings.SESSION_IDLE_MINUTES * 60
        if is_idle or now - session[BEGAN] > settings.SESSION_HOURS * 3600:
            request.sign_out_reason = "idle" if is_idle else "too_old"  # type: ignore[attr-defined]
            logout(request)
        elif now - last_act >= WRITE_EVERY_SECONDS and "X-Console-Poll" not in request.headers:
            session[LAST_ACT] = now


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Sends the visitor to the sign-in page, which says so where a session of theirs has ended.

    A fragment that htmx asked for would otherwise be replaced by the sign-in page: htmx is told to load it whole, with
    the page that the person was on to come back to.
    """

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., object]) -> Any:
        is_fragment = request.headers.get("HX-Request") == "true"
        came_from = urlsplit(request.headers.get("HX-Current-URL", "")) if is_fragment else None
        onward = (came_from.path or "/") if came_from else page_of(request)
        query = {"next": onward} | ({"ended": "1"} if has_ended(request) else {})
        address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode(query)}"
        if is_fragment:
            return HttpResponse(status=401, headers={"HX-Redirect": address})
        return HttpResponseRedirect(address)


def has_ended(request: HttpRequest) -> bool:
    """Whether the browser brought the cookie of a session that is no more."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.session_key is None


def begin(request: HttpRequest) -> None:
    """Notes when and from where a session began; asked for when a person has signed in."""
    now = int(time.time())
    request.session[BEGAN] = request.session[LAST_ACT] = now
    request.session[ADDRESS] = address_of(request) or ""
    request.session[AGENT] = request.headers.get("User-Agent", "")[:400]


@dataclass(frozen=True)
class SignedIn:
    """One place where a person is signed in. `id` is the row's and names it in a form; it is no use as a cookie."""

    id: str
    is_current: bool
    device: str
    address: str
    began: datetime
    last_act: datetime


def sessions_of(user: User, current_key: str | None) -> list[SignedIn]:
    """The person's live sessions: the one at hand first, then the latest act first."""
    idle_since = time.time() - settings.SESSION_IDLE_MINUTES * 60
    current = kept_under(current_key or "")
    found = []
    for row in Session.objects.filter(user=user, expire_date__gt=timezone.now()):
        data = row.get_decoded()
        if data.get("_auth_user_hash") != user.get_session_auth_hash():
            continue
        is_current = row.session_key == current
        last_act = data.get(LAST_ACT, 0)
        if last_act < idle_since and not is_current:
            continue
        found.append(
            SignedIn(
                id=row.session_key,
                is_current=is_current,
                device=device_of(data.get(AGENT, "")),
                address=data.get(ADDRESS, ""),
                began=datetime.fromtimestamp(data.get(BEGAN, last_act), UTC),
                last_act=datetime.fromtimestamp(last_act, UTC),
            )
        )
    return sorted(found, key=lambda place: (not place.is_current, -place.last_act.timestamp()))


def end_session(user: User, session_id: str) -> bool:
    """Ends the person's session with that id at once. False when there is none."""
    return bool(Session.objects.filter(user=user, session_key=session_id).delete()[0])


def end_other_sessions(user: User, current_key: str | None) -> int:
    """Ends every session of the person but the one at hand; says how many rows went."""
    return Session.objects.filter(user=user).exclude(session_key=kept_under(current_key or "")).delete()[0]


def device_of(agent: str) -> str:
    """`Chrome · Windows` of a User-Agent header; as much as can be told."""
    words = [next((name for mark, name in marks if mark in agent), "") for marks in (BROWSERS, SYSTEMS)]
    return " · ".join(word for word in words if word)
