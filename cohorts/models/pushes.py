"""What Mixpanel pushes: roads, sessions, pages; and where a road differs from a pull."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cohorts.models.cohorts import Cohort
from cohorts.models.refreshes import Refresh
from integrations.models import InboundPage


class PushRoad(models.Model):
    """A cohort's road by push: what is believed of its membership by both roads together, and how far we are with
    Mixpanel's pages. The lease makes one worker at a time take its pages."""

    cohort = models.OneToOneField(Cohort, on_delete=models.CASCADE, primary_key=True, related_name="road")
    members = models.BinaryField(default=bytes)
    """What sessions change. The same as the current version, unless that one is held back by a person's decision."""
    size = models.BigIntegerField(default=0)
    first_at = models.DateTimeField(auto_now_add=True)
    called_at = models.DateTimeField(null=True)
    """When its last page came in."""
    difference_at = models.DateTimeField(null=True)
    """When joins or leaves last came in: only a recurring sync sends those."""
    complete_at = models.DateTimeField(null=True)
    """When a session was last applied."""
    full_at = models.DateTimeField(null=True)
    """When the whole membership was last known: a complete `members` session, or a pull."""
    applied_seq = models.BigIntegerField(default=0)
    """Arrival of the first page of the newest session applied; older ones are out of date."""
    applied_session = models.CharField(max_length=200, blank=True)
    pulled_seq = models.BigIntegerField(default=0)
    """The last arrival when the newest complete pull began; sessions that began before are out of date."""
    wants_full_at = models.DateTimeField(null=True)
    """Since when something came in a way that can't be trusted: only a whole list heals that. Null again with one."""
    wants_full_why = models.CharField(max_length=32, blank=True)

    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"road of {self.cohort_id}"


class PushState(models.TextChoices):
    GATHERING = "gathering", _("수신 중")
    AWAITING = "awaiting", _("확인 대기")
    APPLIED = "applied", _("적용됨")
    ABANDONED = "abandoned", _("중단됨")
    INCONSISTENT = "inconsistent", _("어긋남")
    SUPERSEDED = "superseded", _("더 새로운 것으로 대체됨")


OPEN_SESSIONS = (PushState.GATHERING, PushState.AWAITING)


class PushAction(models.TextChoices):
    """Mixpanel's three words."""

    REPLACE = "members", _("전체")
    ADD = "add_members", _("들어옴")
    REMOVE = "remove_members", _("나감")


class PushSession(models.Model):
    """One series of pages, of one action: applied as a whole or not at all."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="sessions")
    session_id = models.CharField(max_length=210)
    """Mixpanel's; where it names none, `#` and the arrival of the first page."""
    action = models.CharField(max_length=16, choices=PushAction.choices)
    turn = models.IntegerField(default=1)
    """Grows when Mixpanel sends something else under the id of a series that is over."""
    pages = models.IntegerField()
    """How many there are to be."""
    pages_here = models.IntegerField(default=0)
    state = models.CharField(max_length=16, choices=PushState.choices, default=PushState.GATHERING)
    why = models.CharField(max_length=32, blank=True)
    """Of one that wasn't applied."""
    first_seq = models.BigIntegerField()
    """Arrival of its first page: sessions are applied in this order."""
    name = models.TextField(blank=True)
    description = models.TextField(null=True)
    integration_id = models.CharField(max_length=40, blank=True)
    began_at = models.DateTimeField()
    last_page_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    members = models.BinaryField(default=bytes)
    """Its people. Of an applied one, so that a pull that began before it can have it on top; of one that was dropped,
    as far as its pages came, so that drift can be explained."""
    counts = models.JSONField(default=dict)
    """`cohorts/people/tally.py`, and what came of it: how, joined, left."""
    unusable = models.JSONField(default=list)
    """The first members that couldn't be taken: [[page, place, reason, what stood there], …]"""
    rehearsal = models.JSONField(default=dict)
    """Of the first large one: what taking its people would do, tried on some (`cohorts/push/rehearse.py`)."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cohort", "session_id", "action", "turn"], name="push_session_once"),
            models.CheckConstraint(condition=Q(state__in=PushState.values), name="push_state_known"),
            models.CheckConstraint(condition=Q(action__in=PushAction.values), name="push_action_known"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN_SESSIONS, finished_at=None)
                | (~Q(state__in=OPEN_SESSIONS) & Q(finished_at__isnull=False)),
                name="push_finished_or_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["cohort", "-first_seq"], name="push_session_of_cohort"),
            models.Index(fields=["last_page_at"], condition=Q(state="gathering"), name="push_session_gathering"),
        ]

    def __str__(self) -> str:
        return f"{self.cohort_id} {self.action} {self.session_id} {self.state}"


class PushPage(models.Model):
    """A page in its session. Gone when the session is over; the page itself stays in the inbox for some days."""

    session = models.ForeignKey(PushSession, on_delete=models.CASCADE, related_name="page_rows")
    number = models.IntegerField()
    inbound = models.OneToOneField(InboundPage, on_delete=models.CASCADE, related_name="+")
    is_read = models.BooleanField(default=False)
    members = models.BinaryField(default=bytes)
    """Profile ids, once its people are in the table."""
    counts = models.JSONField(default=dict)
    unusable = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["session", "number"], name="push_page_once")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.number}"


class Drift(models.Model):
    """What a pull found of a cohort that also comes by push: where the two differed, before the pull healed it. What
    sessions changed while the pull ran is on neither side."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="drifts")
    refresh = models.ForeignKey(Refresh, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    pulled = models.BigIntegerField()
    """How many the pull brought."""
    pushed = models.BigIntegerField()
    """How many were believed to be in by what had come by push."""
    only_pulled = models.BinaryField()
    only_pushed = models.BinaryField()
    only_pulled_count = models.BigIntegerField()
    only_pushed_count = models.BigIntegerField()
    reported = models.BigIntegerField(null=True)
    """How many Mixpanel's own list said there are, at that time."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["cohort", "-at"], name="drift_of_cohort")]

    def __str__(self) -> str:
        return f"{self.cohort_id} +{self.only_pulled_count} -{self.only_pushed_count}"


class Road(models.TextChoices):
    PULLED = "pulled", _("풀")
    PUSHED = "pushed", _("푸시")


class DriftKind(models.TextChoices):
    """Why somebody is on one road only (`cohorts/versions/drift.py` says what each means)."""

    NO_PROFILE = "no_profile", _("콘솔에 없는 유저")
    UNFINISHED = "unfinished", _("끝나지 않은 세션에 들어 있던 유저")
    PAGE_LOST = "page_lost", _("빠진 쪽에 있었을 유저")
    NOT_SYNCED = "not_synced", _("아직 푸시되지 않은 유저")
    LOST_ACK = "lost_ack", _("확인 응답이 유실된 뒤 나간 유저")
    LEFT_UNSAID = "left_unsaid", _("나갔다는 알림이 없는 유저")


class DriftPart(models.Model):
    """Those of one side of a drift who are there for one reason. The parts of a side are the side."""

    drift = models.ForeignKey(Drift, on_delete=models.CASCADE, related_name="parts")
    only = models.CharField(max_length=6, choices=Road.choices)
    """The road that had them."""
    kind = models.CharField(max_length=16, choices=DriftKind.choices)
    people = models.BinaryField()
    count = models.BigIntegerField()
    without_phone = models.BigIntegerField()
    """How many of them couldn't be sent to anyway."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["drift", "only", "kind"], name="drift_part_once"),
            models.CheckConstraint(condition=Q(only__in=Road.values), name="drift_part_of_a_road"),
        ]

    def __str__(self) -> str:
        return f"{self.drift_id} {self.only} {self.kind} {self.count}"
