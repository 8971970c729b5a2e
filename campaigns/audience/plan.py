"""Who gets it, and why not the others: from a cohort, a user group or a file to the people whom a message is sent.

`plan` is what the builder's preview, the review page and the launch all call; `freeze` writes down what it chose. It
works on sets (`cohorts/people/facets.py`), so that a million members take a fraction of a second.

Whose message is it where several share one number? The one with the lowest id of those who pass every later step, else
the lowest id: nobody loses a message that they agreed to because of another's profile. A refusal goes by number, so it
counts for all of them.
"""

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress, count
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap, BitMap64

from campaigns.audience.funnel import Drop, Funnel, Plan, Step, Walk
from campaigns.audience.lacking import needed_fields, people_lacking, rows_lacking
from campaigns.audience.optouts import digits_by_source
from campaigns.audience.people import first_phones, people_of, received
from campaigns.audience.uploads import SHIFTED
from campaigns.message.check import Content, content_of, is_ad
from campaigns.models import AudienceKind, Campaign, Run, Upload
from cohorts.groups.groups import NotReady, members_of
from cohorts.membership import loaded
from cohorts.models import Cohort, Snapshot
from cohorts.people.facets import Facets, facets
from cohorts.people.identity import resolved
from notifly_console.lib.digits import from_bytes

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
    "group_not_ready": _(
        "이 유저 그룹은 아직 읽지 않았거나 없어진 코호트나 그룹을 조건으로 씁니다. 그룹을 확인하세요."
    ),
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
    return _plan(run.campaign, run.channel, run.message, run.due_at, run if run.joined is not None else None)


def _plan(campaign: Campaign, channel: str, message: Any, at: datetime | None, run: Run | None = None) -> Plan:
    # What steps a message asks for isn't known before a channel was chosen.
    content = content_of(channel, message) if channel else None
    is_advertising = content is not None and is_ad(content)
    now = facets(campaign.project_id)
    if campaign.audience_kind == AudienceKind.CSV:
        return _of_file(campaign, content, now, at)
    snapshot = _snapshot(campaign.cohort) if campaign.audience_kind == AudienceKind.COHORT else None
    members = loaded(snapshot.members) if snapshot else _members(campaign)
    if run is None:
        walk = Walk(campaign.audience_kind, members)
    else:
        joined = resolved(campaign.project_id, loaded(run.joined or b""), since=run.created_at)
        walk = Walk(campaign.audience_kind, joined, first="joined")
        out = "left_again" if snapshot else "not_in_group"
        walk.step("once", {out: joined - members, "already": received(campaign, joined & members)})
    _has_mobile(walk, now)
    able = walk.left & now.marketing if is_advertising else walk.left
    lacking = people_lacking(campaign.project, able, content) if content else {}
    able = able - BitMap64().union(*lacking.values())
    walk.step("one_per_number", {"same_number": _others(now, walk.left & now.shared, able)})
    if is_advertising:
        walk.step("consent", {"no_consent": walk.left - now.marketing})
        walk.step("not_opted_out", _opted_out(campaign.project_id, now, walk.left))
    if content and needed_fields(content):
        walk.step("has_values", lacking)
    walk.step("sent")
    made = walk.plan(campaign, is_ad=is_advertising, at=at, by_night=walk.left & now.night)
    return replace(made, snapshot_id=snapshot.pk, snapshot_number=snapshot.number) if snapshot else made


def _of_file(campaign: Campaign, content: Content | None, now: Facets, at: datetime | None) -> Plan:
    """Of rows: what is wrong with each was found when the file was read. An advertisement asks the file who consented,
    or where it doesn't say, the project's profiles with the same number. At night a file consents to nothing."""
    upload = campaign.upload
    if upload is None:
        raise NoAudience("upload_missing")
    is_advertising = content is not None and is_ad(content)
    refused = Counter(upload.refused.get("counts", {}))
    walk = Walk(AudienceKind.CSV, BitMap64(range(1, upload.accepted + 1)), unusable=sum(refused.values()))
    early = {reason: refused.pop(reason, 0) for reason in (SHIFTED, "missing")}
    doubled = {"same_number": refused.pop("same_number", 0)}
    walk.step("has_phone", unusable=early)
    walk.step("reachable", unusable=refused)
    walk.step("one_per_number", unusable=doubled)
    if is_advertising:
        digits = from_bytes(upload.digits)
        walk.step("consent", {"no_consent": walk.left - _consenting(upload, digits, now)})
        walk.step("not_opted_out", _refusing(campaign.project_id, digits))
    if content and needed_fields(content):
        walk.step("has_values", rows_lacking(upload, walk.left, content))
    walk.step("sent")
    return replace(walk.plan(campaign, is_ad=is_advertising, at=at, by_night=BitMap64()), upload_id=upload.pk)


def _consenting(upload: Upload, digits: array, now: Facets) -> BitMap64:
    """Places of the file's rows that consent to advertising."""
    if upload.consented is not None:
        return loaded(upload.consented)
    agreed = BitMap(now.digits_of(now.marketing & now.reachable))
    return BitMap64(compress(count(1), map(agreed.__contains__, digits)))


def _refusing(project_id: UUID, digits: array) -> dict[str, BitMap64]:
    """Places of the file's rows whose number refused advertising, by where we know it from."""
    source_of = digits_by_source(project_id)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place in compress(count(1), map(source_of.__contains__, digits)):
        places[source_of[digits[place - 1]]].append(place)
    return {source: BitMap64(those) for source, those in sorted(places.items())}


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


def _members(campaign: Campaign) -> BitMap64:
    if campaign.audience_kind != AudienceKind.GROUP:
        raise NoAudience("audience_missing")
    if campaign.group is None:
        raise NoAudience("group_missing")
    try:
        return members_of(campaign.group)
    except NotReady as error:
        raise NoAudience("group_not_ready") from error


# -- The steps --------------------------------------------------------------------------------------------------------
def _has_mobile(walk: Walk, now: Facets) -> None:
    everybody = walk.left
    walk.step(
        "has_phone",
        {"deleted": everybody - now.known, "anonymous": now.anonymous, "missing": everybody - now.has_phone},
    )
    walk.step("reachable", now.unreachable)


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
