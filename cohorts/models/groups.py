"""User groups."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from cohorts.models.cohorts import Cohort
from notifly_console.tenancy.models import Project


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

    @property
    def known_size(self) -> int | None:
        """How many were in it when that was last looked at; null if it never was. A partner's group is its cohort,
        whichever road changes that."""
        return self._cohort_read.size if self._cohort_read else self.size

    @property
    def known_at(self) -> datetime | None:
        """When that was."""
        return self._cohort_read.refreshed_at if self._cohort_read else self.counted_at

    @property
    def _cohort_read(self) -> Cohort | None:
        return self.partner_cohort if self.partner_cohort and self.partner_cohort.current_id else None


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
