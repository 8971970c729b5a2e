"""Pages that belong to no app: home, health, the error pages, and what every page is given."""

import functools
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe
from kombu import Connection as BrokerConnection

from notifly_console.lib.visitors import page_of
from notifly_console.tasks import HEARTBEAT
from notifly_console.tenancy.access import Access, last_access, memberships_of
from notifly_console.tenancy.models import Member

log = structlog.get_logger(__name__)

HEARTBEAT_IS_OLD = timedelta(minutes=3)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The cohorts of the project in which one was last, or of the only one; else the choice of projects."""
    access = last_access(request, memberships_of(request.user))
    return redirect("cohorts:list", access.project.id) if access else redirect("tenancy:projects")


@login_not_required
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """The process is alive; asks nobody else."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Whether the parts answer: database, migrations, broker, and a worker that the clock reached lately."""
    checks = {"database": "ok", "migrations": "ok", "broker": "ok", "worker": "ok"}
    try:
        connection.ensure_connection()
        if _pending_migrations():
            checks["migrations"] = "pending: run `manage.py migrate`"
        checks["worker"] = _worker_says()
    except DatabaseError:
        checks |= {"database": "unreachable", "migrations": "unknown", "worker": "unknown"}
    checks["broker"] = _broker_says()
    ready = all(answer == "ok" for answer in checks.values())
    return JsonResponse({"status": "ok" if ready else "not ready", **checks}, status=200 if ready else 503)


def _pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _worker_says() -> str:
    beat = cache.get(HEARTBEAT)
    if beat is None or timezone.now() - datetime.fromisoformat(beat) > HEARTBEAT_IS_OLD:
        return "no heartbeat: start a worker and beat"
    return "ok"


def _broker_says() -> str:
    if settings.BROKER.kind == "folder":
        return "ok"
    try:
        with BrokerConnection(
            settings.BROKER.url, transport_options=settings.BROKER.options, connect_timeout=1
        ) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=1)
    except Exception as error:  # whatever the broker's client raises, the answer is the same: it isn't there
        log.warning("broker_unreachable", error=type(error).__name__)
        return "unreachable"
    return "ok"


class ProbeMiddleware:
    """Answers the probes of machines before anything reads a session: `/healthz` touches nothing but the process, and
    `/readyz` says itself how the database is, whatever cookies come along."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = {"/healthz": healthz, "/readyz": readyz}.get(request.path_info)
        if probe is None or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        return probe(request)


class OutageMiddleware:
    """Answers 503 with a page that says what to do when the database doesn't answer a view. Where it fails before the
    view (sessions, the person), Django asks `server_error`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        return outage(request, exception) if isinstance(exception, OperationalError | InterfaceError) else None


def outage(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page for a database that is away. Nothing of the request was kept, so the same request may be sent again."""
    log.error("database_unavailable", error=type(error).__name__)
    context: dict[str, Any] = {"path": page_of(request)}
    if _is_a_press(request):
        context |= {"pressed": request.path, "from": request.POST.get("from"), "csrf_token": get_token(request)}
    # Without the request: context processors would ask the database.
    response = render(None, "errors/503.html", context, status=503)  # type: ignore[arg-type]
    response.headers["Retry-After"] = "5"
    patch_cache_control(response, no_store=True)
    return response


def _is_a_press(request: HttpRequest) -> bool:
    """Whether the request was the press of a button that sends nothing else: the page may offer to press it again.
    (What people typed, passwords among it, isn't written back.)"""
    return request.method == "POST" and not request.FILES and set(request.POST) <= {"csrfmiddlewaretoken", "from"}


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form whose token is missing or old."""
    log.info("csrf_refused", reason=reason)
    return render(request, "errors/csrf.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    # No middleware sees what another one raises: Django answers for it at once, and asks here while it handles it.
    error = sys.exception()
    if isinstance(error, OperationalError | InterfaceError):
        return outage(request, error)
    # Without the request: whatever broke may be what a context processor needs.
    return render(None, "errors/500.html", {"request_id": getattr(request, "request_id", "")}, status=500)  # type: ignore[arg-type]


def page_context(request: HttpRequest) -> dict[str, Any]:
    """For every template: the access to the current project; that of the page's frame, which on a page of no project is
    the last one's; and the person's projects. (What takes asking is asked for only if it is shown.)"""
    user = getattr(request, "user", None)
    access: Access | None = getattr(request, "access", None)

    @functools.cache
    def projects() -> list[Member]:
        found: list[Member] | None = getattr(request, "memberships", None)
        if found is None:
            found = memberships_of(user) if user is not None else []
        return found

    @functools.cache
    def frame() -> Access | None:
        return access or last_access(request, projects())

    return {
        "access": access,
        "frame_access": frame,
        "my_projects": projects,
        "time_zone": settings.TIME_ZONE,
        "has_mail": settings.HAS_MAIL,
    }
