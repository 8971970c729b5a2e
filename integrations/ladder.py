"""연결 테스트: from "does Mixpanel answer" up to "do real profiles have phone numbers", and what to do where it ends.

The order is mixpanel.md §8: `app/me` (free) tells wrong credentials, another region and a missing membership apart;
the cohort list tells plan, role and budget; one page of real profiles tells the columns. It costs two queries of the
hour at most, runs in the request of the person who pressed the button, holds no transaction, and ends within
`SECONDS`.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from integrations.budget import PER_HOUR, usage
from integrations.columns import Offer, consent_columns, email_columns, phone_columns
from integrations.connect import MixpanelConnection, client_of, opened
from integrations.failures import values_of
from integrations.http import Unreachable, VendorError
from integrations.hurried import Hurried
from integrations.mixpanel.client import HOSTS, MixpanelClient
from integrations.mixpanel.errors import (
    HourlyBudgetSpent,
    MixpanelDown,
    NotPermitted,
    TooManyAtOnce,
    WrongCredentials,
)
from integrations.mixpanel.meter import Unmetered
from integrations.mixpanel.schemas import ListedCohort, Me, Region
from integrations.models import Connection
from integrations.rungs import Rungs, keep
from notifly_console.lib.crypto import CannotOpen

SECONDS = 20.0
SAMPLE = 1000
LARGEST_SAMPLED = 100_000
"""Mixpanel computes a whole cohort before its first page; a larger one would take the time that is left."""
PROJECTS_NAMED = 5
SOON = timedelta(days=14)
RUNGS = ("reach", "account", "project", "budget", "cohorts", "columns")


@dataclass
class Report(Rungs):
    """What a test found; of the columns, and in which other region the account was found."""

    found_region: str = ""
    phones: list[Offer] = field(default_factory=list)
    emails: list[Offer] = field(default_factory=list)
    consents: list[Offer] = field(default_factory=list)
    nights: list[Offer] = field(default_factory=list)

    def as_json(self, *, by: str, now: datetime) -> dict[str, Any]:
        """As `Connection.health` keeps it."""
        return {
            **self.found(RUNGS, by=by, now=now),
            "found_region": self.found_region,
            "sampled": self.phones[0].sampled if self.phones else 0,
            "offers": {
                "phone_number_column": [[offer.column, offer.filled] for offer in self.phones],
                "email_column": [[offer.column, offer.filled] for offer in self.emails],
                "marketing_consent_column": [[offer.column, offer.filled] for offer in self.consents],
                "night_consent_column": [[offer.column, offer.filled] for offer in self.nights],
            },
        }


def check(row: Connection, *, actor: Any, request: HttpRequest | None = None) -> None:
    """Tests a connection and keeps in the row what was found. Takes up to `SECONDS`."""
    try:
        report = climb(opened(row))
    except CannotOpen:
        report = Report(code="cannot_open")
    found = report.as_json(by=getattr(actor, "email", ""), now=timezone.now())
    keep(row, found, actor=actor, request=request)


class _Broken(Exception):
    """The ladder ends here; the report says why."""


def climb(connection: MixpanelConnection) -> Report:
    """Tests the connection. Never raises for what Mixpanel or the network do: the report says it."""
    report = Report()
    with Hurried(SECONDS, HOSTS, override=settings.MIXPANEL_API_URL) as session:
        try:
            with client_of(
                connection,
                holder=f"test:{uuid4().hex}",
                background=False,
                patience=3.0,
                session=session,
                wait=session.wait,
            ) as client:
                _who(client, session, report)
                cohorts = _cohorts(client, report)
                _columns(client, connection, cohorts, report)
        except _Broken:
            pass  # What comes after stays "skipped".
    return report


# -- Who are we -------------------------------------------------------------------------------------------------------
def _who(client: MixpanelClient, session: Hurried, report: Report) -> None:
    """Reach, account, project."""
    account, began = client.account, time.monotonic()
    try:
        me = client.me()
    except NotPermitted:
        # The account may not ask who it is; that it is known is all that this says.
        report.ok("reach", region=account.region.value, ms=_ms(began))
        report.ok("account")
        report.skip("project")
        return
    except WrongCredentials:
        report.ok("reach", region=account.region.value, ms=_ms(began))
        _elsewhere(client, session, report)
        raise _Broken from None
    except VendorError as error:
        report.bad("reach", error.code, **values_of(error))
        raise _Broken from None
    report.ok("reach", region=account.region.value, ms=_ms(began))
    report.ok("account")
    _membership(client, me, report)


def _elsewhere(client: MixpanelClient, session: Hurried, report: Report) -> None:
    """The credentials don't open this region: do they open another?"""
    others = [region for region in Region if region is not client.account.region]
    with ThreadPoolExecutor(len(others)) as pool:
        verdicts = dict(zip(others, pool.map(lambda region: _opens(client, session, region), others), strict=True))
    for region, opens in verdicts.items():
        if opens:
            report.found_region = region.value
            report.bad("account", "other_region", region=region.value)
            return
    # Where another region couldn't be asked, the secret may still be right.
    report.bad("account", "perhaps_elsewhere" if None in verdicts.values() else "wrong_secret")


def _opens(client: MixpanelClient, session: Hurried, region: Region) -> bool | None:
    """Whether the credentials open that region; None when it couldn't be asked."""
    there = MixpanelClient(replace(client.account, region=region), Unmetered(), session, wait=session.wait)
    try:
        there.me()
    except WrongCredentials:
        return False
    except NotPermitted:
        return True
    except VendorError:
        return None
    return True


def _membership(client: MixpanelClient, me: Me, report: Report) -> None:
    account = client.account
    project = me.projects.get(account.project_id)
    if project is None:
        names = [f"{seen.name} ({number})" for number, seen in sorted(me.projects.items())]
        more = len(names) - PROJECTS_NAMED
        shown = [*names[:PROJECTS_NAMED], *([f"+{more}"] if more > 0 else [])]
        report.bad("project", "not_a_member", project=account.project_id, projects=shown)
        raise _Broken
    if project.region not in (None, account.region):
        report.found_region = project.region.value
        report.bad("project", "other_region", region=project.region.value)
        raise _Broken
    report.ok("project", name=project.name, number=account.project_id)
    if project.role:
        report.ok("account", role=project.role)
    _own_row(client, project.role, report)


def _own_row(client: MixpanelClient, role: str | None, report: Report) -> None:
    """What the account's own row warns of; low roles may not read it, and then there is nothing to say."""
    try:
        own = client.service_account()
    except VendorError:
        own = None  # It is a courtesy: the rungs that follow say what matters.
    role = (own.role if own else None) or role
    if role:
        report.ok("account", role=role)
    if own and own.expires and own.expires - timezone.now() < SOON:
        report.warnings.append(("expires_soon", {"until": own.expires.isoformat()}))
    if own and own.sees_classified is False:
        report.warnings.append(("classified_hidden", {}))


# -- What may we see --------------------------------------------------------------------------------------------------
def _cohorts(client: MixpanelClient, report: Report) -> list[ListedCohort]:
    """Budget, cohorts. Returns those that have people."""
    account = client.account
    known_member = report.rungs["project"][0] == "ok"
    try:
        listed = client.cohorts()
    except (HourlyBudgetSpent, TooManyAtOnce) as error:
        report.bad("budget", error.code, **values_of(error))
        raise _Broken from None
    except VendorError as error:
        _say_used(client, report)
        if isinstance(error, WrongCredentials) and not known_member:
            report.bad("project", "not_a_member", project=account.project_id)
            raise _Broken from None
        report.bad("cohorts", error.code, **values_of(error))
        raise _Broken from None
    if not known_member:
        report.ok("project", number=account.project_id)
    if report.rungs["account"][1].get("role") == "consumer":
        report.warnings.append(("role_low", {}))  # Only here: "it can read for now" is true of whoever has just read.
    _say_used(client, report)
    people = [cohort for cohort in listed if not cohort.is_group]
    if not people:
        report.bad("cohorts", "no_cohorts")
        raise _Broken
    report.ok("cohorts", count=len(people))
    return people


def _say_used(client: MixpanelClient, report: Report) -> None:
    account = client.account
    report.ok("budget", used=usage(account.region.value, account.project_id).used, limit=PER_HOUR)


def _columns(
    client: MixpanelClient, connection: MixpanelConnection, cohorts: list[ListedCohort], report: Report
) -> None:
    """The columns, on one page of the largest cohort that answers in time."""
    sizes = {cohort.id: cohort.count or 0 for cohort in cohorts}
    fitting = [cohort_id for cohort_id, size in sizes.items() if size <= LARGEST_SAMPLED]
    chosen = max(fitting, key=lambda cohort_id: sizes[cohort_id]) if fitting else min(sizes, key=lambda i: sizes[i])
    try:
        rows = client.members_first(chosen, page_size=SAMPLE).rows[:SAMPLE]
    except (HourlyBudgetSpent, TooManyAtOnce, MixpanelDown, Unreachable):
        report.skip("columns")  # Everything else is well; the next test has another try.
        return
    except VendorError as error:
        report.bad("columns", error.code, **values_of(error))
        return
    _say_used(client, report)
    if not rows:
        report.skip("columns", empty=True)
        return
    report.phones = phone_columns(rows, connection.phone_column)
    report.emails = email_columns(rows, connection.email_column)
    report.consents = consent_columns(rows, connection.marketing_consent_column, night=False)
    report.nights = consent_columns(rows, connection.night_consent_column, night=True)
    report.ok("columns")


def _ms(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
