"""SOLAPI's calls on groups and messages."""

from collections.abc import Iterator
from typing import Any

from integrations.sandbox.solapi.book import Refused
from integrations.sandbox.solapi.call import Call
from integrations.sandbox.solapi.codes import ACCEPTED
from integrations.sandbox.solapi.groups import REMOVED, Group
from integrations.sandbox.solapi.ids import as_iso, from_iso
from integrations.sandbox.solapi.outcomes import unpacked
from integrations.sandbox.solapi.shapes import group_as_json, message_as_json

Place = tuple[Group, int]


def _group(call: Call) -> Group:
    group = call.book.group(call.account, call.path[0])
    call.book.send_due()
    call.book.settle(group)
    return group


def _shown(call: Call, group: Group) -> dict[str, Any]:
    call.book.settle(group)
    with group.lock:
        return group_as_json(group, call.world.config.price_shape)


# -- One group --------------------------------------------------------------------------------------------------------
def create(call: Call) -> Any:
    """A new group."""
    return _shown(call, call.book.create(call.account, call.body))


def get(call: Call) -> Any:
    """A group as it stands."""
    return _shown(call, _group(call))


def add(call: Call) -> Any:
    """Messages into a group."""
    messages = call.body.get("messages")
    if call.half and isinstance(messages, list):
        messages = messages[: max(len(messages) // 2, 1)]
    refused, results = call.book.add(_group(call), messages)
    return {"errorCount": refused, "resultList": results}


def remove(call: Call) -> Any:
    """Messages out of a group."""
    wanted = call.body.get("messageIds")
    if not isinstance(wanted, list):
        raise Refused(400, "ValidationError", "messageIds 의 데이터 타입은 배열이어야 됩니다.")
    group = _group(call)
    results = call.book.remove(group, wanted)
    errors = sum(result["resultCode"] != "Success" for result in results)
    return {"groupId": group.id, "errorCount": errors, "resultList": results}


def send(call: Call) -> Any:
    """The group goes out."""
    group = _group(call)
    with group.lock:
        call.book.send(group)
        return group_as_json(group, call.world.config.price_shape)  # SENDING, even if all is over the next moment


def schedule(call: Call) -> Any:
    """The group goes out later."""
    group = _group(call)
    try:
        moment = from_iso(call.body.get("scheduledDate"))
    except ValueError as error:
        raise Refused(400, "InvalidScheduledDate", "scheduledDate 의 날짜 형식이 올바르지 않습니다.") from error
    call.book.schedule(group, moment)
    return _shown(call, group)


def unschedule(call: Call) -> Any:
    """The group doesn't go out later."""
    group = _group(call)
    call.book.unschedule(group)
    return _shown(call, group)


def delete(call: Call) -> Any:
    """The group is given up."""
    group = _group(call)
    call.book.delete(group)
    return _shown(call, group)


def send_many(call: Call) -> Any:
    """Group, messages and sending in one call."""
    agent = call.body.get("agent")
    options = {**call.body, **(agent if isinstance(agent, dict) else {})}
    book, given, scheduled = call.book, call.body.get("messages"), call.body.get("scheduledDate")
    group = book.create(call.account, options)
    _, results = book.add(group, given)
    if group.registered:
        try:
            if scheduled:
                book.schedule(group, from_iso(scheduled))
            else:
                book.send(group)
        except ValueError as error:
            raise Refused(400, "InvalidScheduledDate", "scheduledDate 의 날짜 형식이 올바르지 않습니다.") from error
    with group.lock:
        reply: dict[str, Any] = {"failedMessageList": [], "groupInfo": group_as_json(group, _price_shape(call))}
        for place, result in enumerate(results):
            if result["statusCode"] != str(ACCEPTED):
                fields = group.message(place).get("customFields")
                reply["failedMessageList"].append({**result, "customFields": fields or {}})
        if call.body.get("showMessageList"):
            reply["messageList"] = [
                {name: result[name] for name in ("messageId", "statusCode", "statusMessage")}
                | {"customFields": group.message(place).get("customFields") or {}}
                for place, result in enumerate(results)
                if result["statusCode"] == str(ACCEPTED)
            ]
    return reply


def _price_shape(call: Call) -> str:
    return call.world.config.price_shape


# -- Lists ------------------------------------------------------------------------------------------------------------
def groups(call: Call) -> Any:
    """The account's groups, the newest first."""
    call.book.settle_all()
    since, until = call.date("startDate"), call.date("endDate")
    wanted = _criteria(call)

    def agrees(group: Group) -> bool:
        if (since is not None and group.created < since) or (until is not None and group.created > until):
            return False
        facts = {"status": group.status, "groupId": group.id, "dateCreated": as_iso(group.created)}
        return call.matches("status", group.status) and call.matches("groupId", group.id) and _meets(facts, wanted)

    found, following = call.page(filter(agrees, call.book.groups_of(call.account)), lambda group: group.id)
    return {
        "startKey": call.one("startKey"),
        "limit": call.limit,
        "nextKey": following,
        "groupList": {group.id: _shown(call, group) for group in found},
    }


def of_group(call: Call) -> Any:
    """The messages of a group, in the order in which they came."""
    group = _group(call)
    places = range(_start(call, group, 0), len(group))
    return _messages(call, ((group, place) for place in places))


def listed(call: Call) -> Any:
    """The account's messages, the newest first, by whatever the query asks for."""
    call.book.settle_all()
    return _messages(call, _newest_first(call))


def _messages(call: Call, places: Iterator[Place]) -> Any:
    agrees = _filter(call)
    found: dict[str, Any] = {}
    limit, following = call.limit, None
    for group, place in places:
        with group.lock:  # messages may be coming in right now
            if group.registered_code(place) == REMOVED or not agrees(group, place):
                continue
            if len(found) == limit:
                following = group.message_id(place)
                break
            found[group.message_id(place)] = message_as_json(group, place)
    return {"startKey": call.one("startKey"), "limit": limit, "nextKey": following, "messageList": found}


def _start(call: Call, group: Group, otherwise: int) -> int:
    start = call.one("startKey")
    if start is None:
        return otherwise
    found = call.book.place_of(call.account, start)
    if found is None or found[0] is not group:
        raise Refused(400, "ValidationError", "유효하지 않은 startKey")
    return found[1]


def _newest_first(call: Call) -> Iterator[Place]:
    ids = [*call.query.get("messageId", ()), *call.query.get("messageIds", ()), *call.query.get("messageIds[in]", ())]
    ids = [one.strip(' "') for given in ids for one in given.strip("[]").split(",") if one.strip(' "')]
    if ids:
        found = (call.book.place_of(call.account, message_id) for message_id in dict.fromkeys(ids))
        yield from (place for place in found if place is not None)
        return
    start = call.one("startKey")
    first = call.book.place_of(call.account, start) if start else None
    if start and first is None:
        raise Refused(400, "ValidationError", "유효하지 않은 startKey")
    only = call.one("groupId")
    for group in call.book.groups_of(call.account):
        if first is not None and group is not first[0]:
            continue
        last = len(group) - 1 if first is None else first[1]
        first = None
        if (only is None or group.id == only) and _may_hold(call, group):
            yield from ((group, place) for place in range(last, -1, -1))


def _may_hold(call: Call, group: Group) -> bool:
    """Whether messages of this group can be within the dates asked for: spares a look at each."""
    since, until = call.date("startDate"), call.date("endDate")
    if until is not None and group.created > until:
        return False
    return since is None or group.updated >= since


def _filter(call: Call) -> Any:
    """A test of (group, place) for what the query asks."""
    since, until = call.date("startDate"), call.date("endDate")
    by_update = call.one("dateType") == "UPDATED"
    to, sender, kind = call.one("to"), call.one("from"), call.one("type") or call.one("type[in]")
    codes = call.one("statusCode") or call.one("statusCode[in]")
    kinds = None if kind is None else {one.strip('[] "') for one in kind.split(",")}
    wanted_codes = None if codes is None else {one.strip('[] "') for one in codes.split(",")}
    criteria = _criteria(call)

    def agrees(group: Group, place: int) -> bool:
        if to is not None and unpacked(group.number(place)) != to:
            return False
        if kinds is not None and group.kind(place) not in kinds:
            return False
        code = str(group.fate(place).code)
        if wanted_codes is not None and code not in wanted_codes:
            return False
        if since is not None or until is not None:
            at = group.updated_at(place) if by_update else group.added_at(place)
            if (since is not None and at < since) or (until is not None and at > until):
                return False
        if sender is not None and group.message(place).get("from") != sender:
            return False
        if not criteria:
            return True
        message = group.message(place)
        facts = {
            "messageId": group.message_id(place),
            "groupId": group.id,
            "to": unpacked(group.number(place)),
            "from": message.get("from"),
            "type": group.kind(place),
            "statusCode": code,
            "dateCreated": as_iso(group.added_at(place)),
            "dateUpdated": as_iso(group.updated_at(place)),
        }
        return _meets(facts, criteria)

    return agrees


def _criteria(call: Call) -> list[tuple[str, str, str]]:
    """The older way to filter: names, operators and values in three lists with commas."""
    given = [(call.one(name) or "").split(",") for name in ("criteria", "cond", "value")]
    if given[0] == [""]:
        return []
    if not len(given[0]) == len(given[1]) == len(given[2]):
        raise Refused(400, "ValidationError", "criteria, cond, value 의 개수가 다릅니다.")
    return list(zip(*given, strict=True))


def _meets(facts: dict[str, Any], criteria: list[tuple[str, str, str]]) -> bool:
    for name, operator, value in criteria:
        if name not in facts:
            raise Refused(400, "ValidationError", f"{name} 은 검색할 수 없습니다.")
        fact = str(facts[name])
        results = {
            "eq": fact == value,
            "ne": fact != value,
            "gt": fact > value,
            "gte": fact >= value,
            "lt": fact < value,
            "lte": fact <= value,
            "like": value in fact,
        }
        if operator not in results:
            raise Refused(400, "ValidationError", f"cond 는 {', '.join(results)} 중 하나여야 됩니다.")
        if not results[operator]:
            return False
    return True
