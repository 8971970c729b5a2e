"""What API 인증 정보 shows: the webhook's address, the keys, what each is used for, and the last call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from integrations import inlets
from integrations.models import InboundKind, InboundPage
from notifly_console.tenancy import keys
from notifly_console.tenancy.access import Access, Right
from notifly_console.tenancy.models import ApiKey, Project

SYNCS_KEPT = timedelta(days=3)
"""As long as Mixpanel keeps what it has sent: a sync that rested longer starts over anyway."""
SYNCS_SHOWN = 10
IDLE = timedelta(days=1)
"""A key that wasn't used for so long, while another one was, has been replaced in Mixpanel."""


@dataclass(frozen=True)
class LastCall:
    """The newest call of the project's webhook that was taken."""

    at: datetime
    action: str
    name: str
    page: int
    pages: int


@dataclass(frozen=True)
class Syncs:
    """The cohorts that would pause without a key: the names of the first of them, and how many `more` there are."""

    names: list[str]
    more: int

    def __len__(self) -> int:
        return len(self.names) + self.more


def webhook_url(request: HttpRequest, project: Project) -> str:
    """What is entered as URL in Mixpanel."""
    return request.build_absolute_uri(reverse("mixpanel_cohorts", args=[project.hex]))


def last_call(project: Project) -> LastCall | None:
    """None before the first."""
    pages = InboundPage.objects.filter(project=project, kind=InboundKind.COHORT_PAGE).order_by("-pk")
    row = pages.values_list("received_at", "envelope").first()
    if row is None:
        return None
    at, said = row
    return LastCall(at, said["action"], said["name"], said["page"], said["pages"])


def syncs_of(key_id: int) -> Syncs:
    """The cohorts that were synced with the key in the last days."""
    since = timezone.now() - SYNCS_KEPT
    recent = InboundPage.objects.filter(api_key=key_id, received_at__gte=since).order_by("subject", "-pk")
    subjects = list(recent.order_by("subject").values_list("subject", flat=True).distinct())
    names: dict[int, str] = {}
    shown = recent.filter(subject__in=subjects[:SYNCS_SHOWN])
    for subject, said in shown.values_list("subject", "envelope").iterator(chunk_size=500):
        names.setdefault(subject, said["name"] or f"mixpanel_{subject}")
    return Syncs(list(names.values()), len(subjects) - len(names))


def keys_context(request: HttpRequest, access: Access, **more: Any) -> dict[str, Any]:
    """Everything of `_keys.html`, whatever is open in it."""
    live = list(keys.live(access.project))
    inlet = inlets.of(access.project)
    taken = last_call(access.project)
    refused_at = inlet.refused_at if inlet.refused_at and (not taken or inlet.refused_at > taken.at) else None
    return more | {
        "keys": live,
        "webhook_url": webhook_url(request, access.project),
        "may_edit": access.may(Right.EDIT_KEYS),
        "inlet": inlet,
        "last_call": taken,
        "refused_at": refused_at,
        "replaced": _replaced(live),
    }


def _replaced(live: list[ApiKey]) -> ApiKey | None:
    """The key that can be revoked without a call being refused: older than one that is used, and idle."""
    now = timezone.now()
    used = [key for key in live if key.last_used_at and now - key.last_used_at < IDLE]
    idle = [key for key in live if key.last_used_at is None or now - key.last_used_at >= IDLE]
    return next((key for key in reversed(idle) if any(key.created_at < other.created_at for other in used)), None)


def key_of(access: Access, key_id: int) -> ApiKey:
    """A live key of the project. Raises Http404."""
    return access.fetch(keys.live(access.project), pk=key_id)
