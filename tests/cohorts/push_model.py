"""A model of Mixpanel's push against the real webhook, worker and database: what must be visible whatever is lost.

The stand-in decides what a sync sends (`integrations.sandbox.mixpanel.pusher`); the model decides what becomes of
each page on its way, where the worker dies, and what a pull reads meanwhile. The oracle is one set: a series whose
every page was kept changes it, a pull replaces it by what it read and has the series that began after it on top, and
nothing else changes it. That set is what Mixpanel had, as long as Mixpanel makes its differences from what we have:
not after a lost acknowledgement, nor after a pull between two syncs, whose base is newer than the snapshot that the
next one starts from (docs/decisions/0008).
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db.models import F
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pyroaring import BitMap

from cohorts import membership
from cohorts.models import Cohort, Profile, PushRoad, PushSession, PushState, Snapshot
from cohorts.pull import pulls, refresh
from cohorts.push import pages, push, sessions
from integrations import inbox, webhooks
from integrations.models import Query
from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
from integrations.sandbox.mixpanel.pusher import SNAPSHOT_SECONDS, Sync
from tests import factories
from tests.integrations.pushing import Pusher

COHORT = 7001
PEOPLE = range(9)
PAGE = 2
TRIES = 6

fates = st.lists(st.sampled_from(["ok", "ok", "ok", "ok", "reply lost", "page lost"]), min_size=1, max_size=TRIES)
"""What becomes of each try of a page; the last fate holds for those that are left."""


class Crash(BaseException):
    """The worker's process is gone: nothing of it is cleaned up."""


@dataclass
class Way:
    """What is decided about the pages of one run, and how many have passed."""

    data: Any
    repeats: int
    pull_before: int
    passed: int = 0


def changed(before: BitMap | None, action: str, people: BitMap) -> BitMap:
    """What an action makes of a membership."""
    if action == "members":
        return people
    return (before or BitMap()) | people if action == "add_members" else (before or BitMap()) - people


class PushModel(RuleBasedStateMachine):
    """See above. `server`: a running stand-in, whose world each run has to itself."""

    server: Any

    def __init__(self) -> None:
        super().__init__()
        from notifly_console.tenancy.models import Project

        webhooks.FAILURES.clear()
        inbox._waiting.clear()
        self.world = self.server.world
        self.world.reset()
        self.world.configure(queries_per_hour=1_000_000)
        self.world.cohorts.clear()
        self.world.cohorts.add("모델", BitMap(), id=COHORT)
        self.project = Project.objects.create(name=f"model {uuid4().hex[:8]}")
        factories.connection(self.project, project_id=PROJECT, username=USERNAME)
        self._connect()
        self.pusher = Pusher(self.project.id, factories.api_key(self.project))
        self.sync = Sync(self.world, COHORT, self.pusher.send, page_size=PAGE, properties=("$phone",))
        self.believed: BitMap | None = None
        self.is_exact = True
        """Whether what we have must be something that Mixpanel had."""
        self.had: list[BitMap] = [BitMap()]
        """Every complete state that Mixpanel had when it was asked, or sent something."""
        self.number = 0
        self.deaths = 0
        self.lies = False
        """Whether something may lie for a worker: pages, or what a dead one left."""
        self.applied: list[int] = []
        self.distrusted: list[str] = []
        self.seen: BitMap | None = None
        self.is_seen = True
        """Whether `seen` is what is visible: nothing of the console's has run since."""

    def _connect(self) -> None:
        from integrations.models import Connection

        row = Connection.objects.get(project=self.project)
        row.set_secret(SECRET)
        row.save()

    # -- What happens at Mixpanel -------------------------------------------------------------------------------------
    @property
    def truth(self) -> BitMap:
        return BitMap(self.world.cohorts[COHORT].members)

    @rule(who=st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=4))
    def join(self, who: set[int]) -> None:
        self.world.cohorts.set_members(COHORT, self.truth | BitMap(who))

    @rule(who=st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=3))
    def leave(self, who: set[int]) -> None:
        self.world.cohorts.set_members(COHORT, self.truth - BitMap(who))

    @rule(name=st.sampled_from(["모델", "다른 이름", "셋째"]))
    def rename(self, name: str) -> None:
        self.world.cohorts.rename(COHORT, name)

    @rule()
    def expire_snapshot(self) -> None:
        self.world.clock.advance(SNAPSHOT_SECONDS + 1)

    # -- A sync, and what becomes of it -------------------------------------------------------------------------------
    @rule(
        data=st.data(),
        in_parallel=st.booleans(),
        repeats=st.integers(0, 2),
        pull_before=st.integers(0, 12),
        first=st.sampled_from(["members", "add_members"]),
    )
    def push(self, data: Any, in_parallel: bool, repeats: int, pull_before: int, first: str) -> None:
        """One run of the recurring sync. `pull_before`: the page before which a pull is made, if there are so many."""
        self._half_an_hour()
        self.sync.first_action = first
        members = self.truth
        self.had.append(members)
        way = Way(data, repeats, pull_before)
        session = str(uuid4())
        for action, people in self._series(members):
            bodies = list(self.sync.pages(action, people, session))
            if in_parallel:
                bodies = data.draw(st.permutations(bodies), label="order")
            if not self._deliver(way, action, people, bodies):
                self.is_exact = False
                break
        else:
            self._succeed(members)
        self._drain()

    def _deliver(self, way: "Way", action: str, people: BitMap, bodies: list[bytes]) -> bool:
        """One action's pages, one after the other until one fails; whether Mixpanel knows that all arrived."""
        kept, is_older, acknowledged = 0, False, True
        for place, body in enumerate(bodies):
            way.passed += 1
            if way.passed == way.pull_before:
                self._pull()
                is_older = place > 0
            arrived, acknowledged = self._send(body, way.data.draw(fates, label="fates"))
            kept += arrived
            for _ in range(way.repeats if arrived else 0):
                self._send(body, ["ok"])
            if way.data.draw(st.booleans(), label="worker wakes"):
                self._work(way.data.draw(st.integers(0, 12), label="dies at"))
            if not acknowledged:
                break
        if kept == len(bodies) and not is_older:
            self._apply(action, people)
        return acknowledged

    def _series(self, members: BitMap) -> list[tuple[str, BitMap]]:
        """What is sent now. Where it makes of what we have what Mixpanel doesn't have (differences from something else,
        or a first list that names no leavers), that isn't exact."""
        series = self.sync.series(members)
        after = self.believed
        for action, people in series:
            after = changed(after, action, people)
        if after != members:
            self.is_exact = False
        return series

    def _succeed(self, members: BitMap) -> None:
        self.sync.snapshot, self.sync.snapshot_at = members, self.world.clock.now()

    def _send(self, body: bytes, plan: list[str]) -> tuple[bool, bool]:
        """A page with its tries: whether it was kept, and whether Mixpanel knows."""
        arrived = False
        for attempt in range(TRIES):
            fate = plan[min(attempt, len(plan) - 1)]
            if fate == "page lost":
                continue
            answer = self._post(body)
            assert answer.json()["action"] == json.loads(body)["action"]
            arrived = True
            if fate == "ok":
                return True, True
        return arrived, False

    def _post(self, body: bytes) -> Any:
        self.lies, self.is_seen = True, False
        answer = self.pusher.send(body)
        assert answer.status_code == 200, answer.content
        return answer

    def _apply(self, action: str, people: BitMap) -> None:
        self.believed = changed(self.believed, action, people)
        self.is_exact = self.is_exact or action == "members"

    # -- The console --------------------------------------------------------------------------------------------------
    def _half_an_hour(self) -> None:
        """Between two runs a session that lacks a page is given up."""
        old = F("last_page_at") - 3 * sessions.ABANDONED_AFTER
        self.lies |= bool(self._gathering().update(last_page_at=old))
        self._drain()

    def _gathering(self) -> Any:
        return PushSession.objects.filter(cohort__project=self.project, state=PushState.GATHERING)

    def _work(self, dies_at: int) -> None:
        """A worker's turn; it dies at the `dies_at`-th of the named points, 0 or beyond the last: it doesn't."""
        passed = 0
        self.is_seen = False

        def reached(_name: str) -> None:
            nonlocal passed
            passed += 1
            if passed == dies_at and self.deaths < pages.MOST_ATTEMPTS:
                raise Crash

        real = push.reached
        push.reached = pages.reached = reached
        try:
            push.take(self.project.id, COHORT)
            self.deaths, self.lies = 0, False
        except Crash:
            self.lies = True
            self.deaths += 1  # So many in a row are the page's fault, which is another test.
            long_ago = timezone.now() - 3 * sessions.ABANDONED_AFTER
            PushRoad.objects.filter(cohort__project=self.project).update(lease_until=long_ago)
        finally:
            push.reached = pages.reached = real

    def _drain(self) -> None:
        if self.lies:
            push.take(self.project.id, COHORT)
            self.lies = self.is_seen = False

    @rule()
    def pull(self) -> None:
        """A full pull that nothing disturbs: then what is visible is the truth."""
        self._half_an_hour()
        self._pull()
        self._drain()
        assert self._visible() == self.truth

    @rule(who=st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=3), fails=st.booleans())
    def pull_and_push_meanwhile(self, who: set[int], fails: bool) -> None:
        """People move and are pushed while a pull has read them and not yet published."""
        self._half_an_hour()
        real = pulls._publish

        def publish(*args: Any) -> Any:
            self.believed, self.is_exact = self.truth, True
            self.world.cohorts.set_members(COHORT, self.truth ^ BitMap(who))
            members, session = self.truth, str(uuid4())
            self.had.append(members)
            for action, people in self._series(members):
                for body in self.sync.pages(action, people, session):
                    self._post(body)
                self._apply(action, people)
            if fails:
                self.is_exact = False
            else:
                self._succeed(members)
            push.take(self.project.id, COHORT)
            return real(*args)

        pulls._publish = publish  # type: ignore[assignment]
        try:
            self._pull(forget=False)
        finally:
            pulls._publish = real
        self._drain()

    def _pull(self, *, forget: bool = True) -> None:
        self.is_seen = False
        run = refresh.request(self.project, by="")
        truth = self.truth
        self.had.append(truth)
        refresh.run(run.pk)
        run.refresh_from_db()
        assert run.state == "succeeded", (run.state, run.failure, run.waiting_for)
        Query.objects.all().delete()
        if forget:
            self.believed, self.is_exact = truth, True

    # -- What must hold -----------------------------------------------------------------------------------------------
    def _visible(self) -> BitMap | None:
        if not self.is_seen:
            self.seen, self.is_seen = self._look(), True
            applied = Snapshot.objects.filter(cohort__project=self.project, session__isnull=False)
            self.applied = list(applied.values_list("session_id", flat=True))
            roads = PushRoad.objects.filter(cohort__project=self.project).exclude(wants_full_at=None)
            self.distrusted = list(roads.values_list("wants_full_why", flat=True))
        return self.seen

    def _look(self) -> BitMap | None:
        cohort = Cohort.objects.filter(project=self.project, source_id=COHORT).select_related("held").first()
        if cohort is None:
            return None
        if cohort.held_id is not None:  # A person looks, and lets it be.
            membership.accept_held(cohort, by="model")
            cohort = Cohort.objects.get(pk=cohort.pk)
        if cohort.current_id is None:
            return None
        assert cohort.number >= self.number, "versions only go up"
        self.number = cohort.number
        ids = membership.loaded(Snapshot.objects.get(pk=cohort.current_id).members)
        assert cohort.size == len(ids)
        names = set(Profile.objects.filter(pk__in=list(ids)).values_list("external_id", flat=True))
        assert len(names) == len(ids)
        by_name = {str(self.world.crowd.distinct_id(index)): index for index in PEOPLE}
        return BitMap(by_name[name] for name in names)

    @invariant()
    def what_is_visible_is_what_was_delivered(self) -> None:
        assert self._visible() == self.believed, (self._visible(), self.believed)

    @invariant()
    def without_a_lost_acknowledgement_it_is_what_mixpanel_had(self) -> None:
        if self.is_exact and self.believed is not None:
            assert self.believed in self.had, (self.believed, self.had)

    @invariant()
    def a_session_is_applied_once_or_never(self) -> None:
        self._visible()
        assert len(self.applied) == len(set(self.applied)), self.applied
        assert not self.distrusted
