"""What the settings page shows of a sender."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from integrations import pace, senders
from integrations.failures import sending
from integrations.messaging import Kind
from integrations.models import Connection
from integrations.register import version_of
from integrations.sender_health import sender_health_of
from integrations.senders import Listing, SolapiSettings
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.access import Access, Right


def sender_context(request: HttpRequest, access: Access, **state: Any) -> dict[str, Any]:
    """Everything of `_sender.html`. `state`: what the person is just doing there (`registering` or `editing` with a
    form, `disconnecting`, `conflict`, `told`, `saved`, and `hook_secret`, which is shown this once)."""
    row = senders.row_of(access.project)
    found = senders.listing(access.project) if row else Listing()
    return {
        "row": row,
        "version": version_of(row) if row else "",
        "api_key": SolapiSettings.of(row).api_key if row else "",
        "health": sender_health_of(row) if row else None,
        "locked": row is not None and not _opens(row),
        "cannot_open": sending("cannot_open"),
        "listing": found,
        "problem": sending(found.problem) if found.problem else None,
        "prices": [(kind.label, found.prices.get(kind)) for kind in Kind] if found.prices else [],
        "approved": sum(template.is_sendable for template in found.templates),
        "hook_url": request.build_absolute_uri(reverse("solapi_reports", args=[access.project.hex])),
        "pace": pace.usage(row.pk) if row else None,
        "may_edit": access.may(Right.EDIT_CONNECTIONS),
        "may_refresh": access.may(Right.REFRESH),
        **state,
    }


def _opens(row: Connection) -> bool:
    """Whether the kept secret can be used; where it can't, the page asks for it again."""
    try:
        return bool(row.sealed_secret and row.secret())
    except CannotOpen:
        return False
