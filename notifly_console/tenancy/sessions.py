"""When a session ends: after half an hour without a person's act, and twelve hours after signing in."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase

BEGAN = "session_began"
LAST_ACT = "session_last_act"
WRITE_EVERY_SECONDS = 60


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
        began = session.setdefault(BEGAN, now)
        last_act = session.setdefault(LAST_ACT, now)
        if now - last_act > settings.SESSION_IDLE_MINUTES * 60 or now - began > settings.SESSION_HOURS * 3600:
            logout(request)
        elif now - last_act >= WRITE_EVERY_SECONDS and "X-Console-Poll" not in request.headers:
            session[LAST_ACT] = now
