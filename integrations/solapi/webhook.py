"""What SOLAPI POSTs to a webhook: which groups have news.

An array of messages or groups; each is the thing itself, or wrapped in `{eventDataId, data, retryCount}`: its sources
differ, so both are read. The secret in the header is a constant and could be replayed, so nothing else is believed: the
groups that are named are asked for again.
"""

import json
from typing import Any

MOST_GROUPS = 1_000
LONGEST = 64


def groups_of(body: bytes) -> list[tuple[str, str]]:
    """The groups that a call names, each with its account ("" where none is said). What can't be read names none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return []
    found: dict[tuple[str, str], None] = {}
    for item in said if isinstance(said, list) else [said]:
        inner = item.get("data") if isinstance(item, dict) else None
        thing = inner if isinstance(inner, dict) else item
        group = _name(thing, "groupId")
        if group and len(found) < MOST_GROUPS:
            found[group, _name(thing, "accountId")] = None
    return list(found)


def _name(thing: Any, key: str) -> str:
    value = thing.get(key) if isinstance(thing, dict) else None
    return value if isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= LONGEST else ""
