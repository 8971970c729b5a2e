"""A project's connection to Mixpanel: its settings, and a client on them. `register.py` keeps the rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID

from django.http import HttpRequest

from integrations import register as registering
from integrations.budget import PATIENCE_SECONDS, Meter
from integrations.http import Session
from integrations.mixpanel.client import MixpanelClient
from integrations.mixpanel.schemas import Account, Region
from integrations.models import Connection, Kind
from integrations.register import Settings, connection_of
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.models import Project

PHONE_COLUMN = "$phone"
EMAIL_COLUMN = "$email"


@dataclass(frozen=True)
class MixpanelSettings(Settings):
    """What a project has set for Mixpanel, apart from the secret. An empty `identity_column` means the distinct id,
    an empty column of consent that nobody has consented (`lib/consent.py`); `drop_unknown`: a member with an unknown
    identity is dropped and counted rather than created."""

    kind: ClassVar[Kind] = Kind.MIXPANEL
    keep_no_secret: ClassVar[frozenset[str]] = frozenset({"username", "region"})
    of_account: ClassVar[frozenset[str]] = frozenset({"project_id", "username", "region"})

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
    def of(cls, row: Connection) -> Self:
        """The settings of a row."""
        return cls(**{**row.settings, "region": Region(row.settings["region"])})

    @classmethod
    def may_keep_secret(cls, row: Connection, changed: Mapping[str, Any]) -> bool:
        """Where only the region changes, to that in which the last test, with this secret, found the account."""
        return set(changed) == {"region"} and row.health.get("found_region") == changed["region"]


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


def row_of(project: Project) -> Connection | None:
    """The project's Mixpanel row, or None."""
    return connection_of(project, Kind.MIXPANEL)


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


def disconnect(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Removes the credentials. What was fetched with them stays."""
    told = {"mixpanel_project_id": row.settings.get("project_id")}
    registering.disconnect(row, actor=actor, request=request, told=told)
