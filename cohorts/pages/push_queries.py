"""What the push page shows: whether anything came, what came, what is missing, and how each pushed cohort stands."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from cohorts.models import OPEN_SESSIONS, Cohort, Drift, PushAction, PushPage, PushRoad, PushSession
from cohorts.people.profiles import Mapping
from cohorts.push import rehearse
from integrations import connect, inlets, keys_panel
from integrations.models import Inlet
from notifly_console.tenancy import keys
from notifly_console.tenancy.access import Access, Right

SHOWN = 200
LOOKED_AT = 20
RECURRING = timedelta(days=3)
"""As long as Mixpanel keeps what it has sent: a sync that rested longer has been taken away."""
MOST_RECURRING = 60
"""Mixpanel's own limit for a project."""
UNUSABLE = {
    "not_an_object": _("구성원이 아닌 값"),
    "id_missing": _("distinct_id가 없음"),
    "id_not_text": _("distinct_id가 글자나 숫자가 아님"),
    "id_not_exact": _("distinct_id가 정확하지 않은 숫자"),
    "id_broken": _("distinct_id에 쓸 수 없는 문자가 있음"),
    "id_too_long": _("distinct_id가 255자보다 김"),
}
"""Why a member couldn't be taken."""
WANTS_FULL = {
    "page_out_of_range": _("전체 쪽수를 벗어난 쪽이 왔습니다."),
    "page_changed": _("같은 쪽이 다른 내용으로 다시 왔습니다."),
    "total_changed": _("도중에 전체 쪽수가 바뀌었습니다."),
    "incomplete": _("쪽이 다 오지 않은 채 멈췄습니다."),
    "unknown_base": _("전체 목록보다 나간 유저가 먼저 왔습니다."),
    "cannot_open": _("보관한 쪽을 열 암호화 키가 없습니다."),
    "crashed": _("받은 쪽을 처리하지 못했습니다."),
}
"""Why what came can't be trusted before a whole list comes."""


# -- One cohort -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Pushed:
    """A pushed cohort as the page and its dialog show it. `session` is the newest one, whatever became of it; `brought`
    the newest that brought people (of a recurring sync most are empty)."""

    cohort: Cohort
    road: PushRoad
    session: PushSession | None
    brought: PushSession | None = None
    phone_column: str = ""

    @property
    def lacks_phone(self) -> bool:
        """Whether people came, and the column that their numbers are read from didn't."""
        if self.brought is None or not _anybody(self.brought.counts):
            return False
        return self.phone_column not in self.brought.counts.get("columns", ())

    @property
    def is_recurring(self) -> bool:
        """Whether differences came lately: only a recurring sync sends those."""
        at = self.road.difference_at
        return at is not None and timezone.now() - at < RECURRING

    @property
    def why_full(self) -> str:
        """In a sentence, why only a whole list heals the cohort; "" where nothing is amiss."""
        return str(WANTS_FULL.get(self.road.wants_full_why, ""))

    @property
    def is_open(self) -> bool:
        return self.session is not None and self.session.state in OPEN_SESSIONS

    @property
    def unusable(self) -> list[Any]:
        """The first members of the newest session that couldn't be taken."""
        return self.session.unusable if self.session else []

    @property
    def refused(self) -> int:
        counts = self.session.counts if self.session else {}
        return sum(counts.get("refused", {}).values())


def pushed_cohorts(access: Access) -> list[Pushed]:
    """Those of the project, the last to call first."""
    newest, brought = _newest(PushSession.objects.filter(cohort=OuterRef("cohort")))
    found = PushRoad.objects.filter(cohort__project=access.project).select_related("cohort").defer("members")
    found = found.annotate(newest=Subquery(newest.values("pk")[:1]), brought=Subquery(brought.values("pk")[:1]))
    roads = list(found.order_by("-called_at", "pk")[:SHOWN])
    wanted = {key for road in roads for key in (road.newest, road.brought) if key}
    of = PushSession.objects.defer("members").in_bulk(wanted)
    phone = inlets.mixpanel_settings(access.project).phone_column
    return [Pushed(road.cohort, road, of.get(road.newest), of.get(road.brought), phone) for road in roads]


def _newest(sessions: QuerySet[PushSession]) -> tuple[QuerySet[PushSession], QuerySet[PushSession]]:
    """These sessions, the newest first, and those of them that brought people."""
    sessions = sessions.order_by("-first_seq", "-pk")
    return sessions, sessions.exclude(action=PushAction.REMOVE).filter(counts__received__gt=0)


def by_push(cohort: Cohort) -> bool:
    """Whether there is something to ask the database about."""
    return cohort.pushed_at is not None or not cohort.is_listed


def pushed(cohort: Cohort) -> Pushed | None:
    """How a cohort stands on its road by push; None for one that nothing of was ever applied."""
    if not by_push(cohort):
        return None
    road = PushRoad.objects.defer("members").filter(pk=cohort.pk).first()
    if road is None:
        return None
    newest, brought = _newest(PushSession.objects.filter(cohort=cohort).defer("members"))
    return Pushed(cohort, road, newest.first(), brought.first(), inlets.mixpanel_settings(cohort.project).phone_column)


def last_drift(cohort: Cohort) -> Drift | None:
    """What the last pull found of a cohort that also comes by push."""
    if not by_push(cohort):
        return None
    return Drift.objects.filter(cohort=cohort).defer("only_pulled", "only_pushed").order_by("-at").first()


# -- The set-up -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Setup:
    """How far the set-up is, for the page that waits for the first call."""

    has_key: bool
    last_call: keys_panel.LastCall | None
    refused_at: datetime | None
    refused_reason: str
    columns: list[str]
    """The names of the properties that came lately, those that the project reads before all others."""
    missing: list[tuple[str, str]]
    """Of what the project reads: (what it is, the column) for each that didn't come, once people came."""
    waiting: list[tuple[PushSession, rehearse.Report]]
    pushed: list[Pushed]

    @property
    def step(self) -> str:
        """`key`, `call`, `refused`, `taken`, `gathering`, `confirm` or `done`."""
        if not self.has_key and self.last_call is None:
            return "key"
        if self.refused_at is not None:
            return "refused"
        if self.last_call is None:
            return "call"
        if self.waiting:
            return "confirm"
        if any(one.road.complete_at for one in self.pushed):
            return "done"
        return "gathering" if self.pushed else "taken"

    @property
    def recurring(self) -> int:
        """How many recurring syncs are seen."""
        return sum(one.is_recurring for one in self.pushed)

    @property
    def newest(self) -> Pushed | None:
        return self.pushed[0] if self.pushed else None

    @property
    def token(self) -> str:
        """Differs as soon as the page would."""
        parts: list[Any] = [self.step, self.refused_at, self.last_call, self.columns, self.missing]
        for one in self.pushed:
            session = one.session
            parts += [one.cohort.pk, one.cohort.name, one.cohort.number, one.cohort.held_id, one.road.wants_full_at]
            parts += [session.pk, session.state, session.pages_here, session.pages] if session else []
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def setup_of(access: Access) -> Setup:
    """The state of the project's push."""
    inlet, call = inlets.of(access.project), keys_panel.last_call(access.project)
    mapping = Mapping.of(inlets.mixpanel_settings(access.project))
    held = [(one, report) for one in rehearse.waiting(access.project) if (report := rehearse.Report.of(one))]
    have_come, columns = _came(access, [report for _session, report in held])
    refused = inlet.refused_at if inlet.refused_at and (call is None or inlet.refused_at > call.at) else None
    return Setup(
        has_key=keys.live(access.project).exists(),
        last_call=call,
        refused_at=refused,
        refused_reason=inlet.refused_reason,
        columns=sorted(columns, key=lambda name: (name not in mapping.columns, name)),
        missing=[(what, name) for what, name in _wanted(mapping) if name not in columns] if have_come else [],
        waiting=held,
        pushed=pushed_cohorts(access),
    )


def _came(access: Access, reports: list[rehearse.Report]) -> tuple[bool, set[str]]:
    """Whether anybody came lately but to leave, and the names of the properties that came with them."""
    sessions = PushSession.objects.filter(cohort__project=access.project).exclude(action=PushAction.REMOVE)
    pages = PushPage.objects.filter(session__cohort__project=access.project, is_read=True)
    pages = pages.exclude(session__action=PushAction.REMOVE).order_by("-pk")
    lately = [
        *sessions.order_by("-first_seq").values_list("counts", flat=True)[:LOOKED_AT],
        *pages.values_list("counts", flat=True)[:LOOKED_AT],
    ]
    names = [counts.get("columns", ()) for counts in lately] + [report.columns for report in reports]
    return bool(reports) or any(map(_anybody, lately)), set(chain.from_iterable(names))


def _anybody(counts: dict[str, Any]) -> bool:
    """Whether there is a member among them who could be taken."""
    return bool(counts.get("received", 0) > sum(counts.get("refused", {}).values()))


def _wanted(mapping: Mapping) -> list[tuple[str, str]]:
    """What the project reads of its people: what it is, and the column."""
    wanted = [
        ("phone", mapping.phone_column),
        ("email", mapping.email_column),
        ("identity", mapping.identity_column),
        ("marketing_consent", mapping.marketing_consent_column),
        ("night_consent", mapping.night_consent_column),
    ]
    return [(what, column) for what, column in wanted if column]


def guide_of(request: HttpRequest, access: Access) -> dict[str, Any]:
    """What is entered in Mixpanel, field by field."""
    live = keys.live(access.project).first()
    mapping = Mapping.of(inlets.mixpanel_settings(access.project))
    return {
        "url": keys_panel.webhook_url(request, access.project),
        "access_key": live.access_key if live else "",
        "properties": list(dict.fromkeys(mapping.columns)),
        "mapping": mapping,
        "is_connected": connect.row_of(access.project) is not None,
        "inlet": Inlet.objects.filter(project=access.project).first(),
        "may_edit": access.may(Right.EDIT_CONNECTIONS),
        "may_edit_keys": access.may(Right.EDIT_KEYS),
    }
