"""Pages of a list that is counted: which there are, and which of them to offer (`components/pager.html`)."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pages:
    """`total` things in pages of `size`; `asked` is the page that was asked for, from 1; `address` gives the query
    string of a page."""

    total: int
    size: int
    asked: int = 1
    address: Callable[[int], str] = "page={}".format

    @property
    def count(self) -> int:
        """How many pages there are; one for an empty list."""
        return max(1, -(-self.total // self.size))

    @property
    def number(self) -> int:
        """The page that is shown: the last one where one beyond it was asked for."""
        return min(max(self.asked, 1), self.count)

    @property
    def first(self) -> int:
        """Place of the page's first thing, from 1."""
        return (self.number - 1) * self.size + 1 if self.total else 0

    @property
    def last(self) -> int:
        """Place of its last thing."""
        return min(self.number * self.size, self.total)

    @property
    def slice(self) -> slice:
        """What of the list the page holds."""
        return slice((self.number - 1) * self.size, self.number * self.size)

    @property
    def before(self) -> str | None:
        """The address of the page before, if there is one."""
        return self.address(self.number - 1) if self.number > 1 else None

    @property
    def after(self) -> str | None:
        """The address of the page after, if there is one."""
        return self.address(self.number + 1) if self.number < self.count else None

    @property
    def links(self) -> list[tuple[int | None, str]]:
        """Page numbers to offer with their addresses: the ends and those near by; None stands for a gap."""
        near = {1, self.count, *range(self.number - 2, self.number + 3)}
        links: list[tuple[int | None, str]] = []
        for page in sorted(page for page in near if 1 <= page <= self.count):
            last = links[-1][0] if links else None
            if last is not None and page > last + 1:
                links.append((None, ""))
            links.append((page, self.address(page)))
        return links


def page_of(text: str) -> int:
    """The page that an address asks for; 1 for anything that is none."""
    return min(max(int(text), 1), 100_000) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
