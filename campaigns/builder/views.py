"""캠페인 생성: the page, and its saving.

The form is one; it is sent whole at every step, by htmx as one types or by a button. The answer to htmx is what stands
in the bar below, with events that tell the other parts of the page to ask for themselves anew; to a browser without
scripts it is the page again.
"""

import secrets
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect, replace_url, trigger_client_event

from campaigns.audience.lacking import needed_fields
from campaigns.audience.plan import Plan
from campaigns.builder import acts, counters, drafts, forms
from campaigns.builder.acts import Act, Done
from campaigns.builder.page import (
    COLUMN_LABELS,
    message_context,
    page_context,
    part_context,
    timing_context,
    upload_context,
)
from campaigns.builder.preview import preview_context
from campaigns.builder.reach import reach_context
from campaigns.message.check import content_of, is_ad
from campaigns.message.problems import Shown, at_fields, live
from campaigns.models import AudienceKind, Campaign
from campaigns.sending.readiness import readiness_of
from campaigns.sending.schedule import timing_of
from cohorts.models import UserGroup
from cohorts.pages import choosing
from cohorts.pull import refresh as refreshing
from integrations import failures, senders
from integrations.messaging import Channel
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.text import stored
from notifly_console.tenancy.access import Access, Right, project_view

REACH = {"channel", "audience_kind", "cohort_id", "group_id", "upload_id"}
"""Columns that say whom it reaches."""


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CAMPAIGNS)
def new(request: Any, access: Access) -> HttpResponse:
    """An empty builder. The first save makes the draft, under the id that the page was given."""
    if request.method != "POST":
        return _page(request, access, drafts.blank(access.project, uuid4(), access.user), is_new=True)
    key = _draft_key(request.POST.get("draft", ""))
    campaign = access.all(Campaign).filter(pk=key).first()
    if campaign is None:
        taken = Campaign._base_manager.filter(pk=key).exists()  # deleted ones, too
        campaign = drafts.blank(access.project, uuid4() if taken else key, access.user)
    return _save(request, access, campaign)


def _draft_key(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except ValueError:
        return uuid4()


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CAMPAIGNS)
def edit(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """The builder of a draft or of an inactive campaign."""
    campaign = fetch(access, campaign_id)
    if request.method == "POST":
        return _save(request, access, campaign)
    if not campaign.is_editable:
        return redirect("campaigns:campaign", access.project.id, campaign.pk)
    return _page(request, access, campaign, **_brought(request, access, campaign))


def _brought(request: Any, access: Access, campaign: Campaign) -> dict[str, Any]:
    """Puts a group that was just saved for this campaign onto the page; the page saves it, since reading may not."""
    key = request.GET.get("group", "")
    if not key:
        return {}
    campaign.group, campaign.audience_kind = access.fetch(UserGroup, pk=key), AudienceKind.GROUP
    return {"is_brought": True}


def fetch(access: Access, campaign_id: UUID) -> Campaign:
    """The project's campaign. Raises Http404."""
    return access.fetch(Campaign.objects.select_related("cohort", "group", "upload", "project"), pk=campaign_id)


def _page(request: Any, access: Access, campaign: Campaign, *, status: int = 200, **more: Any) -> HttpResponse:
    is_new = more.pop("is_new", False)
    listing = senders.listing(access.project)
    reach = reach_context(access, campaign)
    context = page_context(access, campaign, listing, is_new=is_new) | reach
    context |= timing_context(campaign, reach.get("plan")) | {"page_key": secrets.token_hex(16)} | more
    context |= preview_context(access, campaign, reach.get("plan"), listing, request.GET)
    hurries = request.GET.get("measure") != "1"
    context |= _measured(campaign, reach.get("plan"), context["preview"], listing, hurries=hurries)
    text = request.GET.get("q", "")
    if text:
        context["choice"] = choosing.choice(access, text)
    return render(request, "campaigns/builder/builder.html", context, status=status)


def _measured(
    campaign: Campaign, plan: Plan | None, shown: Any, listing: senders.Listing, *, hurries: bool
) -> dict[str, Any]:
    """What stands beside the editors; where that takes a while the page stands first and asks for it (`hurries`)."""
    if hurries and plan is not None and not counters.is_quick(campaign, plan):
        return {"measures_later": True}
    return {"measured": counters.measured_of(campaign, plan, shown, live(campaign, listing))}


# -- Saving -----------------------------------------------------------------------------------------------------------
def _save(request: Any, access: Access, campaign: Campaign) -> HttpResponse:
    """Saves what the form says, then does what its button asked for."""
    act = Act.of(request.POST.get("do", ""))
    asked_before = _asks(campaign)
    listing = senders.listing(access.project)
    refused = forms.onto(campaign, request.POST, access)
    done = acts.perform(campaign, act, request, refused)
    drafts.settle(campaign, {template.id: template for template in listing.templates})
    if refused:
        problems = [Shown(name, text) for name, text in refused.by_field.items()]
        return _not_saved(request, access, campaign, 422, problems=problems, summary=problems, refused=True)
    try:
        page = stored(request.POST.get("page", ""), 32)
        changed = drafts.save(campaign, seen=_seen(act, request.POST), by=access.user, page=page)
    except drafts.Conflict as conflict:
        return _not_saved(request, access, campaign, 409, conflict=conflict.stored)
    except drafts.NotEditable as error:
        return _not_saved(request, access, campaign, 409, conflict=error.stored, is_closed=True)
    if changed & REACH or asked_before != _asks(campaign):
        done.again.add("reach")
    return _then(request, access, campaign, act, done, changed, listing)


def _asks(campaign: Campaign) -> Any:
    """What the message asks of people besides a number: consent, and values that it doesn't go without; and whether it
    asks who will come in."""
    is_live = timing_of(campaign.timing).is_live
    if not campaign.channel:
        return is_live
    content = content_of(campaign.channel, campaign.message)
    return is_live, is_ad(content), needed_fields(content)


def _seen(act: Act, post: QueryDict) -> int:
    """The version that the save is made on; after a conflict, the one that the person chose to write over."""
    return act.number if act.name == "mine" else max(Act("version", post.get("version", "")).number, 0)


def _not_saved(request: Any, access: Access, campaign: Campaign, status: int, **why: Any) -> HttpResponse:
    """Nothing was saved; the form keeps what was written."""
    why.setdefault("problems", [])
    if "conflict" in why:
        stored_one = why["conflict"]
        differing = drafts.differences(stored_one, campaign)
        why["differences"] = [label for column, label in COLUMN_LABELS.items() if column in differing]
        why["theirs"] = [
            (COLUMN_LABELS[name], getattr(stored_one, name)) for name in ("name", "description") if name in differing
        ]
    if request.htmx:
        context = {"campaign": campaign, "oob": True, "me": str(access.user)} | why
        return render(request, "campaigns/builder/_not_saved.html", context, status=status)
    posted = request.POST.get("channel", "")
    why["posted_channel"] = posted if posted and not campaign.channel else ""
    return _page(request, access, campaign, status=status, **why)


def _then(
    request: Any, access: Access, campaign: Campaign, act: Act, done: Done, changed: set[str], listing: senders.Listing
) -> HttpResponse:
    """What the button asked for, now that the draft is saved."""
    if act.name == "leave":
        return _go(request, reverse("campaigns:list", args=[access.project.id]))
    if act.name in ("new-group", "more-conditions"):
        return _go(request, _group_address(access, campaign, act.name == "more-conditions"))
    if act.name == "refresh":
        done.toast = _refresh(request, access, campaign)
        done.again.add("reach")
    said = _said(campaign, act, request.POST, listing)
    if act.name == "review" and not said["problems"]:
        return _go(request, reverse("campaigns:review", args=[access.project.id, campaign.pk]))
    status = 422 if act.name == "review" else 200
    if not request.htmx:
        if done.toast:
            messages.warning(request, done.toast)
        return (
            _page(request, access, campaign, status=422, **said)
            if status == 422
            else _again(request, access, campaign, act)
        )
    done.again |= _changed_parts(campaign, request.POST)
    context = part_context(access, campaign) | timing_context(campaign) | message_context(campaign, listing)
    context |= {"oob": True, "again": done.again, "focused_button": done.focused_button}
    context |= upload_context(campaign) | said
    response = render(request, "campaigns/builder/_after_save.html", context, status=status)
    for name, detail in _events(act, done, changed):
        trigger_client_event(response, name, detail, after="settle")
    return replace_url(response, reverse("campaigns:edit", args=[access.project.id, campaign.pk]))


def _said(campaign: Campaign, act: Act, post: QueryDict, listing: senders.Listing) -> dict[str, Any]:
    """What is wrong with the draft: with what was written, and once one wanted to go on, what is missing, too."""
    if act.name != "review" and post.get("checked") != "1":
        return {"problems": live(campaign, listing)}
    problems = at_fields(campaign, readiness_of(campaign, hurries=True).problems)
    wants_focus = act.name == "review"
    return {"problems": problems, "summary": problems, "checked": bool(problems), "focus_problems": wants_focus}


def _group_address(access: Access, campaign: Campaign, goes_on: bool) -> str:
    """Where a user group is built for this campaign, and comes back from; on top of the chosen one or from nothing."""
    query = {"next": reverse("campaigns:edit", args=[access.project.id, campaign.pk])}
    if goes_on and campaign.group is not None:
        query["from"] = campaign.group.pk.hex
    return f"{reverse('cohorts:group_new', args=[access.project.id])}?{urlencode(query)}"


def _events(act: Act, done: Done, changed: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the other parts of the page are told."""
    for name, text in done.texts.items():
        yield "builder:set", {"field": name, "text": text}
    if "reach" in done.again:
        yield "audience-changed", {}
    if changed or "message" in done.again or "template" in done.again:
        yield "draft-saved", {}
    if act.name == "test":
        yield "test-wanted", {}
    if done.toast:
        yield "console:toast", {"text": done.toast, "bad": True}


def _changed_parts(campaign: Campaign, post: QueryDict) -> set[str]:
    """The parts that the page has to get anew, since it shows another channel's message or another template."""
    if post.get("message_of", "") != campaign.channel:
        return {"message"}
    template = f"{campaign.message.get('profile')} {campaign.message.get('template')}"
    return {"template"} if campaign.channel == Channel.ALIMTALK and post.get("template_shown") != template else set()


def _go(request: Any, address: str) -> HttpResponse:
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _again(request: Any, access: Access, campaign: Campaign, act: Act) -> HttpResponse:
    """The page again, with what was searched for; or the page of the test."""
    if act.name == "test":
        return redirect("campaigns:test", access.project.id, campaign.pk)
    address = reverse("campaigns:edit", args=[access.project.id, campaign.pk])
    typed = request.POST.get("cohort-q", "").strip()
    if typed and (campaign.cohort is None or typed != campaign.cohort.name):
        return redirect(f"{address}?{urlencode({'q': typed})}#s3")
    return redirect(address)


def _refresh(request: Any, access: Access, campaign: Campaign) -> str:
    """다시 리프레시: asks for the chosen cohort, or joins what runs; what is to be said where that can't be."""
    access.require(Right.REFRESH)
    if campaign.cohort is None:
        return ""
    with transaction.atomic():
        try:
            run = refreshing.request(access.project, by=str(access.user), cohort=campaign.cohort)
        except refreshing.NotConnected as error:
            return failures.sentence(error.code).title
        record(
            Action.REFRESH_REQUESTED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=campaign.cohort.screen_id,
            refresh=run.id.hex,
        )
    return ""
