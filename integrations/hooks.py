"""The secret that a provider calls our webhook with: made by us, shown once, pasted at the provider.

SOLAPI sends the SHA-1 of it as a header. Only a digest of that is kept: who reads the database can't call.
"""

import hashlib
import secrets
from datetime import timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations.models import Connection, Kind
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.crypto import Secret

NOTED_EVERY = timedelta(minutes=1)
_NOBODYS = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


def make_secret(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> Secret:
    """A new secret in place of the one before, to be shown this once."""
    return Secret(set_secret(row, secrets.token_urlsafe(24), actor=actor, request=request))


@sensitive_variables("secret")
def set_secret(row: Connection, secret: str, *, actor: Any, request: HttpRequest | None = None) -> str:
    """Lets calls with this secret in, and none with another."""
    with transaction.atomic():
        # Not by save(): it is no change of the account, and must not make one of somebody's open forms stale.
        changes = {"hook_digest": _digest(sent_by(secret)), "hook_set_at": timezone.now(), "hook_called_at": None}
        Connection.objects.filter(pk=row.pk).update(**changes)
        record(
            Action.CONNECTION_SECRET_CHANGED,
            project_id=row.project_id,
            actor=actor,
            request=request,
            target=str(row.kind),
            what="webhook",
        )
    row.refresh_from_db(fields=list(changes))
    return secret


def sent_by(secret: str) -> str:
    """What SOLAPI puts in `X-Solapi-Secret` for a secret: its SHA-1 in hex (SOLAPI's own choice)."""
    return hashlib.sha1(secret.encode()).hexdigest()  # noqa: S324


def caller(project_id: UUID | None, header: str) -> Connection | None:
    """The project's connection whose secret the header is made of; None for whatever is wrong with it, in the same
    time."""
    row = Connection.objects.filter(project_id=project_id, kind=Kind.SOLAPI).first() if project_id else None
    kept = row.hook_digest if row and row.hook_digest else _NOBODYS
    is_right = compare_digest(_digest(header.strip().lower()), kept)
    return row if is_right else None


def note_call(row: Connection) -> None:
    """Remembers, to the minute, that the provider has called."""
    now = timezone.now()
    stale = Q(hook_called_at=None) | Q(hook_called_at__lt=now - NOTED_EVERY)
    Connection.objects.filter(stale, pk=row.pk).update(hook_called_at=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
