"""Drafts: made with the first thing that is written down, saved at every step, never overwritten unseen.

A draft may be as unfinished as it likes; whether it can go out is asked at the review. A save names the version that
it was made on, and is one conditional UPDATE: of two pages that save on the same version, the second gets a `Conflict`
with what the first one left, and keeps what was written in it. A page has no conflict with itself: each of its saves
holds the whole form, so one whose answer got lost is simply followed by the next.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from campaigns.message.check import AlimtalkContent, TextContent, Variable, content_of
from campaigns.models import Campaign, CampaignState
from integrations.messaging import Channel, Kind, Template
from notifly_console.tenancy.models import Project, User

EDITABLE = (CampaignState.DRAFT, CampaignState.INACTIVE)
COLUMNS = (
    "name", "description", "channel", "timing", "audience_kind", "cohort_id", "group_id", "upload_id", "message",
    "kept",
)  # fmt: skip
"""What a person writes in the builder."""


class Conflict(Exception):
    """Somebody saved meanwhile. `stored` is what they left."""

    def __init__(self, stored: Campaign) -> None:
        super().__init__(stored.pk)
        self.stored = stored


class NotEditable(Exception):
    """The campaign is neither a draft nor inactive any more. `stored` is the campaign as it is now."""

    def __init__(self, stored: Campaign) -> None:
        super().__init__(stored.pk)
        self.stored = stored


def blank(project: Project, key: UUID, by: User) -> Campaign:
    """A campaign that is written nowhere yet, under the id that it will have."""
    return Campaign(id=key, project=project, author=by, author_name=str(by))


def settle(campaign: Campaign, templates: Mapping[str, Template]) -> None:
    """Makes the message of the chosen channel out of what the builder has kept for each. `templates`: the provider's,
    by id; one that isn't among them stays as it was when it was chosen."""
    written = campaign.kept
    campaign.kept = {channel: _settled(channel, written.get(channel) or {}, templates) for channel in Channel.values}
    campaign.message = _sent(campaign.channel, dict(campaign.kept.get(campaign.channel) or {}))


def _sent(channel: str, kept: dict[str, Any]) -> dict[str, Any]:
    """Of what is kept only what goes out: no fallback that is off, no title of an SMS, no picture but an MMS's."""
    if channel == Channel.TEXT:
        kept |= {"title": ""} if kept.get("kind") == Kind.SMS else {}
        kept |= {"picture": ""} if kept.get("kind") != Kind.MMS else {}
    elif kept:
        fallback = kept["fallback"] if kept.pop("has_fallback", False) else None
        kept["fallback"] = fallback and (fallback | {"subject": ""} if fallback["kind"] == Kind.SMS else fallback)
    return kept


def _settled(channel: str, written: dict[str, Any], templates: Mapping[str, Template]) -> dict[str, Any]:
    """One channel's message in the shape of its content, with whether the fallback is on."""
    content = content_of(channel, written)
    if isinstance(content, AlimtalkContent) and (template := templates.get(content.template)):
        is_of_profile = content.profile in ("", template.profile_id)
        content = _on(content, template) if is_of_profile else AlimtalkContent(profile=content.profile)
    own = {} if isinstance(content, TextContent) else {"has_fallback": written.get("has_fallback") is True}
    return content.as_json() | own


def _on(content: AlimtalkContent, template: Template) -> AlimtalkContent:
    """`content` on `template` as it stands now, with a place for each of its variables."""
    content = content.with_template(template)
    return replace(
        content, variables=tuple(content.variable(name) or Variable(name) for name in content.template_variables)
    )


def save(campaign: Campaign, *, seen: int, by: User, page: str = "") -> set[str]:
    """Writes the draft as `campaign` holds it, if no other `page` saved since version `seen`; returns the columns that
    changed. The first save makes the row. Raises Conflict and NotEditable."""
    stored = Campaign.objects.filter(pk=campaign.pk, project_id=campaign.project_id).first()
    if stored is None:
        return _create(campaign, by, page)
    if not stored.is_editable:
        raise NotEditable(stored)
    changed = differences(stored, campaign)
    if not changed:
        _take_over(campaign, stored)
        return changed
    now = timezone.now()
    mine = Q(version=seen) | Q(edited_from=page) if page else Q(version=seen)
    done = Campaign.objects.filter(mine, pk=campaign.pk, state__in=EDITABLE).update(
        **{column: getattr(campaign, column) for column in changed},
        version=F("version") + 1,
        edited_by=str(by),
        edited_at=now,
        edited_from=page,
        updated_at=now,
    )
    after = Campaign.objects.get(pk=campaign.pk)
    if not done:
        raise Conflict(after) if after.is_editable else NotEditable(after)
    _take_over(campaign, after)
    return changed


def differences(stored: Campaign, mine: Campaign) -> set[str]:
    """The columns of a draft in which the two aren't the same."""
    return {column for column in COLUMNS if getattr(stored, column) != getattr(mine, column)}


def _create(campaign: Campaign, by: User, page: str) -> set[str]:
    campaign.edited_by, campaign.edited_at, campaign.version = str(by), timezone.now(), 1
    campaign.edited_from = page
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError:
        if not Campaign.objects.filter(pk=campaign.pk, project_id=campaign.project_id).exists():
            raise
        return save(campaign, seen=0, by=by, page=page)  # its twin got there first
    return set(COLUMNS)


def _take_over(campaign: Campaign, stored: Campaign) -> None:
    """What only the database knows."""
    kept: tuple[str, ...] = ("version", "edited_by", "edited_at", "state", "updated_at", "created_at")
    values: dict[str, Any] = {name: getattr(stored, name) for name in kept}
    for name, value in values.items():
        setattr(campaign, name, value)
