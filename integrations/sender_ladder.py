"""연결 테스트 of a sender: from "is the key right" up to "is there a template to send", and what to do where it ends.

It asks for everything that the account offers, which is kept as its listing. It runs in the request of the person who
pressed the button, holds no transaction, and ends within `SECONDS`.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from integrations import senders
from integrations.hurried import Hurried
from integrations.messaging import NotTaken, SendError
from integrations.models import Connection
from integrations.pace import Turns
from integrations.rungs import Rungs, keep
from integrations.solapi.catalogue import SolapiCatalogue
from integrations.solapi.client import HOST, SolapiClient

SECONDS = 20.0
RUNGS = ("key", "clock", "balance", "channels", "numbers", "templates")
SKEW_WORTH_SAYING = timedelta(minutes=2)
"""SOLAPI refuses beyond 15 minutes."""


class _Broken(Exception):
    """The ladder ends here; the report says why."""


def check(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Tests a sender, and keeps in its row what was found and in its listing what the account offers. Takes up to
    `SECONDS`."""
    report, data = climb(row)
    keep(row, report.found(RUNGS, by=getattr(actor, "email", ""), now=timezone.now()), actor=actor, request=request)
    senders.keep_listing(row, data, problem=report.code)


def climb(row: Connection) -> tuple[Rungs, dict[str, Any] | None]:
    """Tests a sender: what was found, and what the account offers as `SenderListing.data` keeps it (None where not
    all of it could be had). Never raises for what the provider or the network do: the report says it."""
    report = Rungs()
    try:
        account = senders.account_on(row)
    except SendError as error:
        report.bad("key", error.code)
        return report, None
    with Hurried(SECONDS, [HOST], override=settings.SOLAPI_API_URL) as session:
        client = SolapiClient(account, session, Turns(row.pk))
        try:
            return report, _everything(SolapiCatalogue(client), client, report)
        except _Broken:
            return report, None  # What comes after stays "skipped".


def _everything(catalogue: SolapiCatalogue, client: SolapiClient, report: Rungs) -> dict[str, Any]:
    found = _account(catalogue, client, report)
    found |= _channels(catalogue, report)
    found |= _numbers(catalogue, report)
    found |= _templates(catalogue, report, has_channel=bool(found["profiles"]))
    try:
        found["prices"] = senders.prices_of(catalogue)
    except SendError as error:
        report.bad("templates", error.code)
        raise _Broken from None
    return senders.as_data(**found)


def _account(catalogue: SolapiCatalogue, client: SolapiClient, report: Rungs) -> dict[str, Any]:
    """Key, clock, balance: one request tells all three."""
    try:
        balance, account = catalogue.account()
    except SendError as error:
        skew = client.skew or timedelta(0)
        rung = "clock" if error.code == "clock" else "key"
        if rung == "clock":
            report.skip("key")
        elif not isinstance(error, NotTaken):
            _say_clock(report, skew)
        report.bad(rung, error.code, minutes=_minutes(skew))
        raise _Broken from None
    report.ok("key", account=account)
    _say_clock(report, client.skew or timedelta(0))
    if balance.total > 0:
        report.ok("balance", won=str(balance.total))
    else:
        report.warn("balance", "no_balance", won=str(balance.total))
    return {"account": account, "balance": balance}


def _say_clock(report: Rungs, skew: timedelta) -> None:
    if abs(skew) < SKEW_WORTH_SAYING:
        report.ok("clock", seconds=round(skew.total_seconds()))
    else:
        report.warn("clock", "clock_off", seconds=round(skew.total_seconds()))


def _minutes(skew: timedelta) -> int:
    return round(abs(skew.total_seconds()) / 60)


def _channels(catalogue: SolapiCatalogue, report: Rungs) -> dict[str, Any]:
    try:
        profiles = catalogue.profiles()
    except SendError as error:
        report.bad("channels", error.code)
        raise _Broken from None
    if profiles:
        report.ok("channels", count=len(profiles), name=profiles[0].name)
    else:
        report.warn("channels", "no_channels", count=0)
    return {"profiles": profiles}


def _numbers(catalogue: SolapiCatalogue, report: Rungs) -> dict[str, Any]:
    try:
        numbers = catalogue.numbers()
    except SendError as error:
        report.bad("numbers", error.code)
        raise _Broken from None
    active = sum(number.is_active for number in numbers)
    if active:
        report.ok("numbers", count=active)
    else:
        report.warn("numbers", "no_numbers", count=0)
    return {"numbers": numbers}


def _templates(catalogue: SolapiCatalogue, report: Rungs, *, has_channel: bool) -> dict[str, Any]:
    try:
        templates = catalogue.templates() if has_channel else []
    except SendError as error:
        report.bad("templates", error.code)
        raise _Broken from None
    approved = sum(template.is_sendable for template in templates)
    if approved:
        report.ok("templates", count=approved, of=len(templates))
    elif has_channel:
        report.warn("templates", "no_templates", count=0, of=len(templates))
    else:
        report.skip("templates")
    return {"templates": templates}


def won_of(said: dict[str, Any]) -> Decimal:
    """The money that the balance rung tells of."""
    return Decimal(said["won"])
