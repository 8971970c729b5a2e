"""What a project has set for its sending, and the numbers that refused advertising."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifly_console.tenancy.models import Project


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
