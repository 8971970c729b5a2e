"""THE refresh: ask for one, run it, pick up what a dead worker left.

A Refresh row is the intent and the state; at most one of a project is live, which the database guards. A worker takes
it by a lease with a fence (`lib/leases.py`), reads the cohort list, then each cohort in order of need, and gives it
back with a reason: done, failed, out of time, or waiting until a moment (the hour's budget, passing trouble). The
messages that wake workers may be lost or doubled: the sweep finds what is due, and a claim that isn't to be had is no
work.
"""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Q, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from cohorts.models import LIVE, Batch, Cohort, Pull, PullState, Refresh, RefreshState
from cohorts.pull import listing, pulls, receipt
from cohorts.pull.pulls import PullFailed
from cohorts.pull.trouble import Reach, Trouble
from cohorts.pull.turn import TimeIsUp, Turn, turn_of
from integrations import connect
from integrations.http import VendorError
from integrations.mixpanel.errors import HourlyBudgetSpent
from notifly_console.celery import app
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.crypto import CannotOpen
from notifly_console.lib.leases import Claim, LeaseLost, claim, expired, from_now
from notifly_console.lib.nudge import nudge
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

OPEN = (PullState.RUNNING, PullState.WAITING)
"""In this order of the alphabet: what was begun is finished first."""
CRASHED = "refresh_crashed"
RUN = app.signature("cohorts.run_refresh")
TURN_SECONDS = 150.0
"""How long a worker stays with one refresh before others get their turn; under the task's time limit."""
MOST_ATTEMPTS = 5
"""Claims in a row that committed nothing. After that it isn't the worker that is at fault."""
MOST_PULL_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 15
LONGEST_PAUSE_SECONDS = 240
UNNOTICED_SECONDS = 5
"""A queued row older than this has lost its nudge."""
SWEPT_AT_ONCE = 200
KEPT = timedelta(days=90)


class NotConnected(Exception):
    """The project has no Mixpanel connection: there is nothing to ask."""

    code = "not_connected"


# -- Asking for one ---------------------------------------------------------------------------------------------------
def request(project: Project, *, by: str, cohort: Cohort | None = None) -> Refresh:
    """A refresh of the project, or of one cohort: a new one, or the live one, which it joins.

    A whole one asked for while a single cohort is read makes it whole; a cohort asked for while one runs comes next in
    it. Needs no broker: a nudge that is lost costs one sweep. Raises NotConnected."""
    if connect.row_of(project) is None:
        raise NotConnected
    while True:
        with transaction.atomic():
            refresh = _join(project, cohort)
        if refresh is None:
            try:
                with transaction.atomic():
                    refresh = Refresh.objects.create(project=project, cohort=cohort, requested_by=by)
            except IntegrityError:
                continue  # Somebody else's came first: join it.
        nudge(RUN, refresh_id=refresh.id.hex)
        return refresh


def _join(project: Project, cohort: Cohort | None) -> Refresh | None:
    live = Refresh.objects.select_for_update().filter(project=project, state__in=LIVE).first()
    if live is None:
        return None
    if cohort is not None:
        if live.cohort_id != cohort.pk or live.listed_at is not None:
            listing.put_first(live.pk, cohort)
    elif live.cohort_id is not None:
        live.cohort, live.listed_at = None, None
        live.save(update_fields=["cohort", "listed_at"])
    return live


# -- Running it -------------------------------------------------------------------------------------------------------
def run(refresh_id: UUID | str, *, seconds: float = TURN_SECONDS) -> None:
    """Takes the refresh, if it is to be had, and works on it for about `seconds` at most. Raises nothing but what is a
    fault of ours or of the database; the refresh is tried again then, a few times."""
    ready = Q(state=RefreshState.QUEUED) | Q(state=RefreshState.WAITING, not_before__lte=Now())
    changes: dict[str, Any] = {"state": RefreshState.RUNNING, "not_before": None, "waiting_for": ""}
    mine = claim(Refresh.objects.filter(pk=refresh_id), ready=ready, **changes)
    if mine is None:
        return
    reached("after_claim")
    refresh = mine.row.select_related("project").get()
    with structlog.contextvars.bound_contextvars(refresh=refresh.pk.hex, fence=mine.fence):
        try:
            with mine.beating():
                _run(refresh, mine, time.monotonic() + seconds)
        except LeaseLost:
            log.info("refresh_taken_over")


def _run(refresh: Refresh, mine: Claim, ends_at: float) -> None:
    """Works until something ends the turn, and gives the row back accordingly."""
    try:
        _take_turn(refresh, mine, ends_at)
    except TimeIsUp:
        mine.release(state=RefreshState.QUEUED)
        nudge(RUN, refresh_id=refresh.pk.hex)
    except (NotConnected, CannotOpen) as error:
        _fail(mine, "cannot_open" if isinstance(error, CannotOpen) else "not_connected")
    except HourlyBudgetSpent as error:
        _wait(mine, error.code, error.until, attempts=0)
    except Trouble as trouble:
        _give_way(mine, trouble)
    except LeaseLost:
        raise
    except Exception:
        # A fault of ours, or of the database. If even giving back fails, the lease runs out instead.
        log.exception("refresh_broke_off")
        _give_way(mine, Trouble(CRASHED, Reach.PASSING))
        raise


def _take_turn(refresh: Refresh, mine: Claim, ends_at: float) -> None:
    if refresh.started_at is None:
        mine.write(started_at=Now())
    if refresh.attempts > MOST_ATTEMPTS:
        _drop_poison(refresh, mine)
    connection = connect.mixpanel_of(refresh.project)
    if connection is None:
        raise NotConnected
    with turn_of(refresh, mine, connection, ends_at) as turn:
        _work(turn)


def _drop_poison(refresh: Refresh, mine: Claim) -> None:
    """Several claims in a row ended without a word: the cohort that was being read is given up; where none was, the
    refresh is. Raises Trouble for the latter."""
    pull = Pull.objects.filter(refresh=refresh, state=PullState.RUNNING).first()
    if pull is None:
        raise Trouble(CRASHED, Reach.ACCOUNT)
    pulls.fail(mine, pull, CRASHED, attempts=1)


def _work(turn: Turn) -> None:
    while True:
        turn.check_time()
        if turn.claim.row.get().listed_at is None:
            _list(turn)
            continue
        waiting = Pull.objects.filter(refresh_id=turn.refresh_id, state__in=OPEN)
        pull = waiting.select_related("cohort").order_by("state", "position").first()
        if pull is not None:
            _read(turn, pull)
        elif _finish(turn):
            return


def _list(turn: Turn) -> None:
    """Reads the cohort list, and gives each cohort that was asked for its turn."""
    reached("before_list")
    try:
        listed = turn.client.cohorts()
    except HourlyBudgetSpent:
        raise
    except VendorError as error:
        trouble = Trouble.of(error)
        raise Trouble(trouble.code, Reach.PASSING if trouble.reach is Reach.PASSING else Reach.ACCOUNT) from error
    reached("after_list_asked")
    groups = sum(one.is_group for one in listed)
    if groups == len(listed):
        # Cohorts that nobody shared with the account look just the same: that isn't taken for "all are gone".
        raise Trouble("no_cohorts", Reach.ACCOUNT)
    with turn.claim.transaction(attempts=0, listed_at=Now()):
        counts = listing.store(turn.project_id, listed)
        asked_for = turn.claim.row.values_list("cohort_id", flat=True).get()
        wanted = Cohort.objects.filter(project_id=turn.project_id, is_listed=True, vanished_at=None)
        listing.line_up(turn.refresh_id, Cohort.objects.filter(pk=asked_for) if asked_for else wanted)
        turn.claim.write(receipt=turn.noted(groups_skipped=groups, **counts))
        reached("in_list_stored")
    reached("after_list_stored")


def _read(turn: Turn, pull: Pull) -> None:
    """One cohort's turn. What only concerns it ends it; what concerns all ends the worker's turn."""
    try:
        if pull.cohort.vanished_at is not None:
            raise PullFailed("vanished")
        pulls.read_cohort(turn, pull)
    except PullFailed as failure:
        pulls.fail(turn.claim, pull, failure.code, attempts=0)
    except HourlyBudgetSpent:
        raise
    except VendorError as error:
        trouble = Trouble.of(error)
        if trouble.reach is Reach.QUESTION:
            pulls.fail(turn.claim, pull, trouble.code, attempts=0)
            return
        if trouble.reach is Reach.PASSING:
            _count_attempt(turn, pull, trouble.code)
        raise trouble from error


def _count_attempt(turn: Turn, pull: Pull, code: str) -> None:
    pull.attempts += 1
    pull.failure = code
    if pull.attempts >= MOST_PULL_ATTEMPTS:
        pulls.fail(turn.claim, pull, code)
        return
    with turn.claim.transaction():
        pull.save(update_fields=["attempts", "failure"])


# -- Giving it back ---------------------------------------------------------------------------------------------------
def _finish(turn: Turn) -> bool:
    """Ends the refresh, unless more was asked of it meanwhile: then False."""
    reached("before_finish")
    with turn.claim.transaction(receipt=turn.noted()):
        refresh = turn.claim.row.get()
        mine = Pull.objects.filter(refresh=refresh)
        if refresh.listed_at is None or mine.filter(state__in=OPEN).exists():
            return False
        failures = list(mine.filter(state=PullState.FAILED).values_list("failure", flat=True))
        state = RefreshState.SUCCEEDED
        if failures:
            state = RefreshState.PARTIAL if mine.exclude(state=PullState.FAILED).exists() else RefreshState.FAILED
        failure = failures[0] if state == RefreshState.FAILED else ""
        _end(turn.claim, state, failure)
        reached("in_finish_before_commit")
    reached("after_finish")
    return True


def _fail(mine: Claim, code: str) -> None:
    with mine.transaction():
        Batch.objects.filter(pull__refresh__in=mine.row).delete()
        _end(mine, RefreshState.FAILED, code)
    log.warning("refresh_failed", code=code)


def _end(mine: Claim, state: RefreshState, failure: str) -> None:
    refresh = mine.row.get()
    mine.release(state=state, failure=failure, finished_at=Now(), receipt=receipt.of(refresh))


def _give_way(mine: Claim, trouble: Trouble) -> None:
    """To passing trouble for a while, longer each time; to the other kind for good."""
    attempts = mine.row.values_list("attempts", flat=True).get()
    if trouble.reach is not Reach.PASSING or attempts >= MOST_ATTEMPTS:
        _fail(mine, trouble.code)
        return
    pause = min(FIRST_PAUSE_SECONDS * 2 ** max(0, attempts - 1), LONGEST_PAUSE_SECONDS)
    _wait(mine, trouble.code, from_now(pause))


def _wait(mine: Claim, code: str, until: datetime | Combinable, **changes: Any) -> None:
    mine.release(state=RefreshState.WAITING, waiting_for=code, not_before=until, **changes)
    log.info("refresh_waits", code=code)


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Wakes workers for every refresh that is due: waited long enough, lost its worker, or its nudge. Returns how
    many."""
    forgotten = Q(state=RefreshState.QUEUED, requested_at__lt=from_now(-UNNOTICED_SECONDS))
    due = forgotten | Q(state=RefreshState.WAITING, not_before__lte=Now()) | Q(state=RefreshState.RUNNING) & expired()
    found = list(Refresh.objects.filter(due).order_by("requested_at").values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    for pk in found:
        nudge(RUN, refresh_id=pk.hex)
    return len(found)


def prune() -> int:
    """Deletes refreshes that ended long ago, but for each project's last. Returns how many rows went."""
    old = Refresh.objects.exclude(state__in=LIVE).filter(finished_at__lt=timezone.now() - KEPT)
    last = Refresh.objects.filter(project=OuterRef("project")).order_by("-requested_at").values("pk")[:1]
    going = list(old.exclude(pk=Subquery(last)).values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    return Refresh.objects.filter(pk__in=going).delete()[0]
