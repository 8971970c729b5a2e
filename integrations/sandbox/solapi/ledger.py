"""The ledger of the stand-in SOLAPI: what really went out to phones.

world.solapi.ledger.repeated()      # numbers that got more than one message, with how many: must be empty
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from integrations.sandbox.solapi.codes import ACCEPTED
from integrations.sandbox.solapi.groups import Group
from integrations.sandbox.solapi.outcomes import packed, unpacked


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went out to a phone. `to` has no country code; `text` is what the recipient reads."""

    message_id: str
    group_id: str
    account: str
    to: str
    sender: str | None
    kind: str
    text: str
    subject: str | None
    custom_fields: dict[str, Any]
    at: float
    status_code: str
    first_code: str | None
    replacement: str | None
    group_fields: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)


class Ledger:
    """What was really sent: one entry for each message of each group that went out."""

    def __init__(self, settle_all: Callable[[], None]) -> None:
        self._settle_all = settle_all
        self._groups: list[Group] = []
        self._repeated: tuple[int, dict[str, int]] = (0, {})

    def enter(self, group: Group) -> None:
        """This group goes out."""
        self._groups.append(group)

    def __len__(self) -> int:
        """How many messages were sent."""
        return sum(group.registered for group in self.groups())

    def groups(self) -> list[Group]:
        """The groups that were sent, in order."""
        return list(self._groups)

    def counts(self) -> Counter[str]:
        """How many messages each number got."""
        counted: Counter[int] = Counter()
        for group in self.groups():
            counted.update(group.accepted_numbers())
        return Counter({unpacked(number): count for number, count in counted.items()})

    def repeated(self) -> dict[str, int]:
        """The numbers that got more than one."""
        known = len(self._groups)
        if self._repeated[0] != known:
            self._repeated = known, {number: count for number, count in self.counts().items() if count > 1}
        return dict(self._repeated[1])

    def places(
        self, *, to: str | None = None, group: str | None = None, newest_first: bool = False
    ) -> Iterator[tuple[Group, int]]:
        """Where each message that was sent is; only those to this number, or in this group."""
        wanted = None if to is None else packed(to)
        self._settle_all()
        for one in reversed(self.groups()) if newest_first else self.groups():
            if group is not None and one.id != group:
                continue
            places = range(len(one))
            for place in reversed(places) if newest_first else places:
                if one.registered_code(place) == ACCEPTED and wanted in (None, one.number(place)):
                    yield one, place

    def entries(self, *, to: str | None = None, group: str | None = None, newest_first: bool = False) -> Iterator[Sent]:
        """What was sent, one by one; only to this number, or in this group."""
        for one, place in self.places(to=to, group=group, newest_first=newest_first):
            yield self.entry(one, place)

    def entry(self, group: Group, place: int) -> Sent:
        """One message of a group that was sent."""
        with group.lock:
            message, fate = group.message(place), group.fate(place)
            return Sent(
                message_id=group.message_id(place),
                group_id=group.id,
                account=group.account.id,
                to=unpacked(group.number(place)),
                sender=message.get("from"),
                kind=group.kind(place) or "",
                text=group.rendered(place),
                subject=message.get("subject"),
                custom_fields=message.get("customFields") or {},
                at=group.sent or 0.0,
                status_code=str(fate.code),
                first_code=None if fate.first_code is None else str(fate.first_code),
                replacement=fate.replacement,
                group_fields=group.custom_fields,
            )
