"""The stand-in Mixpanel: which request gets what, who may ask, and what it costs.

Regions are told apart by the first part of the path (`/us/api`, `/eu/api`, `/in/api`; `/api` is the US).
"""

import hmac
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from integrations.sandbox.accounts import DOMAINS, Account, Project, credentials
from integrations.sandbox.faults import BREAKDOWN, DOOR, Fault, first_of
from integrations.sandbox.mixpanel import engage
from integrations.sandbox.wire import HTML, TEXT, Answer, Asked, Unreadable, as_json, parameters
from integrations.sandbox.world import LogEntry, World, rate_limit_text

ROUTE = re.compile(
    r"(?:/(?P<region>us|eu|in))?/api/(?:(?:query|2\.0)/(?P<query>cohorts/list|engage(?:/properties|/stats)?)"
    r"|app/(?:(?P<me>me)|projects/(?P<project>[0-9]+)/(?P<accounts>service-accounts)))/?"
)
UNAUTHORIZED = "Unauthorized: invalid credentials, or no access to this project"
HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>503 Service Temporarily Unavailable</title></head>"
    b"<body><center><h1>503 Service Temporarily Unavailable</h1></center><hr>"
    b"<script>alert('sandbox')</script></body></html>"
)


class Door(NamedTuple):
    """A request that found its endpoint."""

    endpoint: str
    region: str
    app: bool
    project: int | None
    params: dict[str, Any]
    echo: str


class Caller(NamedTuple):
    """Who asks: a service account, or a project by its secret."""

    account: Account | None
    project: Project | None


def answer(world: World, asked: Asked) -> Answer:
    """Mixpanel's answer to a request; writes the log."""
    found = ROUTE.fullmatch(asked.path)
    if not found:
        reply = failure(asked.target, "Not Found", 404, app="/api/app/" in asked.path)
        return _logged(world, asked, None, None, [], reply)
    if asked.method not in ("GET", "POST"):
        reply = failure(asked.target, "Method Not Allowed", 405, app=found["query"] is None)
        return _logged(world, asked, None, None, [], reply)
    app = found["query"] is None
    try:
        params = parameters(asked)
        given = found["project"] or params.get("project_id")
        project = int(str(given)) if re.fullmatch(r"[0-9]{1,15}", str(given)) else None
    except Unreadable as error:
        return _logged(world, asked, None, None, [], failure(asked.target, str(error), 400, app=app))
    endpoint = found["query"] or found["me"] or found["accounts"]
    door = Door(endpoint, found["region"] or "us", app, project, params, _echo(asked.target))
    caller = identify(world, door, credentials(asked.headers.get("authorization")))
    if caller is None:
        return _logged(world, asked, door, None, [], failure(door.echo, UNAUTHORIZED, 401, app=app))
    if caller.project:
        door = door._replace(project=caller.project.id)
    faults = world.faults.take(endpoint, _page(door), _cohort(door), door.project)
    reply = _admitted(world, door, caller, faults)
    return _logged(world, asked, door, caller, faults, mistreated(reply, faults))


def failure(echo: str, text: Any, status: int, app: bool = False) -> Answer:
    """An error in the body shape of its API: the Query API echoes the request, the App API has a status."""
    body = {"status": "error", "error": text} if app else {"request": echo, "error": text}
    return as_json(body, status)


def _echo(target: str) -> str:
    """Path and query as Mixpanel repeats them: its own path, without our region prefix."""
    return re.sub(r"^/(us|eu|in)(?=/api/)", "", target)


def _page(door: Door) -> int | None:
    try:
        return engage.whole_number(door.params, "page", 0) if door.endpoint == "engage" else None
    except engage.Refused:
        return None


def _cohort(door: Door) -> int | None:
    try:
        return engage.cohort_id(door.params)
    except engage.Refused:
        return None


# -- Who may ask ------------------------------------------------------------------------------------------------------
def identify(world: World, door: Door, given: tuple[str, str] | None) -> Caller | None:
    """The account or project that these credentials belong to in this region; None for a stranger."""
    if given is None:
        return None
    username, secret = given
    for account in world.accounts:
        if account.username == username and account.region == door.region and _same(account.secret, secret):
            return None if account.expired else Caller(account, None)
    for project in world.projects.values():
        if project.secret and project.region == door.region and not secret and _same(project.secret, username):
            return Caller(None, project)
    return None


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode())


def barred(world: World, door: Door, caller: Caller) -> Answer | None:
    """The refusal of somebody who is known but may not; None when the way is free."""
    if caller.project:
        return failure(door.echo, UNAUTHORIZED, 401, app=True) if door.app else None
    if door.project is None:
        return failure(door.echo, "project_id is a required parameter", 400)
    role = caller.account.role_in(door.project) if caller.account else None
    project = world.projects.get(door.project)
    if role is None or project is None:
        return failure(door.echo, UNAUTHORIZED, world.config.foreign_project_status, app=door.app)
    if door.app:
        listing = role in ("owner", "admin") or (role == "analyst" and world.config.analyst_lists_accounts)
        return None if listing else failure(door.echo, "Forbidden", 403, app=True)
    if not project.api_access:
        return failure(door.echo, "Payment required", 402)
    if role == "consumer":
        return failure(door.echo, "You do not have permission to access this resource", 403)
    return None


# -- Endpoints --------------------------------------------------------------------------------------------------------
def _admitted(world: World, door: Door, caller: Caller, faults: list[Fault]) -> Answer:
    """The answer to somebody known: app endpoints are free, queries go through the project's budget."""
    if door.endpoint == "me":
        return refused_by_fault(world, door, faults) or _me(world, caller)
    stop = barred(world, door, caller) or refused_by_fault(world, door, faults)
    if stop or door.project is None:
        return stop or failure(door.echo, UNAUTHORIZED, 401)
    if door.app:
        return _accounts(world, door.project)
    follows = door.endpoint == "engage" and (_page(door) or 0) > 0
    meter = world.meter(door.project)
    refusal = meter.enter(world, door.project, counts=world.config.pages_count or not follows)
    if refusal:
        text, wait = refusal
        reply = failure(door.echo, text, 429)
        if world.config.retry_after:
            reply.headers["Retry-After"] = str(wait)
        return reply
    try:
        reply = _query(world, door, door.project, faults)
    except engage.Refused as error:
        reply = failure(door.echo, str(error), error.status)
    except BaseException:
        meter.leave()
        raise
    reply.release = meter.leave
    reply.wait += world.config.latency_ms / 1000
    return reply


def _query(world: World, door: Door, project: int, faults: list[Fault]) -> Answer:
    broken = first_of(faults, BREAKDOWN)
    if broken:
        return _breakdown(door, broken)
    if door.endpoint == "cohorts/list":
        return as_json([cohort.as_listed(project) for cohort in world.books[project]])
    if door.endpoint == "engage/properties":
        return engage.property_names(world, project, door.params)
    if door.endpoint == "engage/stats":
        return engage.stats(world, project, door.params)
    return engage.engage(world, project, door.params, faults)


def _me(world: World, caller: Caller) -> Answer:
    account = caller.account
    if account is None:
        return failure("", UNAUTHORIZED, 401, app=True)
    if not account.sees_me:
        return failure("", "Forbidden: the user_details scope is required", 403, app=True)
    projects = {}
    for project_id, role in account.roles:
        project = world.projects[project_id]
        projects[str(project_id)] = {
            "name": project.name,
            "organization_id": 11,
            "timezone": project.timezone,
            "domain": DOMAINS[project.region],
            "type": "PROJECT",
            "has_workspaces": False,
            "role": role,
        }
    organization = {"id": 11, "name": "하루식탁", "role": "member", "permissions": ["read"]}
    views = {
        str(n): {
            "id": n, "name": "All Project Data", "project_id": int(project_id),
            "is_default": True, "is_global": True, "is_visible": True,
        }
        for n, project_id in enumerate(projects, start=21)
    }  # fmt: skip
    results = {
        "user_id": 42,
        "user_email": account.username,
        "user_name": account.username.split(".")[0],
        "organizations": {"11": organization},
        "projects": projects,
        "workspaces": views,
    }
    return as_json({"status": "ok", "results": results})


def _accounts(world: World, project: int) -> Answer:
    rows = [
        {
            "id": place,
            "username": account.username,
            "last_used": None,
            "expires": account.expires,
            "creator": 5,
            "created": "2026-01-05T09:00:00",
            "role": account.role_in(project),
            "hasSensitiveAccess": account.sees_classified,
            "target_type": "project",
        }
        for place, account in enumerate(world.accounts, start=901)
        if account.role_in(project)
    ]
    return as_json({"status": "ok", "results": rows})


# -- Faults -----------------------------------------------------------------------------------------------------------
def refused_by_fault(world: World, door: Door, faults: list[Fault]) -> Answer | None:
    """The refusal that a fault of the first kind asks for."""
    fault = first_of(faults, DOOR) or (first_of(faults, BREAKDOWN) if door.app else None)
    if fault is None:
        return None
    if fault.kind in BREAKDOWN:
        return _breakdown(door, fault)
    config, project = world.config, door.project or 0
    refusals: dict[str, Callable[[], tuple[Any, int]]] = {
        "rate_limited": lambda: (rate_limit_text(config, project, 1, config.queries_per_hour + 1), 429),
        "too_many_at_once": lambda: (rate_limit_text(config, project, config.concurrent_queries + 1, 12), 429),
        "bad_credentials_400": lambda: ("Unable to authenticate request", 400),
        "unauthorized": lambda: (UNAUTHORIZED, 401),
        "no_plan": lambda: ("Payment required", 402),
        "forbidden": lambda: ("You do not have permission to access this resource", 403),
        "not_found": lambda: ("Not Found", 404),
    }
    text, status = refusals[fault.kind]()
    reply = failure(door.echo, text, status, app=door.app)
    if fault.retry_after is not None:
        reply.headers["Retry-After"] = str(fault.retry_after)
    return reply


def _breakdown(door: Door, fault: Fault) -> Answer:
    replies: dict[str, Callable[[], Answer]] = {
        "error_400": lambda: failure(door.echo, fault.text, 400, app=door.app),
        "error_500": lambda: failure(door.echo, "Internal Server Error", 500, app=door.app),
        "text_502": lambda: Answer(502, b"upstream connect error or disconnect/reset before headers", TEXT),
        "html_503": lambda: Answer(503, HTML_PAGE, HTML),
        "non_string_error": lambda: failure(door.echo, {"code": 17, "detail": [fault.text]}, 400, app=door.app),
    }
    reply = replies[fault.kind]()
    if fault.retry_after is not None:
        reply.headers["Retry-After"] = str(fault.retry_after)
    return reply


def mistreated(reply: Answer, faults: list[Fault]) -> Answer:
    """The answer with faults of content and transport done to it."""
    for fault in faults:
        if fault.kind == "malformed":
            reply.body = reply.body[: len(reply.body) // 2]
        elif fault.kind == "html_200":
            reply.body, reply.content_type = HTML_PAGE, HTML
        elif fault.kind == "slow":
            reply.wait += fault.seconds
        elif fault.kind == "drip":
            reply.drip = fault.seconds
        elif fault.kind in ("cut", "cut_body"):
            reply.cut = "whole" if fault.kind == "cut" else "body"
    return reply


def _logged(
    world: World, asked: Asked, door: Door | None, caller: Caller | None, faults: list[Fault], reply: Answer
) -> Answer:
    account = caller.account if caller else None
    world.log.append(
        LogEntry(
            at=world.clock.now(),
            method=asked.method,
            path=asked.path,
            endpoint=door.endpoint if door else None,
            region=door.region if door else None,
            username=account.username if account else None,
            project=door.project if door else None,
            cohort=_cohort(door) if door else None,
            page=_page(door) if door else None,
            params=door.params if door else {},
            status=reply.status,
            faults=tuple(fault.kind for fault in faults),
        )
    )
    return reply
