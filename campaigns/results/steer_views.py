"""What a person does with a campaign after its launch: pause, resume, cancel, end, send again, duplicate, delete.

Each act carries what the person saw. Where the campaign has changed since, nothing is done and the page says what
happened (409); where somebody else did the same first, it is done.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.models import RUN_LIVE, Campaign, CampaignState, Run
from campaigns.results import detail
from campaigns.results.views import show
from campaigns.sending import history, launch, retry
from campaigns.sending.launch import CannotLaunch
from campaigns.sending.tally import tally_of
from notifly_console.tenancy.access import Access, Right, project_view

GOES_BACK_TO_LIST = "list"


# -- Pause and resume -------------------------------------------------------------------------------------------------
@require_POST
@project_view(Right.LAUNCH)
def pause(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """일시 중지: within one batch for each worker."""
    one = detail.fetch(access, campaign_id)
    if one.state == CampaignState.INACTIVE:
        return _back(request, access, one, _("이미 멈춰 있습니다."))
    if _has_changed(request, one):
        return _conflict(request, access, one)
    launch.pause(one, by=access.user, request=request)
    return _back(request, access, one, _("일시 중지했습니다. 이미 넘긴 메시지는 그대로 발송됩니다."))


@require_POST
@project_view(Right.LAUNCH)
def resume(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """재개: whoever still waits is sent to."""
    one = detail.fetch(access, campaign_id)
    if one.state == CampaignState.ACTIVE:
        return _back(request, access, one, _("이미 다시 시작되었습니다."))
    if one.state != CampaignState.INACTIVE or _has_changed(request, one):
        return _conflict(request, access, one)
    try:
        launch.launch(one, by=access.user, seen_version=one.version, request=request)
    except CannotLaunch as error:
        return show(request, access, detail.fetch(access, campaign_id), status=409, problems=error.problems)
    return _back(request, access, one, _("다시 시작했습니다."))


# -- Acts that ask first ----------------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.LAUNCH)
def cancel(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """발송 취소: ends a run; whoever wasn't handed over yet is left out."""
    one = detail.fetch(access, campaign_id)
    run = detail.fetch_run(access, one, run_number)
    counted = tally_of(run)
    left, handed = counted.not_handed, counted.handed
    if request.method == "POST":
        if run.state not in RUN_LIVE:
            return _conflict(request, access, one, run)
        launch.cancel_run(run, by=access.user, request=request)
        return _back(
            request, access, one, _("발송을 취소했습니다. 아직 넘기지 않은 수신자에게는 보내지 않습니다."), run
        )
    if run.size is None:
        title, button = _("아직 시작하지 않은 이 회차를 보내지 않을까요?"), _("발송 취소")
    elif not left:
        title, button = _("카카오로 받지 못한 사람에게 대체 문자를 보내지 않을까요?"), _("대체 문자 취소")
    else:
        title = _("남은 %(n)s명에게 보내지 않을까요?") % {"n": f"{left:,}"}
        button = ngettext("%(n)s명 발송 취소", "%(n)s명 발송 취소", left) % {"n": f"{left:,}"}
    text = _("취소한 회차는 다시 시작할 수 없고, 복제해서 새로 보낼 수 있습니다.")
    if handed:
        text = _("이미 넘긴 %(n)s명은 되돌릴 수 없습니다.") % {"n": f"{handed:,}"} + " " + text
    address = reverse("campaigns:cancel", args=[access.project.id, one.pk, run_number])
    return _ask(request, one, address, title, text, button, keep=_("계속 보내기"))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.LAUNCH)
def end(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """종료: for good, with whatever run is going."""
    one = detail.fetch(access, campaign_id)
    if request.method == "POST":
        if one.state == CampaignState.ENDED:
            return _back(request, access, one, _("이미 종료되었습니다."))
        if _has_changed(request, one):
            return _conflict(request, access, one)
        launch.end(one, by=access.user, request=request)
        return _back(request, access, one, _("캠페인을 종료했습니다."))
    text = _("진행 중인 발송도 취소되고, 다시 시작하거나 수정할 수 없습니다. 결과는 계속 볼 수 있습니다.")
    address = reverse("campaigns:end", args=[access.project.id, one.pk])
    return _ask(request, one, address, _("이 캠페인을 종료할까요?"), text, _("종료"))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.LAUNCH)
def send_again(request: Any, access: Access, campaign_id: UUID, run_number: int) -> HttpResponse:
    """실패 재발송: to those who failed for a passing fault, once for each run."""
    one = detail.fetch(access, campaign_id)
    run = detail.fetch_run(access, one, run_number)
    people = tally_of(run).retriable
    if request.method == "POST":
        if request.POST.get("people", "") != str(people):
            return _conflict(request, access, one, run)
        try:
            made = retry.retry_failures(run, by=access.user, request=request)
        except CannotLaunch as error:
            return show(request, access, detail.fetch(access, campaign_id), run, status=409, problems=error.problems)
        return _back(request, access, one, _("다시 보내기 시작했습니다."), made)
    shown = f"{people:,}"
    text = _("전원 꺼짐이나 통신사 오류처럼 잠시 뒤에는 받을 수 있는 실패입니다. 회차마다 한 번만 다시 보낼 수 있고, "
             "보낸 만큼 비용이 듭니다.")  # fmt: skip
    address = reverse("campaigns:send_again", args=[access.project.id, one.pk, run_number])
    title = _("실패한 %(n)s명에게 다시 보낼까요?") % {"n": shown}
    button = ngettext("실패 재발송 %(n)s명", "실패 재발송 %(n)s명", people) % {"n": shown}
    return _ask(request, one, address, title, text, button, danger=False, people=people)


@require_POST
@project_view(Right.EDIT_CAMPAIGNS)
def duplicate(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """복제: a draft of its own, opened where it is written."""
    made = launch.duplicate(detail.fetch(access, campaign_id), by=access.user)
    messages.success(request, _("복제해 드래프트를 만들었습니다."))
    return redirect("campaigns:edit", access.project.id, made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CAMPAIGNS)
def delete(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """삭제: a draft or an ended campaign, with all that it shows."""
    one = detail.fetch(access, campaign_id)
    if request.method == "POST":
        if _has_changed(request, one) or not launch.delete(one, by=access.user, request=request):
            return _conflict(request, access, one)
        messages.success(request, _("캠페인을 지웠습니다."))
        return redirect("campaigns:list", access.project.id)
    text = _("수신자와 결과, 기록도 함께 지워지고 되돌릴 수 없습니다. 감사 로그에는 남습니다.")
    if one.state == CampaignState.DRAFT:
        text = _("쓴 내용이 지워지고 되돌릴 수 없습니다.")
    address = reverse("campaigns:delete", args=[access.project.id, one.pk])
    return _ask(request, one, address, _("이 캠페인을 지울까요?"), text, _("삭제"))


# -- Inside -----------------------------------------------------------------------------------------------------------
def _has_changed(request: Any, one: Campaign) -> bool:
    return bool(request.POST.get("seen", "") != detail.seen(one))


def _ask(
    request: Any,
    one: Campaign,
    address: str,
    title: str,
    text: str,
    button: str,
    *,
    keep: str = "",
    danger: bool = True,
    **hidden: Any,
) -> HttpResponse:
    """The question before an act: a dialog, or without scripts a page."""
    context = {
        "nav": "campaigns",
        "campaign": one,
        "address": address,
        "title": title,
        "text": text,
        "button": button,
        "keep": keep or _("취소"),
        "danger": danger,
        "hidden": {"seen": detail.seen(one), **hidden},
    }
    is_dialog = request.htmx and request.htmx.target == "dialogs"
    return render(request, f"campaigns/results/{'_ask' if is_dialog else 'ask'}.html", context)


def _back(request: Any, access: Access, one: Campaign, said: str, run: Run | None = None) -> HttpResponse:
    messages.success(request, said)
    if request.POST.get("from") == GOES_BACK_TO_LIST:
        return redirect("campaigns:list", access.project.id)
    address = reverse("campaigns:campaign", args=[access.project.id, one.pk])
    return redirect(f"{address}?run={run.number}" if run else address)


def _conflict(request: Any, access: Access, one: Campaign, run: Run | None = None) -> HttpResponse:
    """Nothing was done: the campaign isn't any more what the person decided on. The page as it is now, and what
    happened to it last."""
    now = detail.fetch(access, one.pk)
    event = detail.last_word(now)
    conflict = {"event": event, "words": history.words_of(event) if event else ""}
    return show(request, access, now, run, status=409, conflict=conflict)
