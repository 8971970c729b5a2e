"""수신자 찾기: the people of a run, one of them, and all of them as a file. What GET shows is masked; whole contacts,
searches and files are POSTs, which are recorded."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.audience import left_out
from campaigns.builder.parts import known, paged, people_answer
from campaigns.models import Campaign, Run
from campaigns.results import detail, export, find, receipt, sent
from campaigns.results.export import ExportForm
from campaigns.results.report import report_of
from campaigns.results.views import show
from campaigns.sending import tally
from cohorts.pages.forms import FindForm
from cohorts.people.lookup import national
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy.access import Access, Right, project_view

KINDS = {"last_digits": _("전화번호 뒤 네 자리"), "phone": _("전화번호"), "id": _("사용자 ID")}


def _fetch(access: Access, campaign_id: UUID, run_number: int) -> tuple[Campaign, Run]:
    campaign = detail.fetch(access, campaign_id)
    return campaign, detail.fetch_run(access, campaign, run_number)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def people(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """Those behind a number of the outcome."""
    campaign, run = _fetch(access, campaign_id, run_number)
    asked = {name: request.GET.get(name, "")[:64] for name in ("who", "reason", "after")}
    if not request.htmx:
        address = reverse("campaigns:campaign", args=[access.project.id, campaign.pk])
        given = {name: value for name, value in asked.items() if value}
        return redirect(f"{address}?{urlencode({'run': run_number, **given})}#who")
    context = {"campaign": campaign, "run": run, "report": report_of(campaign, run), "find_form": FindForm()}
    return render(request, "campaigns/results/_who.html", context | detail.who_context(run, **asked))


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def left_out_people(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """Whom a step of the frozen funnel left out for a reason."""
    campaign, run = _fetch(access, campaign_id, run_number)
    step, reason = request.GET.get("step", ""), request.GET.get("reason", "")
    if not step:
        address = reverse("campaigns:campaign", args=[access.project.id, campaign.pk])
        return redirect(f"{address}?{urlencode({'run': run_number})}")
    plan = left_out.frozen_plan(run, step, reason)
    found = plan.funnel.step(step)
    drop = next((one for one in found.drops if one.reason == reason), None) if found else None
    if found is None or drop is None:
        raise Http404
    is_kept = (step, reason) in plan.left_out or run.upload_id is not None
    total = known(plan, step, drop) if is_kept else 0
    base = reverse("campaigns:left_out", args=[access.project.id, campaign.pk, run_number])
    context = paged(request, plan, step, reason, total) | {
        "nav": "campaigns",
        "campaign": campaign,
        "run": run,
        "step": step,
        "reason": reason,
        "title": _("%(what)s %(n)s명") % {"what": drop.label, "n": f"{drop.count:,}"},
        "unseen": drop.count - total if is_kept else 0,
        "is_unkept": not is_kept,
        "other_reasons": found.drops if len(found.drops) > 1 else (),
        "base": base,
        "here": f"{base}?{urlencode({'step': step, 'reason': reason})}",
    }
    return people_answer(request, context)


@require_POST
@project_view(Right.SEE_CAMPAIGNS)
def search(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """Recipients by phone or id. A POST, since neither may stand in an address; that somebody searched, and by what,
    is recorded; the text is not."""
    campaign, run = _fetch(access, campaign_id, run_number)
    form = FindForm(request.POST)
    context: dict[str, Any] = {"find_form": form}
    if form.is_valid():
        text = form.cleaned_data["q"]
        whole = access.may(Right.SEE_CONTACTS)
        found = find.search(access, run, text)
        kinds = [str(KINDS[kind]) for kind in found.kinds]
        context |= {"found": found, "kinds": kinds, "is_part": find.is_part_of_number(text, whole=whole)}
        record(
            Action.PROFILES_SEARCHED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=campaign.name,
            campaign=campaign.pk.hex,
            run=run.which,
            by=found.kinds,
            found=len(found.rows),
        )
    status = 200 if form.is_valid() else 422
    if not request.htmx:
        return show(request, access, campaign, run, status=status, **context)
    context |= {"campaign": campaign, "run": run, "report": report_of(campaign, run)}
    return render(request, "campaigns/results/_who.html", context, status=status)


# -- One of them ------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def recipient(request: Any, access: Access, campaign_id: UUID, run_number: int, recipient_id: int) -> HttpResponse:
    """A recipient: what they were sent, and what became of it, step by step."""
    campaign, run = _fetch(access, campaign_id, run_number)
    one = detail.fetch_recipient(run, recipient_id)
    is_dialog = request.htmx and request.htmx.target == "dialogs"
    context = _recipient_context(campaign, run, one, contact="")
    return render(request, f"campaigns/results/{'_recipient_dialog' if is_dialog else 'recipient'}.html", context)


@require_POST
@project_view(Right.SEE_CONTACTS)
def reveal(request: Any, access: Access, campaign_id: UUID, run_number: int, recipient_id: int) -> HttpResponse:
    """The same with the whole number, once it is recorded who saw whose."""
    campaign, run = _fetch(access, campaign_id, run_number)
    one = detail.fetch_recipient(run, recipient_id)
    record(
        Action.PROFILE_SEEN,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=str(one.profile_id or ""),
        campaign=campaign.pk.hex,
        run=run.which,
        recipient=one.pk,
        whole_contacts=True,
    )
    context = _recipient_context(campaign, run, one, contact=national(one.phone))
    return render(request, "campaigns/results/recipient.html", context)


def _recipient_context(campaign: Campaign, run: Run, one: Any, contact: str) -> dict[str, Any]:
    row = find.row_of(one)
    return {
        "nav": "campaigns",
        "campaign": campaign,
        "run": run,
        "row": row,
        "recipient": one,
        "contact": contact,
        "title": (one.external_id if contact else row.external_id) or row.phone,
        "steps": receipt.steps_of(one),
        "others": receipt.others_of(one),
    } | sent.as_sent(run, one, whole=bool(contact))


# -- All of them ------------------------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EXPORT)
def export_run(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponseBase:
    """A run's people as CSV, once a reason is given; recorded with their number before the first byte leaves."""
    campaign, run = _fetch(access, campaign_id, run_number)
    whole = access.may(Right.SEE_CONTACTS)
    form = ExportForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        counted = tally.tally_of(run)
        sets = [(who, label, export.size_of(counted, who)) for who, label in export.SETS]
        context = {"nav": "campaigns", "campaign": campaign, "run": run, "form": form, "sets": sets, "whole": whole}
        is_dialog = request.htmx and request.htmx.target == "dialogs"
        template = "_export_dialog" if is_dialog else "export"
        return render(request, f"campaigns/results/{template}.html", context, status=422 if form.errors else 200)
    who = form.cleaned_data["who"]
    record(
        Action.RECIPIENTS_EXPORTED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=campaign.name,
        campaign=campaign.pk.hex,
        run=run.which,
        who=who,
        people=export.size_of(tally.tally_of(run), who),
        whole_contacts=whole,
        reason=form.cleaned_data["reason"],
    )
    lines = export.lines(run, who, whole_contacts=whole)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"campaign_{campaign.pk.hex[:8]}_run{run.which}_{who}_{timezone.localdate():%Y%m%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{quote(name)}"'
    return response
