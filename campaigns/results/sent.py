"""The message of a run as its recipients got it, drawn from what was frozen with it."""

from typing import Any

from campaigns.builder.preview import Reader, phone, read_by
from campaigns.message.content import content_of
from campaigns.models import Campaign, Recipient, Run
from campaigns.rules import rules_of
from integrations import senders
from notifly_console.lib.masking import mask_contacts, mask_within


def as_sent(run: Run, recipient: Recipient | None = None, *, whole: bool = False) -> dict[str, Any]:
    """What the phone's template needs for the run's message as `recipient` (else the run's first) got it. Contacts
    among the values are masked unless `whole`."""
    one = recipient or Recipient.objects.filter(run=run).order_by("pk").first()
    reader = None
    if one is not None:
        name = one.external_id if whole else mask_contacts(one.external_id)
        reader = Reader(0, run.size or 1, name, one.values if whole else mask_within(one.values))
    moment = (recipient.handed_at if recipient else None) or run.started_at or run.due_at
    shown = read_by(
        reader, content_of(run.channel, run.message), rules_of(run.project), senders.listing(run.project), moment
    )
    replaced = recipient is not None and recipient.was_replaced
    return phone(shown, run.project.name, shows_fallback=replaced) | {"shows_fallback": replaced, "shown_run": run}


def as_written(campaign: Campaign) -> dict[str, Any]:
    """The same of a campaign that has no run yet, for somebody without values."""
    content = content_of(campaign.channel, campaign.message)
    moment = campaign.next_run_at or campaign.updated_at
    shown = read_by(None, content, rules_of(campaign.project), senders.listing(campaign.project), moment)
    return phone(shown, campaign.project.name, shows_fallback=False) | {"shows_fallback": False, "shown_run": campaign}
