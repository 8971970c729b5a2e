"""Who the people are: profiles, the cohorts they are in, and the refreshes that brought them."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from integrations.models import InboundPage
from notifly_console.tenancy.models import Project


class Profile(models.Model):
    """An end customer of a project, known by `external_id`. Its id is never reused: bitmaps hold it."""

    # No constraint in the database: it was a quarter of the time that a first refresh takes, and rows are only written
    # under a Refresh, whose own project is constrained.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    external_id = models.CharField(max_length=255)
    distinct_id = models.CharField(max_length=255)
    is_anonymous = models.BooleanField(default=False)
    phone = models.CharField(max_length=16, null=True)
    """E.164 where it is a reachable mobile number (product.md §3), else null with `phone_reason`."""
    phone_raw = models.CharField(max_length=255, blank=True)
    phone_reason = models.CharField(max_length=24, blank=True)
    email = models.CharField(max_length=254, null=True)
    """In lower case, which is also how it is searched for."""
    email_raw = models.CharField(max_length=255, blank=True)
    email_reason = models.CharField(max_length=24, blank=True)
    marketing_consent = models.BooleanField(default=False)
    night_consent = models.BooleanField(default=False)
    """To advertising between 21:00 and 08:00, which the other doesn't include (정보통신망법 제50조 ③)."""
    properties = models.JSONField(default=dict)
    digest = models.BigIntegerField(default=0)
    """Of everything above as it came: an equal digest means that nothing is to be written."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # The pattern operators let a search by the beginning of an id use the index whatever the collation.
            models.UniqueConstraint(
                fields=["project", "external_id"],
                name="profile_once",
                opclasses=["uuid_ops", "text_pattern_ops"],
            ),
            models.CheckConstraint(
                condition=Q(phone=None, phone_reason__gt="") | Q(phone__isnull=False, phone_reason=""),
                name="profile_phone_or_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["phone"],
                condition=Q(phone__isnull=False),
                name="profile_phone",
                opclasses=["text_pattern_ops"],
            ),
            models.Index(
                fields=["email"],
                condition=Q(email__isnull=False),
                name="profile_email",
                opclasses=["text_pattern_ops"],
            ),
            models.Index(fields=["project", "-id"], name="profile_of_project"),
        ]

    def __str__(self) -> str:
        return self.external_id


class FacetChunk(models.Model):
    """What audiences ask of the profiles whose id divided by 16,384 is `number`: `people/facets.py` reads it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.BigIntegerField()
    stamp = models.BigIntegerField(default=0)
    """Another one with every change."""
    sets = models.BinaryField(default=b"")
    digits = models.BinaryField(default=b"")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "number"], name="facet_chunk_once")]

    def __str__(self) -> str:
        return f"{self.project_id} {self.number}"


LARGEST_FIRST = Coalesce("size", Value(-1)).desc()
"""Cohorts by size, those that were never read at the end; in these words it is what an index of theirs holds."""
UNUSUAL = Q(held__isnull=False) | Q(failed_at__isnull=False) | Q(vanished_at__isnull=False) | Q(is_visible=False)
"""Cohorts that stand in one of the states that the list counts; in these words an index of theirs holds them."""


class Cohort(models.Model):
    """A named set of profiles that Mixpanel owns. Rows stay when Mixpanel drops them, so that history can be read."""

    SOURCE = "mixpanel"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    source_id = models.BigIntegerField()
    name = models.TextField()
    name_key = models.CharField(max_length=100)
    """The beginning of the name in lower case: what lists are sorted by. (An index can't take a name of any length.)"""
    description = models.TextField(blank=True)
    reported_size = models.BigIntegerField(null=True)
    """What Mixpanel's list says; the pull may differ (mixpanel.md §0.6)."""
    is_visible = models.BooleanField(default=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    is_listed = models.BooleanField(default=True)
    """Whether Mixpanel's list has ever held it. One that only comes by push isn't pulled, and can't vanish."""
    vanished_at = models.DateTimeField(null=True)
    """Since when Mixpanel's list doesn't hold it."""
    pushed_at = models.DateTimeField(null=True)
    """When a push session was last applied to it; null for one that only comes by pull."""

    # What every list shows, copied from the current snapshot when it is published.
    current = models.ForeignKey("Snapshot", on_delete=models.SET_NULL, null=True, related_name="+")
    held = models.ForeignKey("Snapshot", on_delete=models.SET_NULL, null=True, related_name="+")
    """A result that waits for a person: empty, or less than half of the current version."""
    number = models.IntegerField(default=0)
    size = models.BigIntegerField(null=True)
    joined_count = models.BigIntegerField(default=0)
    left_count = models.BigIntegerField(default=0)
    refreshed_at = models.DateTimeField(null=True)
    """When its membership was last read whole, changed or not."""

    failed_at = models.DateTimeField(null=True)
    """When the last pull failed; null again once one succeeds."""
    failure = models.CharField(max_length=32, blank=True)

    needed_at = models.DateTimeField(null=True)
    """When something of a higher room will want it (a campaign about to go)."""
    watched_at = models.DateTimeField(null=True)
    """When somebody last opened it."""
    planned_at = models.DateTimeField(null=True)
    """The last moment for which its recurring refresh was asked for (`cohorts/pull/plan.py`)."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "source_id"], name="cohort_once"),
            models.CheckConstraint(condition=Q(size=None) | Q(size__gte=0), name="cohort_size_not_negative"),
            models.CheckConstraint(
                condition=Q(failed_at=None, failure="") | Q(failed_at__isnull=False, failure__gt=""),
                name="cohort_failure_or_none",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "name_key", "id"], name="cohort_by_name"),
            models.Index("project", LARGEST_FIRST, "name_key", "id", name="cohort_by_size"),
            models.Index(fields=["project"], condition=UNUSUAL, name="cohort_unusual"),
        ]

    def __str__(self) -> str:
        return self.screen_id

    @property
    def screen_id(self) -> str:
        """As it is written on screen and in commands: `mixpanel_2785620`."""
        return f"{self.SOURCE}_{self.source_id}"


class SnapshotState(models.TextChoices):
    PUBLISHED = "published", _("적용됨")
    HELD = "held", _("확인 필요")
    DISCARDED = "discarded", _("버림")


class Snapshot(models.Model):
    """One immutable version of a cohort's membership. The sets are serialised 64-bit Roaring bitmaps of profile ids."""

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="snapshots")
    number = models.IntegerField()
    state = models.CharField(max_length=12, choices=SnapshotState.choices, default=SnapshotState.PUBLISHED)
    members = models.BinaryField()
    joined = models.BinaryField()
    left = models.BinaryField()
    size = models.BigIntegerField()
    joined_count = models.BigIntegerField()
    left_count = models.BigIntegerField()
    reach = models.JSONField(default=dict)
    """{"reachable": n, "with_email": n, "anonymous": n, "phone": {reason: n}, "email": {reason: n}}"""
    refresh = models.ForeignKey("Refresh", on_delete=models.SET_NULL, null=True, related_name="+")
    session = models.ForeignKey("PushSession", on_delete=models.SET_NULL, null=True, related_name="+")
    """What brought it: a refresh, or a push session; neither for one that undoes another."""
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True)
    undoes = models.IntegerField(null=True)
    """Of one that a person made by undoing: the number of the version that was undone."""
    restores = models.IntegerField(null=True)
    """And the number of the version whose people these are."""
    returned_count = models.BigIntegerField(default=0)
    """Of the one after: how many joins and leaves of the undone version it brought again."""
    phone_mark = models.BigIntegerField(null=True)
    """The project's last `PhoneMoves` when it was published; null for one from before those were kept."""
    kept_until = models.DateTimeField(null=True)
    """Told by a higher room that still needs it (a campaign's run): it isn't forgotten before."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["cohort", "number"], name="snapshot_number_once"),
            models.CheckConstraint(condition=Q(size__gte=0, number__gte=1), name="snapshot_counts"),
            models.CheckConstraint(
                condition=Q(undoes=None, restores=None) | Q(undoes__isnull=False, restores__isnull=False),
                name="snapshot_undoes_and_restores",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cohort_id}.{self.number}"

    @property
    def road(self) -> str:
        """How it came: "pull", "push", "undo"; "" where that was forgotten."""
        if self.undoes is not None:
            return "undo"
        return "push" if self.session_id else "pull" if self.refresh_id else ""


class PhoneMoves(models.Model):
    """Whose phone changed in one batch of profiles: what two versions differ by beside their members. A phone belongs
    to a person, not to a version, so this is kept once for a project and not with each version."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(auto_now_add=True)
    changed = models.BinaryField(default=bytes)
    """Another reachable number than before."""
    lost = models.BinaryField(default=bytes)
    """No reachable number any more."""
    gained = models.BinaryField(default=bytes)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "id"], name="phone_moves_of_project")]

    def __str__(self) -> str:
        return f"{self.project_id} {self.pk}"


# -- Rules ------------------------------------------------------------------------------------------------------------
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
    keep_days = models.PositiveSmallIntegerField(null=True)
    """Versions older than this are forgotten too; null: only their number counts."""

    class Meta(Rhythm.Meta):
        constraints: ClassVar = [
            *Rhythm.Meta.constraints,
            models.CheckConstraint(condition=Q(keep_versions__gte=5, keep_versions__lte=100), name="keep_5_to_100"),
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


class UserGroup(models.Model):
    """A saved audience definition (유저 그룹). One of a pushed cohort is made by the sync and can't be edited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    name_key = models.CharField(max_length=100)
    """As a cohort's: what lists are sorted by."""
    description = models.TextField(blank=True)
    definition = models.JSONField(default=dict)
    """`cohorts/groups/conditions.py` reads it."""
    partner_cohort = models.OneToOneField(Cohort, on_delete=models.CASCADE, null=True, related_name="partner_group")
    """Of a group that stands for a pushed cohort: the cohort."""
    version = models.IntegerField(default=1)
    size = models.BigIntegerField(null=True)
    """As it was last counted, at `counted_at`."""
    counted_at = models.DateTimeField(null=True)
    made_by = models.CharField(max_length=254, blank=True)
    changed_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(size=None) | Q(size__gte=0), name="user_group_size_not_negative"),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "name_key", "id"], name="user_group_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_partner(self) -> bool:
        """Whether Mixpanel owns it: not to be edited here."""
        return self.partner_cohort_id is not None


class GroupNesting(models.Model):
    """That a group's definition asks about another one: where a group is used, and the lock against cycles."""

    outer = models.ForeignKey(UserGroup, on_delete=models.CASCADE, related_name="asks_about")
    inner = models.ForeignKey(UserGroup, on_delete=models.RESTRICT, related_name="used_in")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["outer", "inner"], name="group_nesting_once"),
            models.CheckConstraint(condition=~Q(outer=models.F("inner")), name="group_not_in_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.inner_id} in {self.outer_id}"


class GroupSize(models.Model):
    """How large a group was on a day, and how many of it could be reached: its statistics."""

    group = models.ForeignKey(UserGroup, on_delete=models.CASCADE, related_name="sizes")
    day = models.DateField()
    """In the project's zone."""
    size = models.BigIntegerField()
    reachable = models.BigIntegerField()
    with_email = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["group", "day"], name="group_size_once_a_day")]

    def __str__(self) -> str:
        return f"{self.group_id} {self.day}"


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


class Alias(models.Model):
    """A distinct id that turned out to be somebody with an identity. Where there were two profiles, `old_id` was the
    one that is gone: versions from before still hold it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(max_length=255)
    profile_id = models.BigIntegerField()
    old_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "external_id"], name="alias_once")]
        indexes: ClassVar = [
            models.Index(fields=["project", "at"], condition=Q(old_id__isnull=False), name="alias_of_gone"),
            models.Index(fields=["profile_id"], name="alias_of_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} is {self.profile_id}"
