"""A request as the sandbox sees it, and an answer on its way out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(slots=True)
class Asked:
    """One HTTP request. Header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, without query."""
        return urlsplit(self.target).path


@dataclass(slots=True)
class Answer:
    """One HTTP answer, and how to mistreat it on the way.

    `wait` seconds pass before it; `drip` spreads the body over that many seconds; `cut` is None, `whole` (nothing is
    sent), `reset` (the same, by a reset) or `body` (half of it is). `release` is called just before the last byte.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0
    cut: str | None = None
    release: Callable[[], None] = lambda: None


class Unreadable(ValueError):
    """The request's parameters can't be read; the text says why."""


def as_json(value: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


def parameters(asked: Asked) -> dict[str, Any]:
    """Parameters from the query string and from a form or JSON body; the body wins.

    Raises Unreadable for a JSON body that is broken or no object.
    """
    params: dict[str, Any] = dict(parse_qsl(urlsplit(asked.target).query, keep_blank_values=True))
    body = asked.body.strip()
    if not body:
        return params
    if "json" in asked.headers.get("content-type", "") or body[:1] == b"{":
        try:
            given = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unreadable("request body is not valid JSON") from error
        if not isinstance(given, dict):
            raise Unreadable("request body must be a JSON object")
        return {**params, **given}
    return {**params, **dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))}
