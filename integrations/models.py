"""Connections to outside systems, and what we have asked of them lately."""

import uuid
from typing import ClassVar

from django.conf import settings as conf
from django.db import models
from django.db.models import Q

from notifly_console.lib.crypto import KeyRing, Secret
from notifly_console.tenancy.models import ApiKey, Project


class Kind(models.TextChoices):
    """An outside system that a project can be connected to."""

    MIXPANEL = "mixpanel", "Mixpanel"
    SOLAPI = "solapi", "SOLAPI"


class Connection(models.Model):
    """Credentials and settings for one outside system. The secret is sealed and bound to this row and project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="connections")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    settings = models.JSONField(default=dict)
    """What isn't secret, in the vendor's terms; `integrations/connect.py` reads it into a typed value."""
    sealed_secret = models.TextField(blank=True)
    secret_hint = models.CharField(max_length=4, blank=True)
    secret_set_at = models.DateTimeField(null=True)
    secret_set_by = models.CharField(max_length=254, blank=True)
    health = models.JSONField(default=dict)
    """The last connection test: its steps, and when it ran."""
    hook_digest = models.CharField(max_length=64, blank=True)
    """Of a sender: SHA-256 of what its calls to our webhook must carry; `integrations/hooks.py`."""
    hook_set_at = models.DateTimeField(null=True)
    hook_called_at = models.DateTimeField(null=True)
    """When it last called with it."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "kind"], name="connection_once"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="connection_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.project_id}"

    @property
    def _bound_to(self) -> tuple[str, str, str, str]:
        return (self._meta.db_table, "sealed_secret", self.id.hex, self.project_id.hex)

    def set_secret(self, plain: str) -> None:
        """Seals `plain` into this row; the caller saves it."""
        ring: KeyRing = conf.CREDENTIALS_KEYS
        self.sealed_secret = ring.seal(plain, bound_to=self._bound_to)
        self.secret_hint = plain[-4:] if len(plain) >= 12 else ""

    def secret(self) -> Secret:
        """The secret. Raises CannotOpen when its key is gone or the row was altered."""
        ring: KeyRing = conf.CREDENTIALS_KEYS
        return ring.open(self.sealed_secret, bound_to=self._bound_to)


class Budget(models.Model):
    """What we know of one Mixpanel project's query limits. Its row is the lock that counting is done under: several
    projects of the console may share one of Mixpanel's."""

    region = models.CharField(max_length=2)
    mixpanel_project_id = models.BigIntegerField()
    blocked_until = models.DateTimeField(null=True)
    """Set when Mixpanel itself said that the hour is used up: others than us query that project, too."""
    pages_counted_at = models.DateTimeField(null=True)
    """When session pages were last seen to count as queries (Mixpanel's documents are silent)."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["region", "mixpanel_project_id"], name="budget_once"),
        ]

    def __str__(self) -> str:
        return f"{self.region}/{self.mixpanel_project_id}"


class Query(models.Model):
    """One request that takes one of the hour's sixty: committed before it is sent, so that a crash can't forget it."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="queries", db_index=False)
    at = models.DateTimeField()
    """By the database's clock."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["budget", "at"], name="query_of_hour")]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.at}"


class Place(models.Model):
    """One of the five places for queries at once. A pull keeps its places over its pages, so that a page costs no
    statement; a worker that dies keeps them until the lease ends or its successor comes."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="places")
    holder = models.CharField(max_length=80)
    lease_until = models.DateTimeField()
    """By the database's clock; longer than any request may last."""

    def __str__(self) -> str:
        return f"{self.budget_id} {self.holder}"


class InboundKind(models.TextChoices):
    """What an outside system calls us about. Each kind is handed over to exactly one handler (`inbox.py`)."""

    COHORT_PAGE = "cohort_page", "Mixpanel cohort page"


class InboundState(models.TextChoices):
    """How far the console is with a page that it has acknowledged."""

    NEW = "new"
    TAKEN = "taken"
    """Read into what it belongs to; that isn't settled yet."""
    APPLIED = "applied"
    DROPPED = "dropped"


class InboundPage(models.Model):
    """One call from outside as it came: acknowledged only once it is here. Its id is the order of arrival. The body is
    compressed and sealed, and goes some days after it was settled."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=24, choices=InboundKind.choices)
    subject = models.BigIntegerField(default=0)
    """What it is about, so that its handler finds its own: of a cohort page, Mixpanel's cohort id."""
    fingerprint = models.CharField(max_length=64)
    """SHA-256 of what it says; the same page again is a repeat."""
    envelope = models.JSONField(default=dict)
    """What it says beside the people, by the handler's names."""
    body = models.BinaryField()
    sealed_with = models.CharField(max_length=16)
    """The id of the key that opens the body."""
    size = models.IntegerField()
    """Bytes as they came over the wire."""
    state = models.CharField(max_length=12, choices=InboundState.choices, default=InboundState.NEW)
    reason = models.CharField(max_length=48, blank=True)
    """Why it was dropped."""
    repeats = models.IntegerField(default=0)
    api_key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    received_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True)
    """When it was applied or dropped."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "kind", "fingerprint"], name="inbound_once"),
            models.CheckConstraint(condition=Q(kind__in=InboundKind.values), name="inbound_kind_known"),
            models.CheckConstraint(
                condition=Q(state__in=["new", "taken"], settled_at=None)
                | Q(state__in=["applied", "dropped"], settled_at__isnull=False),
                name="inbound_settled_or_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "kind", "subject", "id"], condition=Q(state="new"), name="inbound_new"),
            models.Index(fields=["settled_at"], condition=Q(settled_at__isnull=False), name="inbound_settled"),
            models.Index(fields=["project", "-id"], name="inbound_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.kind} {self.state}"


class Inlet(models.Model):
    """What a project's webhook for Mixpanel knows: whose pages it takes, and how their people are read while no
    service account is connected (a connection's settings win, so that both roads have one identity)."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    mixpanel_project_id = models.BigIntegerField(null=True)
    """Of the first page that came. Pages of another one are refused."""
    bound_at = models.DateTimeField(null=True)
    phone_column = models.CharField(max_length=255, default="$phone")
    email_column = models.CharField(max_length=255, default="$email")
    identity_column = models.CharField(max_length=255, blank=True)
    marketing_consent_column = models.CharField(max_length=255, blank=True)
    night_consent_column = models.CharField(max_length=255, blank=True)
    drop_unknown = models.BooleanField(default=False)
    confirmed_for = models.CharField(max_length=48, blank=True)
    """The columns with which somebody has confirmed the first large import; with others it is asked for again."""
    confirmed_at = models.DateTimeField(null=True)
    confirmed_by = models.CharField(max_length=254, blank=True)
    refused_at = models.DateTimeField(null=True)
    """When a call was last turned away, and why."""
    refused_reason = models.CharField(max_length=48, blank=True)

    def __str__(self) -> str:
        return f"inlet of {self.project_id}"


class Pace(models.Model):
    """When the next request to a provider's account may leave: `integrations/pace.py`."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="+")
    next_at = models.DateTimeField(null=True)
    held_until = models.DateTimeField(null=True)
    """Both by the database's clock."""

    def __str__(self) -> str:
        return str(self.pk)


class SenderListing(models.Model):
    """What a provider's account offers, as it was when it was last asked: `integrations/senders.py` reads it."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="+")
    data = models.JSONField(default=dict)
    """Channels, numbers, templates, balance, prices, and the account's id."""
    fetched_at = models.DateTimeField(null=True)
    """When all of it was last fetched; null: never."""
    problem = models.CharField(max_length=32, blank=True)
    """Why the last attempt failed: a code of `failures.sending`; "" when it didn't."""
    tried_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.pk)
