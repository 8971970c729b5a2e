"""A project's sender: its connection, a messenger on it, and what its account offers.

Nothing above knows which provider it is. A second provider is a folder beside `solapi/` and a line in each of the
three places below that name one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from integrations import register as registering
from integrations.messaging import (
    Balance,
    Button,
    Channel,
    KakaoProfile,
    Kind,
    Messenger,
    SenderNumber,
    SendError,
    Stopped,
    Template,
    TemplateStatus,
)
from integrations.models import Connection, SenderListing
from integrations.models import Kind as ConnectionKind
from integrations.pace import Turns
from integrations.register import Settings, connection_of
from integrations.solapi.catalogue import SolapiCatalogue
from integrations.solapi.client import Account, SolapiClient
from integrations.solapi.messenger import SolapiMessenger
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.models import Project

STALE = timedelta(minutes=10)
"""A listing older than this is fetched again by itself."""
AGAIN = timedelta(minutes=1)
"""How long after an attempt the next one comes by itself."""


@dataclass(frozen=True)
class SolapiSettings(Settings):
    """What a project has set for SOLAPI, apart from the secret."""

    kind: ClassVar[ConnectionKind] = ConnectionKind.SOLAPI
    keep_no_secret: ClassVar[frozenset[str]] = frozenset({"api_key"})
    of_account: ClassVar[frozenset[str]] = frozenset({"api_key"})

    api_key: str


@dataclass(frozen=True)
class Listing:
    """What the account offered when it was last asked. `fetched_at` None: it never was, and all is empty. `problem`:
    why the last attempt failed (a code of `failures.sending`), "" when it didn't; what is there is then of before."""

    profiles: tuple[KakaoProfile, ...] = ()
    numbers: tuple[SenderNumber, ...] = ()
    templates: tuple[Template, ...] = ()
    balance: Balance | None = None
    prices: Mapping[Kind, Decimal] = field(default_factory=dict)
    fetched_at: datetime | None = None
    problem: str = ""

    def template(self, template_id: str) -> Template | None:
        """The template of that id, or None."""
        return next((template for template in self.templates if template.id == template_id), None)

    def profile(self, profile_id: str) -> KakaoProfile | None:
        """The channel of that id, or None."""
        return next((profile for profile in self.profiles if profile.id == profile_id), None)


# -- Connected? -------------------------------------------------------------------------------------------------------
def row_of(project: Project) -> Connection | None:
    """The project's sender row, or None."""
    return connection_of(project, ConnectionKind.SOLAPI)


def is_connected(project: Project) -> bool:
    """Whether a sender is registered."""
    return row_of(project) is not None


def projects() -> list[UUID]:
    """Every project that has a sender."""
    return list(Connection.objects.filter(kind=ConnectionKind.SOLAPI).values_list("project_id", flat=True))


def registered_channels(project: Project) -> set[Channel]:
    """The channels that the account can send over, as it was last listed."""
    return channels_of(listing(project))


def channels_of(found: Listing) -> set[Channel]:
    """The same, of a listing."""
    channels = {Channel.ALIMTALK, Channel.FRIENDTALK} if found.profiles else set()
    return channels | ({Channel.TEXT} if any(number.is_active for number in found.numbers) else set())


# -- Ready to send ----------------------------------------------------------------------------------------------------
@contextmanager
def messenger_of(project: Project) -> Iterator[Messenger]:
    """The project's account, ready to send. It takes its turns among all workers by itself (`pace.py`). Raises
    Stopped("not_connected"), and Stopped("cannot_open") when the kept secret can't be opened."""
    client = _client(_row(project))
    with SolapiMessenger(client, requests_per_second=settings.SOLAPI_REQUESTS_PER_SECOND) as messenger:
        yield messenger


def catalogue_of(project: Project) -> SolapiCatalogue:
    """What the account offers, asked afresh: for `with`, or for a call or two without. Raises as `messenger_of`."""
    return catalogue_on(_row(project))


def catalogue_on(row: Connection) -> SolapiCatalogue:
    """The same, of a row."""
    return SolapiCatalogue(_client(row))


def _row(project: Project) -> Connection:
    row = row_of(project)
    if row is None:
        raise Stopped("not_connected")
    return row


def _client(row: Connection) -> SolapiClient:
    return SolapiClient(account_on(row), turns=Turns(row.pk))


def account_on(row: Connection) -> Account:
    """The key pair of a row. Raises Stopped("cannot_open")."""
    try:
        if row.sealed_secret:
            return Account(SolapiSettings.of(row).api_key, row.secret())
    except CannotOpen:
        pass  # Said below, as for a row whose secret is gone.
    raise Stopped("cannot_open")


# -- What it offers ---------------------------------------------------------------------------------------------------
def listing(project: Project) -> Listing:
    """What the account offered when it was last asked. Costs one statement; never asks the provider."""
    kept = SenderListing.objects.filter(connection__project=project, connection__kind=ConnectionKind.SOLAPI).first()
    if kept is not None:
        return _listing(kept)
    return Listing(problem="" if is_connected(project) else "not_connected")


def refresh_listing(project: Project) -> Listing:
    """Asks the account for everything it offers, some requests, and keeps it. What goes wrong is in `problem`, beside
    what was there before."""
    row = row_of(project)
    if row is None:
        return Listing(problem="not_connected")
    try:
        with catalogue_on(row) as catalogue:
            return keep_listing(row, fetch(catalogue))
    except SendError as error:
        return keep_listing(row, None, problem=error.code)


def fetch(catalogue: SolapiCatalogue) -> dict[str, Any]:
    """Everything that an account offers, as `SenderListing.data` keeps it. Raises NotTaken, Stopped."""
    balance, account = catalogue.account()
    return as_data(
        account=account,
        balance=balance,
        profiles=catalogue.profiles(),
        numbers=catalogue.numbers(),
        templates=catalogue.templates(),
        prices=prices_of(catalogue),
    )


def prices_of(catalogue: SolapiCatalogue) -> Mapping[Kind, Decimal]:
    """Won for one message; empty where the key pair may not ask. Raises NotTaken."""
    try:
        return catalogue.prices()
    except Stopped as error:
        if error.code in ("not_permitted", "refused_request"):
            return {}
        raise


def as_data(
    *,
    account: str,
    balance: Balance,
    profiles: list[KakaoProfile],
    numbers: list[SenderNumber],
    templates: list[Template],
    prices: Mapping[Kind, Decimal],
) -> dict[str, Any]:
    """What was found, as `SenderListing.data` keeps it."""
    return {
        "account": account,
        "balance": {"cash": str(balance.cash), "points": str(balance.points)},
        "profiles": [asdict(profile) for profile in profiles],
        "numbers": [asdict(number) for number in numbers],
        "templates": [asdict(template) for template in templates],
        "prices": {kind.value: str(price) for kind, price in prices.items()},
    }


def keep_listing(row: Connection, data: dict[str, Any] | None, *, problem: str = "") -> Listing:
    """Keeps what was found, or why nothing was. Where the key pair was changed meanwhile, it is of another account
    perhaps, and is dropped."""
    now = timezone.now()
    found = {"problem": problem, "tried_at": now} | ({"data": data, "fetched_at": now} if data is not None else {})
    with transaction.atomic():
        if Connection.objects.select_for_update().filter(pk=row.pk, secret_set_at=row.secret_set_at).exists():
            kept, _made = SenderListing.objects.update_or_create(connection_id=row.pk, defaults=found)
            return _listing(kept)
    return Listing(problem=problem or "not_yet")


def due_listings() -> list[str]:
    """Ids of the connections whose listing is to be fetched by itself."""
    now = timezone.now()
    fresh = SenderListing.objects.filter(fetched_at__gt=now - STALE, problem="")
    tried = SenderListing.objects.filter(tried_at__gt=now - AGAIN)
    left = Connection.objects.filter(kind=ConnectionKind.SOLAPI)
    left = left.exclude(pk__in=fresh.values("pk")).exclude(pk__in=tried.values("pk"))
    return [str(pk) for pk in left.order_by("created_at").values_list("pk", flat=True)]


def refresh_if_due(connection_id: str) -> None:
    """Fetches a connection's listing where that is due, and nobody else has just begun to."""
    now = timezone.now()
    row = Connection.objects.select_related("project").filter(pk=connection_id, kind=ConnectionKind.SOLAPI).first()
    if row is None:
        return
    SenderListing.objects.get_or_create(connection_id=row.pk)
    idle = Q(tried_at=None) | Q(tried_at__lt=now - AGAIN)
    due = Q(fetched_at=None) | Q(fetched_at__lt=now - STALE) | ~Q(problem="")
    if SenderListing.objects.filter(idle, due, pk=row.pk).update(tried_at=now):
        refresh_listing(row.project)


def account_id(row: Connection) -> str:
    """The account's id at the provider, as it was last listed; "" where it isn't known."""
    kept = SenderListing.objects.filter(connection_id=row.pk).only("data").first()
    return str(kept.data.get("account", "")) if kept else ""


def _listing(kept: SenderListing) -> Listing:
    data = kept.data
    balance = data.get("balance")
    return Listing(
        profiles=tuple(KakaoProfile(**profile) for profile in data.get("profiles", ())),
        numbers=tuple(SenderNumber(**number) for number in data.get("numbers", ())),
        templates=tuple(_template(template) for template in data.get("templates", ())),
        balance=Balance(Decimal(balance["cash"]), Decimal(balance["points"])) if balance else None,
        prices={Kind(kind): Decimal(price) for kind, price in data.get("prices", {}).items()},
        fetched_at=kept.fetched_at,
        problem=kept.problem,
    )


def _template(kept: Mapping[str, Any]) -> Template:
    return Template(
        **{
            **kept,
            "status": TemplateStatus(kept["status"]),
            "buttons": tuple(Button(**button) for button in kept["buttons"]),
            **{name: tuple(kept[name]) for name in ("variables", "other_buttons", "comments")},
        }
    )


# -- Registering ------------------------------------------------------------------------------------------------------
@sensitive_variables("secret")
def register(
    project: Project,
    values: SolapiSettings,
    secret: str,
    *,
    only_new: bool = False,
    actor: Any = None,
    request: HttpRequest | None = None,
) -> tuple[Connection, bool]:
    """As `register.register`; what another account offered is forgotten."""
    with transaction.atomic():
        row, written = registering.register(project, values, secret, only_new=only_new, actor=actor, request=request)
        if written:
            _forget_listing(row)
    return row, written


@sensitive_variables("secret")
def change(
    row: Connection, *, seen: str, secret: str = "", actor: Any, request: HttpRequest | None = None, **changes: Any
) -> Connection:
    """As `register.change`; what another account offered is forgotten."""
    with transaction.atomic():
        row = registering.change(row, SolapiSettings, seen=seen, secret=secret, actor=actor, request=request, **changes)
        if secret:
            _forget_listing(row)
    return row


def disconnect(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Removes the key pair and what was listed with it. Campaigns that run stop at the next batch."""
    registering.disconnect(row, actor=actor, request=request, told=SolapiSettings.of(row).told())


def _forget_listing(row: Connection) -> None:
    SenderListing.objects.filter(connection_id=row.pk).delete()
