"""The rooms of the control plane for the stand-in SOLAPI: what an operator or a test does behind its back."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

from integrations.sandbox.accounts import SOLAPI_API_KEY
from integrations.sandbox.solapi.catalogue import Account, Template
from integrations.sandbox.solapi.outcomes import packed
from integrations.sandbox.solapi.reports import EVENTS
from integrations.sandbox.world import World

Params = dict[str, Any]
FOR_EVER = "2099-12-31"


def _account(world: World, params: Params) -> Account:
    return world.solapi.account(str(params.get("api_key", SOLAPI_API_KEY)))


def _numbers(params: Params) -> list[str]:
    given = params["numbers"]
    numbers = [given] if isinstance(given, str) else [str(number) for number in given]
    if not all(number.isascii() and number.isdecimal() and len(number) < 18 for number in numbers):
        raise ValueError("numbers: digits only, as in 01012345678")
    return numbers


# -- What happened ----------------------------------------------------------------------------------------------------
def _state(world: World, params: Params) -> Any:
    world.solapi.settle_all()
    account, groups = _account(world, params), world.solapi.groups_of(_account(world, params))
    states: dict[str, int] = {}
    for group in groups:
        states[group.status] = states.get(group.status, 0) + 1
    return {
        "account": account.id,
        "balance": account.balance,
        "groups": states,
        "sent": sum(group.registered for group in groups if group.sent is not None),
        "delivered": sum(group.delivered for group in groups),
        "failed": sum(group.failed for group in groups),
        "replaced": sum(group.replaced for group in groups),
        "repeated": len(world.solapi.ledger.repeated()),
    }


def _ledger(world: World, params: Params) -> Any:
    ledger = world.solapi.ledger
    entries = ledger.entries(to=params.get("to"), group=params.get("group"), newest_first=True)
    return {
        "total": len(ledger),
        "repeated": ledger.repeated(),
        "messages": [entry.as_json() for entry in islice(entries, int(params.get("last", 100)))],
    }


# -- The account ------------------------------------------------------------------------------------------------------
def _set_balance(world: World, params: Params) -> Any:
    account = _account(world, params)
    with account.lock:
        account.balance = float(params["balance"])
    return {"balance": account.balance}


def _templates(world: World, params: Params) -> Any:
    return [
        {"template": one.id, "name": one.name, "status": one.status, "sendable": one.sendable, "blocked": one.blocked}
        for one in _account(world, params).templates.values()
    ]


def _change_template(world: World, params: Params) -> Any:
    """`do`: approve, reject, block, unblock, sleep, wake, edit (`content`), delete, or add (`name`, `content`)."""
    account, do, template_id = _account(world, params), str(params["do"]), str(params["template"])
    if do == "add":
        channel = str(params.get("channel", account.channels[0].id))
        added = Template(template_id, str(params["name"]), channel, str(params["content"]))
        account.templates[template_id] = added
        return _templates(world, params)
    template = account.templates[template_id]
    steps: dict[str, Callable[[], Template]] = {
        "approve": lambda: replace(template, status="APPROVED"),
        "reject": lambda: replace(template, status="REJECTED"),
        "block": lambda: replace(template, blocked=True),
        "unblock": lambda: replace(template, blocked=False),
        "sleep": lambda: replace(template, dormant=True),
        "wake": lambda: replace(template, dormant=False),
        "edit": lambda: replace(template, content=str(params["content"])),
    }
    if do == "delete":
        account.former_templates[template_id] = account.templates.pop(template_id)
    elif do in steps:
        account.templates[template_id] = steps[do]()
    else:
        raise ValueError(f"do: one of add, delete, {', '.join(steps)}")
    return _templates(world, params)


def _channels(world: World, params: Params) -> Any:
    return [channel.id for channel in _account(world, params).channels]


def _remove_channel(world: World, params: Params) -> Any:
    account = _account(world, params)
    account.channels = [channel for channel in account.channels if channel.id != str(params["channel"])]
    return _channels(world, params)


def _senders(world: World, params: Params) -> Any:
    return _account(world, params).numbers


def _add_senders(world: World, params: Params) -> Any:
    _account(world, params).numbers.update(dict.fromkeys(_numbers(params), str(params.get("until", FOR_EVER))))
    return _senders(world, params)


def _remove_senders(world: World, params: Params) -> Any:
    for number in _numbers(params):
        del _account(world, params).numbers[number]
    return _senders(world, params)


def _opt_outs(world: World, params: Params) -> Any:
    return sorted(_account(world, params).opted_out)


def _add_opt_outs(world: World, params: Params) -> Any:
    _account(world, params).opted_out.update(_numbers(params))
    return {"opted_out": len(_account(world, params).opted_out)}


def _remove_opt_outs(world: World, params: Params) -> Any:
    account = _account(world, params)
    account.opted_out = account.opted_out - set(_numbers(params)) if "numbers" in params else set()
    return {"opted_out": len(account.opted_out)}


def _block(world: World, params: Params) -> Any:
    _account(world, params).blocked.update(dict.fromkeys(_numbers(params), str(params.get("memo", ""))))
    return _account(world, params).blocked


# -- Outcomes and reports ---------------------------------------------------------------------------------------------
def _outcomes(world: World, params: Params) -> Any:
    return {str(number)[1:]: code for number, code in world.solapi.outcomes.items()}


def _set_outcomes(world: World, params: Params) -> Any:
    code = int(params["code"])
    if code != 4000 and not 3000 <= code < 4000:
        raise ValueError("code: 4000, 3000 (never reported) or another 3xxx")
    world.solapi.outcomes.update(dict.fromkeys(map(packed, _numbers(params)), code))
    return _outcomes(world, params)


def _clear_outcomes(world: World, params: Params) -> Any:
    world.solapi.outcomes.clear()
    return {}


def _hooks(world: World, params: Params) -> Any:
    return [
        {"id": hook.id, "url": hook.url, "events": list(hook.events)} for hook in world.solapi.reports.hooks.values()
    ]


def _add_hook(world: World, params: Params) -> Any:
    world.solapi.reports.add(str(params["url"]), str(params.get("secret", "")), tuple(params.get("events", EVENTS)))
    return _hooks(world, params)


def _remove_hooks(world: World, params: Params) -> Any:
    wanted = [str(params["id"])] if "id" in params else list(world.solapi.reports.hooks)
    for hook_id in wanted:
        world.solapi.reports.remove(hook_id)
    return _hooks(world, params)


def _reports(world: World, params: Params) -> Any:
    deliveries = list(world.solapi.reports.deliveries)
    return [one.as_json() for one in deliveries[-int(params.get("last", 100)) :]]


def _drive_reports(world: World, params: Params) -> Any:
    """`do`: flush (deliver what is due), or repeat (deliver the `last` ones again)."""
    do, reports = str(params["do"]), world.solapi.reports
    if do == "flush":
        return {"posts": reports.flush()}
    if do == "repeat":
        return {"posts": reports.repeat(int(params.get("last", 1)))}
    raise ValueError("do: flush or repeat")


SOLAPI_ROOMS: dict[tuple[str, str], Callable[[World, Params], Any]] = {
    ("GET", "solapi"): _state,
    ("GET", "solapi/ledger"): _ledger,
    ("POST", "solapi/balance"): _set_balance,
    ("GET", "solapi/templates"): _templates,
    ("POST", "solapi/templates"): _change_template,
    ("GET", "solapi/channels"): _channels,
    ("DELETE", "solapi/channels"): _remove_channel,
    ("GET", "solapi/numbers"): _senders,
    ("POST", "solapi/numbers"): _add_senders,
    ("DELETE", "solapi/numbers"): _remove_senders,
    ("GET", "solapi/opt_outs"): _opt_outs,
    ("POST", "solapi/opt_outs"): _add_opt_outs,
    ("DELETE", "solapi/opt_outs"): _remove_opt_outs,
    ("POST", "solapi/blocked"): _block,
    ("GET", "solapi/outcomes"): _outcomes,
    ("POST", "solapi/outcomes"): _set_outcomes,
    ("DELETE", "solapi/outcomes"): _clear_outcomes,
    ("GET", "solapi/hooks"): _hooks,
    ("POST", "solapi/hooks"): _add_hook,
    ("DELETE", "solapi/hooks"): _remove_hooks,
    ("GET", "solapi/reports"): _reports,
    ("POST", "solapi/reports"): _drive_reports,
}
