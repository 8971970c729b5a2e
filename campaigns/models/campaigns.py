"""A campaign, how far it has looked at who came in, and its history."""

import uuid
from typing import ClassVar

from django.conf import settings as conf
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.materials import Upload
from cohorts.models import Cohort, UserGroup
from integrations.messaging import Channel
from notifly_console.tenancy.models import Project


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("드래프트")
    ACTIVE = "active", _("액티브")
    INACTIVE = "inactive", _("비활성")
    ENDED = "ended", _("종료")


class AudienceKind(models.TextChoices):
    COHORT = "cohort", _("외부 툴 연동 코호트")
    GROUP = "group", _("유저 그룹 설정")
    CSV = "csv", _("CSV 파일")


class Kept(models.Manager["Campaign"]):
    """Campaigns that weren't deleted."""

    def get_queryset(self) -> models.QuerySet["Campaign"]:
        return super().get_queryset().filter(deleted_at=None)


class Campaign(models.Model):
    """Channel + timing + audience + message. What it did is in its runs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("캠페인 이름"), max_length=120, blank=True)
    description = models.TextField(_("캠페인 설명"), blank=True)
    author = models.ForeignKey(conf.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=8, choices=CampaignState.choices, default=CampaignState.DRAFT)

    channel = models.CharField(max_length=12, choices=Channel.choices, blank=True)
    timing = models.JSONField(default=dict)
    """`campaigns/sending/schedule.py` reads it."""
    audience_kind = models.CharField(max_length=8, choices=AudienceKind.choices, blank=True)
    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, null=True, related_name="+")
    group = models.ForeignKey(UserGroup, on_delete=models.PROTECT, null=True, related_name="+")
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, null=True, related_name="+")
    message = models.JSONField(default=dict)
    """`campaigns/message/check.py` reads it."""
    kept = models.JSONField(default=dict)
    """Messages of the other channels, by channel: a change of mind in the builder loses nothing."""
    edited_by = models.CharField(max_length=254, blank=True)
    """Who saved it last: whom a conflict is with."""
    edited_at = models.DateTimeField(null=True)
    edited_from = models.CharField(max_length=32, blank=True)
    """The open page that saved it last: what it sends next is no conflict, even when the answer to a save got lost."""

    version = models.IntegerField(default=0)
    """Raised with every save of the draft; a save that was made on an older one is a conflict."""
    next_run_at = models.DateTimeField(null=True)
    """When the clock makes the next run; null when there is none to come, or none while it is inactive."""
    brake = models.CharField(max_length=32, blank=True)
    """Why it stopped by itself: a code of `campaigns/sending/brake.py`; "" unless it did."""
    launched_at = models.DateTimeField(null=True)
    launched_by = models.CharField(max_length=254, blank=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True)
    """Since when it is in no list; its rows go little by little."""

    objects = Kept()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=CampaignState.values), name="campaign_state_known"),
            models.CheckConstraint(condition=Q(channel__in=[*Channel.values, ""]), name="campaign_channel_known"),
            models.CheckConstraint(
                condition=Q(state=CampaignState.DRAFT, launched_at=None)
                | (~Q(state=CampaignState.DRAFT) & Q(launched_at__isnull=False)),
                name="campaign_launched_or_draft",
            ),
            models.CheckConstraint(
                condition=Q(next_run_at=None) | Q(state=CampaignState.ACTIVE), name="campaign_runs_only_while_active"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-created_at"], name="campaign_of_project"),
            models.Index(fields=["next_run_at"], condition=Q(next_run_at__isnull=False), name="campaign_due"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    @property
    def is_editable(self) -> bool:
        """Only a draft and an inactive campaign may be changed (product.md §2.4)."""
        return self.state in (CampaignState.DRAFT, CampaignState.INACTIVE)

    @property
    def is_deletable(self) -> bool:
        """Only a draft and an ended campaign may be deleted (product.md §2.4)."""
        return self.state in (CampaignState.DRAFT, CampaignState.ENDED)


class Watch(models.Model):
    """How far a campaign of 이벤트 기반 발송 has looked at who came into a cohort: its own, or one of its group's."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="watches")
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    """(No constraint: whoever publishes a version holds the cohort's row and wakes the campaign.)"""
    number = models.IntegerField()
    """The version up to which those who came in are accounted for."""
    since = models.DateTimeField()
    """Who came in before isn't sent to."""
    was_in = models.BigIntegerField(default=0)
    """How many were in then."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["campaign", "cohort"], name="watch_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id} up to {self.number}"


class CampaignEvent(models.Model):
    """A line of a campaign's history as its page shows it. Added, never changed."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="events")
    run = models.ForeignKey("Run", on_delete=models.CASCADE, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    what = models.CharField(max_length=32)
    """A code of `campaigns/sending/history.py`."""
    by = models.CharField(max_length=254, blank=True)
    details = models.JSONField(default=dict)
    """Short facts in our own words, never a phone number."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["campaign", "-id"], name="campaign_event_of")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.what}"
