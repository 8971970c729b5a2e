"""Who gets it, and why not the others: from a cohort, a user group or a file to the people whom a message is sent.

`plan` is what the builder's preview, the review page and the launch all call; `freeze` writes down what it chose. It
works on sets (`cohorts/facets.py`), so that a million members take a fraction of a second.

Whose message is it where several share one number? The one with the lowest id of those who pass every later step, else
the lowest id: nobody loses a message that they agreed to because of another's profile. A refusal goes by number, so it
counts for all of them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap64

from campaigns.funnel import Drop, Funnel, Plan, Step, step_of
from campaigns.message import content_of, is_ad
from campaigns.models import AudienceKind, Campaign, Run
from campaigns.optouts import digits_by_source
from campaigns.people import first_phones, people_of
from cohorts.facets import Facets, facets
from cohorts.membership import loaded
from cohorts.models import Cohort, Snapshot

__all__ = [
    "Drop",
    "Explanation",
    "Funnel",
    "NoAudience",
    "Plan",
    "Step",
    "explain",
    "first_phones",
    "people_of",
    "plan",
    "plan_run",
]

PROBLEMS = {
    "audience_missing": _("발송 대상을 고르세요."),
    "cohort_missing": _("코호트를 고르세요."),
    "cohort_unread": _("이 코호트는 아직 읽지 않았습니다. 리프레시한 뒤 다시 시도하세요."),
    "upload_missing": _("CSV 파일을 올리세요."),
    "group_missing": _("유저 그룹을 고르세요."),
}


class NoAudience(Exception):
    """There is nothing to plan with: `code` is one of PROBLEMS, `str()` its sentence."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return str(PROBLEMS[self.code])


@dataclass(frozen=True)
class Explanation:
    """What becomes of one person: the step that leaves them out and why; or "sent" and ""; or "" where they aren't in
    the audience at all."""

    step: str
    reason: str = ""


def plan(campaign: Campaign, at: datetime | None = None) -> Plan:
    """Whom the campaign as it stands would be sent now. `at`: when it is to be sent, for the forecast of the night.
    Three statements for a cohort. Raises NoAudience."""
    return _plan(campaign, campaign.channel, campaign.message, at)


def plan_run(run: Run) -> Plan:
    """Whom the run is to be sent: its campaign's audience, its own message. Raises NoAudience."""
    return _plan(run.campaign, run.channel, run.message, run.due_at)


def _plan(campaign: Campaign, channel: str, message: Any, at: datetime | None) -> Plan:
    # Whether the steps of an advertisement apply isn't known before a channel was chosen.
    is_advertising = bool(channel) and is_ad(content_of(channel, message))
    if campaign.audience_kind == AudienceKind.COHORT:
        snapshot = _snapshot(campaign.cohort)
        members = loaded(snapshot.members)
    else:
        _refuse(campaign.audience_kind)
    walk = _Walk(campaign.audience_kind, members)
    now = facets(campaign.project_id)
    _by_phone(walk, now, is_ad=is_advertising)
    if is_advertising:
        walk.step("consent", {"no_consent": walk.left - now.marketing})
        walk.step("not_opted_out", _opted_out(campaign.project_id, now, walk.left))
    walk.step("sent", {})
    return Plan(
        project_id=campaign.project_id,
        kind=AudienceKind(campaign.audience_kind),
        chosen=walk.left,
        funnel=walk.funnel,
        is_ad=is_advertising,
        at=at,
        snapshot_id=snapshot.pk,
        snapshot_number=snapshot.number,
        without_night_consent=len(walk.left - now.night) if is_advertising else 0,
        at_step=walk.at_step,
        left_out=walk.left_out,
    )


def explain(campaign: Campaign, profile_id: int) -> Explanation:
    """What becomes of one person, by the very plan. Raises NoAudience."""
    made = plan(campaign)
    if profile_id in made.chosen:
        return Explanation("sent")
    found = (key for key, ids in made.left_out.items() if profile_id in ids)
    return Explanation(*next(found, ("", "")))


# -- Where people come from -------------------------------------------------------------------------------------------
def _snapshot(cohort: Cohort | None) -> Snapshot:
    if cohort is None:
        raise NoAudience("cohort_missing")
    current = Snapshot.objects.filter(pk=cohort.current_id).first() if cohort.current_id else None
    if current is None:
        raise NoAudience("cohort_unread")
    return current


def _refuse(kind: str) -> NoReturn:
    missing = {AudienceKind.GROUP: "group_missing", AudienceKind.CSV: "upload_missing"}
    raise NoAudience(missing.get(AudienceKind(kind), "audience_missing") if kind else "audience_missing")


# -- The steps --------------------------------------------------------------------------------------------------------
class _Walk:
    """Goes from step to step, and remembers whom each left out."""

    def __init__(self, key: str, everybody: BitMap64) -> None:
        self.left = everybody
        self.steps: list[Step] = [step_of(key, len(everybody), {})]
        self.at_step: dict[str, BitMap64] = {key: everybody}
        self.left_out: dict[tuple[str, str], BitMap64] = {}

    def step(self, key: str, drops: Mapping[str, BitMap64]) -> None:
        """The next step, leaving out those of `drops` by reason. Who fits several reasons is left out for the first."""
        for reason, those in drops.items():
            gone = self.left & those
            if gone:
                self.left_out[key, reason] = gone
                self.left = self.left - gone
        counts = {reason: len(ids) for (of, reason), ids in self.left_out.items() if of == key}
        self.steps.append(step_of(key, len(self.left), counts))
        self.at_step[key] = self.left

    @property
    def funnel(self) -> Funnel:
        return Funnel(tuple(self.steps))


def _by_phone(walk: _Walk, now: Facets, *, is_ad: bool) -> None:
    """Has a phone, valid mobile, one per number."""
    everybody = walk.left
    walk.step(
        "has_phone",
        {"deleted": everybody - now.known, "anonymous": now.anonymous, "missing": everybody - now.has_phone},
    )
    walk.step("reachable", now.unreachable)
    sharing = walk.left & now.shared
    walk.step("one_per_number", {"same_number": _others(now, sharing, sharing & now.marketing if is_ad else sharing)})


def _others(now: Facets, sharing: BitMap64, passing: BitMap64) -> BitMap64:
    """Of those who share numbers, everybody but the one of each number who keeps it. `passing`: those who pass every
    later step that goes by person."""
    by_number: defaultdict[int, list[int]] = defaultdict(list)
    for id_, digits in zip(sharing, now.digits_of(sharing), strict=True):
        by_number[digits].append(id_)
    keepers = {next((id_ for id_ in ids if id_ in passing), ids[0]) for ids in by_number.values()}
    return sharing - BitMap64(keepers)


def _opted_out(project_id: UUID, now: Facets, left: BitMap64) -> dict[str, BitMap64]:
    """Those whose number refused advertising, by where we know it from."""
    source_of = digits_by_source(project_id)
    refused = now.having(source_of) & left
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for id_, digits in zip(refused, now.digits_of(refused), strict=True):
        by_source[source_of[digits]].append(id_)
    return {source: BitMap64(ids) for source, ids in sorted(by_source.items())}
