"""What is known of the world when a campaign's message is checked: gathered here, judged in `check.py`."""

from uuid import UUID

from campaigns.message.content import AlimtalkContent, content_of
from campaigns.message.pictures import measure
from campaigns.message.validate import Facts, PictureFacts
from campaigns.models import AudienceKind, Campaign, Picture
from integrations import senders
from integrations.senders import Listing

_CATEGORIES = {AudienceKind.COHORT: "user", AudienceKind.GROUP: "user", AudienceKind.CSV: "csv"}


def facts_of(campaign: Campaign, listing: Listing | None = None) -> Facts:
    """What `check` may know for this campaign: the provider's lists (those of `listing`, else the kept ones; nothing
    while they were never fetched), its picture, its audience's columns."""
    found = senders.listing(campaign.project) if listing is None else listing
    is_listed = found.fetched_at is not None
    return Facts(
        profiles=frozenset(one.id for one in found.profiles) if is_listed else None,
        numbers=frozenset(one.number for one in found.numbers if one.is_active) if is_listed else None,
        templates={one.id: one for one in found.templates} if is_listed else None,
        pictures=_pictures(campaign),
        category=_CATEGORIES.get(AudienceKind(campaign.audience_kind), "") if campaign.audience_kind else "",
        columns=_columns(campaign),
    )


def _pictures(campaign: Campaign) -> dict[str, PictureFacts]:
    content = content_of(campaign.channel, campaign.message) if campaign.channel else AlimtalkContent()
    wanted = "" if isinstance(content, AlimtalkContent) else content.picture
    if not wanted:
        return {}
    try:
        picture = Picture.objects.filter(project_id=campaign.project_id, pk=UUID(hex=wanted)).first()
    except ValueError:
        picture = None
    facts = measure(bytes(picture.content)) if picture else None
    return {wanted: facts} if facts else {}


def _columns(campaign: Campaign) -> tuple[str, ...] | None:
    if campaign.audience_kind != AudienceKind.CSV or campaign.upload is None:
        return None
    return tuple(campaign.upload.columns)
