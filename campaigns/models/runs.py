"""One sending of a campaign, and whom it left out."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from campaigns.models.materials import Upload
from cohorts.models import Snapshot
from integrations.messaging import Channel
from notifly_console.tenancy.models import Project


class RunKind(models.TextChoices):
    REGULAR = "regular", _("발송")
    RETRY = "retry", _("재발송")
    TEST = "test", _("테스트")


class RunState(models.TextChoices):
    QUEUED = "queued", _("대기")
    FREEZING = "freezing", _("발송 대상 확정 중")
    SENDING = "sending", _("발송 중")
    DONE = "done", _("발송 완료")
    CANCELLED = "cancelled", _("발송 취소")
    SKIPPED = "skipped", _("건너뜀")


RUN_LIVE = (RunState.QUEUED, RunState.FREEZING, RunState.SENDING)


class Run(models.Model):
    """One sending of a campaign (집행): the moment it was due, the version of the cohort, the people, the outcome."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    """Where it stands among all of the campaign's runs, tests included: its address."""
    ordinal = models.PositiveIntegerField(null=True)
    """Which of the campaign's sendings it is, from 1; null for a test, which is none of them."""
    kind = models.CharField(max_length=8, choices=RunKind.choices, default=RunKind.REGULAR)
    due_at = models.DateTimeField()
    """The moment that the clock or a person meant; one run for each."""
    state = models.CharField(max_length=12, choices=RunState.choices, default=RunState.QUEUED)
    skipped_for = models.CharField(max_length=32, blank=True)
    """Of a skipped one: why nobody was sent to."""
    retry_of = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="retry")
    requested_by = models.CharField(max_length=254, blank=True)

    # Frozen at launch.
    channel = models.CharField(max_length=12, choices=Channel.choices)
    message = models.JSONField(default=dict)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.SET_NULL, null=True, related_name="+")
    snapshot_number = models.IntegerField(null=True)
    upload = models.ForeignKey(Upload, on_delete=models.PROTECT, null=True, related_name="+")
    joined = models.BinaryField(null=True)
    """Of a run of 이벤트 기반 발송: those who came in (a serialised bitmap), as they were when it was made."""
    chosen = models.BinaryField(null=True)
    """While it is frozen, whom the plan chose (a serialised bitmap): written before the first recipient is."""
    frozen_upto = models.BigIntegerField(default=0)
    """The last of them whose recipient is written."""
    funnel = models.JSONField(default=list)
    """`campaigns/audience/plan.py`: the steps from the audience to the recipients, as they were when it was frozen."""
    size = models.BigIntegerField(null=True)
    """How many recipients; null until they are frozen."""
    expected_won = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    unit_prices = models.JSONField(default=dict)
    """Won by kind of message, as text, when it was frozen."""

    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    """Nobody is claimed before: the night, a refresh that is waited for, a provider that wants a rest."""
    waiting_for = models.CharField(max_length=32, blank=True)
    """Of a live one that doesn't go on now: why, a code of `campaigns/sending/history.py`."""
    troubles = models.PositiveIntegerField(default=0)
    """Batches in a row that the provider didn't take for the moment: each makes the next pause longer."""
    watched_from = models.DateTimeField(null=True)
    """Failures before it don't count for the brake: a person has seen them and let the run go on."""
    sends_fallback = models.BooleanField(default=False)
    """The provider doesn't send the fallback text by itself: we do, when a failure is reported."""
    canary_until = models.DateTimeField(null=True)
    """Of a large run: until when the rest waits for what becomes of the first few."""
    started_at = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(null=True)
    """When nobody was left to be handed over; reports may still come."""
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # Kept once no result can come any more, so that no page counts a million people again.
    settled_at = models.DateTimeField(null=True)
    outcome = models.JSONField(default=list)
    """`campaigns/sending/tally.py`: how many ended in each state for each reason."""
    delivered_count = models.BigIntegerField(default=0)
    failed_count = models.BigIntegerField(default=0)
    unknown_count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once"),
            models.UniqueConstraint(fields=["campaign", "ordinal"], name="run_ordinal_once"),
            models.UniqueConstraint(
                fields=["campaign", "due_at"], condition=Q(kind="regular"), name="run_once_for_each_moment"
            ),
            # Whom a campaign has sent to is asked for before somebody is chosen: two may not choose at once.
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(joined__isnull=False, state__in=["queued", "freezing"]),
                name="run_of_joins_one_at_a_time",
            ),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(condition=Q(kind__in=RunKind.values), name="run_kind_known"),
            models.CheckConstraint(condition=Q(kind="retry") | Q(retry_of=None), name="run_retry_of"),
            models.CheckConstraint(
                condition=Q(state__in=RUN_LIVE, finished_at=None)
                | (~Q(state__in=RUN_LIVE) & Q(finished_at__isnull=False)),
                name="run_finished_or_live",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-created_at"], name="run_of_project"),
            models.Index(fields=["state"], condition=Q(state__in=RUN_LIVE), name="run_live"),
            models.Index(fields=["campaign"], condition=Q(settled_at=None) & ~Q(state="skipped"), name="run_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}.{self.number}"

    @property
    def which(self) -> int:
        """Its ordinal; of a test its number."""
        return self.ordinal or self.number

    @property
    def title(self) -> str:
        """What people call it: 3회차, or 테스트."""
        if self.kind == RunKind.TEST:
            return str(RunKind.TEST.label)
        return gettext("%(number)s회차") % {"number": self.which}


class LeftOut(models.Model):
    """Whom a run left out for one reason when its audience was frozen."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="left_out", db_index=False)
    step = models.CharField(max_length=16)
    reason = models.CharField(max_length=300)
    """Both as in `campaigns/audience/funnel.py`."""
    people = models.BinaryField()
    """A serialised bitmap of profile ids; of a file, of the places of its rows."""
    count = models.BigIntegerField()
    lowest = models.BigIntegerField()
    highest = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step", "reason"], name="left_out_once"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.step} {self.reason}"
