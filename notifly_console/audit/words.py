"""What the details of an entry say, in words. An entry keeps facts and codes in our own language of the code; each room
adds here what its facts are called, and how its codes read (`say`, as the console starts)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

Words = Mapping[str, Any] | Callable[[str], Any]
"""Code → words."""

VALUE_LENGTH = 120

_LABELS: dict[str, Any] = {
    "reason": gettext_lazy("이유"),
    "kind": gettext_lazy("종류"),
    "state": gettext_lazy("상태"),
    "count": gettext_lazy("건수"),
    "size": gettext_lazy("크기"),
    "name": gettext_lazy("이름"),
    "key": gettext_lazy("키"),
    "done": gettext_lazy("바꾼 수"),
    "problems": gettext_lazy("실패한 수"),
    "forgotten": gettext_lazy("버린 키"),
    "connections": gettext_lazy("연동 정보"),
    "factors": gettext_lazy("인증 수단"),
}
_WORDS: dict[str, Words] = {}
_HIDDEN: set[str] = set()


def say(*, labels: Mapping[str, Any] | None = None, hidden: Iterable[str] = (), **words: Words) -> None:
    """What facts are called (`labels`, by key), which of them say nothing to a person (`hidden`: ids), and how the
    codes of a fact read (`role={"owner": …}`; a function for codes that somebody else lists)."""
    _LABELS.update(labels or {})
    _HIDDEN.update(hidden)
    _WORDS.update(words)


def is_named(key: str) -> bool:
    """Whether a fact has a name for people, or isn't shown to them."""
    return key in _LABELS or key in _HIDDEN


def facts_of(details: dict[str, Any]) -> list[tuple[str, str]]:
    """The details of an entry as pairs of words: what it is, and what it says."""
    facts = []
    rest = {key: value for key, value in details.items() if key not in _HIDDEN}
    if "before" in rest and "after" in rest:
        facts += _changes(rest.pop("before"), rest.pop("after"))
    for key, value in rest.items():
        if value != "" and (said := _value(key, value)):
            facts.append((_label(key), said))
    return facts


def _changes(before: Any, after: Any) -> list[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = dict.fromkeys([*before, *after])
        return [(_label(key), f"{_one(key, before.get(key))} → {_one(key, after.get(key))}") for key in names]
    return [(_("변경"), f"{_one('role', before)} → {_one('role', after)}")]


def _label(key: str) -> str:
    return str(_LABELS.get(key, key.replace("_", " ")))


def _value(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return _short(", ".join(f"{_label(name)}: {_one(name, inner)}" for name, inner in value.items()))
    if isinstance(value, str) or not isinstance(value, Iterable):
        return _one(key, value)
    return _short(", ".join(_one(key, inner) for inner in value))


def _one(key: str, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return str(_("예") if value else _("아니요"))
    if isinstance(value, int):
        return str(value) if key.endswith(("_id", "version", "number", "run", "undone", "restored")) else f"{value:,}"
    text = str(value)
    words = _WORDS.get(key, {})
    return _short(str(words(text) if callable(words) else words.get(text, text)))


def _short(text: str) -> str:
    return text if len(text) <= VALUE_LENGTH else text[:VALUE_LENGTH] + "…"
