"""Pages of a push: into their sessions, and their people into the table, while the next ones are being read.

Reading a page (opening, parsing, telling who is who) and writing it take the processor and the database in turns: for a
long series the writing is done aside (`writer.py`), so that both work at once. Nothing is lost by that: a page counts
as read in the transaction that brings its people, and until then another worker reads it again.
"""

import time
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import structlog
from django.db.models import QuerySet
from pyroaring import BitMap64

from cohorts.membership import dumped
from cohorts.models import Cohort, PushAction, PushPage, PushRoad, PushSession, PushState
from cohorts.people.profiles import Mapping
from cohorts.people.upsert import commit_lazily
from cohorts.pull import refresh as refreshing
from cohorts.pull.forewarn import Watch
from cohorts.pull.writer import Writer
from cohorts.push import intake, rehearse, sessions
from cohorts.push.sessions import OutOfPlace
from cohorts.versions import roads
from integrations import inbox
from integrations.models import InboundKind, InboundPage, InboundState
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.crypto import CannotOpen
from notifly_console.lib.leases import Claim

log = structlog.get_logger(__name__)

PLACED_AT_ONCE = 50
READ_AT_ONCE = 5
MOST_BYTES_AT_ONCE = 8 * 1024 * 1024
WORTH_A_THREAD = 4 * READ_AT_ONCE
MOST_ATTEMPTS = 5
"""Claims in a row that committed nothing: then it is the next page that is at fault."""
UNUSABLE_SHOWN = 50


@dataclass(frozen=True)
class Turn:
    """What a worker has in hand while it works on a road."""

    cohort: Cohort
    claim: Claim
    mapping: Mapping
    ends_at: float
    """On the monotonic clock."""

    @property
    def project_id(self) -> UUID:
        return self.cohort.project_id

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at


# -- Into sessions ----------------------------------------------------------------------------------------------------
def new_pages(project_id: UUID, source_id: int) -> QuerySet[InboundPage]:
    """Pages of a cohort that nobody has taken yet."""
    return inbox.waiting(InboundKind.COHORT_PAGE).filter(project_id=project_id, subject=source_id)


def place_new(turn: Turn) -> bool:
    """Puts the next pages that came into their sessions, in the order of arrival; whether there were any."""
    came = list(new_pages(turn.project_id, turn.cohort.source_id).defer("body")[:PLACED_AT_ONCE])
    if came:
        _place(turn, came)
    return bool(came)


def _place(turn: Turn, came: list[InboundPage]) -> None:
    wants_full = ""
    with turn.claim.transaction(attempts=0, called_at=came[-1].received_at):
        for page in came:
            try:
                session = sessions.place(turn.cohort, page)
                InboundPage.objects.filter(pk=page.pk).update(state=InboundState.TAKEN)
                if rehearse.is_due(session, turn.project_id, turn.mapping):
                    rehearse.hold(session, page.pk, turn.mapping)
            except OutOfPlace as problem:
                inbox.settle(InboundPage.objects.filter(pk=page.pk), InboundState.DROPPED, problem.why)
                wants_full = wants_full or ("" if problem.heals else problem.why)
        if any(page.envelope["action"] != PushAction.REPLACE for page in came):
            turn.claim.write(difference_at=came[-1].received_at)
        reached("in_place_before_commit")
    reached("after_place")
    if wants_full:
        want_full(turn, wants_full)


# -- Into the table ---------------------------------------------------------------------------------------------------
def unread(cohort: Cohort) -> QuerySet[PushPage]:
    """Pages in sessions whose people aren't in the table yet, in the order in which they came."""
    waiting = PushPage.objects.filter(session__cohort=cohort, session__state=PushState.GATHERING, is_read=False)
    return waiting.select_related("session", "inbound").order_by("inbound_id")


class Step(Enum):
    """What came of a step of the reading."""

    READ = "some more"
    WRITTEN = "all of a session that there is"
    NOTHING = "nothing to do"


class Reading:
    """The reading of a worker's turn: some pages at a time, the ones before being written meanwhile. Use it in
    `with`."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        is_long = unread(turn.cohort).count() + new_pages(turn.project_id, turn.cohort.source_id).count()
        self._writer = Writer(aside=is_long >= WORTH_A_THREAD)
        self._written: list[PushPage] = []
        self._watches: dict[int, Watch] = {}

    def go_on(self) -> Step:
        """Reads the next pages of one session, while those before are written; or waits until that is done, so that a
        session which is complete by now can be applied before another one's pages are read."""
        rows = self._next()
        if self._written and (not rows or rows[0].session_id != self._written[0].session_id):
            self._writer.finish()
            self._written = []
            return Step.WRITTEN
        if not rows:
            return Step.NOTHING
        reached("before_read")
        try:
            sheets = [intake.sheet_of(row.inbound, self._turn.mapping) for row in rows]
        except CannotOpen:
            self._writer.finish()
            give_up(self._turn, rows[0].session, "cannot_open")
            return Step.READ
        whole = intake.together(sheets)
        if rows[0].session.action != PushAction.REMOVE:
            if lost := self._phones_lost(rows, whole):
                self._writer.finish()
                self._written = []
                self._hold(rows[0], lost)
                return Step.READ
            intake.settle(self._turn.project_id, whole, self._turn.mapping)
        self._writer.do(_write, self._turn, rows, sheets, whole)
        self._written = rows
        return Step.READ

    def _phones_lost(self, rows: list[PushPage], whole: intake.Sheet) -> int:
        session, mapping = rows[0].session, self._turn.mapping
        if session.rehearsal:
            return 0  # Somebody has looked at it. (That the columns were right once says nothing of today.)
        if session.pk not in self._watches:
            self._watches[session.pk] = Watch(Cohort.objects.get(pk=session.cohort_id), mapping, reachable=0)
        is_all = session.action == PushAction.REPLACE and session.pages == len(rows)
        return intake.phones_lost(self._watches[session.pk], self._turn.project_id, whole, mapping, is_all=is_all)

    def _hold(self, row: PushPage, lost: int) -> None:
        with self._turn.claim.transaction(attempts=0):
            rehearse.hold(row.session, row.inbound_id, self._turn.mapping, phones_lost=lost)
        log.warning("push_would_take_phones", session=row.session_id, people=lost)

    def _next(self) -> list[PushPage]:
        """Not more than fit into memory at once, and none of those that are being written."""
        being_written = [row.pk for row in self._written]
        waiting = unread(self._turn.cohort).exclude(pk__in=being_written).defer("inbound__body")[:READ_AT_ONCE]
        rows: list[PushPage] = []
        size = 0
        for row in waiting:
            size += row.inbound.size
            if rows and (row.session_id != rows[0].session_id or size > MOST_BYTES_AT_ONCE):
                break
            rows.append(row)
        return rows

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)


def _write(turn: Turn, rows: list[PushPage], sheets: list[intake.Sheet], whole: intake.Sheet) -> None:
    """Commits lazily: should the server fall, the pages are read again."""
    with turn.claim.transaction(attempts=0):
        commit_lazily()
        if rows[0].session.action == PushAction.REMOVE:
            road = PushRoad.objects.get(pk=turn.cohort.pk)
            roads.begin(road)
            ids, tally = intake.find_leaving(road, turn.project_id, whole, turn.mapping)
        else:
            ids, tally = intake.take_in(turn.project_id, whole, turn.mapping)
        reached("in_read_after_profiles")
        _note(rows, sheets, ids, tally.as_json() | {"columns": sorted(whole.columns), "mended": whole.mended})
        reached("in_read_before_commit")
    reached("after_read")


def _note(rows: list[PushPage], sheets: list[intake.Sheet], ids: BitMap64, counts: dict[str, Any]) -> None:
    """What pages that were read together brought stands with the first of them: they are kept or dropped together."""
    for row, sheet in zip(rows, sheets, strict=True):
        row.is_read = True
        row.unusable = [[row.number, *one] for one in sheet.unusable[:UNUSABLE_SHOWN]]
    rows[0].members, rows[0].counts = dumped(ids), counts
    PushPage.objects.bulk_update(rows, ["is_read", "unusable", "members", "counts"])


# -- What can't be read -----------------------------------------------------------------------------------------------
def drop_poison(turn: Turn) -> None:
    """Several claims in a row ended without a word: the page that is next is given up, and its session with it."""
    if turn.claim.row.values_list("attempts", flat=True).get() <= MOST_ATTEMPTS:
        return
    row = unread(turn.cohort).first()
    if row is not None:
        give_up(turn, row.session, "crashed")
        return
    page = new_pages(turn.project_id, turn.cohort.source_id).only("pk").first()
    if page is not None:
        with turn.claim.transaction(attempts=0):
            inbox.settle(InboundPage.objects.filter(pk=page.pk), InboundState.DROPPED, "crashed")
        want_full(turn, "crashed")


def give_up(turn: Turn, session: PushSession, why: str) -> None:
    """Drops a session that can't be read, and asks for a whole list."""
    with turn.claim.transaction(attempts=0):
        roads.drop(session, PushState.INCONSISTENT, why)
    want_full(turn, why)


def want_full(turn: Turn, why: str) -> None:
    """A whole list is the only remedy: notes it, and has the cohort pulled where that can be done."""
    if not roads.want_full(turn.cohort.pk, why):
        return
    log.warning("push_wants_full", why=why)
    if turn.cohort.is_listed and turn.cohort.vanished_at is None:
        try:
            refreshing.request(turn.cohort.project, by="", cohort=turn.cohort)
        except refreshing.NotConnected:
            return  # The page of the cohort says what a person can do.
