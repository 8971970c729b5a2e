"""The stand-in SOLAPI: which request gets what. Its paths lie under `/solapi`."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from integrations.sandbox.faults import BREAKDOWN, DOOR, UNDONE, Fault, first_of
from integrations.sandbox.solapi import lists as solapi_lists
from integrations.sandbox.solapi import messages as solapi_messages
from integrations.sandbox.solapi.auth import identify
from integrations.sandbox.solapi.book import Refused
from integrations.sandbox.solapi.call import Call
from integrations.sandbox.solapi.catalogue import Account
from integrations.sandbox.wire import HTML, TEXT, Answer, Asked, as_json
from integrations.sandbox.world import LogEntry, World

PREFIX = "/solapi"
LARGEST_BODY = 15 * 1024 * 1024
PUBLIC = {"pricing/default"}
HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Error</title></head><body><center><h1>Error</h1></center><hr>"
    b"<script>alert('sandbox')</script></body></html>"
)


def answer(world: World, asked: Asked) -> Answer:
    """SOLAPI's answer to a request; writes the log."""
    path = asked.path.removeprefix(PREFIX).strip("/")
    for method, pattern, endpoint, handler in ROUTES:
        found = pattern.fullmatch(path)
        if found and method == asked.method:
            return _found(world, asked, endpoint, handler, found.groups())
    known = any(pattern.fullmatch(path) for _, pattern, _, _ in ROUTES)
    code, status = ("MethodNotAllowed", 405) if known else ("ResourceNotFound", 404)
    return _logged(world, asked, None, None, [], failure(status, code, "요청하신 Resource를 찾을수 없습니다."))


def failure(status: int, code: str, text: str) -> Answer:
    """An error in SOLAPI's shape."""
    return as_json({"errorCode": code, "errorMessage": text}, status)


def _found(world: World, asked: Asked, endpoint: str, handler: Callable[[Call], Any], path: tuple[str, ...]) -> Answer:
    book = world.solapi
    account = book.account()
    faults: list[Fault] = []
    try:
        if endpoint not in PUBLIC:
            account = identify(book, asked.headers.get("authorization"))
        faults = world.faults.take(endpoint, vendor="solapi")
        undone = _undone(faults)
        if undone is not None:
            return _logged(world, asked, endpoint, account, faults, undone)
        late = first_of(faults, ("slow_before",))
        if late:
            world.ended.wait(late.seconds)
        half = first_of(faults, ("half_done_then_cut",)) is not None
        call = Call(world, account, path, _query(asked), _body(asked), half)
        reply = as_json(handler(call))
    except Refused as error:
        reply = failure(error.status, error.code, str(error))
    return _logged(world, asked, endpoint, account, faults, mistreated(reply, faults))


def _query(asked: Asked) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(urlsplit(asked.target).query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return query


def _body(asked: Asked) -> dict[str, Any]:
    if len(asked.body) > LARGEST_BODY:
        raise Refused(413, "PayloadTooLarge", "하나의 요청의 총 데이터 크기는 15MB를 넘을 수 없습니다.")
    if not asked.body.strip():
        return {}
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "ValidationError", "JSON 형식이 올바르지 않습니다.") from error
    if not isinstance(body, dict):
        raise Refused(400, "ValidationError", "요청은 객체여야 됩니다.")
    return body


# -- Faults -----------------------------------------------------------------------------------------------------------
def _undone(faults: list[Fault]) -> Answer | None:
    """The answer of a fault that strikes before any work is done."""
    fault = first_of(faults, (*DOOR, *BREAKDOWN, *(kind for kind in UNDONE if kind != "slow_before")))
    if fault is None:
        return None
    replies: dict[str, Callable[[], Answer]] = {
        "rate_limited": lambda: failure(429, "TooManyRequests", "요청이 너무 많습니다."),
        "too_many_at_once": lambda: failure(429, "TooManyRequests", "동시에 처리할 수 있는 요청 수를 넘었습니다."),
        "bad_credentials_400": lambda: failure(400, "ValidationError", "Authorization 헤더가 올바르지 않습니다."),
        "unauthorized": lambda: failure(401, "Unauthorized", "인증되지 않은 요청입니다."),
        "no_plan": lambda: failure(402, "NotEnoughBalance", "현재보유 잔액이 부족합니다."),
        "forbidden": lambda: failure(403, "Forbidden", "권한이 없습니다."),
        "not_found": lambda: failure(404, "ResourceNotFound", "요청하신 Resource를 찾을수 없습니다."),
        "error_400": lambda: failure(400, "ValidationError", fault.text),
        "error_500": lambda: failure(500, "InternalServerError", "Internal Server Error"),
        "text_502": lambda: Answer(502, b"upstream connect error or disconnect/reset before headers", TEXT),
        "html_503": lambda: Answer(503, HTML_PAGE, HTML),
        "non_string_error": lambda: as_json({"errorCode": 17, "errorMessage": {"detail": [fault.text]}}, 400),
        "html_429": lambda: Answer(429, HTML_PAGE, HTML),
        "cut_before": lambda: Answer(cut="whole"),
        "reset_before": lambda: Answer(cut="reset"),
    }
    reply = replies[fault.kind]()
    if fault.retry_after is not None:
        reply.headers["Retry-After"] = str(fault.retry_after)
    return reply


def mistreated(reply: Answer, faults: list[Fault]) -> Answer:
    """The answer with faults done to it: the work is done, whatever the answer says."""
    for fault in faults:
        if fault.kind in CUTS:
            reply.cut = CUTS[fault.kind]
        elif fault.kind in REPLACED:
            reply = REPLACED[fault.kind](reply)
        elif fault.kind == "slow":
            reply.wait += fault.seconds
        elif fault.kind == "drip":
            reply.drip = fault.seconds
    return reply


CUTS = {
    "cut": "whole",
    "done_then_cut": "whole",
    "half_done_then_cut": "whole",
    "done_then_reset": "reset",
    "cut_body": "body",
}
REPLACED: dict[str, Callable[[Answer], Answer]] = {
    "done_then_500": lambda reply: failure(500, "InternalServerError", "Internal Server Error"),
    "done_then_502": lambda reply: Answer(502, HTML_PAGE, HTML),
    "malformed": lambda reply: Answer(200, reply.body[: len(reply.body) // 2]),
    "html_200": lambda reply: Answer(200, HTML_PAGE, HTML),
    "nonsense": lambda reply: Answer(200, b'{"ok": "sandbox"}'),
    "empty_200": lambda reply: Answer(200, b""),
    "wrong_shape": lambda reply: Answer(reply.status, orjson.dumps(_misshapen(orjson.loads(reply.body)))),
}


def _misshapen(value: Any) -> Any:
    """The same fields: objects become lists, lists become objects, numbers become texts."""
    if isinstance(value, dict):
        return {
            name: list(inner.values()) if isinstance(inner, dict) else _misshapen(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return {str(place): inner for place, inner in enumerate(value)}
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _logged(
    world: World, asked: Asked, endpoint: str | None, account: Account | None, faults: list[Fault], reply: Answer
) -> Answer:
    world.log.append(
        LogEntry(
            at=world.clock.now(),
            method=asked.method,
            path=asked.path,
            endpoint=endpoint,
            region=None,
            username=account.api_key if account else None,
            project=None,
            cohort=None,
            page=None,
            params=dict(parse_qsl(urlsplit(asked.target).query)),
            status=reply.status,
            faults=tuple(fault.kind for fault in faults),
            vendor="solapi",
        )
    )
    return reply


# -- Endpoints --------------------------------------------------------------------------------------------------------
def _route(method: str, path: str, endpoint: str, handler: Callable[[Call], Any]) -> Any:
    return method, re.compile(path), endpoint, handler


GROUP = r"messages/v4/groups/([^/]+)"
ROUTES: tuple[tuple[str, re.Pattern[str], str, Callable[[Call], Any]], ...] = (
    _route("PUT", f"{GROUP}/messages", "groups/add", solapi_messages.add),
    _route("POST", f"{GROUP}/send", "groups/send", solapi_messages.send),
    _route("POST", "messages/v4/groups", "groups/create", solapi_messages.create),
    _route("GET", GROUP, "groups/get", solapi_messages.get),
    _route("GET", f"{GROUP}/messages", "groups/messages", solapi_messages.of_group),
    _route("GET", "messages/v4/list(?:-old)?", "list", solapi_messages.listed),
    _route("GET", "messages/v4/groups", "groups/list", solapi_messages.groups),
    _route("DELETE", GROUP, "groups/delete", solapi_messages.delete),
    _route("DELETE", f"{GROUP}/messages", "groups/remove", solapi_messages.remove),
    _route("POST", f"{GROUP}/schedule", "groups/schedule", solapi_messages.schedule),
    _route("DELETE", f"{GROUP}/schedule", "groups/unschedule", solapi_messages.unschedule),
    _route("POST", "messages/v4/send-many/detail", "send-many", solapi_messages.send_many),
    _route("GET", "messages/v4/statistics", "statistics", solapi_lists.statistics),
    _route("GET", "cash/v1/balance", "balance", solapi_lists.balance),
    _route("GET", "pricing/v1/messaging", "pricing", solapi_lists.prices),
    _route("GET", "pricing/v1/messaging/default", "pricing/default", solapi_lists.default_prices),
    _route("GET", "quota/v1/me", "quota", solapi_lists.quota),
    _route("GET", "kakao/v2/channels", "channels", solapi_lists.channels),
    _route("GET", "kakao/v2/channels/([^/]+)", "channel", solapi_lists.channel),
    _route("GET", "kakao/v2/templates", "templates", solapi_lists.templates),
    _route("GET", "kakao/v2/templates/sendable", "templates/sendable", solapi_lists.sendable),
    _route("GET", "kakao/v2/templates/([^/]+)", "template", solapi_lists.template),
    _route("GET", "kakao/v2/brand-templates", "brand-templates", solapi_lists.brand_templates),
    _route("GET", "senderid/v1/numbers/active", "numbers/active", solapi_lists.active_numbers),
    _route("GET", "senderid/v1/numbers", "numbers", solapi_lists.numbers),
    _route("POST", "storage/v1/files", "files", solapi_lists.upload),
    _route("GET", "webhook/v1/outgoing", "webhooks", solapi_lists.hooks),
    _route("POST", "webhook/v1/outgoing", "webhooks", solapi_lists.add_hook),
    _route("DELETE", "webhook/v1/outgoing/([^/]+)", "webhooks", solapi_lists.remove_hook),
    _route("GET", "iam/v1/black", "black", solapi_lists.denials),
    _route("GET", "iam/v1/block/groups", "block/groups", solapi_lists.block_groups),
    _route("GET", "iam/v1/block/numbers", "block/numbers", solapi_lists.block_numbers),
)
