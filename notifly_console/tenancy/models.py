"""People of the console and the projects they belong to."""

import uuid
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Makes people; e-mail addresses are kept in lower case, so that one person is one row."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who signs in to the console. (The people in cohorts are profiles.)"""

    email = models.EmailField(_("이메일"), unique=True)
    name = models.CharField(_("이름"), max_length=80, blank=True)
    language = models.CharField(_("언어"), max_length=8, blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return str(self)


class Role(models.TextChoices):
    """What a member is in a project; what each may do is the table in `access.py`."""

    OWNER = "owner", _("소유자")
    ADMIN = "admin", _("관리자")
    MARKETER = "marketer", _("마케터")
    VIEWER = "viewer", _("뷰어")


class Project(models.Model):
    """A tenant: its people, connections and data. Its id is shown as 32 hex digits."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("프로젝트 이름"), max_length=80)
    requires_second_factor = models.BooleanField(_("관리자 2단계 인증 필수"), default=False)
    time_zone = models.CharField(_("시간대"), max_length=64, default="Asia/Seoul")
    """Name of the zone (IANA) in which the project's days and hours are meant."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def hex(self) -> str:
        """The id as it is written in addresses and shown on screen."""
        return self.id.hex


class Member(models.Model):
    """A user in a project, with a role."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("역할"), max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "user"], name="member_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="member_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Session(AbstractBaseSession):
    """A browser's session; of a signed-in person it names them, so that their sessions can be listed and ended."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")

    @classmethod
    def get_session_store_class(cls) -> Any:
        from notifly_console.tenancy.session_store import SessionStore

        return SessionStore


class Invitation(models.Model):
    """A link that lets one e-mail address join a project once, until it expires or is withdrawn."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("이메일"))
    role = models.CharField(_("역할"), max_length=16, choices=Role.choices)
    token_digest = models.CharField(max_length=64, unique=True)  # SHA-256; the token itself is kept nowhere
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project", "email"],
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="invitation_open_once",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_expired(self) -> bool:
        """Whether nobody may join by it any more because its days are over."""
        return self.expires_at <= timezone.now()


class ApiKey(models.Model):
    """A key pair that an outside system calls the console with. Only a digest of the secret is kept: it has 256 random
    bits, which is why a plain SHA-256 will do. Rows stay when a key is revoked, so that it can be told what it did."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    access_key = models.CharField(max_length=32, unique=True)
    secret_digest = models.CharField(max_length=64)
    secret_hint = models.CharField(max_length=4, blank=True)
    """The secret's last characters, to tell keys apart by."""
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=254, blank=True)
    last_used_at = models.DateTimeField(null=True)
    """Written at most once a minute."""
    last_used_from = models.GenericIPAddressField(null=True)
    last_used_for = models.CharField(max_length=120, blank=True)
    """Which connection called: `mixpanel 2195193/0`, the project and integration in Mixpanel's words."""
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=254, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "-created_at"], name="api_key_of_project")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(secret_digest__regex="^[0-9a-f]{64}$"),  # noqa: S106 -- a pattern
                name="api_key_digest_is_sha256",
            )
        ]

    def __str__(self) -> str:
        return self.access_key
