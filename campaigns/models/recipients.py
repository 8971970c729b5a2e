"""The people of a run, one row each, and the groups in which they are handed to a provider."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from campaigns.models.runs import Run
from integrations.messaging import Reason


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
