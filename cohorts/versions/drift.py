"""Where push and pull differed, and why: explained at the pull that found it, before it healed it.

What can be known person by person is told person by person; the rest by what the road did: a page that never came names
nobody. The parts of a side are the whole side, each person in the first that fits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap64

from cohorts.membership import dumped, loaded
from cohorts.models import (
    OPEN_SESSIONS,
    Cohort,
    Drift,
    DriftKind,
    DriftPart,
    Profile,
    Pull,
    PushAction,
    PushRoad,
    PushSession,
    PushState,
)
from integrations.models import InboundKind, InboundPage

AT_ONCE = 20_000
SHOWN = 30
PEOPLE_SHOWN = 10
KEPT = timedelta(days=90)
PEOPLE_KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 1000
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
LOST_SESSIONS = (PushState.ABANDONED, PushState.INCONSISTENT)

MEANS: dict[str, str | Promise] = {
    DriftKind.NO_PROFILE: _("푸시로 들어온 뒤 삭제되었습니다. 발송 대상이 될 수 없었습니다."),
    DriftKind.UNFINISHED: _(
        "쪽이 빠지거나 중단되어 적용되지 않은 푸시 세션에 들어 있었습니다. Mixpanel이 다음 동기화에서 다시 보냅니다."
    ),
    DriftKind.PAGE_LOST: _("끝나지 않은 푸시 세션이 있고, 오지 않은 쪽에 누가 있었는지는 알 수 없습니다."),
    DriftKind.NOT_SYNCED: _("마지막 동기화 뒤에 들어왔거나, 푸시가 알려 준 적이 없습니다."),
    DriftKind.LOST_ACK: _(
        "이 유저를 알린 세션의 쪽이 되풀이해 왔습니다. Mixpanel이 우리 응답을 받지 못했고, 그사이에 나간 유저는"
        " 나갔다는 알림이 오지 않습니다."
    ),
    DriftKind.LEFT_UNSAID: _("마지막 확인 응답이 유실된 뒤 나갔거나, 나간 뒤의 동기화가 아직 오지 않았습니다."),
}
"""What it means that somebody is on one road only."""


# -- At the pull ------------------------------------------------------------------------------------------------------
def note(pull: Pull, road: PushRoad, *, pulled: int, members: BitMap64) -> Drift:
    """Writes down what a pull found, explained; also where nothing differs: that is what one wants to read. `members`:
    the membership by pull, with later sessions on top. To be called before the road is given it."""
    believed = loaded(road.members)
    sides = {"pulled": members - believed, "pushed": believed - members}
    since = _since(road)
    drift = Drift.objects.create(
        cohort_id=pull.cohort_id,
        refresh_id=pull.refresh_id,
        pulled=pulled,
        pushed=len(believed),
        reported=pull.cohort.reported_size,
        **{f"only_{name}": dumped(BitMap64(people)) for name, people in sides.items()},
        **{f"only_{name}_count": len(people) for name, people in sides.items()},
    )
    if any(sides.values()):
        known = _Known.of(pull.cohort, since)
        parts = [
            _part(drift, name, kind, people)
            for name, side in sides.items()
            for kind, people in known.parts(name, side)
            if people
        ]
        DriftPart.objects.bulk_create(parts)
    return drift


def _since(road: PushRoad) -> datetime:
    """Since when the two roads may have gone apart: the last comparison, or the beginning of all."""
    last = Drift.objects.filter(cohort_id=road.pk).order_by("-at").values_list("at", flat=True).first()
    return last or BEGINNING


@dataclass(frozen=True)
class _Known:
    """What the road did since the last comparison."""

    said: dict[str, BitMap64]
    """By action: who was in sessions that weren't applied."""
    has_gaps: bool
    """Whether pages never came."""
    repeated: BitMap64
    """Who came by applied sessions of which a page came again: Mixpanel hadn't had our answer."""

    @classmethod
    def of(cls, cohort: Cohort, since: datetime) -> "_Known":
        sessions = PushSession.objects.filter(cohort=cohort)
        unfinished = sessions.filter(Q(state__in=LOST_SESSIONS, last_page_at__gte=since) | Q(state__in=OPEN_SESSIONS))
        said = {action: BitMap64() for action in PushAction.values}
        has_gaps = False
        for session in unfinished:
            said[session.action] |= people_of(session)
            has_gaps = has_gaps or session.pages_here < session.pages
        applied = sessions.filter(state=PushState.APPLIED, last_page_at__gte=since)
        again = InboundPage.objects.filter(
            project_id=cohort.project_id, kind=InboundKind.COHORT_PAGE, subject=cohort.source_id, repeats__gt=0
        )
        names = set(again.filter(received_at__gte=since).values_list("envelope__session", flat=True))
        repeated = BitMap64()
        for session in applied.exclude(action=PushAction.REMOVE).filter(session_id__in=names):
            repeated |= loaded(session.members)
        return cls(said, has_gaps, repeated)

    def parts(self, road: str, side: BitMap64) -> Iterable[tuple[DriftKind, BitMap64]]:
        """The people of a side by the reason for which they are there."""
        gone = side - _profiles_among(side)
        yield DriftKind.NO_PROFILE, gone
        rest = side - gone
        came = self.said[PushAction.ADD] | self.said[PushAction.REPLACE]
        unfinished = rest & (came if road == "pulled" else self.said[PushAction.REMOVE])
        yield DriftKind.UNFINISHED, unfinished
        rest = rest - unfinished
        if road == "pulled":
            yield DriftKind.PAGE_LOST if self.has_gaps else DriftKind.NOT_SYNCED, rest
        elif self.has_gaps and not self.repeated:
            yield DriftKind.PAGE_LOST, rest
        else:
            yield DriftKind.LOST_ACK, rest & self.repeated
            yield DriftKind.LEFT_UNSAID, rest - self.repeated


def people_of(session: PushSession) -> BitMap64:
    """Who was on the pages of a session that came."""
    people = loaded(session.members)
    for stored in session.page_rows.values_list("members", flat=True):
        people |= loaded(stored)
    return people


def _part(drift: Drift, road: str, kind: DriftKind, people: BitMap64) -> DriftPart:
    without = len(people) - len(_profiles_among(people, Q(phone__isnull=False)))
    return DriftPart(drift=drift, only=road, kind=kind, people=dumped(people), count=len(people), without_phone=without)


def _profiles_among(people: BitMap64, such: Q | None = None) -> BitMap64:
    found = BitMap64()
    for start in range(0, len(people), AT_ONCE):
        rows = Profile.objects.filter(such or Q(), pk__in=list(people[start : start + AT_ONCE]))
        found.update(rows.values_list("pk", flat=True))
    return found


# -- On the page ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Part:
    """A part as it is shown."""

    row: DriftPart

    @property
    def means(self) -> str | Promise:
        return MEANS.get(self.row.kind, "")

    @property
    def what(self) -> str:
        """As it stands in the address of its people."""
        return f"{self.row.only}-{self.row.kind}"


def parts_of(drift: Drift) -> list[Part]:
    """Why the two roads differed, those that the push lacked first, the largest first."""
    return [Part(row) for row in drift.parts.order_by("only", "-count", "kind")]


def history_of(cohort: Cohort) -> list[Drift]:
    """The last comparisons, the newest first."""
    found = Drift.objects.filter(cohort=cohort).defer("only_pulled", "only_pushed").select_related("refresh")
    return list(found.order_by("-at")[:SHOWN])


@dataclass(frozen=True)
class TwoRoads:
    """A cohort that comes by both roads, side by side."""

    road: PushRoad
    session: PushSession | None
    """The last one that was applied."""
    drift: Drift | None
    """What the last pull found; None where it wasn't pulled since it is pushed."""

    @property
    def differed(self) -> bool:
        return self.drift is not None and bool(self.drift.only_pulled_count or self.drift.only_pushed_count)


def two_roads_of(cohort: Cohort) -> TwoRoads | None:
    """The two roads of a cohort; None for one that is never pushed."""
    if cohort.pushed_at is None:
        return None
    road = PushRoad.objects.defer("members").filter(pk=cohort.pk).first()
    if road is None:
        return None
    applied = PushSession.objects.filter(cohort=cohort, state=PushState.APPLIED).defer("members", "unusable")
    last = Drift.objects.filter(cohort=cohort).defer("only_pulled", "only_pushed").select_related("refresh")
    return TwoRoads(road, applied.order_by("-first_seq", "-pk").first(), last.order_by("-at").first())


# -- Forgetting -------------------------------------------------------------------------------------------------------
def prune() -> int:
    """Deletes comparisons of long ago, but for the last of each cohort, and lets go of the people of sessions that no
    pull can need any more. Returns how many rows went."""
    now = timezone.now()
    PushSession.objects.filter(finished_at__lt=now - PEOPLE_KEPT).exclude(members=b"").update(members=b"")
    old = Drift.objects.filter(at__lt=now - KEPT)
    later = Drift.objects.filter(at__gte=now - KEPT).values("cohort_id")
    going = list(old.filter(cohort_id__in=later).values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return Drift.objects.filter(pk__in=going).delete()[0]
