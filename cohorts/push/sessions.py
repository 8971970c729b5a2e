"""Which session a page belongs to, and what becomes of a session that isn't applied (reliability rules of the push).

Pages come in any order, in parallel, twice, and again from the top. A session is complete when each of its pages is
here once. What contradicts itself isn't guessed at: it is dropped whole, and a whole list is asked for.
"""

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from cohorts.models import OPEN_SESSIONS, Cohort, PushPage, PushSession, PushState
from cohorts.versions import roads
from integrations.models import InboundPage

ABANDONED_AFTER = timedelta(minutes=10)


class OutOfPlace(Exception):
    """The page contradicts its session, or its session is over. `why` says so; `heals` is False where only a whole
    list can make up for it."""

    def __init__(self, why: str, *, heals: bool) -> None:
        super().__init__(why)
        self.why = why
        self.heals = heals


def place(cohort: Cohort, page: InboundPage) -> PushSession:
    """Puts a page into its session, which is begun, or begun again, where that is what the page says. Raises
    OutOfPlace, with the session dropped where it can't be complete any more."""
    said = page.envelope
    session = _session_of(cohort, page)
    if not 1 <= said["page"] <= said["pages"]:
        raise _contradiction(session, "page_out_of_range")
    if session.state in (PushState.INCONSISTENT, PushState.SUPERSEDED):
        raise OutOfPlace("session_dropped", heals=True)  # What can be done about it was done when it was dropped.
    if session.state == PushState.ABANDONED:
        _reopen(session)
    twin = session.page_rows.filter(number=said["page"]).first()
    if said["pages"] != session.pages or twin is not None:
        if said["page"] != 1:
            raise _contradiction(session, "page_changed" if twin else "total_changed")
        _begin_again(session, page)
    PushPage.objects.create(session=session, number=said["page"], inbound=page)
    session.pages_here += 1
    session.last_page_at = max(session.last_page_at, page.received_at)
    session.save(update_fields=["pages_here", "last_page_at"])
    return session


def is_complete(session: PushSession) -> bool:
    """Whether all its pages are here and their people in the table."""
    return session.pages_here == session.pages and not session.page_rows.filter(is_read=False).exists()


def is_abandoned(session: PushSession) -> bool:
    """Whether nothing came for so long that Mixpanel must have given up: it will begin again, and send everything."""
    return session.pages_here < session.pages and timezone.now() - session.last_page_at > ABANDONED_AFTER


# -- Inside -----------------------------------------------------------------------------------------------------------
def _session_of(cohort: Cohort, page: InboundPage) -> PushSession:
    """The newest series under the page's id and action, or a new one."""
    said = page.envelope
    session_id = said["session"] or _nameless(cohort, page)
    known = PushSession.objects.filter(cohort=cohort, session_id=session_id, action=said["action"])
    last = known.order_by("-turn").first()
    if last is not None and not _is_over(last, page):
        return last
    return PushSession.objects.create(
        cohort=cohort,
        session_id=session_id,
        action=said["action"],
        turn=last.turn + 1 if last else 1,
        pages=said["pages"],
        first_seq=page.pk,
        name=said["name"],
        description=said["description"],
        integration_id=said["integration"],
        began_at=page.received_at,
        last_page_at=page.received_at,
    )


def _is_over(session: PushSession, page: InboundPage) -> bool:
    """Whether a page under the session's id is the beginning of another series. What comes soon after a pull took its
    place is a straggler; what follows a contradiction belongs to it, but for another first page."""
    if session.state == PushState.SUPERSEDED:
        return page.received_at - session.last_page_at > ABANDONED_AFTER
    if session.state == PushState.INCONSISTENT:
        return bool(page.envelope["page"] == 1)
    return session.state == PushState.APPLIED


def _nameless(cohort: Cohort, page: InboundPage) -> str:
    """Mixpanel named no session: a page belongs to the nameless series of as many pages that still lacks it."""
    said = page.envelope
    lacking = PushSession.objects.filter(
        Q(session_id__startswith="#"),
        cohort=cohort,
        action=said["action"],
        pages=said["pages"],
        state=PushState.GATHERING,
        pages_here__lt=F("pages"),
    ).exclude(page_rows__number=said["page"])
    open_ = lacking.order_by("first_seq").first() if said["pages"] > 1 else None
    return open_.session_id if open_ else f"#{page.pk}"


def _contradiction(session: PushSession, why: str) -> OutOfPlace:
    if session.state in OPEN_SESSIONS:
        roads.drop(session, PushState.INCONSISTENT, why)
    return OutOfPlace(why, heals=False)


def _reopen(session: PushSession) -> None:
    """More of an abandoned session has come. What came of it before was dropped whole, and must come again."""
    session.state, session.why, session.finished_at, session.pages_here = PushState.GATHERING, "", None, 0
    session.members = b""
    session.save(update_fields=["state", "why", "finished_at", "pages_here", "members"])


def _begin_again(session: PushSession, page: InboundPage) -> None:
    """Another first page under the same id: the sender has started over, with what is true by now."""
    roads.drop(session, PushState.ABANDONED, "begun_again")
    _reopen(session)
    session.pages = page.envelope["pages"]
    session.first_seq, session.began_at = page.pk, page.received_at
    session.save(update_fields=["pages", "first_seq", "began_at"])
