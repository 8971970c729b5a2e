"""The site map as tests walk it: every address of the console, with its arguments filled in from a seeded world.

An address with an argument that `Arguments` can't fill fails the walk, so that nobody can add a page and forget the
guards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse


@dataclass(frozen=True)
class Address:
    """One pattern of the URL table."""

    name: str
    view: Any
    arguments: tuple[str, ...]

    def url(self, values: dict[str, Any]) -> str:
        """The address with `values` put in. Raises KeyError for an argument that nobody knows how to fill."""
        missing = [argument for argument in self.arguments if argument not in values]
        if missing:
            raise KeyError(f"{self.name} takes {missing}: say in tests/guards/site.py how to fill it.")
        return reverse(self.name, kwargs={argument: values[argument] for argument in self.arguments})


def every_address() -> Iterator[Address]:
    """Every named pattern, namespaces and all."""
    yield from _walk(get_resolver(), (), ())


def _walk(resolver: URLResolver, namespaces: tuple[str, ...], arguments: tuple[str, ...]) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        taken = (*arguments, *entry.pattern.converters, *getattr(entry.pattern, "regex", re_none).groupindex)
        taken = tuple(dict.fromkeys(taken))
        if isinstance(entry, URLResolver):
            inner = (*namespaces, entry.namespace) if entry.namespace else namespaces
            yield from _walk(entry, inner, taken)
        elif isinstance(entry, URLPattern) and entry.name:
            yield Address(":".join((*namespaces, entry.name)), entry.callback, taken)
        else:
            yield Address("", entry.callback, taken)


class _NoGroups:
    groupindex: tuple[str, ...] = ()


re_none = _NoGroups()


def values_for(world: Any) -> dict[str, Any]:
    """What to put into each argument, for the project of `world`; seeds what isn't there yet."""
    from tests import factories

    return factories.address_values(world)
