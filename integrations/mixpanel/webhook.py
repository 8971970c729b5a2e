"""A page that Mixpanel pushes: bytes into a typed value, strictly as to JSON, tolerantly as to Mixpanel's ways.

A page that isn't one is refused as a whole, with a reason that Mixpanel shows to whoever set the sync up. A member
that can't be used isn't a reason to refuse the others: it is left for the reader of members (`members_of`).
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from integrations.mixpanel.schemas import Row, has_huge_number, whole_number

ACTIONS = ("members", "add_members", "remove_members")
DEEPEST = 32
MOST_CONTAINERS = 200_000
MOST_VALUES = 1_500_000
"""Values cost up to a hundred bytes each once they are Python's, whatever they take on the wire."""
MOST_ESCAPES = 500_000
MOST_PAGES = 1_000_000
LONGEST_SESSION = 200
SYNCED_EVERY_SECONDS = 30 * 60
LONGEST_NAME = 1000
LONGEST_ID = 255
SHOWN_ID = 60

ID_NAMES = ("mixpanel_distinct_id", "$distinct_id", "distinct_id")
OWN_NAMES = {
    "email": "$email",
    "phone_number": "$phone",
    "phone": "$phone",
    "first_name": "$first_name",
    "last_name": "$last_name",
}
"""The webhook's names for what profiles have under Mixpanel's own."""
OWN = tuple(dict.fromkeys(OWN_NAMES.values()))

_PIECE = 1 << 20
_BRACKETS_ONLY = bytes(set(range(256)) - set(b"[]{}"))
_SPACE = b" \t\r\n"
_ESCAPE = re.compile(
    rb"\\\\"  # a backslash, so that the next character isn't escaped
    rb"|(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_NUL_OR_HALF = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NUL = "\x00"


class NotAPage(Exception):
    """The body isn't a page of a cohort. The text is for the people in Mixpanel's interface."""


@dataclass(frozen=True)
class PushedPage:
    """A page as it came. `page` and `pages` are 1 of 1 where Mixpanel says nothing about pages; `session_id` is ""
    where it names none. `members` are as sent."""

    action: str
    project_id: int
    cohort_id: int
    cohort_name: str
    description: str | None
    session_id: str
    page: int
    pages: int
    integration_id: str
    members: list[Any]
    is_clean: bool = False
    """Whether no text in it holds a NUL, or half a surrogate pair, which is read as one."""

    def fingerprint(self, came_at: datetime) -> str:
        """SHA-256 of what the page says: the same for the same page in another order of keys. One that names no session
        may say in a later sync what it said before: it is only repeated within the half hour, Mixpanel's rhythm."""
        session = self.session_id or int(came_at.timestamp()) // SYNCED_EVERY_SECONDS
        envelope = [self.action, self.project_id, self.cohort_id, session, self.page, self.pages]
        said = orjson.dumps(envelope) + orjson.dumps(self.members, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(said).hexdigest()

    def envelope(self) -> dict[str, Any]:
        """Everything but the members, to be kept in the clear."""
        return {
            "action": self.action,
            "project": self.project_id,
            "name": self.cohort_name,
            "description": self.description,
            "session": self.session_id,
            "page": self.page,
            "pages": self.pages,
            "integration": self.integration_id,
            "count": len(self.members),
        }


# -- Bytes to a page --------------------------------------------------------------------------------------------------
def parse_page(body: bytes, *, is_known: bool = False) -> PushedPage:
    """The page in `body`. Raises NotAPage. One that `is_known` was parsed before, and isn't measured again."""
    value = _read(body) if is_known else read_strictly(body)
    if not isinstance(value, dict):
        raise NotAPage("The body must be a JSON object.")
    action = value.get("action")
    if action not in ACTIONS:
        raise NotAPage(f"action must be one of {', '.join(ACTIONS)}.")
    parameters = value.get("parameters")
    if not isinstance(parameters, dict):
        raise NotAPage("parameters must be an object.")
    members = parameters.get("members", value.get("members"))
    if members is None:
        members = []
    if not isinstance(members, list):
        raise NotAPage("members must be a list.")
    page, pages = _page_info(parameters.get("page_info"))
    return PushedPage(
        action=action,
        project_id=_id(parameters, "mixpanel_project_id"),
        cohort_id=_id(parameters, "mixpanel_cohort_id"),
        cohort_name=_text(parameters.get("mixpanel_cohort_name"), LONGEST_NAME) or "",
        description=_text(parameters.get("mixpanel_cohort_description"), 20 * LONGEST_NAME),
        session_id=_text(parameters.get("mixpanel_session_id"), LONGEST_SESSION) or "",
        page=page,
        pages=pages,
        integration_id=_text(parameters.get("mixpanel_integration_id"), 40) or "",
        members=members,
        is_clean=rb"\u" not in body or not _NUL_OR_HALF.search(body),
    )


def action_of(body: bytes) -> str:
    """The action that a body which is no page names, as far as one can be seen; "" for none."""
    found = re.search(rb'"action"\s*:\s*"(members|add_members|remove_members)"', body[:65536])
    return found[1].decode() if found else ""


def _id(parameters: dict[str, Any], name: str) -> int:
    value = parameters.get(name)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return value
    raise NotAPage(f"{name} must be a whole number, or a string of digits.")


def _page_info(value: Any) -> tuple[int, int]:
    """Which page of how many. Anything within the limits is let through: what makes no sense (page 0, page 8 of 7) is
    for the session to find, since refusing it would pause the sync."""
    if value is None:
        return 1, 1
    if not isinstance(value, dict):
        raise NotAPage("page_info must be an object.")
    page, pages = (_count(value.get(name), name) for name in ("page_count", "total_pages"))
    return page, pages


def _count(value: Any, name: str) -> int:
    if value is None:
        return 1
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_PAGES:
        raise NotAPage(f"page_info.{name} must be a whole number of at most {MOST_PAGES}.")
    return value


def _text(value: Any, longest: int) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    return value.replace(_NUL, "").strip()[:longest]


# -- Strict JSON ------------------------------------------------------------------------------------------------------
def read_strictly(body: bytes) -> Any:
    """The value of a JSON text in UTF-8: no byte order mark, at most 32 levels, no name twice in an object, no NaN or
    infinity, not more values than a page can hold. Numbers beyond 64 bits come as strings of their digits; half a
    surrogate pair, which Python takes for text and no database does, comes as a NUL. Raises NotAPage."""
    plain = _read_plain(body)
    if plain is not None:
        return plain
    names, objects = _measure(body)
    value = _read(body)
    if names != _count_names(value, objects):
        raise NotAPage("The body has the same name twice in one object.")
    return value


def _read(body: bytes) -> Any:
    try:
        return _read_carefully(body) if has_huge_number(body) else _read_fast(body)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _reason(body, error)
        raise NotAPage(f"The body is not JSON in UTF-8: {reason}.") from None


def _read_plain(body: bytes) -> dict[str, Any] | None:
    """The value of a body which may be counted without telling what stands in strings: a page whose members hold
    neither objects nor lists, and whose texts no bracket and nothing that looks like a name, as most do. None for any
    other body, good or bad."""
    if body.count(b"[") != 1 or body.count(b",") > MOST_VALUES or has_huge_number(body):
        return None
    objects, names = body.count(b"{"), body.translate(None, _SPACE).count(b'":')
    if objects > MOST_CONTAINERS:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    # There are no more objects and names in it than were counted; so none is nested elsewhere, and none comes twice.
    return value if _count_flat(value) == (names, objects) else None


def _measure(body: bytes) -> tuple[int, int]:
    """How many names the objects of a JSON text have in all, and how many objects there are. Raises NotAPage for one
    that would be too deep or too large for a parser. Works on the bytes, and where they aren't JSON it is right up to
    the place where a parser stops."""
    outside = _outside_strings(body)
    brackets = outside.translate(None, _BRACKETS_ONLY)
    if len(brackets) > 2 * MOST_CONTAINERS or outside.count(b",") > MOST_VALUES:
        raise NotAPage("The body holds more values than a page of a cohort can have.")
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise NotAPage(f"The body is nested deeper than {DEEPEST} levels.")
    return outside.count(b":"), brackets.count(b"{")


def _outside_strings(body: bytes) -> bytes:
    # Without escaped backslashes, then without escaped quotes, every second piece between quotes is a string. A bit at
    # a time, since a body of nothing but quotes would make millions of pieces.
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    outside: list[bytes] = []
    inside = 0
    for start in range(0, len(unescaped), _PIECE):
        pieces = unescaped[start : start + _PIECE].split(b'"')
        outside.append(b"".join(pieces[inside::2]))
        inside = (inside + len(pieces) - 1) % 2
    return b"".join(outside)


def _read_fast(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        mended = _mended(body)  # Half a surrogate pair, perhaps.
        if mended is body:
            raise
        return orjson.loads(mended)


def _read_carefully(body: bytes) -> Any:
    """For numbers that orjson would round. Four times as slow, and rare."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise ValueError("byte order mark")
    text = _mended(body).decode()
    return json.loads(text, parse_int=whole_number, parse_float=_finite, parse_constant=_refuse_constant)


def _mended(body: bytes) -> bytes:
    """With halves of surrogate pairs as NUL; the very same where there can be none."""
    if not 0 < body.count(rb"\ud") + body.count(rb"\uD") <= MOST_ESCAPES:
        return body
    return _ESCAPE.sub(lambda found: rb"\u0000" if found["half"] else found[0], body)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _reason(body: bytes, error: ValueError) -> str:
    """In words that say something to whoever sees them in Mixpanel."""
    if not body.strip():
        return "it is empty"
    if body.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark"
    try:
        body.decode()
    except UnicodeDecodeError as bad:
        return f"byte {bad.start} is not UTF-8"
    position = getattr(error, "pos", None)
    problem = getattr(error, "msg", str(error)).split(":")[0][:80]
    return problem if position is None else f"{problem} at character {position}"


def _count_names(value: Any, objects: int) -> int:
    """How many names the objects of a value have, of which there are so many as it was written."""
    flat = _count_flat(value)
    if flat is not None and flat[1] == objects:
        return flat[0]
    names, open_ = 0, [value]
    while open_:
        one = open_.pop()
        if type(one) is dict:
            names += len(one)
            open_.extend([inner for inner in one.values() if type(inner) is dict or type(inner) is list])
        elif type(one) is list:
            open_.extend([inner for inner in one if type(inner) is dict or type(inner) is list])
    return names


def _count_flat(value: Any) -> tuple[int, int] | None:
    """(names, objects) of a page where members hold no object, as most do: without a look at each value."""
    parameters = value.get("parameters") if type(value) is dict else None
    if type(parameters) is not dict:
        return None
    members = parameters.get("members")
    if type(members) is not list or any(type(one) is not dict for one in members):
        return None
    others = [one for one in (value, parameters, parameters.get("page_info")) if type(one) is dict]
    return sum(map(len, others)) + sum(map(len, members)), len(others) + len(members)


# -- Members ----------------------------------------------------------------------------------------------------------
class Unusable(NamedTuple):
    """A member that can't be taken: its place on the page (from 1), and why."""

    place: int
    reason: str
    shown: str
    """The beginning of what stood for its id, for a person to find it by."""


def members_of(page: PushedPage, kept: tuple[str, ...] = ()) -> tuple[list[Row], list[Unusable], int]:
    """The members as rows of profiles under Mixpanel's own names, those that can't be taken, and how many were mended.
    `kept`: names that the project reads contacts from, which therefore stay what they are. What is empty says nothing
    and is left out, so that it erases nothing."""
    rows: list[Row] = []
    unusable: list[Unusable] = []
    mended = 0
    renamed = {name: own for name, own in OWN_NAMES.items() if name not in kept}
    for place, member in enumerate(page.members, 1):
        distinct_id, reason = _identity(member)
        if reason:
            unusable.append(Unusable(place, reason, distinct_id[:SHOWN_ID]))
            continue
        if not page.is_clean and (clean := _clean(member)) is not member:
            member, mended = clean, mended + 1
        properties = {
            renamed.get(name, name): value
            for name, value in member.items()
            if value is not None and value != "" and name not in ID_NAMES
        }
        if not renamed.keys().isdisjoint(member):
            # What comes under its own name counts, wherever it stands.
            properties.update({name: member[name] for name in OWN if member.get(name) not in (None, "")})
        rows.append(Row(distinct_id, properties))
    return rows, unusable, mended


def _identity(member: Any) -> tuple[str, str]:
    """The distinct id, or what stands for it with the reason why it can't be used."""
    if type(member) is not dict:
        return "", "not_an_object"
    value = next((member[name] for name in ID_NAMES if member.get(name) not in (None, "")), None)
    if isinstance(value, bool | dict | list):
        return "", "id_not_text"
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= 2**53:
            return str(value), "id_not_exact"
        value = int(value)
    text = "" if value is None else str(value)
    if not text.strip():
        return "", "id_missing"
    if _NUL in text:
        return text.replace(_NUL, "\ufffd"), "id_broken"
    return (text, "id_too_long") if len(text) > LONGEST_ID else (text, "")


def _clean(value: Any) -> Any:
    """The value without NUL; the very same object where there is none."""
    if type(value) is str:
        return value.replace(_NUL, "") if _NUL in value else value
    if type(value) is list:
        items = [_clean(item) for item in value]
        return items if any(one is not other for one, other in zip(items, value, strict=True)) else value
    if type(value) is dict:
        pairs = {_clean(key): _clean(item) for key, item in value.items()}
        same = pairs.keys() == value.keys() and all(pairs[key] is value[key] for key in pairs)
        return value if same else pairs
    return value
