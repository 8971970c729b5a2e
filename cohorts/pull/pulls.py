"""One cohort's members: page 0, the rest several at a time, into profiles and a growing set, then published.

Pages are committed in batches. A batch is one transaction behind the claim's fence: its profiles, their ids, the
counters, which pages they were, and the lease. So whoever takes over after a crash goes on behind the last batch, and
whoever lost the claim while asleep writes nothing. No transaction is open while Mixpanel is talked to.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from pyroaring import BitMap64

from cohorts import membership
from cohorts.models import Batch, Cohort, Pull, PullState
from cohorts.people import identity
from cohorts.people.profiles import Reading, read
from cohorts.people.tally import Tally
from cohorts.people.upsert import commit_lazily, upsert
from cohorts.pull import forewarn
from cohorts.pull.turn import Turn
from cohorts.pull.writer import Writer
from cohorts.versions import roads
from integrations import inbox
from integrations.http import VendorError
from integrations.mixpanel.errors import SessionLost
from integrations.mixpanel.pull import Cursor
from integrations.mixpanel.schemas import EngagePage
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim

PAGE_SIZE = 1000
"""Mixpanel's own; larger ones are honoured but not documented (mixpanel.md §4.1)."""
CONCURRENCY = 5
BATCH_PAGES = 5
BATCH_SECONDS = 2.0
"""Pages that come slowly are committed sooner."""
MOST_RESTARTS = 3
MOST_SHORT_RESTARTS = 1
TOLERATED_ROWS = 2
TOLERATED_SHARE = 0.01


class PullFailed(Exception):
    """This cohort can't be read now; the version it has stays. The refresh goes on to the next. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Grown:
    """What a pull has so far."""

    members: BitMap64 = field(default_factory=BitMap64)
    pages: set[int] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)


def read_cohort(turn: Turn, pull: Pull) -> membership.Published:
    """Reads the cohort of `pull` to its end and publishes it, going on where a former try stopped.

    Raises PullFailed; what the client raises; LeaseLost; TimeIsUp."""
    cohort = pull.cohort
    while True:
        reached("before_pull")
        grown = _resume(turn, pull)
        try:
            _read_pages(turn, pull, cohort, grown)
        except SessionLost:
            _restart(turn, pull, MOST_RESTARTS, "too_many_restarts")
            continue
        if _is_complete(pull, grown.tally):
            return _publish(turn, pull, grown)
        _restart(turn, pull, MOST_SHORT_RESTARTS, "incomplete")


def _resume(turn: Turn, pull: Pull) -> Grown:
    grown = Grown(tally=Tally.of(pull.counts))
    for batch in pull.batches.all():
        grown.members |= membership.loaded(batch.members)
        grown.pages.update(batch.pages)
    if pull.state != PullState.RUNNING:
        pull.state = PullState.RUNNING
        with turn.claim.transaction():
            pull.save(update_fields=["state"])
    return grown


def _read_pages(turn: Turn, pull: Pull, cohort: Cohort, grown: Grown) -> None:
    start = None
    if grown.pages:
        if not pull.session_id:
            return  # Page 0 was all there is: Mixpanel opened no session for more.
        start = Cursor(pull.session_id, pull.total, pull.page_size or PAGE_SIZE, frozenset(grown.pages))
    else:
        pull.arrivals = inbox.newest(turn.project_id)
    watch = forewarn.Watch(cohort, turn.mapping, reachable=grown.tally.phones[""])
    is_long = (pull.total or cohort.reported_size or 0) > PAGE_SIZE * BATCH_PAGES
    members = turn.client.members(cohort.source_id, page_size=PAGE_SIZE, concurrency=CONCURRENCY, start=start)
    with members as pages, Writer(aside=is_long) as writer:
        for batch in _batches(pages):
            rows = [row for page in batch for row in page.rows]
            if column := turn.mapping.identity_column:
                identity.settle(turn.project_id, rows, turn.mapping)
                rows = identity.known_as(turn.project_id, rows, column)
            reading = read(rows, turn.mapping)
            is_all = start is None and batch[0].page == 0 and len(batch) * PAGE_SIZE >= (batch[0].total or 0)
            if watch.would_lose_all(reading.people, is_all=is_all):
                raise PullFailed("phones_would_go")
            writer.do(_keep, turn, pull, grown, batch, reading)
            turn.check_time()


def _batches(pages: Iterator[EngagePage]) -> Iterator[list[EngagePage]]:
    """Pages in bunches worth a transaction. What came before a failure is handed out before the failure is raised."""
    batch: list[EngagePage] = []
    began = time.monotonic()
    while True:
        failure: VendorError | None = None
        page = None
        try:
            page = next(pages, None)
        except VendorError as error:
            failure = error
        if page is not None:
            batch.append(page)
            if page.page == 0:
                reached("after_first_page")
        full = len(batch) >= BATCH_PAGES or time.monotonic() - began > BATCH_SECONDS
        if batch and (page is None or full):
            yield batch
            batch, began = [], time.monotonic()
        if failure is not None:
            raise failure
        if page is None:
            return


def _keep(turn: Turn, pull: Pull, grown: Grown, batch: list[EngagePage], reading: Reading) -> None:
    """Commits a batch: all of it or nothing, and nothing without the claim."""
    reached("before_batch")
    if missing := sum(page.refused for page in batch):
        reading.refused["id_missing"] = missing
    tally = Tally.of(grown.tally.as_json())
    numbers = [page.page for page in batch]
    # The lease is renewed and the attempts forgotten in the same statement that proves the claim.
    with turn.claim.transaction(attempts=0):
        commit_lazily()
        added, became = upsert(turn.project_id, reading, turn.mapping, grown.members, timezone.now())
        reached("in_batch_after_profiles")
        became.received = sum(page.received for page in batch)
        tally.add(became)
        Batch.objects.create(pull=pull, pages=numbers, members=membership.dumped(added))
        pull.session_id = batch[0].session_id or ""
        pull.total, pull.page_size = batch[0].total, batch[0].page_size
        pull.pages_done = len(grown.pages) + len(numbers)
        pull.received, pull.counts, pull.attempts, pull.failure = tally.received, tally.as_json(), 0, ""
        pull.save(
            update_fields=[
                *("session_id", "total", "page_size", "arrivals", "pages_done", "received", "counts", "attempts"),
                "failure",
            ]
        )
        reached("in_batch_before_commit")
    grown.members |= added
    grown.pages.update(numbers)
    grown.tally = tally
    reached("after_batch")


def _is_complete(pull: Pull, tally: Tally) -> bool:
    """Whether as many people came as page 0 announced. A few less are let pass and reported: cohorts move while they
    are read."""
    if pull.total is None:
        return True
    tally.short = max(0, pull.total - tally.people)
    tally.beyond = max(0, tally.people - pull.total)
    return tally.short <= max(TOLERATED_ROWS, pull.total * TOLERATED_SHARE)


def _restart(turn: Turn, pull: Pull, most: int, code: str) -> None:
    """Back to page 0 with a fresh session. Profiles stay as they were written; the set begins anew."""
    if pull.restarts >= most:
        raise PullFailed(code)
    reset(pull)
    pull.restarts += 1
    with turn.claim.transaction():
        pull.batches.all().delete()
        pull.save()


def reset(pull: Pull) -> None:
    """Forgets how far the pull got, on the object; what it wrote into profiles is carried in its counts."""
    pull.session_id, pull.total, pull.page_size = "", None, None
    pull.pages_done = pull.received = 0
    pull.counts = Tally.of(pull.counts).begin_again().as_json()


def _publish(turn: Turn, pull: Pull, grown: Grown) -> membership.Published:
    reached("before_publish")
    grown.tally.settle()
    with turn.claim.transaction(attempts=0):
        members, reach = roads.meet(turn.project_id, pull, grown.members, grown.tally.reach)
        published = membership.publish(pull.cohort_id, members, reach, refresh_id=turn.refresh_id)
        pull.state = PullState.DONE
        pull.counts = grown.tally.as_json() | _became(published)
        pull.batches.all().delete()
        pull.save()
        reached("in_publish_before_commit")
    reached("after_publish")
    return published


def _became(published: membership.Published) -> dict[str, Any]:
    changed = published.how == "new"
    return {
        "how": published.how,
        "joined": published.joined if changed else 0,
        "left": published.left if changed else 0,
    }


def fail(claim: Claim, pull: Pull, code: str, **changes: Any) -> None:
    """Ends the pull without a result; the cohort shows why, and keeps the version it has. `changes` are the
    refresh's."""
    reset(pull)
    pull.state, pull.failure = PullState.FAILED, code
    with claim.transaction(**changes):
        pull.batches.all().delete()
        pull.save()
        Cohort.objects.filter(pk=pull.cohort_id).update(failed_at=timezone.now(), failure=code)
