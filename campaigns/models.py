"""What they are told: campaigns, their runs, and one recipient a person and run."""

import uuid
from typing import Any, ClassVar

from django.conf import settings as conf
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from cohorts.models import Cohort, Snapshot, UserGroup
from integrations.messaging import Channel, Reason
from notifly_console.tenancy.models import Project


# -- What a project has set -------------------------------------------------------------------------------------------
class Freshness(models.TextChoices):
    """What happens when a cohort is older than the project wants at the moment of sending."""

    WARN = "warn", _("알려 주고 그대로 보내기")
    REFRESH = "refresh", _("먼저 리프레시하기")
    REFUSE = "refuse", _("보내지 않기")


class Night(models.TextChoices):
    """What happens to the people whom the night has overtaken."""

    WAIT = "wait", _("08:00까지 기다렸다 보내기")
    DROP = "drop", _("보내지 않기")


class Rules(models.Model):
    """A project's rules for sending; one row, made on first use."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+", primary_key=True)
    sender_name = models.CharField(_("발송자 이름"), max_length=40, blank=True)
    """Stands at the head of every advertising text (정보통신망법 제50조 ④)."""
    opt_out_number = models.CharField(_("무료 수신거부 번호"), max_length=16, blank=True)
    """Digits of the 080 number."""
    freshness_hours = models.PositiveIntegerField(default=24)
    freshness = models.CharField(max_length=8, choices=Freshness.choices, default=Freshness.WARN)
    night = models.CharField(max_length=4, choices=Night.choices, default=Night.WAIT)
    ceiling_won = models.PositiveBigIntegerField(null=True)
    """The most that one run may cost, fallback's worst case included; null: no ceiling."""
    brake_percent = models.PositiveIntegerField(default=20)
    """A run stops by itself when more than this share of the last results failed."""
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(freshness__in=Freshness.values), name="rules_freshness_known"),
            models.CheckConstraint(condition=Q(night__in=Night.values), name="rules_night_known"),
            models.CheckConstraint(condition=Q(brake_percent__gte=1, brake_percent__lte=100), name="rules_brake"),
        ]

    def __str__(self) -> str:
        return str(self.project_id)


class OptOutSource(models.TextChoices):
    OWN = "own", _("직접 등록")
    IMPORT = "import", _("파일 등록")
    PROVIDER = "provider", _("080 수신거부")


class OptOut(models.Model):
    """A number that refused advertising from this project. Asked at the moment of sending."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    phone = models.CharField(max_length=16)
    """E.164."""
    source = models.CharField(max_length=8, choices=OptOutSource.choices)
    note = models.CharField(max_length=200, blank=True)
    added_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "phone"], name="opt_out_once"),
            models.CheckConstraint(condition=Q(phone__startswith="+"), name="opt_out_e164"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class OptOutPull(models.Model):
    """When the provider's opt-out list was last taken over."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+", primary_key=True)
    pulled_at = models.DateTimeField(null=True)
    seen = models.PositiveIntegerField(default=0)
    """How many numbers it had."""
    problem = models.CharField(max_length=32, blank=True)
    """Why the last try failed, a code of `failures.sending`; "" when it didn't."""
    tried_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.project_id)


class Upload(models.Model):
    """A CSV file as an audience: its rows with a usable number, and why the others were left out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    columns = models.JSONField(default=list)
    """Names of the file's columns, in order."""
    rows = models.BinaryField()
    """Deflated JSON lines `[phone, row number, {column: value}]` of the rows that can be sent to."""
    digits = models.BinaryField(default=b"")
    """The eight digits after 010 of each of these rows (`lib/digits.py`)."""
    consented = models.BinaryField(null=True)
    """A serialised bitmap of the places, from 1, of the rows that consent to advertising; null where no column says."""
    accepted = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=dict)
    """{"counts": {reason: n}, "examples": [[row number, reason, what stood there, masked], …]}, the first few."""
    refused_rows = models.BinaryField(null=True)
    """All of these lines, deflated as `rows` are; null for a file from before they were kept."""
    added_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Picture(models.Model):
    """A picture of a message, kept here and uploaded to the provider when it is first needed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=32)
    content = models.BinaryField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    uploaded = models.JSONField(default=dict)
    """The provider's id by kind of message and account; `campaigns/message/picture_ids.py` knows the keys."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


# -- A campaign -------------------------------------------------------------------------------------------------------
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


# -- One sending of it ------------------------------------------------------------------------------------------------
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


class RecipientState(models.TextChoices):
    """Forward only; `docs/sending.md` draws the arrows. Their counts always add up to the run's size."""

    PENDING = "pending", _("대기")
    CLAIMED = "claimed", _("넘기는 중")
    ACCEPTED = "accepted", _("결과 대기")
    DELIVERED = "delivered", _("도달")
    FAILED = "failed", _("실패")
    REFUSED = "refused", _("거절")
    SKIPPED = "skipped", _("제외")
    UNKNOWN = "unknown", _("결과 모름")


class SkipReason(models.TextChoices):
    """Why a recipient was left out at the moment of sending, after the audience was frozen."""

    OPTED_OUT = "opted_out", _("수신거부")
    NO_CONSENT = "no_consent", _("광고 수신 동의 철회")
    NIGHT = "night", _("야간이라 보내지 않음")
    NO_VALUE = "no_value", _("변수에 넣을 값 없음")
    TOO_LONG = "too_long", _("길이 초과")
    CHARACTERS = "characters", _("보낼 수 없는 문자")
    CANCELLED = "cancelled", _("발송 취소")
    GONE = "gone", _("삭제된 유저")


class Recipient(models.Model):
    """One person of one run. Written when the run is frozen; unique by number, so that nobody gets it twice."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="recipients", db_index=False)
    once_of = models.ForeignKey(Campaign, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    """The campaign whose runs together may have this number once only: of 이벤트 기반 발송."""
    profile_id = models.BigIntegerField(null=True)
    """Null for a row of a file. No foreign key: a profile may be erased, what was sent stays true."""
    external_id = models.CharField(max_length=255, blank=True)
    phone = models.CharField(max_length=16)
    values = models.JSONField(default=dict)
    """What the message's variables need, frozen: {field: value}."""
    state = models.CharField(max_length=9, choices=RecipientState.choices, default=RecipientState.PENDING)
    reason = models.CharField(max_length=24, blank=True)
    """A `SkipReason` of a skipped one, else a `Reason` of `integrations/messaging.py`."""
    code = models.CharField(max_length=16, blank=True)
    """The provider's own."""
    kind = models.CharField(max_length=12, blank=True)
    """What was handed over, or went out instead, by which it is priced: a `Kind`."""
    batch = models.ForeignKey("Batch", on_delete=models.SET_NULL, null=True, related_name="recipients", db_index=False)
    message_id = models.CharField(max_length=64, blank=True)
    was_replaced = models.BooleanField(default=False)
    """The fallback text goes, or went, out instead. Never unset: that is what lets it go out once only."""
    is_transient = models.BooleanField(default=False)
    """Of a failed one: a new attempt may make sense."""
    handed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "phone"], name="recipient_once", opclasses=["int8_ops", "text_pattern_ops"]
            ),
            models.UniqueConstraint(
                fields=["once_of", "phone"], condition=Q(once_of__isnull=False), name="recipient_once_of_campaign"
            ),
            models.CheckConstraint(condition=Q(state__in=RecipientState.values), name="recipient_state_known"),
            models.CheckConstraint(condition=Q(phone__startswith="+"), name="recipient_e164"),
            models.CheckConstraint(
                condition=~Q(state__in=["accepted", "delivered", "unknown"]) | Q(handed_at__isnull=False),
                name="recipient_handed_over_says_when",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "state", "id"], name="recipient_by_state"),
            models.Index(fields=["batch"], condition=Q(batch__isnull=False), name="recipient_of_batch"),
            models.Index(
                fields=["once_of", "profile_id"], condition=Q(once_of__isnull=False), name="recipient_of_live_campaign"
            ),
            # What became of one person, over all runs: by profile, else (a row of a file) by number.
            models.Index(fields=["profile_id"], condition=Q(profile_id__isnull=False), name="recipient_of_profile"),
            models.Index(fields=["phone"], condition=Q(profile_id=None), name="recipient_of_file"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def state_reason(self) -> Any:
        """The reason in words; "" where there is none or a code of a later version."""
        for choices in (SkipReason, Reason):
            if self.reason in choices.values:
                return choices(self.reason).label
        return self.reason


class BatchState(models.TextChoices):
    CLAIMED = "claimed", _("준비 중")
    TRIED = "tried", _("넘기는 중")
    SENT = "sent", _("넘김")
    RETURNED = "returned", _("되돌림")
    UNKNOWN = "unknown", _("결과 모름")
    CLOSED = "closed", _("결과 확인 끝")


class Batch(models.Model):
    """Recipients handed to a provider as one group. Its id in hex is our reference for the group."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches")
    state = models.CharField(max_length=8, choices=BatchState.choices, default=BatchState.CLAIMED)
    size = models.PositiveIntegerField()
    handle = models.CharField(max_length=64, blank=True)
    """The provider's name of the group, committed before anything is put in."""
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    problem = models.CharField(max_length=32, blank=True)
    """Why it was returned or is unknown: a code."""
    tried_at = models.DateTimeField(null=True)
    """The intent to dispatch, committed before the request leaves."""
    sent_at = models.DateTimeField(null=True)
    ask_at = models.DateTimeField(null=True)
    """When the provider is to be asked next: for reports, or how an unknown one ended."""
    asked_times = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=["tried", "sent", "unknown", "closed"]) | Q(tried_at__isnull=False),
                name="batch_tried_says_when",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "state"], name="batch_by_state"),
            models.Index(fields=["ask_at"], condition=Q(ask_at__isnull=False), name="batch_to_ask"),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="batch_leased"),
            models.Index(fields=["handle"], condition=Q(handle__gt=""), name="batch_by_handle"),
        ]

    def __str__(self) -> str:
        return self.id.hex


class Epoch(models.Model):
    """How often anything was about to be dispatched; one row. `campaigns/sending/epoch.py` knows what it is for."""

    token = models.UUIDField(default=uuid.uuid4)
    """Names this database's number where it is kept beside it."""
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)
