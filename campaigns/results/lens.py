"""One person through everything that they were sent; and which campaigns are aimed at a cohort or a user group."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from django.db.models import Case, IntegerField, Q, Value, When

from campaigns.models import Campaign, CampaignState, OptOut, Recipient
from campaigns.results.find import RecipientRow, row_of
from campaigns.results.queries import STATE_COLOURS
from campaigns.sending.schedule import timing_of
from cohorts.groups.conditions import definition_of
from cohorts.models import Cohort, GroupNesting, Profile, Snapshot, UserGroup
from notifly_console.tenancy.access import Access

PAGE = 20
USERS_SHOWN = 10
RANK = Case(
    *(When(state=state, then=Value(rank)) for rank, state in enumerate(("active", "inactive", "draft"))),
    default=Value(9),
    output_field=IntegerField(),
)


# -- A person ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Messages:
    """A page of what a person was sent, the newest first, and the key below which the next begins."""

    rows: list[RecipientRow]
    before: int | None
    opt_out: OptOut | None
    """That their number refused advertising."""


def messages_of(access: Access, profile: Profile, before: int | None = None) -> Messages:
    """What became of every message to the profile; of rows of files, of those to its number as it is now. Three
    statements, each by an index of its own."""
    ours = Recipient.objects.filter(run__project=access.project, run__campaign__deleted_at=None)
    if before is not None:
        ours = ours.filter(pk__lt=before)
    ours = ours.select_related("run__campaign").defer("run__chosen", "run__message", "run__funnel", "run__outcome")
    found = list(ours.filter(profile_id=profile.pk).order_by("-pk")[: PAGE + 1])
    if profile.phone:
        found += ours.filter(profile_id=None, phone=profile.phone).order_by("-pk")[: PAGE + 1]
    rows = sorted(found, key=lambda one: -one.pk)
    opt_out = OptOut.objects.filter(project=access.project, phone=profile.phone).first() if profile.phone else None
    return Messages([row_of(one) for one in rows[:PAGE]], rows[PAGE - 1].pk if len(rows) > PAGE else None, opt_out)


# -- Who uses a cohort, or a group ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class User:
    """A campaign that is aimed at it."""

    campaign: Campaign
    through: str
    """The user group by which it is; "" where it is aimed at it itself."""
    waiting_since: datetime | None = None
    """When the cohort's version that waits for a person's decision was read; None where none waits."""

    @property
    def colour(self) -> str:
        colours: dict[Any, str] = dict(STATE_COLOURS)
        return colours.get(self.campaign.state, "")

    @property
    def is_live(self) -> bool:
        """Whether it goes to each who comes in."""
        return timing_of(self.campaign.timing).is_live

    @property
    def decide_by(self) -> date | None:
        """The day until which the version that waits has to be decided on, or it doesn't count for this campaign: its
        last one. None where nothing waits, or it doesn't matter."""
        timing = timing_of(self.campaign.timing)
        goes_on = self.campaign.state in (CampaignState.ACTIVE, CampaignState.INACTIVE)
        matters = self.waiting_since is not None and timing.is_live and goes_on and not timing.is_endless
        return timing.end if matters else None

    @property
    def came_too_late(self) -> bool:
        """Whether it ended while the version was waiting: whoever comes in with it isn't sent to any more."""
        since, ended = self.waiting_since, self.campaign.ended_at
        return self.is_live and since is not None and ended is not None and since < ended


def using_cohort(access: Access, cohort: Cohort) -> tuple[list[User], int]:
    """Campaigns that are aimed at the cohort, itself or by a group, those that go out first; and how many there are."""
    groups = access.all(UserGroup).only("pk", "definition").iterator(chunk_size=500)
    asking = [group.pk for group in groups if cohort.pk in definition_of(group.definition).cohorts]
    held = Snapshot.objects.filter(cohort=cohort, pk=cohort.held_id or 0).values_list("created_at", flat=True)
    return _using(access, Q(cohort=cohort), asking, held.first())


def using_group(access: Access, group: UserGroup) -> tuple[list[User], int]:
    """The same of a user group."""
    return _using(access, Q(pk__in=[]), [group.pk])


def _using(access: Access, itself: Q, groups: list[Any], since: datetime | None = None) -> tuple[list[User], int]:
    # A group may ask about others, which ask about none themselves.
    outer = GroupNesting.objects.filter(inner__in=groups).values_list("outer", flat=True) if groups else []
    found = access.all(Campaign).filter(itself | Q(group__in=[*groups, *outer])).select_related("group")
    shown = found.only("name", "state", "timing", "ended_at", "project_id", "cohort_id", "group__name").order_by(
        RANK, "-created_at", "-pk"
    )
    users = [User(one, one.group.name if one.group else "", since) for one in islice(shown[:USERS_SHOWN], USERS_SHOWN)]
    return users, found.count()
