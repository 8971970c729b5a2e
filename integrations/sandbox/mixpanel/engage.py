"""Mixpanel's Engage: profiles in pages that belong to a session, counts, and the properties there are."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from pyroaring import BitMap

from integrations.sandbox.faults import Fault, first_of
from integrations.sandbox.mixpanel.cohorts import COMPANIES, Cohort
from integrations.sandbox.people import group_rows, render
from integrations.sandbox.wire import Answer, as_json
from integrations.sandbox.world import Session, World

UNCACHED = "request for page in uncached query for params"
ASKED = (
    "filter_by_cohort", "include_all_users", "output_properties", "where", "page_size", "distinct_id", "distinct_ids",
    "data_group_id", "as_of_timestamp", "behaviors", "sort_key", "sort_order", "search", "workspace_id",
)  # fmt: skip
"""What makes a query the same query; a page must repeat all of it."""
SAMPLE = 1000


class Refused(Exception):
    """The query can't be answered. `status` and the text go to the client."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


# -- Reading parameters -----------------------------------------------------------------------------------------------
def whole_number(params: dict[str, Any], name: str, default: int) -> int:
    """An integer parameter, from a number or its text."""
    value = params.get(name)
    if value in (None, ""):
        return default
    try:
        return int(str(value))
    except ValueError:
        raise Refused(f"{name} must be an integer") from None


def flag(params: dict[str, Any], name: str, default: bool) -> bool:
    """A boolean parameter: true, false, 1, 0, in any case."""
    value = str(params.get(name, "")).lower()
    if value in ("", "none", "null"):
        return default
    if value not in ("true", "false", "1", "0"):
        raise Refused(f"{name} must be true or false")
    return value in ("true", "1")


def decoded(params: dict[str, Any], name: str) -> Any:
    """A parameter that is JSON in a string, or JSON already. None when absent."""
    value = params.get(name)
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Refused(f"{name} is not valid JSON") from None


def cohort_id(params: dict[str, Any]) -> int | None:
    """Id in `filter_by_cohort`, given as number or text; None when there is no such filter."""
    given = decoded(params, "filter_by_cohort")
    if given is None:
        return None
    wanted = given.get("id") if isinstance(given, dict) else given
    if isinstance(wanted, bool) or not re.fullmatch(r"[0-9]{1,18}", str(wanted)):
        raise Refused("filter_by_cohort must name a cohort id")
    return int(str(wanted))


def output_properties(params: dict[str, Any]) -> frozenset[str] | None:
    """Names in `output_properties`; None for all."""
    given = decoded(params, "output_properties")
    if given is None:
        return None
    if not isinstance(given, list):
        raise Refused("output_properties must be an array")
    return frozenset(str(name) for name in given)


# -- Who is asked for -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Selection:
    """The people that a query is about."""

    members: BitMap
    profileless: int = 0
    cohort: int | None = None
    group: bool = False

    @property
    def total(self) -> int:
        """How many rows that makes."""
        return len(self.members) + self.profileless


def select(world: World, project: int, params: dict[str, Any], condition_in: str) -> Selection:
    """The people that the parameters mean. Raises Refused."""
    selection = _of_cohort(world, project, params)
    named = decoded(params, "distinct_ids")
    if params.get("distinct_id") not in (None, ""):
        named = [params["distinct_id"]]
    if named is not None:
        found = (world.crowd.find(str(one)) for one in named)
        named_members = BitMap(i for i in found if i is not None and (i < world.crowd.people or i in selection.members))
        selection = Selection(named_members, 0, selection.cohort)
    condition = params.get(condition_in)
    if condition:
        holds = compile_condition(str(condition))
        kept = BitMap(i for i in selection.members if holds(world.crowd.properties(i)))
        selection = Selection(kept, 0, selection.cohort)
    return selection


def _of_cohort(world: World, project: int, params: dict[str, Any]) -> Selection:
    wanted = cohort_id(params)
    everybody = BitMap(range(world.crowd.people)) if len(world.books[project]) else BitMap()
    if wanted is None:
        return Selection(everybody)
    cohort: Cohort | None = world.books[project].get(wanted)
    if cohort is None:
        raise Refused(f"cohort {wanted} not found in project {project}", world.config.unknown_cohort_status)
    if cohort.data_group_id is not None:
        return Selection(BitMap(), COMPANIES, wanted, group=True)
    if not flag(params, "include_all_users", default=True):
        return Selection(cohort.members, 0, wanted)
    members = cohort.members | everybody if world.config.all_users_adds == "everybody" else cohort.members
    return Selection(members, cohort.profileless, wanted)


TERM = re.compile(
    r"""\s*(?:(?P<not>not\s+)?defined\s*\(\s*(?:properties|user)\["(?P<has>[^"]+)"\]\s*\)
      | (?P<cast>string\s*\()?\s*(?:properties|user)\["(?P<name>[^"]+)"\]\s*\)?\s*(?P<op>==|!=)\s*
        (?P<value>"[^"]*"|-?[0-9]+(?:\.[0-9]+)?|true|false))\s*""",
    re.VERBOSE,
)


def compile_condition(text: str) -> Callable[[dict[str, Any]], bool]:
    """A test for profiles from the part of Mixpanel's expressions that the sandbox speaks.

    That is `defined(…)`, `not defined(…)`, `==` and `!=`, joined by `and`. Raises Refused for anything else.
    """
    terms = [TERM.fullmatch(part) for part in re.split(r"\s+and\s+", text)]
    if not all(terms):
        raise Refused(f"unable to parse expression: {text[:200]}")
    tests = [_test(term) for term in terms if term]
    return lambda profile: all(test(profile) for test in tests)


def _test(term: re.Match[str]) -> Callable[[dict[str, Any]], bool]:
    has, name, negated = term["has"], term["name"], bool(term["not"])
    if has:
        return lambda profile: (profile.get(has) is not None) != negated
    value, unequal, as_text = orjson.loads(term["value"]), term["op"] == "!=", bool(term["cast"])

    def test(profile: dict[str, Any]) -> bool:
        actual = profile.get(name)
        actual = str(actual) if as_text else actual
        return (type(actual) is type(value) and actual == value) != unequal

    return test


# -- Pages ------------------------------------------------------------------------------------------------------------
def engage(world: World, project: int, params: dict[str, Any], faults: list[Fault]) -> Answer:
    """One page of profiles."""
    page = whole_number(params, "page", 0)
    if page < 0:
        raise Refused("page must not be negative")
    only = output_properties(params)
    session_id, session = _session(world, project, params, page, faults)
    size = session.page_size
    rows, count = _rows(world, session, page * size, size, only)
    rows, count = _tampered(world, session, page, rows, count, only, faults)
    last = (page + 1) * size >= session.total
    reply: dict[str, Any] = {"page": page, "status": "ok"}
    if page == 0 or world.config.total_on_every_page:
        reply |= {"page_size": size, "total": session.total}
    if not last or world.config.session_on_last_page:
        reply["session_id"] = session_id
    head = orjson.dumps(reply)[:-1]
    if first_of(faults, ("no_results",)):
        return Answer(200, head + b"}")
    padding = first_of(faults, ("huge",))
    filler = b',"padding":"' + b"x" * int(padding.megabytes * 1_000_000) + b'"' if padding else b""
    return Answer(200, b"".join((head, filler, b',"results":[', rows, b"]}")))


def asked_for(params: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The query that these parameters make, the page aside, in a form that compares."""
    given = [(name, params[name]) for name in ASKED if params.get(name) not in (None, "")]
    return tuple((name, str(cohort_id(params)) if name == "filter_by_cohort" else str(value)) for name, value in given)


def _session(world: World, project: int, params: dict[str, Any], page: int, faults: list[Fault]) -> tuple[str, Session]:
    asked = asked_for(params)
    session_id = str(params.get("session_id") or "")
    if page > 0:
        if first_of(faults, ("lost_session",)):
            world.sessions.pop(session_id, None)
        known = world.find_session(session_id)
        if known is None or known.project != project or known.asked != asked:
            raise Refused(f"{UNCACHED}: page={page}")
        return session_id, known
    selection = select(world, project, params, "where")
    size = whole_number(params, "page_size", world.config.page_size)
    session = Session(
        project=project,
        asked=asked,
        members=selection.members,
        profileless=selection.profileless,
        cohort=selection.cohort,
        group=selection.group,
        page_size=min(max(size, 1), world.config.max_page_size),
        opened=world.clock.now(),
    )
    return world.open_session(session), session


def _rows(world: World, session: Session, start: int, count: int, only: frozenset[str] | None) -> tuple[bytes, int]:
    """Rows `start` up to `start + count` of a session, as JSON objects with commas between, and how many they are."""
    if session.group:
        return (group_rows(COMPANIES), COMPANIES) if start == 0 else (b"", 0)
    members = session.members[start : start + count] if start < len(session.members) else BitMap()
    parts = [people_rows(world, members, only)] if members else []
    first = max(start - len(session.members), 0)
    ghosts = range(first, min(session.profileless, start + count - len(session.members)))
    if ghosts:
        parts.append(render([_profileless(world, session, place) for place in ghosts]))
    return b",".join(parts), len(members) + len(ghosts)


def people_rows(world: World, members: BitMap, only: frozenset[str] | None) -> bytes:
    """These people as rows, from the cache where they were rendered before."""
    first, last = members.min(), members.max()
    run = last - first + 1 == len(members)
    key = (world.crowd.version, only, (first, last) if run else members.serialize())
    rows = world.pages.get(key)
    if rows is None:
        rows = world.crowd.rows(members, only)
        world.pages.put(key, rows, world.config.cache_megabytes * 1_000_000)
    return rows


def _profileless(world: World, session: Session, place: int) -> dict[str, Any]:
    row: dict[str, Any] = {"$distinct_id": f"$device:no-profile-{session.cohort}-{place}"}
    shape = world.config.profileless_rows
    if shape == "empty" or (shape == "mixed" and place % 2 == 0):
        row["$properties"] = {}
    return row


def _tampered(
    world: World,
    session: Session,
    page: int,
    rows: bytes,
    count: int,
    only: frozenset[str] | None,
    faults: list[Fault],
) -> tuple[bytes, int]:
    """The rows of a page after faults in its content."""
    for fault in faults:
        if fault.kind == "duplicate_rows" and page > 0:
            repeated = min(fault.rows, session.page_size)
            again, _ = _rows(world, session, page * session.page_size - repeated, repeated, only)
            rows = b",".join(part for part in (again, rows) if part)
        elif fault.kind == "short_rows":
            rows, count = _rows(world, session, page * session.page_size, max(count - fault.rows, 0), only)
        elif fault.kind == "extra_rows":
            beyond = max(world.crowd.people, session.members.max() + 1 if session.members else 0)
            strangers = world.crowd.rows(range(beyond, beyond + fault.rows), only)
            rows = b",".join(part for part in (rows, strangers) if part)
    return rows, count


# -- Counts and properties --------------------------------------------------------------------------------------------
def stats(world: World, project: int, params: dict[str, Any]) -> Answer:
    """A count without pages."""
    action = str(params.get("action") or "count()").replace(" ", "")
    if action != "count()":
        raise Refused(f"unsupported action: {action[:100]}")
    selection = select(world, project, params, "selector" if params.get("selector") else "where")
    return as_json({"results": selection.total, "computed_at": _timestamp(world), "status": "ok"})


def property_names(world: World, project: int, params: dict[str, Any]) -> Answer:
    """The properties there are, with fill and type, judged by a sample and scaled to everybody."""
    limit = whole_number(params, "limit", 2000)
    people = world.crowd.people if len(world.books[project]) else 0
    sample = range(0, people, max(people // SAMPLE, 1))
    found: dict[str, dict[str, int]] = {}
    for index in sample:
        for name, value in world.crowd.properties(index).items():
            kinds = found.setdefault(name, {})
            kinds[kind_of(value)] = kinds.get(kind_of(value), 0) + 1
    scale = people / len(sample) if people else 0
    listed = sorted(found.items(), key=lambda item: -sum(item[1].values()))[:limit]
    results = {
        name.encode("utf-8", "replace").decode(): {
            "count": round(sum(kinds.values()) * scale),
            "type": max(kinds, key=lambda kind: kinds[kind]),
        }
        for name, kinds in listed
    }
    reply = {"computed_at": _timestamp(world), "results": results, "session_id": "", "status": "ok"}
    return as_json(reply)


def kind_of(value: Any) -> str:
    """Mixpanel's word for the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "datetime" if re.match(r"\d{4}-\d\d-\d\d", value) else "string"
    kinds: tuple[tuple[Any, str], ...] = ((int | float, "number"), (list, "list"), (dict, "object"))
    return next((word for types, word in kinds if isinstance(value, types)), "unknown")


def _timestamp(world: World) -> str:
    return datetime.fromtimestamp(world.clock.now(), UTC).replace(tzinfo=None).isoformat()
