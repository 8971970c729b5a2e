"""THE push: pages from the inbox into sessions, sessions into versions. One worker at a time on a cohort's road.

Nothing here talks to anybody: what Mixpanel pushed is in the inbox, committed and acknowledged. A page goes into its
session (`sessions.place`), its people into the table, and when a session is complete it is applied as one version, in
the order in which sessions began. A worker that dies leaves rows; the next one goes on from them.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone
from pyroaring import BitMap64

from cohorts import membership
from cohorts.groups import groups
from cohorts.membership import dumped, loaded
from cohorts.models import OPEN_SESSIONS, Cohort, PushAction, PushPage, PushRoad, PushSession, PushState
from cohorts.people import identity
from cohorts.people.profiles import Mapping
from cohorts.people.reach import reach_of
from cohorts.people.tally import Tally
from cohorts.pull.listing import name_key
from cohorts.pull.turn import few_collections
from cohorts.push import pages, sessions
from cohorts.push.pages import UNUSABLE_SHOWN, Reading, Step, Turn
from cohorts.versions import roads
from integrations import inbox, inlets
from integrations.models import InboundKind, InboundPage, InboundState
from notifly_console.celery import app
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim, LeaseLost, claim, from_now
from notifly_console.lib.nudge import nudge
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

TAKE = app.signature("cohorts.take_pushed")
TURN_SECONDS = 150.0
UNNOTICED_SECONDS = 5
SETTLED_AT_ONCE = 20
"""Of thousands of sessions that may be open; one that waits and the other part of its sync lie together."""
SWEPT_AT_ONCE = 200
KEPT = timedelta(days=90)
PRUNED_AT_ONCE = 1000


# -- A worker's turn --------------------------------------------------------------------------------------------------
def take(project_id: UUID | str, source_id: int, *, seconds: float = TURN_SECONDS) -> None:
    """Takes what has come for a cohort, if its road is to be had, for about `seconds` at most. Whoever has it looks
    again before giving it back, so nothing is left to wait for the sweep."""
    project = Project.objects.filter(pk=project_id).first()
    cohort = _cohort_of(project, source_id) if project else None
    if project is None or cohort is None:
        return
    mine = claim(PushRoad.objects.filter(pk=cohort.pk), ready=Q(lease_until=None))
    if mine is None:
        return
    reached("after_claim")
    turn = Turn(cohort, mine, Mapping.of(inlets.mixpanel_settings(project)), time.monotonic() + seconds)
    with structlog.contextvars.bound_contextvars(road=cohort.screen_id, project=project.hex, fence=mine.fence):
        try:
            with mine.beating(), few_collections():
                _work(turn)
                mine.release(attempts=0)  # Having nothing to do is no failure.
        except LeaseLost:
            log.info("road_taken_over")
            return
        except Exception:
            log.exception("push_broke_off")
            _let_go(mine)
            raise
    if pages.new_pages(project.pk, source_id).exists() or pages.unread(cohort).exists():
        nudge(TAKE, project_id=project.hex, subject=source_id)


def _let_go(mine: Claim) -> None:
    """After a fault: the attempt stays counted, and the sweep tries again. If even this fails, the lease runs out."""
    try:
        mine.release()
    except LeaseLost:
        return


def _cohort_of(project: Project, source_id: int) -> Cohort | None:
    """The cohort and its road; made where a page is the first word of it."""
    cohort = Cohort.objects.filter(project=project, source_id=source_id).first()
    if cohort is None:
        page = pages.new_pages(project.pk, source_id).only("envelope").first()
        if page is None:
            return None
        name = page.envelope["name"]
        named = {"name": name, "name_key": name_key(name), "description": page.envelope["description"] or ""}
        cohort, _made = Cohort.objects.get_or_create(
            project=project, source_id=source_id, defaults={**named, "is_listed": False}
        )
    PushRoad.objects.get_or_create(cohort=cohort)
    return cohort


def _work(turn: Turn) -> None:
    pages.drop_poison(turn)
    with Reading(turn) as reading:
        while not turn.is_over:
            came = pages.place_new(turn)
            how = reading.go_on()
            if how is Step.READ:
                continue
            did = _settle(turn)
            if how is Step.NOTHING and not came and not did:
                return


# -- Sessions ---------------------------------------------------------------------------------------------------------
def _settle(turn: Turn) -> bool:
    """Applies what is complete, in the order in which it began, and gives up what was abandoned; whether there was
    something to do. What is incomplete holds up later sessions, but for the other part of the same sync."""
    did = False
    held_up_by = ""
    is_open = PushSession.objects.filter(cohort=turn.cohort, state__in=OPEN_SESSIONS)
    for session in is_open.order_by("first_seq")[:SETTLED_AT_ONCE]:
        if held_up_by and session.session_id != held_up_by:
            break
        if session.state == PushState.AWAITING:
            break
        if sessions.is_complete(session):
            _apply(turn, session)
            did = True
        elif sessions.is_abandoned(session) and not pages.new_pages(turn.project_id, turn.cohort.source_id).exists():
            _abandon(turn, session)
            did = True
        else:
            held_up_by = session.session_id
    return did


def _abandon(turn: Turn, session: PushSession) -> None:
    """Mixpanel had no success with it, begins again from its last snapshot, and sends everything: nothing is lost.
    Unless the id had been used before: then some of its pages may have passed for repeats."""
    with turn.claim.transaction(attempts=0):
        roads.drop(session, PushState.ABANDONED, "incomplete")
    log.info("session_abandoned", pages=session.pages, here=session.pages_here)
    if session.turn > 1:
        pages.want_full(turn, "incomplete")


def _apply(turn: Turn, session: PushSession) -> None:
    reached("before_apply")
    with turn.claim.transaction(attempts=0):
        road = PushRoad.objects.get(pk=turn.cohort.pk)
        roads.begin(road)
        if _is_out_of_date(road, session):
            why = "pulled_since" if session.first_seq <= road.pulled_seq else "newer_applied"
            roads.drop(session, PushState.SUPERSEDED, why)
            return
        people, counts, unusable = _gathered(turn, session)
        counts = _change(turn, road, session, people, counts)
        inbound = session.page_rows.values("inbound_id")
        inbox.settle(InboundPage.objects.filter(pk__in=inbound), InboundState.APPLIED)
        session.page_rows.all().delete()
        session.members, session.counts, session.unusable = dumped(people), counts, unusable
        session.state, session.finished_at = PushState.APPLIED, timezone.now()
        session.save()
        reached("in_apply_before_commit")
    reached("after_apply")


def _is_out_of_date(road: PushRoad, session: PushSession) -> bool:
    """Whether something that began later has been applied already: a pull, or another sync. (The two parts of one sync
    don't touch the same people, so their order says nothing.)"""
    if session.first_seq <= road.pulled_seq:
        return True
    return session.first_seq < road.applied_seq and session.session_id != road.applied_session


def _gathered(turn: Turn, session: PushSession) -> tuple[BitMap64, dict[str, Any], list[Any]]:
    """A session's people, with the counts of its pages and the first members that couldn't be taken."""
    people, tally = BitMap64(), Tally()
    unusable: list[Any] = []
    columns: set[str] = set()
    mended = 0
    for row in session.page_rows.order_by("number").iterator(chunk_size=100):
        people |= loaded(row.members)
        tally.add(Tally.of(row.counts))
        columns.update(row.counts.get("columns", ()))
        mended += row.counts.get("mended", 0)
        unusable.extend(row.unusable[: UNUSABLE_SHOWN - len(unusable)])
    people = identity.resolved(turn.project_id, people, since=session.began_at)
    return people, tally.as_json() | {"columns": sorted(columns), "mended": mended}, unusable


def _change(
    turn: Turn, road: PushRoad, session: PushSession, people: BitMap64, counts: dict[str, Any]
) -> dict[str, Any]:
    """Makes the session's change of the cohort; what came of it, to be kept with the counts."""
    before = loaded(road.members)
    after = roads.changed(before, session.action, people)
    cohort = Cohort.objects.get(pk=turn.cohort.pk)
    is_first, now = cohort.current_id is None, timezone.now()
    published = membership.Published("same")
    if is_first or after != before or counts["updated"]:
        named = people if session.action == PushAction.REMOVE else None
        reach = reach_of(after)
        published = membership.publish(cohort.pk, after, reach, session_id=session.pk, named=named)
    elif cohort.held_id is None:
        Cohort.objects.filter(pk=cohort.pk).update(refreshed_at=now)
    _rename(cohort, session)
    groups.of_pushed(cohort)
    Cohort.objects.filter(pk=cohort.pk).update(pushed_at=now)
    road.members, road.size, road.complete_at = dumped(after), len(after), now
    road.applied_seq, road.applied_session = max(road.applied_seq, session.first_seq), session.session_id
    if session.action == PushAction.REPLACE:
        road.full_at, road.wants_full_at, road.wants_full_why = now, None, ""
    elif is_first and session.action == PushAction.REMOVE and people_said(counts):
        road.wants_full_at, road.wants_full_why = now, "unknown_base"
    road.save()
    return counts | {"how": published.how, "joined": len(after - before), "left": len(before - after)}


def people_said(counts: dict[str, Any]) -> int:
    """How many members a session's pages held."""
    return int(counts.get("received", 0))


def _rename(cohort: Cohort, session: PushSession) -> None:
    """A push says what the cohort is called by now."""
    changes: dict[str, Any] = {}
    if session.name and session.name != cohort.name:
        changes = {"name": session.name, "name_key": name_key(session.name)}
    if session.description and session.description != cohort.description:
        changes["description"] = session.description
    if changes:
        Cohort.objects.filter(pk=cohort.pk).update(**changes)
        cohort.name = changes.get("name", cohort.name)


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Wakes workers for every cohort with pages that nobody took, or sessions that can be applied or given up. Returns
    how many."""
    due = {*_forgotten_pages(), *_due_sessions()}
    for project_id, source_id in due:
        nudge(TAKE, project_id=project_id.hex, subject=source_id)
    return len(due)


def _forgotten_pages() -> QuerySet[Any]:
    pages = inbox.waiting(InboundKind.COHORT_PAGE).filter(received_at__lt=from_now(-UNNOTICED_SECONDS))
    return pages.order_by().values_list("project_id", "subject").distinct()[:SWEPT_AT_ONCE]


def _due_sessions() -> QuerySet[Any]:
    """Of roads that nobody has at the moment."""
    free = Q(cohort__road__lease_until=None) | Q(cohort__road__lease_until__lt=Now())
    unread = PushPage.objects.filter(session=OuterRef("pk"), is_read=False)
    old = timezone.now() - sessions.ABANDONED_AFTER
    due = Q(pages_here=F("pages")) | Exists(unread) | Q(last_page_at__lt=old)
    found = PushSession.objects.filter(free, due, state=PushState.GATHERING)
    return found.values_list("cohort__project_id", "cohort__source_id").distinct()[:SWEPT_AT_ONCE]


def prune() -> int:
    """Forgets sessions that ended long ago, but for each cohort's last. Returns how many."""
    newest = PushSession.objects.filter(cohort=OuterRef("cohort")).order_by("-first_seq").values("pk")[:1]
    old = PushSession.objects.filter(finished_at__lt=timezone.now() - KEPT).exclude(pk=Subquery(newest))
    going = list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return PushSession.objects.filter(pk__in=going).delete()[0]
