"""The form of a user group: what stands in it while it is being built, and what its buttons do to it.

Every condition is a handful of fields named by its place (`segments-0-2-name`); the whole state travels with the form,
so that the page works without JavaScript and nothing half-built is kept anywhere.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Self

from django.http import QueryDict

from cohorts.groups.conditions import MOST_CONDITIONS, MOST_SEGMENTS, Definition, Problem, definition_of

_FIELD = re.compile(r"(segments-[0-9]{1,2}|filters)-([0-9]{1,2})-([a-z_]{1,12})")
_PLACE = re.compile(r"(segments-[0-9]{1,2}|filters)-([0-9]{1,2})")
_WHOLE = ("cohort", "days")
_YES_OR_NO = ("is_in", "joined", "has", "given")
_CHOSEN = ("cohort", "group", "sync")
_VERBS = ("segment", "drop", "add", "choose", "remove", "pick")
FILTERS = "filters"
NEW: dict[str, dict[str, Any]] = {
    "cohort": {"kind": "cohort", "is_in": True},
    "group": {"kind": "group", "is_in": True},
    "property": {"kind": "property", "name": "", "type": "text", "operator": "=", "value": ""},
    "contact": {"kind": "contact", "what": "phone", "has": True},
    "consent": {"kind": "consent", "what": "marketing", "given": True},
    "sync": {"kind": "sync", "joined": True, "days": 7},
}


@dataclass
class Compose:
    """A group in the making: conditions as they were entered, right or wrong. `picking` is the place for which a
    cohort or a group is being chosen, `find` what was typed there to find it. `focus` is where somebody who has pressed
    a button goes on: at a condition, with adding one to a segment, or ("segments") with adding a segment."""

    segments: list[list[dict[str, Any]]] = field(default_factory=list)
    filters: list[dict[str, Any]] = field(default_factory=list)
    picking: str = ""
    find: str = ""
    focus: str = ""

    @classmethod
    def of(cls, definition: Definition) -> Self:
        """From what is saved."""
        stored = definition.as_json()
        return cls(segments=stored["segments"] or [[]], filters=stored["filters"])

    @classmethod
    def posted(cls, data: QueryDict) -> Self:
        """From a form. Whatever has no place in it is left out."""
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for key in data:
            if match := _FIELD.fullmatch(key):
                where, at, name = match[1], int(match[2]), match[3]
                found.setdefault(where, {}).setdefault(at, {})[name] = _read(name, str(data[key]))
        names = {name for name in data.getlist("segment") if re.fullmatch(r"[0-9]{1,2}", name)}
        names |= {where.removeprefix("segments-") for where in found if where != FILTERS}
        ordered = sorted(names, key=int)[: MOST_SEGMENTS + 1]
        segments = [_ordered(found.get(f"segments-{name}", {})) for name in ordered]
        picking, find = data.get("picking", ""), data.get("find", "")
        return cls(segments or [[]], _ordered(found.get(FILTERS, {})), picking, find)

    @property
    def definition(self) -> Definition:
        """As it would be saved, with its problems."""
        return definition_of({"segments": self.segments, "filters": self.filters})

    @property
    def picking_kind(self) -> str:
        """What is being chosen: "cohort", "group" or "sync"; "" for nothing."""
        found = self._find(self.picking)
        kind = found[0][found[1]].get("kind") if found else ""
        return kind if kind in _CHOSEN else ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was put in yet."""
        return not any(self.segments) and not self.filters

    def do(self, what: str) -> None:
        """Does what a button says: `segment`, `drop:segments-0`, `add:PLACE:KIND`, `remove:PLACE-N`, `choose:PLACE-N`,
        `pick:PLACE-N:ID`. Anything else changes nothing, and leaves the choosing open."""
        verb, _, rest = what.partition(":")
        if verb in _VERBS:
            self.picking, self.find = "", ""
        if verb == "segment" and len(self.segments) < MOST_SEGMENTS:
            self.segments.append([])
            self.focus = f"segments-{len(self.segments) - 1}"
        elif verb == "drop" and (at := _segment(rest, self.segments)) is not None:
            del self.segments[at]
            self.segments = self.segments or [[]]
            self.focus = "segments"
        elif verb == "add":
            self._add(*rest.partition(":")[::2])
        elif verb == "choose" and self._find(rest) is not None:
            self.picking = self.focus = rest
        elif verb == "remove" and (found := self._find(rest)) is not None:
            del found[0][found[1]]
            self.focus = rest.rpartition("-")[0]
        elif verb == "pick":
            self._pick(*rest.partition(":")[::2])

    def _add(self, where: str, kind: str) -> None:
        into = self._list(where)
        if into is None or kind not in NEW or len(into) >= MOST_CONDITIONS:
            return
        into.append(dict(NEW[kind]))
        self.focus = f"{where}-{len(into) - 1}"
        if kind in _CHOSEN:
            self.picking = self.focus

    def _pick(self, place: str, value: str) -> None:
        found = self._find(place)
        if found is None:
            return
        condition = found[0][found[1]]
        name = "group" if condition.get("kind") == "group" else "cohort"
        condition[name] = _read(name, value)
        self.focus = place

    def _list(self, where: str) -> list[dict[str, Any]] | None:
        if where == FILTERS:
            return self.filters
        at = _segment(where, self.segments)
        return None if at is None else self.segments[at]

    def _find(self, place: str) -> tuple[list[dict[str, Any]], int] | None:
        match = _PLACE.fullmatch(place)
        into = self._list(match[1]) if match else None
        if match is None or into is None or int(match[2]) >= len(into):
            return None
        return into, int(match[2])

    def problems_at(self) -> dict[str, Problem]:
        """The problems of single conditions and segments, by place as the form names it."""
        return {"-".join(map(str, one.where)): one for one in self.definition.problems if one.where}


def _segment(where: str, segments: list[Any]) -> int | None:
    match = re.fullmatch(r"segments-([0-9]{1,2})", where)
    return int(match[1]) if match and int(match[1]) < len(segments) else None


def _ordered(found: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [found[at] for at in sorted(found)][: MOST_CONDITIONS + 1]


def _read(name: str, text: str) -> Any:
    if name in _WHOLE:
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text
    return text == "1" if name in _YES_OR_NO else text
