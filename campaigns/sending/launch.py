"""A campaign from draft to its end: launched, paused, started again, ended; and the clock that makes its runs.

Each change is one conditional UPDATE that names what it expects to find, and counts the rows: of two clicks, two tabs
or fifty requests at once one does it, and the others find it done. What a person did is in the audit log and in the
campaign's history, in the same transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from campaigns.message.validate import Problem
from campaigns.models import (
    RUN_LIVE,
    Campaign,
    CampaignState,
    Run,
    RunKind,
    RunState,
)
from campaigns.sending import delivery, finish, freeze, history, live
from campaigns.sending.readiness import outdated_runs, readiness_of
from campaigns.sending.schedule import When, next_run, timing_of
from cohorts.membership import dumped
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

TICKED_AT_ONCE = 200
NAME_LENGTH = 120
GOING = finish.GOING


class CannotLaunch(Exception):
    """It isn't ready, or isn't any more. `problems` say what to mend, in the reader's language."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(one.code for one in problems))
        self.problems = list(problems)


# -- Starting ---------------------------------------------------------------------------------------------------------
def launch(
    campaign: Campaign,
    *,
    by: Any,
    seen_version: int,
    expected_size: int | None = None,
    request: HttpRequest | None = None,
) -> Campaign:
    """Starts a draft, or an inactive campaign again; the campaign as it is then. One launch however often it is asked
    for: whoever comes second gets the campaign that the first one started. `by` is a user. Raises CannotLaunch, also
    when somebody saved the campaign after `seen_version`, and when it would now reach other than `expected_size`
    people."""
    now = timezone.now()
    current = _fetch(campaign.pk)
    if not current.is_editable:
        return current
    outdated = outdated_runs(current)
    goes_on = not outdated and _goes_on(current)
    problems = [] if goes_on else readiness_of(current, expected_size=expected_size, now=now).problems
    if problems:
        raise CannotLaunch(problems)
    with transaction.atomic():
        if not _activate(current, seen_version, by, now):
            found = _fetch(campaign.pk)
            if not found.is_editable:
                return found
            raise CannotLaunch([_conflict()])
        _renew(current, outdated, by, now)
        _begin(current, by, now)
        what = "launched" if current.state == CampaignState.DRAFT else "resumed"
        action = Action.CAMPAIGN_LAUNCHED if what == "launched" else Action.CAMPAIGN_RESUMED
        _tell(current, what, action, by, request, size=expected_size)
    return _fetch(campaign.pk)


def resume(campaign: Campaign, *, by: Any, request: HttpRequest | None = None) -> Campaign:
    """Starts an inactive campaign again, as it was saved last. Whoever still waits is sent to; failures that made it
    stop don't count against it any more. Raises CannotLaunch."""
    return launch(campaign, by=by, seen_version=_fetch(campaign.pk).version, request=request)


def _goes_on(campaign: Campaign) -> bool:
    """Whether all that starts again is a run whose people are written down already."""
    timing = timing_of(campaign.timing)
    return not (timing.repeats or timing.is_live) and _live(campaign).exclude(size=None).exists()


def _renew(campaign: Campaign, outdated: Sequence[Run], by: Any, now: datetime) -> None:
    """Lets runs that nobody has got anything of take the edited message: one whose people aren't chosen yet as it is,
    one that was frozen in another run."""
    if timing_of(campaign.timing).is_live:
        _renew_joins(campaign, outdated, by, now)
        return
    chosen = [run for run in outdated if run.size is not None or run.funnel]
    for run in outdated:
        if run not in chosen:
            _live(campaign).filter(pk=run.pk).update(channel=campaign.channel, message=campaign.message)
        elif _cancel(run):
            history.note(campaign, "renewed", run=run, by=_who(by))
    if chosen:
        make_run(campaign, now, by=_who(by))


def _renew_joins(campaign: Campaign, outdated: Sequence[Run], by: Any, now: datetime) -> None:
    """The same of 이벤트 기반 발송: those who had come in, in one new run. Nobody of the old ones has got anything, so
    they don't count as sent to."""
    keys = {run.pk for run in outdated}
    if not keys:
        return
    runs = [run for run in _live(campaign) if run.pk in keys or run.state in freeze.BEFORE_SENDING]
    runs = [run for run in runs if run.joined is not None and _cancel(run)]
    if not runs:
        return
    for run in runs:
        history.note(campaign, "renewed", run=run, by=_who(by))
    make_run(campaign, now, by=_who(by), joined=dumped(live.let_go(runs)))


def _activate(campaign: Campaign, seen_version: int, by: Any, now: datetime) -> bool:
    timing = timing_of(campaign.timing)
    waiting = Campaign.objects.filter(pk=campaign.pk, state=campaign.state, version=seen_version)
    changed = waiting.update(
        state=CampaignState.ACTIVE,
        brake="",
        launched_at=Coalesce(F("launched_at"), Now()),
        launched_by=campaign.launched_by or _who(by),
        next_run_at=next_run(timing, now, campaign.project.zone),
        updated_at=now,
    )
    return changed == 1


def _begin(campaign: Campaign, by: Any, now: datetime) -> None:
    """Lets a run that was stopped go on; makes one where the campaign goes out now and has none."""
    stopped = list(_live(campaign))  # With what `_renew` has just made: it doesn't mind being woken twice.
    _live(campaign).update(
        watched_from=Now(), not_before=None, waiting_for="", troubles=0, attempts=0, lease_until=None,
        fence=F("fence") + 1,
    )  # fmt: skip
    for run in stopped:
        if run.state in freeze.BEFORE_SENDING:
            freeze.wake(run.pk)
        else:
            delivery.wake()
    # One that waited for a refresh asks for another: what was fresh when it stopped may be old by now.
    Run.objects.filter(pk__in=[one.pk for one in stopped], state=RunState.QUEUED).update(started_at=None)
    timing = timing_of(campaign.timing)
    if not stopped and timing.kind == When.NOW:
        make_run(campaign, now, by=_who(by))
    if timing.is_live:
        live.begin(campaign, now)


def make_run(campaign: Campaign, due_at: datetime, *, by: str = "", **fields: Any) -> Run:
    """A run of the campaign as it is saved now, and a worker on it. Raises IntegrityError where there is one for that
    moment already. To be called in a transaction that holds the campaign's row."""
    last = Run.objects.filter(campaign=campaign).aggregate(number=Max("number"), ordinal=Max("ordinal"))
    run = Run.objects.create(
        project_id=campaign.project_id,
        campaign=campaign,
        number=(last["number"] or 0) + 1,
        ordinal=None if fields.get("kind") == RunKind.TEST else (last["ordinal"] or 0) + 1,
        due_at=due_at,
        channel=campaign.channel,
        message=campaign.message,
        requested_by=by,
        **fields,
    )
    if run.state in freeze.BEFORE_SENDING:
        freeze.wake(run.pk)
    return run


# -- Stopping ---------------------------------------------------------------------------------------------------------
def pause(campaign: Campaign, *, by: Any, request: HttpRequest | None = None) -> Campaign:
    """Stops it until it is started again: within one batch for each worker. What was handed over stays."""
    with transaction.atomic():
        going = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.ACTIVE)
        if going.update(state=CampaignState.INACTIVE, brake="", next_run_at=None, updated_at=Now()):
            _tell(campaign, "paused", Action.CAMPAIGN_PAUSED, by, request)
    return _fetch(campaign.pk)


def cancel_run(run: Run, *, by: Any, request: HttpRequest | None = None) -> Run:
    """Ends a run: whoever still waits is left out. What was handed over stays, and is reported on."""
    with transaction.atomic():
        if _cancel(run):
            _tell(run.campaign, "cancelled", Action.RUN_CANCELLED, by, request, run=run)
            finish.end_if_over(run.campaign)
    run.refresh_from_db()
    return run


def _cancel(run: Run) -> bool:
    live = Run.objects.filter(pk=run.pk, state__in=RUN_LIVE)
    # The fence goes up, so that whoever is writing its people down stops.
    ended = {"finished_at": Now(), "lease_until": None, "waiting_for": "", "fence": F("fence") + 1}
    if live.update(state=RunState.CANCELLED, size=Coalesce(F("size"), 0), **ended) != 1:
        return False
    nudge(finish.TIDY, run_id=run.pk)
    return True


def end(campaign: Campaign, *, by: Any, request: HttpRequest | None = None) -> Campaign:
    """Ends it for good, with whatever run is going."""
    with transaction.atomic():
        going = Campaign.objects.filter(pk=campaign.pk, state__in=GOING)
        if going.update(state=CampaignState.ENDED, ended_at=Now(), next_run_at=None, updated_at=Now()):
            for run in _live(campaign):
                _cancel(run)
            _tell(campaign, "ended", Action.CAMPAIGN_ENDED, by, request)
    return _fetch(campaign.pk)


# -- Another one like it, and none at all -----------------------------------------------------------------------------
def duplicate(campaign: Campaign, *, by: Any) -> Campaign:
    """A draft of its own with the same channel, timing, audience and message."""
    same = (
        "description",
        "channel",
        "timing",
        "audience_kind",
        "cohort_id",
        "group_id",
        "upload_id",
        "message",
        "kept",
    )
    name = _("%(name)s 사본") % {"name": campaign.name}
    with transaction.atomic():
        made = Campaign.objects.create(
            project_id=campaign.project_id,
            name=name[:NAME_LENGTH],
            author=by,
            author_name=str(by),
            version=1,
            **{column: getattr(campaign, column) for column in same},
        )
        history.note(made, "duplicated", by=_who(by), source=campaign.pk.hex)
    return made


def delete(campaign: Campaign, *, by: Any, request: HttpRequest | None = None) -> bool:
    """Removes a draft or an ended campaign from every list; whether it did (False: it is going, or was removed before).
    Its rows follow little by little."""
    with transaction.atomic():
        removable = Campaign.objects.filter(pk=campaign.pk, state__in=[CampaignState.DRAFT, CampaignState.ENDED])
        busy = Run.objects.filter(campaign=campaign, state__in=RUN_LIVE)
        if removable.exclude(pk__in=busy.values("campaign")).update(deleted_at=Now()) != 1:
            return False
        record(
            Action.CAMPAIGN_DELETED,
            project_id=campaign.project_id,
            actor=by,
            request=request,
            target=campaign.name,
            campaign=campaign.pk.hex,
        )
    return True


# -- The clock --------------------------------------------------------------------------------------------------------
def tick() -> int:
    """Makes a run of every campaign that is due; how many. One for each moment, however many clocks tick; of moments
    that passed while everything was down, one run for all."""
    due = Campaign.objects.filter(state=CampaignState.ACTIVE, next_run_at__lte=Now()).order_by("next_run_at")
    found = list(due.select_related("project")[:TICKED_AT_ONCE])
    return sum(_tick(campaign) for campaign in found)


def _tick(campaign: Campaign) -> bool:
    due_at = campaign.next_run_at
    if due_at is None:
        return False
    timing, now = timing_of(campaign.timing), timezone.now()
    if timing.is_live:
        return _look(campaign, due_at, now)
    coming = next_run(timing, max(now, due_at), campaign.project.zone) if timing.kind != When.ONCE else None
    try:
        with transaction.atomic():
            mine = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.ACTIVE, next_run_at=due_at)
            if mine.update(next_run_at=coming) != 1:
                return False
            campaign.refresh_from_db()
            if _live(campaign).filter(handed_over_at=None).exists():
                skipped: dict[str, Any] = {
                    "state": RunState.SKIPPED,
                    "skipped_for": "still_sending",
                    "size": 0,
                    "finished_at": now,
                }
                run = make_run(campaign, due_at, **skipped)
                history.note(campaign, "skipped", run=run, code="still_sending")
            else:
                make_run(campaign, due_at)
    except IntegrityError:
        # That moment had its run: a clock of ours stood behind the database's when it was started again.
        log.warning("run_made_twice", campaign=campaign.pk.hex)
        Campaign.objects.filter(pk=campaign.pk, next_run_at=due_at).update(next_run_at=coming)
        return False
    return True


def _look(campaign: Campaign, due_at: datetime, now: datetime) -> bool:
    """Makes a run of those who came in since the last look; whether it did. One transaction: who was looked at and the
    run are written together, or neither."""
    with transaction.atomic():
        mine = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.ACTIVE, next_run_at=due_at)
        if mine.update(updated_at=F("updated_at")) != 1:
            return False
        campaign.refresh_from_db()
        gathers = live.is_gathering(campaign, now)
        joined = BitMap64() if gathers else live.take_in(campaign, now)
        if joined:
            reached("in_look")
            make_run(campaign, now, joined=dumped(joined))
        Campaign.objects.filter(pk=campaign.pk).update(next_run_at=live.next_look(campaign, now, gathers=gathers))
        finish.end_if_over(campaign)
    reached("after_look")
    return bool(joined)


# -- Inside -----------------------------------------------------------------------------------------------------------
def _fetch(campaign_id: UUID) -> Campaign:
    return Campaign.objects.select_related("project", "cohort", "upload").get(pk=campaign_id)


def _live(campaign: Campaign) -> Any:
    return Run.objects.filter(campaign=campaign, state__in=RUN_LIVE).exclude(kind=RunKind.TEST)


def _who(by: Any) -> str:
    return str(getattr(by, "email", "") or "")


def _conflict() -> Problem:
    return Problem(
        "version", "conflict", _("다른 사람이 그사이에 저장했습니다. 바뀐 내용을 확인한 뒤 다시 시작하세요.")
    )


def _tell(
    campaign: Campaign,
    what: str,
    action: Action,
    by: Any,
    request: HttpRequest | None,
    run: Run | None = None,
    **details: Any,
) -> None:
    details = {name: value for name, value in details.items() if value is not None}
    history.note(campaign, what, run=run, by=_who(by), **details)
    if run is not None:
        details["run"] = run.which
    record(
        action,
        project_id=campaign.project_id,
        actor=by,
        request=request,
        target=campaign.name,
        campaign=campaign.pk.hex,
        **details,
    )
