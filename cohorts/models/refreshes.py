"""Refreshes: when they are wanted, what they pull, how far they are."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cohorts.models.cohorts import Cohort
from notifly_console.tenancy.models import Project


class Every(models.TextChoices):
    OFF = "off", _("하지 않음")
    HOURS = "hours", _("몇 시간마다")
    DAILY = "daily", _("매일 정한 시각")


class Rhythm(models.Model):
    """When a cohort is refreshed by itself."""

    every = models.CharField(max_length=8, choices=Every.choices, default=Every.OFF)
    hours = models.PositiveSmallIntegerField(default=24)
    """Of "hours": 1 to 168, from the last reading on."""
    daily_at = models.TimeField(null=True)
    """Of "daily": in the project's zone."""
    before_campaign = models.BooleanField(default=True)
    """Also some time before a campaign goes to it."""
    changed_by = models.CharField(max_length=254, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(hours__gte=1, hours__lte=168), name="%(class)s_hours_of_a_week"),
            models.CheckConstraint(
                condition=~Q(every="daily") | Q(daily_at__isnull=False), name="%(class)s_daily_has_a_time"
            ),
            models.CheckConstraint(condition=Q(every__in=Every.values), name="%(class)s_every_known"),
        ]


class CohortRules(Rhythm):
    """A project's rules for its cohorts: how often they are refreshed by themselves, how long versions are kept."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    heals_daily = models.BooleanField(default=True)
    """A cohort that comes by both roads is read whole once a day, whatever else is chosen: only that heals drift."""
    keep_versions = models.PositiveSmallIntegerField(default=30)
    keep_all_days = models.PositiveSmallIntegerField(default=7, db_default=7)
    """All versions of the last days are kept, however many there are; older ones as `keep_versions` says."""
    keep_days = models.PositiveSmallIntegerField(null=True)
    """Versions older than this are forgotten too; null: only their number counts."""

    class Meta(Rhythm.Meta):
        constraints: ClassVar = [
            *Rhythm.Meta.constraints,
            models.CheckConstraint(condition=Q(keep_versions__gte=5, keep_versions__lte=100), name="keep_5_to_100"),
            models.CheckConstraint(condition=Q(keep_all_days__lte=31), name="keep_all_days_of_a_month"),
            models.CheckConstraint(
                condition=Q(keep_days=None) | Q(keep_days__gte=1, keep_days__lte=1000), name="keep_days_of_some_years"
            ),
        ]

    def __str__(self) -> str:
        return f"rules of {self.project_id}"


class CohortRhythm(Rhythm):
    """What was chosen for one cohort; where there is none, the project's rules hold."""

    cohort = models.OneToOneField(Cohort, on_delete=models.CASCADE, primary_key=True, related_name="rhythm")

    def __str__(self) -> str:
        return f"rhythm of {self.cohort_id}"


class RefreshState(models.TextChoices):
    QUEUED = "queued", _("대기")
    RUNNING = "running", _("리프레시 중")
    WAITING = "waiting", _("요청 한도 대기")
    SUCCEEDED = "succeeded", _("완료")
    PARTIAL = "partial", _("일부 실패")
    FAILED = "failed", _("실패")


LIVE = (RefreshState.QUEUED, RefreshState.RUNNING, RefreshState.WAITING)


class Refresh(models.Model):
    """One pull of the cohort list and memberships. At most one of a project is live; a second request joins it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, null=True, related_name="+")
    """Set when only this cohort was asked for (another one asked for meanwhile joins it as a second Pull)."""
    state = models.CharField(max_length=12, choices=RefreshState.choices, default=RefreshState.QUEUED)
    requested_by = models.CharField(max_length=254, blank=True)
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    fence = models.BigIntegerField(default=0)
    """Grows with every claim; each write of a worker carries the one it was given."""
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    """Claims since something was last committed."""
    not_before = models.DateTimeField(null=True)
    """While waiting: when the budget lets it go on, or a failed step may be tried again."""
    listed_at = models.DateTimeField(null=True)
    """When the cohort list was read in this run; a takeover doesn't read it again."""
    waiting_for = models.CharField(max_length=32, blank=True)
    """Of a waiting one: `hourly_budget_spent`, or the code of the passing trouble that it will try again after."""
    failure = models.CharField(max_length=32, blank=True)
    receipt = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project"], condition=Q(state__in=LIVE), name="refresh_live_once"),
            models.CheckConstraint(condition=Q(state__in=RefreshState.values), name="refresh_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, finished_at=None) | (~Q(state__in=LIVE) & Q(finished_at__isnull=False)),
                name="refresh_finished_or_live",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "-requested_at"], name="refresh_of_project")]

    def __str__(self) -> str:
        return f"{self.id.hex} {self.state}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class Why(models.TextChoices):
    """Why a cohort's refresh came due by itself."""

    HOURS = "hours", _("몇 시간마다")
    DAILY = "daily", _("매일 정한 시각")
    CAMPAIGN = "campaign", _("캠페인 발송 전")
    HEAL = "heal", _("두 경로 맞추기")


class Tick(models.Model):
    """A moment for which a cohort's refresh came due by itself. One for each, however many clocks tick."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="ticks")
    due_at = models.DateTimeField()
    why = models.CharField(max_length=8, choices=Why.choices)
    made_at = models.DateTimeField(auto_now_add=True)
    refresh = models.ForeignKey(Refresh, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cohort", "due_at"], name="tick_once"),
            models.CheckConstraint(condition=Q(why__in=Why.values), name="tick_why_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["made_at"], name="tick_by_time")]

    def __str__(self) -> str:
        return f"{self.cohort_id} {self.due_at:%Y-%m-%d %H:%M} {self.why}"


class PullState(models.TextChoices):
    WAITING = "waiting", _("대기")
    RUNNING = "running", _("리프레시 중")
    DONE = "done", _("완료")
    FAILED = "failed", _("실패")


class Pull(models.Model):
    """One cohort's turn within a refresh: the cursor that a takeover goes on from."""

    refresh = models.ForeignKey(Refresh, on_delete=models.CASCADE, related_name="pulls")
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=12, choices=PullState.choices, default=PullState.WAITING)
    position = models.IntegerField()
    """Order of need; the lowest waiting one is next."""
    session_id = models.TextField(blank=True)
    total = models.BigIntegerField(null=True)
    page_size = models.IntegerField(null=True)
    pages_done = models.IntegerField(default=0)
    """How many pages are committed; which ones, their batches say."""
    arrivals = models.BigIntegerField(default=0)
    """The last page that had come in by push when page 0 was asked for: sessions that began later are newer."""
    received = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    """`cohorts/people/tally.py`: what became of the rows received so far, and how the members can be reached."""
    attempts = models.IntegerField(default=0)
    """Failures since the last page that came through."""
    restarts = models.IntegerField(default=0)
    """How often it began again at page 0: sessions that Mixpanel lost, and pulls that came out short."""
    failure = models.CharField(max_length=32, blank=True)
    """Of a waiting one: why its last try failed."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["refresh", "cohort"], name="pull_once"),
            models.CheckConstraint(condition=Q(state__in=PullState.values), name="pull_state_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["refresh", "state", "position"], name="pull_next")]

    def __str__(self) -> str:
        return f"{self.refresh_id} {self.cohort_id} {self.state}"

    @property
    def page_count(self) -> int | None:
        """How many pages there will be, once page 0 has said so."""
        if self.total is None or not self.page_size:
            return None
        return max(1, -(-self.total // self.page_size))


class Batch(models.Model):
    """Some pages of a pull, committed together with their profiles: where a takeover goes on from. A row of its own,
    so that a growing pull doesn't rewrite its whole bitmap each time; gone when the pull is published."""

    pull = models.ForeignKey(Pull, on_delete=models.CASCADE, related_name="batches")
    pages = models.JSONField()
    members = models.BinaryField()
    """The profile ids that these pages added."""

    def __str__(self) -> str:
        return f"{self.pull_id} {self.pages}"
