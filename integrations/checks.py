"""System checks at start: no sealed credential may be under a key that the console wasn't given."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from integrations.models import Connection, InboundPage
from integrations.rotate import UNREADABLE, keys_in_use, wrong_keys


@register(Tags.security)
def keys_of_credentials(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Names the key ids that are still in use and missing from CREDENTIALS_KEYS, or that are there with other bytes.
    Looks only where the database may be asked (`manage.py check --database default`) and is set up."""
    if "default" not in (databases or ()):
        return []
    tables = set(connections["default"].introspection.table_names())
    if not {Connection._meta.db_table, InboundPage._meta.db_table, "mfa_authenticator"} <= tables:
        return []
    found: list[CheckMessage] = []
    for key_id, count in sorted(keys_in_use().items()):
        if key_id == UNREADABLE:
            message = f"{count} stored credentials aren't in a form that this version reads."
            found.append(Error(message, hint="Was the database written by a newer version?", id="integrations.E003"))
        elif key_id not in settings.CREDENTIALS_KEYS.keys:
            message = f"{count} stored credentials are sealed with the key {key_id}, which is not in CREDENTIALS_KEYS."
            hint = (
                f"Put the key {key_id} back behind the newest one, and take it out after `manage.py "
                f"rotate_credentials --apply`. If it is lost, `--forget {key_id}` gives up what it sealed."
            )
            found.append(Error(message, hint=hint, id="integrations.E001"))
    for key_id in wrong_keys():
        message = f"The key {key_id} of CREDENTIALS_KEYS is not the one that credentials were sealed with."
        found.append(Error(message, hint=f"Give {key_id} its former value back.", id="integrations.E002"))
    return found
