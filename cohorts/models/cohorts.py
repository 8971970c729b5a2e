"""Cohorts and their versions."""

from typing import ClassVar

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from notifly_console.tenancy.models import Project

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
