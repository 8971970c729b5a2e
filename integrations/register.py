"""Registering a project's credentials for an outside system, changing them, and taking them away.

What isn't secret lies in `Connection.settings`; the secret is sealed in its own column and is only ever opened to be
sent to that system. Whom the secret is sent as, or where to, is never changed without the secret being entered again:
otherwise whoever may edit a row could have the kept secret sent with a name, or to a place, of their choosing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import transaction
from django.db.models import CharField
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations.models import Connection, Kind
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.audit.record import record
from notifly_console.lib.compiled import Compiled, Slot
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.access import OF_PROJECT
from notifly_console.tenancy.models import Project


@dataclass(frozen=True)
class Settings:
    """What a project has set for an outside system, apart from the secret; one dataclass for each kind."""

    kind: ClassVar[Kind]
    keep_no_secret: ClassVar[frozenset[str]]
    """Those that say whom the secret is sent as, and where to."""
    of_account: ClassVar[frozenset[str]]
    """Those whose change makes it another account: the last test says nothing of it."""

    @classmethod
    def of(cls, row: Connection) -> Self:
        """The settings of a row."""
        return cls(**row.settings)

    def told(self) -> dict[str, Any]:
        """Which account it is, for the audit log."""
        return {name: getattr(self, name) for name in sorted(self.of_account)}

    @classmethod
    def may_keep_secret(cls, row: Connection, changed: Mapping[str, Any]) -> bool:
        """Whether such a change of `keep_no_secret` may do without the secret all the same."""
        return False


class Changed(Exception):
    """Somebody else changed the connection after it was read. `by` and `at` say who and when (`by` "" if unknown)."""

    def __init__(self, by: str, at: datetime) -> None:
        super().__init__(by, at)
        self.by = by
        self.at = at


class SecretNeeded(Exception):
    """The change says whom the secret is sent as, or where to: it must be entered again."""


# -- Reading ----------------------------------------------------------------------------------------------------------
def connection_of(project: Project, kind: Kind) -> Connection | None:
    """The project's row of that kind, or None."""
    return _OF_KIND.first(project=project.id, kind=kind)


_OF_KIND: Compiled[Connection] = Compiled(
    lambda: Connection.objects.filter(kind=Slot("kind", CharField()), **OF_PROJECT)
)


def last_changed_by(project_id: UUID, kind: Kind = Kind.MIXPANEL) -> str:
    """Who changed the connection last, as the audit log knows it; "" for nobody."""
    actions = (
        Action.CONNECTION_REGISTERED,
        Action.CONNECTION_CHANGED,
        Action.CONNECTION_SECRET_CHANGED,
        Action.CONNECTION_REMOVED,
    )
    entries = Entry.objects.filter(project_id=project_id, action__in=actions, target=str(kind))
    return entries.order_by("-id").values_list("actor", flat=True).first() or ""


def version_of(row: Connection) -> str:
    """Tells one state of the row from another."""
    return row.updated_at.isoformat()


# -- Changing ---------------------------------------------------------------------------------------------------------
@sensitive_variables("secret")
def register(
    project: Project,
    values: Settings,
    secret: str,
    *,
    only_new: bool = False,
    actor: Any = None,
    request: HttpRequest | None = None,
) -> tuple[Connection, bool]:
    """Registers the project's credentials, or replaces them; the same ones again change nothing and are not logged.
    Returns the row, and whether anything was written. `actor` is a user; None: a command. With `only_new` it raises
    Changed where there is a connection already."""
    kind = values.kind
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        row = Connection.objects.select_for_update().filter(project=project, kind=kind).first()
        if row is not None and type(values).of(row) == values and _holds(row, secret):
            return row, False
        if row is not None and only_new:
            raise Changed(last_changed_by(row.project_id, kind), row.updated_at)
        action = Action.CONNECTION_CHANGED if row else Action.CONNECTION_REGISTERED
        row = row or Connection(project=project, kind=kind)
        row.settings = asdict(values)
        _set_secret(row, secret, actor)
        row.health = {}
        row.save()
        _record(action, row, actor, request, settings=asdict(values))
    return row, True


@sensitive_variables("secret")
def change(
    row: Connection,
    of: type[Settings],
    *,
    seen: str,
    secret: str = "",
    actor: Any,
    request: HttpRequest | None = None,
    **changes: Any,
) -> Connection:
    """Changes settings, the secret, or both. `seen` is `version_of` the row that the person was looking at; `of` is
    the dataclass of its settings.

    Raises Changed when the row has another version by now, and SecretNeeded when a change of `keep_no_secret` comes
    without the secret (unless `may_keep_secret` says that it need not)."""
    with transaction.atomic():
        current = Connection.objects.select_for_update().filter(pk=row.pk).first()
        if current is None or version_of(current) != seen:
            raise Changed(last_changed_by(row.project_id, of.kind), (current or row).updated_at)
        row = current
        before = of.of(row)
        after = replace(before, **changes)
        changed = {name: value for name, value in asdict(after).items() if value != asdict(before)[name]}
        if not secret and changed.keys() & of.keep_no_secret and not of.may_keep_secret(row, changed):
            raise SecretNeeded
        if not changed and not secret:
            return row
        row.settings = asdict(after)
        if secret:
            _set_secret(row, secret, actor)
        if secret or changed.keys() & of.of_account:
            row.health = {}  # The last test was of another account.
        row.save()
        if changed:
            was = {name: asdict(before)[name] for name in changed}
            _record(Action.CONNECTION_CHANGED, row, actor, request, before=was, after=changed)
        if secret:
            _record(Action.CONNECTION_SECRET_CHANGED, row, actor, request)
    return row


def disconnect(
    row: Connection, *, actor: Any, request: HttpRequest | None = None, told: Mapping[str, Any] | None = None
) -> None:
    """Removes the credentials. What was fetched with them stays. `told`: which account it was."""
    with transaction.atomic():
        _record(Action.CONNECTION_REMOVED, row, actor, request, **(told or {}))
        row.delete()


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


def _record(action: Action, row: Connection, actor: Any, request: HttpRequest | None, **details: Any) -> None:
    record(action, project_id=row.project_id, actor=actor, request=request, target=str(row.kind), **details)
