"""The control plane: `/_sandbox/…` lets another process set faults, move the clock, change cohorts and people.

Only for programs on this machine: a request with an Origin (a web page's), or for a host name that isn't loopback, is
refused, so that no site in somebody's browser can drive it.
"""

import re
from collections.abc import Callable
from typing import Any

from integrations.sandbox.accounts import PROJECT
from integrations.sandbox.mixpanel.cohorts import Cohorts
from integrations.sandbox.mixpanel.pusher import PUSH_ROOMS
from integrations.sandbox.solapi.control import SOLAPI_ROOMS
from integrations.sandbox.solapi.phones_page import PAGES
from integrations.sandbox.wire import Answer, Asked, Unreadable, as_json, parameters
from integrations.sandbox.world import World

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?")
PREFIX = "/_sandbox/"


def foreign(asked: Asked) -> bool:
    """Whether a browser page, or a host name that only pretends to be this machine, is behind the request."""
    return "origin" in asked.headers or not LOOPBACK.fullmatch(asked.headers.get("host", ""))


def control(world: World, asked: Asked) -> Answer:
    """Answer a request of the control plane."""
    if foreign(asked):
        return as_json({"error": "only for programs on this machine"}, 403)
    room = asked.path.removeprefix(PREFIX).rstrip("/")
    page = PAGES.get(room) if asked.method == "GET" else None
    if page is not None:
        return page(world, parameters(asked))
    handler = ROOMS.get((asked.method, room))
    if handler is None:
        known = room in {name for _, name in ROOMS}
        return as_json({"error": f"there is no {asked.method} {room}"}, 405 if known else 404)
    try:
        return as_json(handler(world, parameters(asked)))
    except KeyError as error:
        return as_json({"error": f"not found, or missing: {error}"}, 404)
    except (ValueError, TypeError, Unreadable) as error:
        return as_json({"error": str(error)}, 400)


def _state(world: World, params: dict[str, Any]) -> Any:
    return world.state()


def _reset(world: World, params: dict[str, Any]) -> Any:
    world.reset()
    return world.state()


def _faults(world: World, params: dict[str, Any]) -> Any:
    return [fault.as_json() for fault in world.faults.all()]


def _add_fault(world: World, params: dict[str, Any]) -> Any:
    return world.faults.add(**params).as_json()


def _clear_faults(world: World, params: dict[str, Any]) -> Any:
    world.faults.clear(int(params["id"]) if "id" in params else None)
    return _faults(world, params)


def _config(world: World, params: dict[str, Any]) -> Any:
    config = world.configure(**params) if params else world.config
    return {name: getattr(config, name) for name in config.__slots__}


def _clock(world: World, params: dict[str, Any]) -> Any:
    return {"now": world.clock.now(), "ahead": world.clock.ahead}


def _advance(world: World, params: dict[str, Any]) -> Any:
    if "move_to" in params:
        world.clock.move_to(params["move_to"])
    else:
        world.clock.advance(float(params["advance"]))
    return _clock(world, params)


def _reset_clock(world: World, params: dict[str, Any]) -> Any:
    world.clock.ahead = 0.0
    return _clock(world, params)


def _book(world: World, params: dict[str, Any]) -> tuple[int, Cohorts]:
    project = int(params.get("project", PROJECT))
    return project, world.books[project]


def _cohorts(world: World, params: dict[str, Any]) -> Any:
    project, book = _book(world, params)
    return [cohort.as_listed(project) | {"members": len(cohort.members)} for cohort in book]


def _members(given: Any) -> Any:
    """Members as given: `[1, 2, 3]`, or `{"range": [0, 100000]}`."""
    if isinstance(given, dict):
        start, stop = given["range"]
        return range(int(start), int(stop))
    return [int(index) for index in given]


def _change_cohorts(world: World, params: dict[str, Any]) -> Any:
    project, book = _book(world, params)
    do = str(params["do"])
    if do == "add_many":
        ids = book.add_many(int(params["count"]), int(params.get("members_each", 3)))
        return {"first": ids.start, "count": len(ids)}
    if do == "add":
        details = {name: params[name] for name in ("id", "description", "listed", "profileless") if name in params}
        return book.add(str(params["name"]), _members(params.get("members", [])), **details).as_listed(project)
    cohort_id = int(params["cohort"])
    steps: dict[str, Callable[[], Any]] = {
        "rename": lambda: book.rename(cohort_id, str(params["name"])),
        "resize": lambda: book.resize(cohort_id, int(params["size"])),
        "set_members": lambda: book.set_members(cohort_id, _members(params["members"])),
        "empty": lambda: book.empty(cohort_id),
        "drop_half": lambda: book.drop_half(cohort_id),
        "move": lambda: book.move(cohort_id, int(params.get("leave", 0)), int(params.get("join", 0))),
    }
    if do not in steps:
        raise ValueError(f"do: one of add, add_many, {', '.join(steps)}")
    steps[do]()
    return book[cohort_id].as_listed(project) | {"members": len(book[cohort_id].members)}


def _remove_cohort(world: World, params: dict[str, Any]) -> Any:
    _, book = _book(world, params)
    if "cohort" in params:
        book.remove(int(params["cohort"]))
    else:
        book.clear()
    return {"cohorts": len(book)}


def _people(world: World, params: dict[str, Any]) -> Any:
    start, count = int(params.get("start", 0)), min(int(params.get("count", 20)), 1000)
    crowd = world.crowd
    return [
        {
            "index": i,
            "distinct_id": crowd.distinct_id(i),
            "phone_kind": crowd.phone_kind(i).name,
            "e164": crowd.e164(i),
        }
        for i in range(start, start + count)
    ]


def _edit_people(world: World, params: dict[str, Any]) -> Any:
    world.crowd.edit(_members(params["people"]), params.get("set", {}), params.get("unset", []))
    return {"version": list(world.crowd.version)}


def _log(world: World, params: dict[str, Any]) -> Any:
    entries = world.requests(params.get("endpoint"))
    return [entry.as_json() for entry in entries[-int(params.get("last", 1000)) :]]


def _clear_log(world: World, params: dict[str, Any]) -> Any:
    world.log.clear()
    return []


ROOMS: dict[tuple[str, str], Callable[[World, dict[str, Any]], Any]] = {
    **SOLAPI_ROOMS,
    **PUSH_ROOMS,
    ("GET", "state"): _state,
    ("DELETE", "state"): _reset,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "config"): _config,
    ("POST", "config"): _config,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _advance,
    ("DELETE", "clock"): _reset_clock,
    ("GET", "cohorts"): _cohorts,
    ("POST", "cohorts"): _change_cohorts,
    ("DELETE", "cohorts"): _remove_cohort,
    ("GET", "people"): _people,
    ("POST", "people"): _edit_people,
    ("GET", "log"): _log,
    ("DELETE", "log"): _clear_log,
}
