"""A request to the stand-in SOLAPI that found its endpoint, and the paging that all its lists share."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from integrations.sandbox.solapi.book import Book, Refused
from integrations.sandbox.solapi.catalogue import Account
from integrations.sandbox.solapi.ids import from_iso
from integrations.sandbox.world import World

PAGE, LARGEST_PAGE = 20, 500
T = TypeVar("T")


class Call(NamedTuple):
    """Who asks, the parts of the path, query and body. `half`: a fault wants half of the work to be done."""

    world: World
    account: Account
    path: tuple[str, ...]
    query: dict[str, list[str]]
    body: dict[str, Any]
    half: bool = False

    @property
    def book(self) -> Book:
        """Everything that was sent."""
        return self.world.solapi

    def one(self, name: str) -> str | None:
        """A parameter of the query; the first where there are several, None where it is empty."""
        return next((value for value in self.query.get(name, ()) if value), None)

    def matches(self, name: str, value: Any) -> bool:
        """Whether a value agrees with a parameter and its operators (`name`, `name[like]`, `name[ne]`, …)."""
        text = str(value)
        tests: tuple[tuple[str, Callable[[str], bool]], ...] = (
            ("", lambda wanted: text == wanted),
            ("[eq]", lambda wanted: text == wanted),
            ("[ne]", lambda wanted: text != wanted),
            ("[like]", lambda wanted: wanted in text),
            ("[gte]", lambda wanted: text >= wanted),
            ("[lte]", lambda wanted: text <= wanted),
            ("[gt]", lambda wanted: text > wanted),
            ("[lt]", lambda wanted: text < wanted),
        )
        return all(test(wanted) for operator, test in tests if (wanted := self.one(name + operator)) is not None)

    @property
    def limit(self) -> int:
        """How many rows a page has. Raises Refused."""
        given = self.one("limit") or str(PAGE)
        if not given.isdecimal() or not 1 <= int(given) <= LARGEST_PAGE:
            raise Refused(400, "ValidationError", f"limit 은 1 이상 {LARGEST_PAGE} 이하여야 됩니다.")
        return int(given)

    def date(self, name: str) -> float | None:
        """A date of the query. Raises Refused."""
        given = self.one(name)
        try:
            return None if given is None else from_iso(given)
        except ValueError as error:
            raise Refused(400, "ValidationError", f"{name} 의 날짜 형식이 올바르지 않습니다.") from error

    def page(self, rows: Iterable[T], key: Callable[[T], str]) -> tuple[list[T], str | None]:
        """The page that starts with the row of key `startKey`, and the key of the page after it."""
        start, limit = self.one("startKey"), self.limit
        remaining = iter(rows)
        if start is not None:
            remaining = _from(remaining, lambda row: key(row) == start)
        found = list(islice(remaining, limit + 1))
        return found[:limit], key(found[limit]) if len(found) > limit else None


def _from(rows: Iterable[T], begins: Callable[[T], bool]) -> Iterator[T]:
    begun = False
    for row in rows:
        begun = begun or begins(row)
        if begun:
            yield row
