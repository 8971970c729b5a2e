"""Writing to the audit log, in the transaction of what it records."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.lib.visitors import address_of

SYSTEM = "system"


def record(
    action: Action,
    *,
    project_id: UUID | None,
    actor: Any = None,
    request: HttpRequest | None = None,
    target: str = "",
    **details: Any,
) -> Entry:
    """Adds one entry. `actor` is a user (None: the system, e.g. a command); `details` are short, JSON-able facts in
    our own words, never a secret, a phone number or an e-mail address of a profile."""
    return Entry.objects.create(
        project_id=project_id,
        actor_id=getattr(actor, "pk", None),
        actor=getattr(actor, "email", "") or SYSTEM,
        action=action,
        target=target[:255],
        details=details,
        address=address_of(request) if request else None,
        request_id=getattr(request, "request_id", "") if request else "",
    )
