"""API keys: what outside systems call the console with. Issue, check, revoke.

Several keys of a project may be live at once: the new one is entered in Mixpanel while the old one still works, and is
revoked when it isn't used any more. So rotating causes no outage.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.compiled import Compiled, Slot
from notifly_console.lib.crypto import Secret
from notifly_console.tenancy.models import ApiKey, Project

MOST_LIVE = 10
SECRET_BYTES = 32
NOTED_EVERY = timedelta(minutes=1)
CHANGE_NOTED_EVERY = timedelta(seconds=5)
LOOKED_EVERY_SECONDS = 5.0
_seen: frozenset[tuple[str, str]] = frozenset()
_seen_at = -LOOKED_EVERY_SECONDS
_LIVE: Compiled[ApiKey] = Compiled(
    lambda: ApiKey.objects.filter(access_key=Slot("access_key", CharField()), revoked_at=None)
)
_NOBODYS = hashlib.sha256(secrets.token_bytes(SECRET_BYTES)).hexdigest()


class TooManyKeys(Exception):
    """The project has as many live keys as it may: revoke one that isn't used."""


class AlreadyRevoked(Exception):
    """Somebody else has revoked the key meanwhile."""


@dataclass(frozen=True)
class Issued:
    """A new key, with the secret that is shown this once."""

    key: ApiKey
    secret: Secret


def issue(project: Project, *, actor: Any = None, request: HttpRequest | None = None) -> Issued:
    """A new live key of the project. `actor` is a user; None: a command. Raises TooManyKeys."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        # A lock that no page coming in waits for.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if live(project).count() >= MOST_LIVE:
            raise TooManyKeys
        key = ApiKey.objects.create(
            project=project,
            access_key=secrets.token_hex(16),
            secret_digest=_digest(secret),
            secret_hint=secret[-4:],
            created_by=getattr(actor, "email", ""),
        )
        record(Action.API_KEY_ISSUED, project_id=project.pk, actor=actor, request=request, target=key.access_key)
    return Issued(key, Secret(secret))


def live(project: Project) -> QuerySet[ApiKey]:
    """The keys that open something, the newest first."""
    return ApiKey.objects.filter(project=project, revoked_at=None).order_by("-created_at", "-pk")


@sensitive_variables("secret")
def check(project_id: UUID | None, access_key: str, secret: str) -> ApiKey | None:
    """The project's live key with this access key and secret, else None. Takes as long whatever is wrong: the digest
    of what was sent is compared with one in any case."""
    key = _LIVE.first(access_key=access_key)
    matches = compare_digest(_digest(secret), key.secret_digest if key else _NOBODYS)
    return key if key is not None and matches and key.project_id == project_id else None


@sensitive_variables("secret")
def was_live(access_key: str, secret: str) -> bool:
    """Whether there was a live key like this some seconds ago. Asks the database once in LOOKED_EVERY_SECONDS at most,
    however often it is called: for when somebody tries many."""
    global _seen, _seen_at
    if time.monotonic() - _seen_at > LOOKED_EVERY_SECONDS:
        _seen = frozenset(ApiKey.objects.filter(revoked_at=None).values_list("access_key", "secret_digest"))
        _seen_at = time.monotonic()
    return (access_key, _digest(secret)) in _seen


def note_use(key: ApiKey, *, address: str | None, what: str) -> None:
    """Notes when, from where and for what the key was used: at most once a minute, sooner where that changes. `key` is
    as it was just read."""
    now = timezone.now()
    is_same = (key.last_used_from, key.last_used_for) == (address, what)
    before = now - (NOTED_EVERY if is_same else CHANGE_NOTED_EVERY)
    if key.last_used_at is None or key.last_used_at < before:
        old = Q(last_used_at=None) | Q(last_used_at__lt=before)
        ApiKey.objects.filter(old, pk=key.pk).update(last_used_at=now, last_used_from=address, last_used_for=what)


def revoke(key: ApiKey, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Ends the key at once: the next call with it is refused. Raises AlreadyRevoked."""
    with transaction.atomic():
        changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(
            revoked_at=timezone.now(), revoked_by=getattr(actor, "email", "")
        )
        if not changed:
            raise AlreadyRevoked
        record(Action.API_KEY_REVOKED, project_id=key.project_id, actor=actor, request=request, target=key.access_key)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
