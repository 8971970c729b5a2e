"""Mixpanel's answers as typed values. Nothing inside the console sees a raw reply.

Mixpanel promises little about its values: ids are strings or numbers, any property has any type, strings hold NUL
or half a surrogate pair. PostgreSQL takes neither of those two, so they end here.
"""

import enum
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from integrations.http import BadAnswer
from notifly_console.lib.crypto import Secret


class Region(enum.StrEnum):
    """Where a Mixpanel project's data lives. The hosts are fixed here; no form and no table names one."""

    US = "us"
    EU = "eu"
    IN = "in"

    @property
    def host(self) -> str:
        """The host of the Query and App APIs, which is also the `domain` that Mixpanel calls the region by."""
        return "mixpanel.com" if self is Region.US else f"{self.value}.mixpanel.com"

    @property
    def base(self) -> str:
        """The base URL, without a slash at the end. The operator's override stands for the US host; the other regions
        lie under it by their names."""
        override = str(settings.MIXPANEL_API_URL).rstrip("/")
        if not override:
            return f"https://{self.host}/api"
        return f"{override}/api" if self is Region.US else f"{override}/{self.value}/api"

    @classmethod
    def of_domain(cls, domain: Any) -> "Region | None":
        """The region that `app/me` means by a project's domain, where none means the US; None for a strange one."""
        if domain in (None, ""):
            return cls.US
        return next((region for region in cls if region.host == domain), None)


@dataclass(frozen=True)
class Account:
    """A service account, and the project it is used for."""

    project_id: int
    username: str
    secret: Secret
    region: Region


@dataclass(frozen=True)
class ListedCohort:
    """A cohort as the list shows it. `count` is Mixpanel's last figure, not a promise of what a pull gives;
    `created` is as sent (no zone is known); a group cohort (`is_group`) has no people to message."""

    id: int
    name: str
    description: str
    count: int | None
    created: str
    is_visible: bool
    is_group: bool


class MeProject(NamedTuple):
    """A project that the service account sees. `region` is None when the domain is a strange one; `role` is None
    when Mixpanel doesn't say (it usually doesn't here)."""

    name: str
    region: Region | None
    role: str | None
    type: str


@dataclass(frozen=True)
class Me:
    """What the credentials open, by Mixpanel project id."""

    projects: dict[int, MeProject]


@dataclass(frozen=True)
class ServiceAccountInfo:
    """The account's own row. `expires` is aware; `sees_classified` is None when Mixpanel doesn't say."""

    role: str | None
    expires: datetime | None
    sees_classified: bool | None


class Row(NamedTuple):
    """A profile as pulled."""

    distinct_id: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EngagePage:
    """One page of a pull. `refused` counts rows without a usable distinct id, which are not in `rows`;
    `total`, `page_size` and `session_id` may be None on any page as it comes over the wire."""

    page: int
    page_size: int | None
    session_id: str | None
    total: int | None
    rows: list[Row]
    refused: int = 0

    @property
    def received(self) -> int:
        """How many rows Mixpanel sent."""
        return len(self.rows) + self.refused


@dataclass(frozen=True)
class PropertyInfo:
    """A profile property of the project: on how many profiles, and what type Mixpanel takes it for."""

    name: str
    count: int
    type: str


# -- Reading a body ---------------------------------------------------------------------------------------------------
_ALL_DIGITS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_MAYBE_HUGE = tuple(before + b"0" * 20 for before in (b":", b": ", b",", b", ", b"[", b"-"))
_SUSPECT = re.compile(
    rb"\\u(?:(?P<nul>0000)"
    rb"|(?P<pair>[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_HUGE_DIGITS = 19
_BACKSLASH = 0x5C
_DEEPEST = 100  # What is deeper is nobody's property; orjson wouldn't write it either.


def read_json(body: bytes) -> Any:
    """A body as clean Python values: no NUL, no lone surrogate (U+FFFD instead), no NaN or infinity (None instead),
    numbers beyond 64 bits as strings with all their digits. Raises BadAnswer when it isn't JSON.

    Real pages hold such rows here and there, so these are mended in the bytes, and orjson reads the page; it is four
    times as fast as the careful reader, who is left with what it would round (huge integers) or still refuses."""
    if not has_huge_number(body):
        try:
            return _read_fast(body)
        except orjson.JSONDecodeError:
            pass  # NaN, bytes that aren't UTF-8, or no JSON at all: the careful reader tells them apart.
    return _read_carefully(body)


def _read_fast(body: bytes) -> Any:
    if b"\\u0000" not in body:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # Most often half a surrogate pair, which can be mended.
    return orjson.loads(_mended(body))


def _mended(body: bytes) -> bytes:
    """JSON without the escapes of NUL and with those of half surrogate pairs as U+FFFD."""
    parts: list[bytes] = []
    end = 0
    for match in _SUSPECT.finditer(body):
        start = match.start()
        text_before = body[max(0, start - 64) : start]
        escaped = (
            len(text_before) - len(text_before.rstrip(b"\\"))
        ) % 2  # `\\u0000` is a backslash and five characters
        if not escaped and not match["pair"]:
            parts += (body[end:start], b"" if match["nul"] else b"\\ufffd")
            end = match.end()
    return b"".join((*parts, body[end:])) if parts else body


def has_huge_number(body: bytes) -> bool:
    """Whether a number in it may have more digits than fit 64 bits. Strings of digits may look like one."""
    zeros = body.translate(_ALL_DIGITS_ZERO)
    return b"0" * 20 in zeros and any(mark in zeros for mark in _MAYBE_HUGE)


def _read_carefully(body: bytes) -> Any:
    try:
        value = json.loads(
            body.decode("utf-8-sig", errors="replace"),
            strict=False,
            parse_int=whole_number,
            parse_float=_fraction,
            parse_constant=lambda _: None,
        )
        return _clean(value)
    except (ValueError, RecursionError):
        problem = BadAnswer("it is not JSON")
    raise problem


def whole_number(digits: str) -> int | str:
    """An integer of a JSON text; where it doesn't fit 64 bits, its digits."""
    if len(digits) < _HUGE_DIGITS:
        return int(digits)
    if len(digits) > _HUGE_DIGITS + 1:
        return digits
    value = int(digits)
    return value if -(2**63) <= value < 2**63 else digits


def _fraction(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value.replace("\x00", ""))
    if not isinstance(value, dict | list):
        return value
    if depth == _DEEPEST:
        return None
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return {_clean(key): _clean(item, depth + 1) for key, item in value.items()}


# -- The answers ------------------------------------------------------------------------------------------------------
def parse_cohorts(body: bytes) -> list[ListedCohort]:
    """`cohorts/list`. An entry without an id can't be meant by anybody and is left out; an id twice counts once.
    Raises BadAnswer when the answer isn't a list."""
    entries = read_json(body)
    if not isinstance(entries, list):
        raise BadAnswer("the cohort list is not a list")
    cohorts: dict[int, ListedCohort] = {}
    for entry in entries:
        number = _integer(entry.get("id")) if isinstance(entry, dict) else None
        if number is not None and number not in cohorts:
            cohorts[number] = ListedCohort(
                id=number,
                name=_text(entry.get("name")),
                description=_text(entry.get("description")),
                count=_natural(entry.get("count")),
                created=_text(entry.get("created")),
                is_visible=entry.get("is_visible", True) not in (False, 0, "0", "false"),
                is_group=entry.get("data_group_id") not in (None, ""),
            )
    return list(cohorts.values())


def parse_page(body: bytes, *, asked: int) -> EngagePage:
    """One page of `engage`. Raises BadAnswer when the answer is no page, or is another page than the one asked for
    (a server that ignores `page` would otherwise give the first people over and over)."""
    value = read_json(body)
    results = value.get("results") if isinstance(value, dict) else None
    if not isinstance(results, list):
        raise BadAnswer("the page has no results")
    page = _natural(value.get("page"))
    if page is not None and page != asked:
        raise BadAnswer("it is another page than the one asked for")
    rows: list[Row] = []
    for entry in results:
        if type(entry) is dict:
            distinct_id = entry.get("$distinct_id")
            if type(distinct_id) is not str:
                distinct_id = _identity(distinct_id)
            if distinct_id and not distinct_id.isspace():
                properties = entry.get("$properties")
                rows.append(Row(distinct_id, properties if type(properties) is dict else {}))
    return EngagePage(
        page=asked,
        page_size=_natural(value.get("page_size")) or None,
        session_id=_text(value.get("session_id")) or None,
        total=_natural(value.get("total")),
        rows=rows,
        refused=len(results) - len(rows),
    )


def parse_me(body: bytes) -> Me:
    """`app/me`. Raises BadAnswer when its envelope is missing."""
    results = _results(body)
    projects = results.get("projects") if isinstance(results, dict) else None
    if not isinstance(projects, dict):
        raise BadAnswer("the account has no list of projects")
    return Me(
        {
            number: MeProject(
                name=_text(entry.get("name")),
                region=Region.of_domain(entry.get("domain")),
                role=_role(entry.get("role")),
                type=_text(entry.get("type")),
            )
            for key, entry in projects.items()
            if isinstance(entry, dict) and (number := _integer(key)) is not None
        }
    )


def parse_properties(body: bytes) -> list[PropertyInfo]:
    """`engage/properties`, the most frequent first. Raises BadAnswer when it has no results."""
    results = _results(body)
    if not isinstance(results, dict):
        raise BadAnswer("the property list is not an object")
    found = [
        PropertyInfo(name, _natural(entry.get("count")) or 0, _text(entry.get("type")) or "unknown")
        for name, entry in results.items()
        if isinstance(entry, dict)
    ]
    return sorted(found, key=lambda info: (-info.count, info.name))


def parse_count(body: bytes) -> int:
    """`engage/stats` with `count()`. Raises BadAnswer when the result is not a number."""
    count = _natural(_results(body))
    if count is None:
        raise BadAnswer("the count is not a number")
    return count


def parse_service_account(body: bytes, username: str) -> ServiceAccountInfo | None:
    """The row of `username` among a project's service accounts; None when it isn't there."""
    results = _results(body)
    for entry in results if isinstance(results, list) else []:
        if isinstance(entry, dict) and entry.get("username") == username:
            sees = entry.get("hasSensitiveAccess")
            return ServiceAccountInfo(
                role=_role(entry.get("role")),
                expires=_moment(entry.get("expires")),
                sees_classified=sees if isinstance(sees, bool) else None,
            )
    return None


def _results(body: bytes) -> Any:
    value = read_json(body)
    if not isinstance(value, dict) or "results" not in value:
        raise BadAnswer("it has no results")
    return value["results"]


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and abs(value) < 2**63 else None


def _natural(value: Any) -> int | None:
    number = _integer(value)
    return number if number is not None and number >= 0 else None


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else str(value)


def _role(value: Any) -> str | None:
    # Custom roles come as objects in some replies.
    name = value.get("name") if isinstance(value, dict) else value
    return name.lower() if isinstance(name, str) and name else None


def _identity(value: Any) -> str:
    number = _integer(value) if not isinstance(value, str) else None
    return "" if number is None else str(number)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment
