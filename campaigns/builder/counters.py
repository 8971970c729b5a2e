"""What stands beside the editors of 캠페인 생성: how long a text is, what it makes of its real readers, who has no
value for a variable, and what it will cost. Worked out for everybody whom the plan chose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.audience import price
from campaigns.audience.lacking import values_of
from campaigns.audience.measure import Sort, is_known, sorts_of
from campaigns.audience.plan import Plan
from campaigns.builder.preview import Shown
from campaigns.message import limits
from campaigns.message.check import content_of, warnings
from campaigns.message.content import AlimtalkContent, Content, FriendtalkContent, TextContent, Variable, is_written
from campaigns.message.personalise import BadVariable, Slot, slots_of
from campaigns.message.problems import Shown as Problem
from campaigns.message.problems import at_fields
from campaigns.message.render import ALTERED, Left, Worst, render
from campaigns.message.values import as_text
from campaigns.models import AudienceKind, Campaign, Rules, SkipReason
from campaigns.rules import rules_of
from integrations.messaging import Channel, Kind

NO_RULES = Rules()
ALMOST = 0.9
"""From this share of the limit on the meter warns."""
LOOKED_AT = 100
"""People who are asked whether they have a property of another spelling."""


@dataclass(frozen=True)
class Counter:
    """The length of a text: for the reader of the preview, and for the longest."""

    usual: int | None
    worst: int | None
    limit: int
    in_bytes: bool = True
    """Else in characters."""
    is_empty: bool = False
    """Nothing is written yet."""

    @property
    def limit_words(self) -> str:
        """The limit with its unit."""
        return self._words(self.limit)

    @property
    def shown_words(self) -> str:
        """What the meter shows, with its unit."""
        return self._words(self.shown)

    def _words(self, number: int) -> str:
        pattern = _("%(n)s바이트") if self.in_bytes else _("%(n)s자")
        return pattern % {"n": f"{number:,}"}

    @property
    def shown(self) -> int:
        """What the meter shows."""
        return self.worst if self.worst is not None else self.usual or 0

    @property
    def low(self) -> int:
        """From here on the meter warns."""
        return int(self.limit * ALMOST)

    @property
    def high(self) -> int:
        """From here on it is too much."""
        return self.low if self.shown > self.limit else self.limit


@dataclass(frozen=True)
class Note:
    """Something to know about a text, and what to do about it."""

    title: str
    text: str = ""
    people: str = ""
    """Address of the people whom it is about."""
    mend: str = ""
    """What the button that mends it sends."""


@dataclass(frozen=True)
class Fill:
    """How many have a value for a variable of a template."""

    percent: str
    is_whole: bool
    is_covered: bool
    """Whoever has none gets a default, or is left out by choice."""
    title: str


@dataclass
class Measured:
    """All of it, by field of the form."""

    editors: list[str] = field(default_factory=list)
    """Fields with a counter and a place for notes."""
    variables: list[str] = field(default_factory=list)
    """Fields with a place for notes and for a fill."""
    counters: dict[str, Counter] = field(default_factory=dict)
    notes: dict[str, list[Note]] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    estimate: price.Estimate | None = None

    def note(self, name: str, note: Note) -> None:
        """Notes something at a field; at the first one for a field that has no place for it."""
        places = [*self.editors, *self.variables]
        self.notes.setdefault(name if name in places else places[0], []).append(note)


EDITORS = {
    Channel.ALIMTALK: ["alimtalk.template", "alimtalk.fallback.text"],
    Channel.FRIENDTALK: ["friendtalk.text", "friendtalk.fallback.text"],
    Channel.TEXT: ["text.text"],
}


def is_quick(campaign: Campaign, plan: Plan) -> bool:
    """Whether `measured_of` takes no time to speak of."""
    if not campaign.channel:
        return True
    content = content_of(campaign.channel, campaign.message)
    plans = [plan, _before_values(plan)] if isinstance(content, AlimtalkContent) else [plan]
    return all(is_known(content, one) for one in plans)


def measured_of(
    campaign: Campaign,
    plan: Plan | None,
    shown: Shown,
    problems: list[Problem],
    estimate: price.Estimate | None = None,
) -> Measured:
    """What stands beside the editors of a draft; `shown` is its preview, `problems` what is wrong with its text,
    `estimate` its price where it was worked out already."""
    found = Measured()
    if not campaign.channel:
        return found
    content = content_of(campaign.channel, campaign.message)
    found.editors = EDITORS[Channel(campaign.channel)]
    if isinstance(content, AlimtalkContent):
        found.variables = [f"alimtalk.variables.{at}" for at in range(len(content.variables))]
    worst = None
    if plan is not None and is_written(content):
        try:
            found.estimate = estimate or price.estimate(campaign, plan)
            worst = found.estimate.measured
        except BadVariable:
            pass  # Said at its field.
    _count(found, content, worst, shown)
    people = reverse("campaigns:people", args=[campaign.project_id, campaign.pk])
    if worst is not None and is_written(content):
        _tell(found, content, worst, people, {problem.field for problem in problems if problem.code == "too_long"})
    for name, note in _warnings(campaign, content, plan, problems):
        found.note(name, note)
    if isinstance(content, AlimtalkContent) and plan is not None:
        found.fills = dict(_fills(campaign, content, plan))
    return found


# -- Lengths ----------------------------------------------------------------------------------------------------------
def _count(found: Measured, content: Content, worst: Worst | None, shown: Shown) -> None:
    rendered = shown.rendered
    longest = worst.longest_bytes if worst and worst.longest_id is not None else None
    usual = rendered.length if rendered else None
    if isinstance(content, TextContent):
        limit = limits.SMS_BYTES if content.kind in ("", Kind.SMS) else limits.LMS_BYTES
        found.counters["text.text"] = Counter(usual, longest, limit, is_empty=not is_written(content))
        return
    if isinstance(content, FriendtalkContent):
        found.counters["friendtalk.text"] = Counter(
            usual, longest, limits.FRIENDTALK_CHARACTERS, in_bytes=False, is_empty=not is_written(content)
        )
    if content.fallback:
        other = worst.fallback if worst else None
        limit = limits.LMS_BYTES if content.fallback.kind == Kind.LMS else limits.SMS_BYTES
        found.counters[f"{content.channel}.fallback.text"] = Counter(
            rendered.fallback_length if rendered and rendered.fallback else None,
            other.longest_bytes if other and other.longest_id is not None else None,
            limit,
            is_empty=_lacks_fallback(content),
        )


# -- What it makes of its readers -------------------------------------------------------------------------------------
def _tell(found: Measured, content: Content, worst: Worst, people: str, too_long: set[str]) -> None:
    if isinstance(content, TextContent):
        # What is refused as it is doesn't go as something else.
        field_name, grows = "text.text", content.kind == Kind.SMS and "text.text" not in too_long
    else:
        field_name, grows = f"{content.channel}.text", False
        if isinstance(content, AlimtalkContent):
            field_name = "alimtalk.template"
    for note in _notes(worst, people, grows=grows, prefix=""):
        found.note(field_name, note)
    if not isinstance(content, TextContent) and content.fallback and worst.fallback and not _lacks_fallback(content):
        grows = content.fallback.kind == Kind.SMS
        is_fixed = isinstance(content, AlimtalkContent) and not content.fallback.is_own
        for note in _notes(worst.fallback, people, grows=grows, prefix="fallback-", is_fixed=is_fixed):
            found.note(f"{content.channel}.fallback.text", note)


def _warnings(
    campaign: Campaign, content: Content, plan: Plan | None, problems: list[Problem]
) -> Iterator[tuple[str, Note]]:
    """(field, note) of what the author may want to know of a text."""
    if plan is not None and plan.chosen:
        for name, note in _unknown_values(content, plan):
            yield f"{content.channel}.{name}", note
    for problem in at_fields(campaign, warnings(content, rules_of(campaign.project))):
        yield problem.field, Note(problem.text)
    for name in dict.fromkeys(problem.field for problem in problems if problem.code == "character"):
        title = _("문자로 보낼 수 없는 글자가 있습니다")
        yield name, Note(title, _("한 번에 비슷한 글자로 바꾸거나 뺄 수 있습니다."), mend=f"mend:{name}")


def _unknown_values(content: Content, plan: Plan) -> Iterator[tuple[str, Note]]:
    """(field, note) for each value that nobody has: most likely its name isn't spelt as the property is. (Of a
    template's variables their fill tells.)"""
    sorts: list[Sort] | None = None
    for name, text in content.texts():
        slots = {slot.field: slot for slot in slots_of(text)} if not name.startswith("variables.") else {}
        for slot in slots.values():
            if sorts is None:
                sorts = list(sorts_of(content, plan))
            if any(as_text(sort.values.get(slot.field)) for sort in sorts):
                continue
            words = (
                _("%(n)s명 모두에게 기본값 ‘%(default)s’이(가) 나갑니다. 속성 이름을 다시 확인해 주세요.")
                if slot.default
                else _("%(n)s명 모두에게 빈칸으로 나갑니다. 속성 이름을 다시 확인해 주세요.")
            ) % {"n": f"{len(plan.chosen):,}", "default": slot.default}
            if meant := _meant(plan, slot):
                words += " " + _("‘%(name)s’에는 값이 있습니다.") % {"name": meant}
            yield name, Note(_("‘%(name)s’ 값이 있는 사람이 없습니다") % {"name": slot.field}, words)


def _meant(plan: Plan, slot: Slot) -> str:
    """A property of another spelling that the first of these people have: Mixpanel's own begin with a dollar sign."""
    if plan.kind == AudienceKind.CSV:
        return ""
    other = slot.field.removeprefix("$") if slot.field.startswith("$") else f"${slot.field}"
    first = plan.chosen[:LOOKED_AT]
    has_some = any(as_text(values.get(other)) for _id, values in values_of(plan.project_id, [other], first))
    return other if has_some else ""


def _lacks_fallback(content: Content) -> bool:
    """Whether the text that goes out instead is still to be written."""
    fallback = None if isinstance(content, TextContent) else content.fallback
    return fallback is not None and fallback.is_own and not fallback.text.strip()


def _notes(worst: Worst, people: str, *, grows: bool, prefix: str, is_fixed: bool = False) -> Iterator[Note]:
    """Who gets something else than was meant, or nothing. `is_fixed`: the author can't make the text shorter."""
    lms = worst.by_kind.get(Kind.LMS, 0) if grows else 0
    if lms:
        over = worst.longest_bytes - limits.SMS_BYTES
        text = (
            _("가장 긴 수신자는 %(longest)s바이트입니다.")
            if is_fixed
            else _(
                "가장 긴 수신자는 %(longest)s바이트입니다. 본문을 %(over)s바이트 줄이면 모두 SMS로 보낼 수 있습니다."
            )
        )
        title = (
            ngettext("대체 문자가 %(n)s명에게는 LMS로 나갑니다", "대체 문자가 %(n)s명에게는 LMS로 나갑니다", lms)
            if prefix
            else ngettext("%(n)s명이 LMS로 바뀝니다", "%(n)s명이 LMS로 바뀝니다", lms)
        )
        yield Note(
            title % {"n": f"{lms:,}"},
            text % {"longest": f"{worst.longest_bytes:,}", "over": f"{over:,}"},
            people=f"{people}?{urlencode({'becomes': f'{prefix}{Kind.LMS.value}'})}",
        )
    for reason, count in worst.left.items():
        words = _left_words(reason, is_fallback=bool(prefix))
        yield Note(words % {"n": f"{count:,}"}, people=f"{people}?{urlencode({'becomes': f'{prefix}{reason.value}'})}")
    if worst.altered:
        words = _("%(n)s명은 값에 보낼 수 없는 글자가 있어 비슷한 글자로 바꿔 보냅니다")
        yield Note(words % {"n": f"{worst.altered:,}"}, people=f"{people}?{urlencode({'becomes': prefix + ALTERED})}")


def _left_words(reason: SkipReason, *, is_fallback: bool) -> str:
    """Why so many are left out."""
    if is_fallback:
        return _("%(n)s명에게는 대체 문자를 보낼 수 없습니다: ") + str(reason.label)
    return _("%(n)s명은 받지 못합니다: ") + str(reason.label)


# -- Values of a template's variables ---------------------------------------------------------------------------------
def _fills(campaign: Campaign, content: AlimtalkContent, plan: Plan) -> Iterator[tuple[str, Fill]]:
    before = _before_values(plan)
    total = len(before.chosen)
    sorts = list(sorts_of(content, before))
    for at, given in enumerate(content.variables):
        if not total or not given.text:
            continue
        lacking = sum(len(sort.people) for sort in sorts if _lacks(given, sort.values))
        share = 100 * (total - lacking) / total
        percent = "100" if not lacking else f"{min(share, 99.9):.1f}"
        words = _("%(n)s명에게 값이 있습니다") % {"n": f"{total - lacking:,}"}
        if lacking:
            words = (
                _("%(n)s명은 값이 없어 받지 않습니다")
                if given.skips_missing
                else _("%(n)s명은 값이 없어 기본값이 들어갑니다")
                if given.default
                else _("%(n)s명은 값이 없습니다")
            ) % {"n": f"{lacking:,}"}
        yield f"alimtalk.variables.{at}", Fill(percent, not lacking, given.skips_missing or bool(given.default), words)


def _before_values(plan: Plan) -> Plan:
    """The plan before anybody is left out for a missing value."""
    keys = [step.key for step in plan.funnel.steps]
    if "has_values" not in keys:
        return plan
    return replace(plan, chosen=plan.at_step[keys[keys.index("has_values") - 1]])


def _lacks(given: Variable, values: Mapping[str, Any]) -> bool:
    """Whether whoever has these values has none for the variable."""
    alone = AlimtalkContent(
        template_text="#{x}",
        template_variables=("x",),
        variables=(Variable("x", given.text, skips_missing=True),),
    )
    try:
        rendered = render(alone, values, NO_RULES)
    except BadVariable:
        return False
    return rendered == Left(SkipReason.NO_VALUE)
