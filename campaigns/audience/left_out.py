"""Whom a run left out when its audience was frozen, and why: kept beside it as sets, so that the numbers of its funnel
lead to people afterwards, and a person's page says why they didn't get it.

They go with their run. An id says nothing of anybody whose profile is erased: it is shown without a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q
from pyroaring import BitMap64

from campaigns.audience.funnel import Funnel, Plan, reason_of
from campaigns.models import AudienceKind, LeftOut, Run
from cohorts.membership import dumped, loaded
from cohorts.models import Alias, Profile

PAGE = 20
LOOKED_AT = 500
"""Sets that one look at a person reads at most, some hundred bytes to a hundred kilobytes each."""


def keep(run: Run, left_out: Mapping[tuple[str, str], BitMap64]) -> None:
    """Writes down whom each step left out for each reason. In the transaction that writes whom the plan chose."""
    LeftOut.objects.bulk_create(
        LeftOut(
            run=run,
            step=step,
            reason=reason,
            people=dumped(people),
            count=len(people),
            lowest=people.min(),
            highest=people.max(),
        )
        for (step, reason), people in left_out.items()
        if people
    )


def frozen_plan(run: Run, step: str, reason: str) -> Plan:
    """What the run left out for this reason, as a plan that its people can be shown of."""
    kept = LeftOut.objects.filter(run=run, step=step, reason=reason).first()
    return Plan(
        project_id=run.project_id,
        kind=AudienceKind.CSV if run.upload_id else AudienceKind(run.campaign.audience_kind or AudienceKind.COHORT),
        chosen=BitMap64(),
        funnel=Funnel.from_json(run.funnel),
        is_ad=False,
        upload_id=run.upload_id,
        left_out={(step, reason): loaded(kept.people)} if kept else {},
    )


@dataclass(frozen=True)
class Exclusion:
    """That a person was left out of a run."""

    run: Run
    reason: str
    """In words."""


@dataclass(frozen=True)
class Exclusions:
    """A page of the runs that left a person out, the newest first, and the key below which the next begins."""

    rows: list[Exclusion]
    before: int | None


def exclusions_of(profile: Profile, before: int | None = None) -> Exclusions:
    """The runs that left the profile out, or one that is part of it now. Of files nothing: their rows aren't people."""
    aliases = Alias.objects.filter(project_id=profile.project_id, profile_id=profile.pk, old_id__isnull=False)
    ids = BitMap64([profile.pk, *(one.old_id for one in aliases if one.old_id)])
    near = Q(pk__in=[])
    for id_ in ids:
        near |= Q(lowest__lte=id_, highest__gte=id_)
    ours = LeftOut.objects.filter(near, run__project=profile.project_id, run__upload=None)
    ours = ours.filter(run__campaign__deleted_at=None).order_by("-pk")
    if before is not None:
        ours = ours.filter(pk__lt=before)
    found: list[LeftOut] = []
    looked, last = 0, None
    for one in ours[:LOOKED_AT].iterator(chunk_size=50):
        looked, last = looked + 1, one.pk
        if loaded(one.people) & ids:
            found.append(one)
        if len(found) == PAGE:
            break
    fetched = Run.objects.select_related("campaign").defer("chosen", "joined", "message", "funnel", "outcome")
    runs = fetched.in_bulk({one.run_id for one in found})
    rows = [Exclusion(runs[one.run_id], reason_of(one.reason)) for one in found if one.run_id in runs]
    return Exclusions(rows, last if looked == LOOKED_AT or len(found) == PAGE else None)
