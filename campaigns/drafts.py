"""Drafts: made with the first thing that is written down, saved at every step, never overwritten unseen.

A draft may be as unfinished as it likes; whether it can go out is asked at the review. A save names the version that it
was made on, and is one conditional UPDATE: of two people who save on the same version, the second gets a `Conflict`
with what the first one left, and keeps what they wrote.
"""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from campaigns.models import Campaign, CampaignState
from notifly_console.tenancy.models import Project, User

EDITABLE = (CampaignState.DRAFT, CampaignState.INACTIVE)
COLUMNS = (
    "name", "description", "channel", "timing", "audience_kind", "cohort_id", "upload_id", "message", "kept",
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


def settle(campaign: Campaign) -> None:
    """Makes the message of the chosen channel out of what the builder has kept for each."""
    kept = campaign.kept.get(campaign.channel) or {}
    campaign.message = {name: value for name, value in kept.items() if name != "has_fallback"}
    if "fallback" in kept and not kept.get("has_fallback"):
        campaign.message["fallback"] = None


def save(campaign: Campaign, *, seen: int, by: User) -> set[str]:
    """Writes the draft as `campaign` holds it, if nobody saved since version `seen`; returns the columns that changed.

    The first save makes the row. Saving what is stored already changes nothing, whatever `seen`: a save whose answer
    got lost may be sent again. Raises Conflict and NotEditable.
    """
    stored = Campaign.objects.filter(pk=campaign.pk, project_id=campaign.project_id).first()
    if stored is None:
        return _create(campaign, by)
    if not stored.is_editable:
        raise NotEditable(stored)
    changed = differences(stored, campaign)
    if not changed:
        _take_over(campaign, stored)
        return changed
    now = timezone.now()
    done = Campaign.objects.filter(pk=campaign.pk, version=seen, state__in=EDITABLE).update(
        **{column: getattr(campaign, column) for column in changed},
        version=F("version") + 1,
        edited_by=str(by),
        edited_at=now,
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


def _create(campaign: Campaign, by: User) -> set[str]:
    campaign.edited_by, campaign.edited_at, campaign.version = str(by), timezone.now(), 1
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError:  # its twin got there first
        return save(campaign, seen=0, by=by)
    return set(COLUMNS)


def _take_over(campaign: Campaign, stored: Campaign) -> None:
    """What only the database knows."""
    kept: tuple[str, ...] = ("version", "edited_by", "edited_at", "state", "updated_at", "created_at")
    values: dict[str, Any] = {name: getattr(stored, name) for name in kept}
    for name, value in values.items():
        setattr(campaign, name, value)
