"""The site map as tests walk it: every address of the console, with its arguments filled in from a seeded world.

An address with an argument that nobody can fill fails the walk, so that nobody can add a page and forget the
guards.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from campaigns.models import CampaignState, OptOut
from notifly_console.tenancy.models import Invitation, Member, Role
from tests import factories


@dataclass(frozen=True)
class Address:
    """One pattern of the URL table."""

    name: str
    view: Any
    arguments: tuple[str, ...]

    def url(self, values: dict[str, Any]) -> str:
        """The address with `values` put in. Raises KeyError for an argument that nobody knows how to fill."""
        missing = [argument for argument in self.arguments if argument not in values]
        if missing:
            raise KeyError(f"{self.name} takes {missing}: say in tests/guards/site.py how to fill it.")
        return reverse(self.name, kwargs={argument: values[argument] for argument in self.arguments})


def every_address() -> Iterator[Address]:
    """Every named pattern, namespaces and all."""
    yield from _walk(get_resolver(), (), ())


def _walk(resolver: URLResolver, namespaces: tuple[str, ...], arguments: tuple[str, ...]) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        taken = (*arguments, *entry.pattern.converters, *getattr(entry.pattern, "regex", re_none).groupindex)
        taken = tuple(dict.fromkeys(taken))
        if isinstance(entry, URLResolver):
            inner = (*namespaces, entry.namespace) if entry.namespace else namespaces
            yield from _walk(entry, inner, taken)
        elif isinstance(entry, URLPattern) and entry.name:
            yield Address(":".join((*namespaces, entry.name)), entry.callback, taken)
        else:
            yield Address("", entry.callback, taken)


class _NoGroups:
    groupindex: tuple[str, ...] = ()


re_none = _NoGroups()


PLAIN_VALUES = {"older": 1, "newer": 2, "what": "joined", "key": "region", "token": "no-such-token", "uidb36": "1",
                "pk": 1, "inlet": "0" * 32}  # fmt: skip
"""Arguments that name no object of a project; of `key`, the row of 연동 정보, and the link of a password mail."""
PLAIN_BY_ADDRESS = {
    "cohorts:drift_people": {"what": "pushed-left_unsaid"},
    "account_reset_password_from_key": {"key": "abc-123"},
}


def objects_of(project: Any, member: Member, number: int) -> dict[str, Any]:
    """One object of each kind in that project, by the argument that names it."""
    invitation = Invitation.objects.create(
        project=project,
        email=f"guest{number}@elsewhere.example",
        role=Role.VIEWER,
        token_digest=hashlib.sha256(str(number).encode()).hexdigest(),
        expires_at=timezone.now() + timedelta(days=7),
    )
    person = factories.profile(project, f"person_{number}")
    cohort = factories.cohort(project, source_id=number)
    factories.snapshot(cohort, [])
    factories.snapshot(cohort, [person.pk])
    factories.connection(project)
    key = factories.pushed(cohort)
    template_id = f"KA01TP{number}"
    factories.listing(factories.sender(project), template_id)
    # Launched and stopped: it has both a page of its own and one where it is written.
    campaign = factories.campaign(
        project, name=f"캠페인 {number}", cohort=cohort, state=CampaignState.INACTIVE, launched_at=timezone.now()
    )
    run = factories.trial(campaign, number)
    factories.drift(cohort, [person.pk])
    return {
        "project_id": project.id,
        "member_id": member.pk,
        "invitation_id": invitation.id,
        "source_id": cohort.source_id,
        "profile_id": person.pk,
        "campaign_id": campaign.pk,
        "group_id": factories.group(project, f"유저 그룹 {number}").pk,
        "picture_id": factories.picture(project).pk,
        "run_number": run.number,
        "recipient_id": run.recipients.get().pk,
        "opt_out_id": OptOut.objects.create(project=project, phone="+821022223333", source="own").pk,
        "template_id": template_id,
        "key_id": key.pk,
    }


def url_of(address: Address, values: dict[str, Any]) -> str:
    filled = PLAIN_VALUES | PLAIN_BY_ADDRESS.get(address.name, {}) | values
    return address.url(filled) if address.name else "/favicon.ico"


def every_url(world: Any) -> list[str]:
    """Every address of the site, filled in for the project of `world`, whose objects are seeded here."""
    viewer = Member.objects.get(project=world.project, user=world.people["viewer"])
    values = objects_of(world.project, viewer, 4201)
    return [url_of(address, values) for address in every_address()]
