"""A project's connection to Mixpanel: register, read, change, disconnect.

What isn't secret lies in `Connection.settings`; the secret is sealed in its own column and is only ever opened to be
sent to Mixpanel. A user name or region is never changed without the secret being entered again: otherwise whoever may
edit a row could have the kept secret sent with a name, or to a place, of their choosing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations.budget import PATIENCE_SECONDS, Meter
from integrations.http import Session
from integrations.mixpanel.client import MixpanelClient
from integrations.mixpanel.schemas import Account, Region
from integrations.models import Connection, Kind
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.audit.record import record
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.models import Project

PHONE_COLUMN = "$phone"
EMAIL_COLUMN = "$email"
KEEPS_NO_SECRET = ("username", "region")
"""Settings that say whom the secret is sent as, and where to."""


@dataclass(frozen=True)
class MixpanelSettings:
    """What a project has set for Mixpanel, apart from the secret. An empty `identity_column` means the distinct id,
    an empty column of consent that nobody has consented (`lib/consent.py`); `drop_unknown`: a member with an unknown
    identity is dropped and counted rather than created."""

    project_id: int
    username: str
    region: Region
    phone_column: str = PHONE_COLUMN
    email_column: str = EMAIL_COLUMN
    identity_column: str = ""
    drop_unknown: bool = False
    marketing_consent_column: str = ""
    night_consent_column: str = ""

    @classmethod
    def of(cls, connection: Connection) -> "MixpanelSettings":
        """The settings of a row."""
        kept = connection.settings
        return cls(**{**kept, "region": Region(kept["region"])})


@dataclass(frozen=True)
class MixpanelConnection:
    """A connection ready for use."""

    id: UUID
    account: Account
    phone_column: str
    email_column: str
    identity_column: str
    drop_unknown: bool
    marketing_consent_column: str
    night_consent_column: str


class Changed(Exception):
    """Somebody else changed the connection after it was read. `by` and `at` say who and when (`by` "" if unknown)."""

    def __init__(self, by: str, at: datetime) -> None:
        super().__init__(by, at)
        self.by = by
        self.at = at


class SecretNeeded(Exception):
    """The change says whom the secret is sent as, or where to: it must be entered again."""


# -- Reading ----------------------------------------------------------------------------------------------------------
def row_of(project: Project) -> Connection | None:
    """The project's Mixpanel row, or None."""
    return Connection.objects.filter(project=project, kind=Kind.MIXPANEL).first()


def mixpanel_of(project: Project) -> MixpanelConnection | None:
    """The project's connection, its secret opened; None when there is none. Raises CannotOpen when the secret's key
    is gone or the row was altered: then it must be entered again."""
    row = row_of(project)
    return opened(row) if row else None


def opened(row: Connection) -> MixpanelConnection:
    """The row as a connection ready for use. Raises CannotOpen."""
    kept = MixpanelSettings.of(row)
    if not row.sealed_secret:
        raise CannotOpen("No secret is stored. Enter it again.")
    return MixpanelConnection(
        id=row.id,
        account=Account(kept.project_id, kept.username, row.secret(), kept.region),
        phone_column=kept.phone_column,
        email_column=kept.email_column,
        identity_column=kept.identity_column,
        drop_unknown=kept.drop_unknown,
        marketing_consent_column=kept.marketing_consent_column,
        night_consent_column=kept.night_consent_column,
    )


@contextmanager
def client_of(
    connection: MixpanelConnection,
    *,
    holder: str,
    background: bool = True,
    patience: float = PATIENCE_SECONDS,
    session: Session | None = None,
    **options: Any,
) -> Iterator[MixpanelClient]:
    """A client on the shared budget, for `with`; what it held is given back at the end.

    `holder` names the work (`refresh:<id>`): a successor under the same name takes the places of a dead worker over
    at once. `background=False` is for a person who waits: it may use the last queries of the hour. `patience`:
    seconds to wait for a place among those at once. `options` go to the client."""
    account = connection.account
    with (
        Meter(
            account.region.value, account.project_id, holder=holder, background=background, patience=patience
        ) as meter,
        MixpanelClient(account, meter, session, **options) as client,
    ):
        yield client


def last_changed_by(project_id: UUID) -> str:
    """Who changed the connection last, as the audit log knows it; "" for nobody."""
    actions = (
        Action.CONNECTION_REGISTERED,
        Action.CONNECTION_CHANGED,
        Action.CONNECTION_SECRET_CHANGED,
        Action.CONNECTION_REMOVED,
    )
    entries = Entry.objects.filter(project_id=project_id, action__in=actions, target=str(Kind.MIXPANEL))
    return entries.order_by("-id").values_list("actor", flat=True).first() or ""


# -- Changing ---------------------------------------------------------------------------------------------------------
@sensitive_variables("secret")
def register(
    project: Project,
    values: MixpanelSettings,
    secret: str,
    *,
    only_new: bool = False,
    actor: Any = None,
    request: HttpRequest | None = None,
) -> tuple[Connection, bool]:
    """Registers the project's credentials, or replaces them; the same ones again change nothing and are not logged.
    Returns the row, and whether anything was written. `actor` is a user; None: a command. With `only_new` it raises
    Changed where there is a connection already."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        row = Connection.objects.select_for_update().filter(project=project, kind=Kind.MIXPANEL).first()
        if row is not None and MixpanelSettings.of(row) == values and _holds(row, secret):
            return row, False
        if row is not None and only_new:
            raise Changed(last_changed_by(row.project_id), row.updated_at)
        action = Action.CONNECTION_CHANGED if row else Action.CONNECTION_REGISTERED
        row = row or Connection(project=project, kind=Kind.MIXPANEL)
        row.settings = asdict(values)
        _set_secret(row, secret, actor)
        row.health = {}
        row.save()
        _record(action, row, actor, request, settings=asdict(values))
    return row, True


@sensitive_variables("secret")
def change(
    row: Connection,
    *,
    seen: str,
    secret: str = "",
    actor: Any,
    request: HttpRequest | None = None,
    **changes: Any,
) -> Connection:
    """Changes settings, the secret, or both. `seen` is `version_of` the row that the person was looking at.

    Raises Changed when the row has another version by now, and SecretNeeded when a change of `KEEPS_NO_SECRET` comes
    without the secret (unless the last test found the account in that very region)."""
    with transaction.atomic():
        current = Connection.objects.select_for_update().filter(pk=row.pk).first()
        if current is None or version_of(current) != seen:
            raise Changed(last_changed_by(row.project_id), (current or row).updated_at)
        row = current
        before = MixpanelSettings.of(row)
        after = replace(before, **changes)
        changed = {name: value for name, value in asdict(after).items() if value != asdict(before)[name]}
        if not secret and any(name in changed for name in KEEPS_NO_SECRET) and not _was_found(row, changed):
            raise SecretNeeded
        if not changed and not secret:
            return row
        row.settings = asdict(after)
        if secret:
            _set_secret(row, secret, actor)
        if secret or changed.keys() & {"project_id", "username", "region"}:
            row.health = {}  # The last test was of another account.
        row.save()
        if changed:
            was = {name: asdict(before)[name] for name in changed}
            _record(Action.CONNECTION_CHANGED, row, actor, request, before=was, after=changed)
        if secret:
            _record(Action.CONNECTION_SECRET_CHANGED, row, actor, request)
    return row


def disconnect(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Removes the credentials. What was fetched with them stays."""
    with transaction.atomic():
        _record(Action.CONNECTION_REMOVED, row, actor, request, mixpanel_project_id=row.settings.get("project_id"))
        row.delete()


def version_of(row: Connection) -> str:
    """Tells one state of the row from another."""
    return row.updated_at.isoformat()


# -- Inside -----------------------------------------------------------------------------------------------------------
def _set_secret(row: Connection, secret: str, actor: Any) -> None:
    row.set_secret(secret)
    row.secret_set_at = timezone.now()
    row.secret_set_by = getattr(actor, "email", "")


def _holds(row: Connection, secret: str) -> bool:
    try:
        return row.secret().reveal() == secret
    except CannotOpen:  # Then it is no longer known, and the one given takes its place.
        return False


def _was_found(row: Connection, changed: dict[str, Any]) -> bool:
    """Whether the change is only to the region in which the last test, with this secret, found the account."""
    return set(changed) == {"region"} and row.health.get("found_region") == changed["region"]


def _record(action: Action, row: Connection, actor: Any, request: HttpRequest | None, **details: Any) -> None:
    record(action, project_id=row.project_id, actor=actor, request=request, target=str(row.kind), **details)
