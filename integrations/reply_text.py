"""A vendor's explanation of a refusal, made fit to show: short, one line, no markup, no echo of what we asked."""

import html
import json
import re
import unicodedata

LIMIT = 300
_LOOKED_AT = 20_000

_HIDDEN_PARTS = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[a-zA-Z/!?][^<>]*>?")


def excerpt(body: bytes) -> str:
    """At most 300 characters of what a body says, whether it is JSON, HTML or text.

    Of JSON only the `error` (or `message`) is looked at: `request`, which Mixpanel puts beside it, echoes our query
    string. Control and direction characters go, and so does anything that looks like a URL with a query."""
    text = body[:_LOOKED_AT].decode("utf-8", errors="replace")
    if text.lstrip()[:1] in ("{", "["):
        text = _said_in_json(body)
    else:
        text = html.unescape(_TAGS.sub(" ", _HIDDEN_PARTS.sub(" ", text)))
    text = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text[:_LOOKED_AT])
    text = " ".join("…" if _echoes_a_query(word) else word for word in text.split())
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"


def error_code(body: bytes) -> str:
    """The `errorCode` of a JSON body (SOLAPI's), if it looks like a name; "" otherwise."""
    try:
        said = json.loads(body[: 1024 * 1024])
    except (ValueError, RecursionError):
        return ""
    code = said.get("errorCode") if isinstance(said, dict) else None
    return code if isinstance(code, str) and re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,59}", code) else ""


def _echoes_a_query(word: str) -> bool:
    return "=" in word.partition("?")[2]


def _said_in_json(body: bytes) -> str:
    try:
        value = json.loads(body[: 1024 * 1024])
    except (ValueError, RecursionError):
        return ""
    for key in ("error", "message"):
        if isinstance(value, dict) and value.get(key):
            value = value[key]
    return value if isinstance(value, str) else ""
