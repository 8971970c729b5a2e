"""What they are told: campaigns, their runs, and one recipient a person and run."""

from campaigns.models.campaigns import AudienceKind, Campaign, CampaignEvent, CampaignState, Kept, Watch
from campaigns.models.materials import Picture, Upload
from campaigns.models.recipients import Batch, BatchState, Epoch, Recipient, RecipientState, SkipReason
from campaigns.models.rules import Freshness, Night, OptOut, OptOutPull, OptOutSource, Rules
from campaigns.models.runs import RUN_LIVE, LeftOut, Run, RunKind, RunState

__all__ = [
    "RUN_LIVE",
    "AudienceKind",
    "Batch",
    "BatchState",
    "Campaign",
    "CampaignEvent",
    "CampaignState",
    "Epoch",
    "Freshness",
    "Kept",
    "LeftOut",
    "Night",
    "OptOut",
    "OptOutPull",
    "OptOutSource",
    "Picture",
    "Recipient",
    "RecipientState",
    "Rules",
    "Run",
    "RunKind",
    "RunState",
    "SkipReason",
    "Upload",
    "Watch",
]
