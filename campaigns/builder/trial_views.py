"""테스트 발송하기: the message as one of its real recipients would get it, to a few numbers of one's own."""

import re
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.audience.plan import Plan
from campaigns.builder.page import part_context
from campaigns.builder.preview import Reader, reader_at, readers_from
from campaigns.builder.reach import plan_of
from campaigns.builder.views import fetch
from campaigns.message.problems import at_fields
from campaigns.models import AudienceKind, Campaign, Recipient, RecipientState, Run, RunKind
from campaigns.sending import trial
from campaigns.sending.launch import CannotLaunch
from cohorts.models import Profile
from notifly_console.tenancy.access import Access, Right, project_view

OFFERED = 20
"""Recipients whose values a test may borrow."""
SETTLED = frozenset({RecipientState.DELIVERED, RecipientState.FAILED, RecipientState.REFUSED, RecipientState.SKIPPED})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.LAUNCH)
def test(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """Asks for the numbers, and whose values; then sends."""
    campaign = fetch(access, campaign_id)
    plan = plan_of(campaign)
    if request.method != "POST":
        return _ask(request, access, campaign, plan)
    reader = _reader(plan, request.POST)
    numbers = [text for text in re.split(r"[\n,;]+", request.POST.get("to", "")[:1_000]) if text.strip()]
    try:
        run = trial.send_test(campaign, to=numbers, by=access.user, request=request, **_as(plan, reader))
    except CannotLaunch as error:
        found = at_fields(campaign, error.problems)
        return _ask(request, access, campaign, plan, status=422, problems=found)
    return _show(request, access, campaign, run)


def _reader(plan: Plan | None, params: QueryDict) -> Reader | None:
    asked = params.get("at", "")
    at = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 12 else 0
    return reader_at(plan, at, (), whole=True) if plan else None


def _as(plan: Plan | None, reader: Reader | None) -> dict[str, Any]:
    """Whose values fill it in, as `send_test` takes them."""
    if plan is None or reader is None:
        return {}
    if plan.kind == AudienceKind.CSV:
        return {"values": reader.values}
    return {"as_profile": Profile.objects.filter(pk=plan.chosen[reader.at], project_id=plan.project_id).first()}


def _ask(
    request: Any, access: Access, campaign: Campaign, plan: Plan | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    params = request.POST if request.method == "POST" else request.GET
    chosen = _reader(plan, params)
    readers = readers_from(plan, 0, OFFERED, (), whole=False) if plan else []
    if chosen and chosen.at >= OFFERED:
        readers.append(chosen)
    context = part_context(access, campaign) | {
        "readers": readers,
        "at": chosen.at if chosen else 0,
        "to": params.get("to", ""),
        "most": trial.MOST_NUMBERS,
        "at_to": [one for one in more.get("problems", ()) if one.field.endswith("to")],
        "elsewhere": [one for one in more.get("problems", ()) if not one.field.endswith("to")],
    }
    target = (request.htmx.target or "") if request.htmx else ""
    template = {"dialogs": "_test", "test-form": "_test_form"}.get(target, "test")
    return render(request, f"campaigns/builder/{template}.html", context | more, status=status)


def _show(request: Any, access: Access, campaign: Campaign, run: Run) -> HttpResponse:
    people = list(Recipient.objects.filter(run=run).order_by("pk"))
    context = part_context(access, campaign) | {
        "run": run,
        "people": people,
        "is_over": all(one.state in SETTLED for one in people),
    }
    return render(
        request, "campaigns/builder/_test_outcome.html" if request.htmx else "campaigns/builder/test_sent.html", context
    )


@require_safe
@project_view(Right.LAUNCH)
def outcome(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """What became of a test."""
    campaign = fetch(access, campaign_id)
    run = access.fetch(Run.objects.filter(kind=RunKind.TEST, campaign=campaign), number=run_number)
    return _show(request, access, campaign, run)
