"""What an audience makes of a message: how many go out as what kind, who gets nothing and why, whose is the longest.

Exact, without rendering a million messages: the renderer itself is asked how long values may be before anything
changes. Whoever has only shorter ones gets what everybody gets, and is counted by the database; the others are
rendered one by one, and so are the longest of the rest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import connection
from django.utils import timezone
from pyroaring import BitMap64

from campaigns.audience.funnel import Plan
from campaigns.audience.lacking import says_something, values_of
from campaigns.audience.uploads import rows_at
from campaigns.message.check import Content
from campaigns.message.marks import SenderRules
from campaigns.message.personalise import used_fields
from campaigns.message.render import Left, Rendered, Renderer, Worst, renderer, worst
from campaigns.models import AudienceKind, Upload
from campaigns.sql import PROFILES, octets, project_parameter, text_state, texts_of, within

AT_ONCE = 50_000
LONGEST = 20
"""So many of the longest ordinary values of each chunk are rendered, to find the longest text."""
MOST = 4_000
"""Bytes; no message carries more of one value."""
USUAL = "가"
SLACK = 8
"""Bytes that a value may gain on its way into the text: 아니요 for false, (c) for ©."""

Rows = Iterator[tuple[Any, Mapping[str, Any], int]]


def measure(content: Content, rules: SenderRules, plan: Plan) -> Worst:
    """The message for everybody whom `plan` chose; ids are those of `plan.chosen`. Raises BadVariable."""
    return worst(content, rules, _rows(plan, content, renderer(content, rules)))


def _rows(plan: Plan, content: Content, ready: Renderer) -> Rows:
    """(id, values, how many are like that)."""
    if not plan.chosen:
        return
    fields = used_fields(content)
    bounds = _bounds(ready, fields)
    if bounds is None:
        yield plan.chosen.min(), {}, len(plan.chosen)
    elif plan.kind == AudienceKind.CSV:
        yield from _of_file(plan, fields, bounds)
    else:
        yield from _of_profiles(plan, fields, bounds)


# -- How far values may go --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Bounds:
    """Values that get everybody's kind of message: so many bytes of UTF-8 at most, without a blank where `blanks`
    matter, and there at all where it matters that one is `missing`."""

    length: int
    blanks: bool
    missing: bool


def _bounds(ready: Renderer, fields: Sequence[str]) -> _Bounds | None:
    """What the renderer says; None where values make no difference."""
    now = timezone.now()
    usual = _fate(ready, dict.fromkeys(fields, USUAL), now)
    if not fields:
        return None
    nothing = [dict.fromkeys(fields), *(dict.fromkeys(fields, USUAL) | {one: None} for one in fields)]
    is_same_without = all(_fate(ready, values, now) == usual for values in nothing)
    if isinstance(usual, Left):
        return None if is_same_without else _Bounds(0, blanks=True, missing=True)
    low, high = 0, MOST
    while low < high:
        middle = (low + high + 1) // 2
        if all(_fate(ready, dict.fromkeys(fields, value), now) == usual for value in _long(middle)):
            low = middle
        else:
            high = middle - 1
    has_blanks = _fate(ready, dict.fromkeys(fields, "가 가"), now) != usual
    return _Bounds(max(0, low - SLACK), blanks=has_blanks, missing=not is_same_without)


def _long(length: int) -> Iterable[str]:
    """Texts of about so many bytes, each the worst for somebody: carriers, links, limits of lines."""
    return "A" * length, "가" * (length // 3), f"A{chr(10) * (length - 2)}A"


def _fate(ready: Renderer, values: Mapping[str, Any], now: datetime) -> Any:
    rendered: Rendered | Left = ready.render(values, now)
    if isinstance(rendered, Left):
        return rendered
    return rendered.kind, rendered.fallback.kind if rendered.fallback else None, rendered.fallback_left


# -- People -----------------------------------------------------------------------------------------------------------
def _of_profiles(plan: Plan, fields: Sequence[str], bounds: _Bounds) -> Rows:
    """Those beyond the bounds and the longest within, one by one; then the rest together."""
    texts, parameters = texts_of(fields)
    columns = [f"x{place}" for place in range(len(fields))]
    odd = [f"{octets(one)} * 3 > {bounds.length * 2}" for one in columns]
    odd += [f"coalesce({one}, '') LIKE '%% %%'" for one in columns if bounds.blanks]
    odd += [f"{text_state(one)} <> 0" for one in columns if bounds.missing]
    long = " + ".join(f"{octets(one)} + coalesce(length({one}), 0)" for one in columns)
    rest, like = len(plan.chosen), plan.chosen.min()
    for start in range(0, len(plan.chosen), AT_ONCE):
        condition, among = within(list(plan.chosen[start : start + AT_ONCE]))
        statement = f"""WITH taken AS (SELECT id, {texts} FROM {PROFILES} WHERE id {condition} AND project_id = %s
                LIMIT {AT_ONCE} OFFSET 0),
            seen AS (SELECT id, ({" OR ".join(odd)}) AS odd, {long} AS long FROM taken)
            SELECT id, odd FROM seen WHERE odd UNION ALL
            SELECT id, odd FROM (SELECT * FROM seen WHERE NOT odd ORDER BY long DESC, id LIMIT {LONGEST}) AS few"""  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(statement, [*parameters, among, *project_parameter(plan.project_id)])
            found = cursor.fetchall()
        like = next((id_ for id_, is_odd in found if not is_odd), like)
        for id_, values in values_of(plan.project_id, fields, BitMap64([id_ for id_, _ in found])):
            rest -= 1
            yield id_, values, 1
    if rest:
        yield like, dict.fromkeys(fields, USUAL), rest


def _of_file(plan: Plan, fields: Sequence[str], bounds: _Bounds) -> Rows:
    """The same of rows."""
    assert plan.upload_id
    longest: list[tuple[int, int, dict[str, str]]] = []
    rest = 0
    for row in rows_at(Upload.objects.get(pk=plan.upload_id), plan.chosen):
        given = [row.values.get(one, "") for one in fields]
        lengths = [len(one.encode()) for one in given]
        is_odd = max(lengths) * 3 > bounds.length * 2 or (bounds.blanks and any(" " in one for one in given))
        if is_odd or (bounds.missing and not all(map(says_something, given))):
            yield row.place, row.values, 1
            continue
        rest += 1
        longest.append((sum(lengths) + sum(map(len, given)), -row.place, row.values))
        if len(longest) > 50 * LONGEST:
            longest = sorted(longest, key=itemgetter(0, 1), reverse=True)[:LONGEST]
    longest = sorted(longest, key=itemgetter(0, 1), reverse=True)[:LONGEST]
    for _length, place, values in longest:
        yield -place, values, 1
    if rest > len(longest):
        yield -longest[0][1], dict.fromkeys(fields, USUAL), rest - len(longest)
