"""유저 코호트 관리 and 코호트 상세 정보. Each address answers htmx with its fragment and everybody else with a page."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event
from django_htmx.middleware import HtmxDetails

from cohorts import membership
from cohorts.membership import loaded
from cohorts.models import Cohort, Snapshot
from cohorts.pages import detail, push_queries
from cohorts.pages.export import download
from cohorts.pages.forms import DecisionForm, ExportForm, FindForm
from cohorts.pages.plan_forms import RhythmForm
from cohorts.pages.queries import ListQuery, Live, cohort_page, live_of, rows_of
from cohorts.pull import forewarn
from cohorts.pull import refresh as refreshing
from cohorts.pull.plan import rhythm_of
from cohorts.versions import compare, drift
from integrations import budget, connect, failures
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib import email, phone
from notifly_console.tenancy.access import Access, Right, project_view

UNCHANGED = 204
PARTS = {
    "dialogs": "cohorts/cohort/_dialog.html",
    "cohort": "cohorts/cohort/_cohort.html",
    "rhythm": "cohorts/plan/_rhythm.html",
    "versions": "cohorts/versions/_versions.html",
}
"""What of 코호트 상세 정보 goes into which element."""


class HtmxRequest(HttpRequest):
    """A request as the htmx middleware leaves it."""

    htmx: HtmxDetails


# -- The list --------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_COHORTS)
def cohort_list(request: HtmxRequest, access: Access) -> HttpResponse:
    """The cohorts of a project; for a search or another page by htmx, the list alone."""
    context = _list_context(access, ListQuery.of(request.GET), live_of(access))
    if request.htmx and request.htmx.target == "live":
        return render(request, "cohorts/list/_live.html", context | {"is_fragment": True})
    return render(request, "cohorts/list/list.html", context)


@require_safe
@project_view(Right.SEE_COHORTS)
def live(request: HtmxRequest, access: Access) -> HttpResponse:
    """What the open list asks by itself: 204 while nothing has changed since the token `v`."""
    now = live_of(access)
    known = request.GET.get("v", "")
    if known == now.token:
        return HttpResponse(status=UNCHANGED)
    query = ListQuery.of(request.GET)
    if not request.htmx:
        return redirect(_with("cohorts:list", access, query.here))
    context = _list_context(access, query, now)
    # Said aloud only when the refresh begins, waits or ends, not at every page that it reads.
    announces = known.split(".")[0] != now.token.split(".")[0]
    return render(request, "cohorts/list/_live.html", context | {"is_fragment": True, "announces": announces})


@require_POST
@project_view(Right.REFRESH)
def refresh(request: HtmxRequest, access: Access) -> HttpResponse:
    """Asks for a refresh, or joins the one that is live. May be sent again without harm."""
    try:
        joined = _ask_for_refresh(request, access, None)
    except refreshing.NotConnected as error:
        return _back_to_list(request, access, failures.sentence(error.code).title, bad=True)
    said = _("이미 진행 중인 리프레시에 합류했습니다.") if joined else ""
    return _back_to_list(request, access, said)


def _ask_for_refresh(
    request: HtmxRequest, access: Access, cohort: Cohort | None, *, phones_may_go: bool = False
) -> bool:
    """Requests and records it; says whether one was live already."""
    was_live = live_of(access).refresh
    with transaction.atomic():
        if cohort is not None and phones_may_go:
            forewarn.let_them_go(access.project.id, cohort.pk)
        run = refreshing.request(access.project, by=str(access.user), cohort=cohort)
        joined = was_live is not None and was_live.is_live and was_live.pk == run.pk
        record(
            Action.REFRESH_REQUESTED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=cohort.screen_id if cohort else "",
            refresh=run.id.hex,
            joined=joined,
            **({"without_phones": True} if phones_may_go else {}),
        )
    return joined


def _list_context(access: Access, query: ListQuery, now: Live) -> dict[str, Any]:
    connection = connect.row_of(access.project)
    settings = connect.MixpanelSettings.of(connection) if connection else None
    return {
        "nav": "cohorts",
        "query": query,
        "live": now,
        "page": cohort_page(access, query, now.refresh),
        "connection": connection,
        "only_pushed": connection is None and access.all(Cohort).filter(pushed_at__isnull=False).exists(),
        "used": budget.used_this_hour(settings.region.value, settings.project_id) if settings else 0,
        "limit": budget.PER_HOUR,
        "failure": _failure_of(now, settings.project_id if settings else ""),
    }


def _failure_of(now: Live, mixpanel_project: int | str) -> failures.Failure | None:
    """Why the newest refresh failed or waits, as a sentence."""
    run = now.refresh
    if run is None:
        return None
    code = run.failure or run.waiting_for
    return failures.sentence(code, until=run.not_before, project=mixpanel_project) if code else None


def _back_to_list(request: HtmxRequest, access: Access, said: str, bad: bool = False) -> HttpResponse:
    """The list as it is now, with a word of what was done."""
    if not request.htmx:
        if said:
            (messages.warning if bad else messages.success)(request, said)
        return redirect("cohorts:list", access.project.id)
    shown = urlsplit(request.htmx.current_url or "").query
    context = _list_context(access, ListQuery.of(QueryDict(shown)), live_of(access))
    response = render(request, "cohorts/list/_live.html", context | {"is_fragment": True, "announces": True})
    return _toast(response, said, bad)


def _toast(response: HttpResponse, said: str, bad: bool = False) -> HttpResponse:
    return trigger_client_event(response, "console:toast", {"text": said, "bad": bad}) if said else response


def _with(name: str, access: Access, query_string: str) -> str:
    address = reverse(name, args=[access.project.id])
    return f"{address}?{query_string}" if query_string else address


# -- One cohort ------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_COHORTS)
def cohort(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """코호트 상세 정보: a page, the dialog over the list, or (to renew an open one) its body. `?rhythm=1` opens the
    choice of its automatic refreshes."""
    one = _fetch(access, source_id)
    more = {}
    if "rhythm" in request.GET and (rhythm := rhythm_of(access.project, one)):
        more["rhythm_form"] = RhythmForm.showing(rhythm.choice)
    return cohort_answer(request, access, one, _offsets(request.GET), **more)


def _fetch(access: Access, source_id: int) -> Cohort:
    return access.fetch(Cohort, source_id=source_id)


def _version(key: int | None) -> Snapshot | None:
    return Snapshot.objects.filter(pk=key).first() if key else None


_SETS = ("members", "joined", "left", "held_joined", "held_left")


def offset_of(text: str) -> int:
    """From which place on a list of people is asked for; 0 for anything that is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0


def _offsets(params: QueryDict) -> dict[str, int]:
    found = {name: params.get(name, "") for name in _SETS}
    return {name: int(text) for name, text in found.items() if text.isdecimal() and len(text) < 12}


def cohort_answer(
    request: HtmxRequest, access: Access, one: Cohort, offsets: dict[str, int], **more: Any
) -> HttpResponse:
    """The open cohort where it is open: a page, the dialog, or its body; with `more` for the templates."""
    context = _cohort_context(access, one, offsets) | more
    target = (request.htmx.target or "") if request.htmx else ""
    template = PARTS.get(target, "cohorts/cohort/cohort.html")
    return render(request, template, context)


def _cohort_context(access: Access, one: Cohort, offsets: dict[str, int]) -> dict[str, Any]:
    now = live_of(access)
    current, held = detail.versions_of(one)
    sets: dict[str, detail.Asked] = {}
    if current:
        sets["members"] = (current.members, offsets.get("members", 0), detail.MEMBERS_SHOWN)
        sets |= {
            name: (getattr(current, name), offsets.get(name, 0), detail.MOVES_SHOWN) for name in ("joined", "left")
        }
    if held:
        for name in ("joined", "left"):
            sets[f"held_{name}"] = (getattr(held, name), offsets.get(f"held_{name}", 0), detail.MOVES_SHOWN)
    history = detail.history_of(one)
    listed = compare.lines_of(one, history)[: compare.SHOWN] if current else []
    push = push_queries.pushed(one)
    return {
        "nav": "cohorts",
        "cohort": one,
        "current": current,
        "held": held,
        "people": detail.people_at(one, sets),
        "reach": detail.reach_of(current, phone.REASONS, email.REASONS) if current else None,
        "history": history,
        "chart": detail.chart_of(history),
        "versions": listed,
        "choices": [line.version for line in listed],
        "export_sets": _export_sets(current) if current else [],
        "export_to": reverse("cohorts:export", args=[access.project.id, one.source_id]),
        "push": push,
        "only_pushed": push is not None and connect.row_of(access.project) is None,
        "drift": push_queries.last_drift(one),
        "roads": drift.two_roads_of(one),
        "rhythm": rhythm_of(access.project, one),
    } | _run_context(one, now)


def _export_sets(current: Snapshot) -> list[tuple[str, Any, int]]:
    sizes = detail.export_sets(current)
    return [(name, label, sizes[name]) for name, label in ExportForm.SETS]


def _run_context(one: Cohort, now: Live) -> dict[str, Any]:
    row = rows_of([one], now.refresh)[0]
    is_live = now.is_live and now.refresh is not None and (row.will_be_read or now.refresh.cohort_id == one.pk)
    mark = one.refreshed_at.timestamp() if one.refreshed_at else 0
    return {
        "row": row,
        "live": now,
        "runs": is_live,
        "run_token": f"{now.token}.{one.number}.{mark}.{one.failure}.{one.held_id}",
        "failure": failures.sentence(one.failure) if one.failure else None,
    }


@require_safe
@project_view(Right.SEE_COHORTS)
def cohort_run(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """How the refresh of an open cohort goes on: 204 while nothing has changed; at its end the page is told."""
    one = _fetch(access, source_id)
    context = {"cohort": one} | _run_context(one, live_of(access))
    known = request.GET.get("v", "")
    if known == context["run_token"]:
        return HttpResponse(status=UNCHANGED)
    if not request.htmx:
        return redirect("cohorts:cohort", access.project.id, source_id)
    response = render(request, "cohorts/cohort/_run.html", context)
    return response if context["runs"] else trigger_client_event(response, "cohort-changed", {})


@require_POST
@project_view(Right.REFRESH)
def cohort_refresh(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Asks for this cohort alone; with `without_phones`, even if nobody in it has a phone any more."""
    one = _fetch(access, source_id)
    may_go = request.POST.get("without_phones") == "1"
    if may_go:
        access.require(Right.DECIDE_HELD)
    try:
        joined = _ask_for_refresh(request, access, one, phones_may_go=may_go)
    except refreshing.NotConnected as error:
        return after_act(request, access, source_id, failures.sentence(error.code).title, bad=True)
    said = _("이미 진행 중인 리프레시에 합류했습니다.") if joined else _("이 코호트만 리프레시합니다.")
    return after_act(request, access, source_id, said)


def after_act(request: HtmxRequest, access: Access, source_id: int, said: str, bad: bool = False) -> HttpResponse:
    """Back to where the button stood: the open cohort or the list."""
    htmx: Any = request.htmx
    if htmx and htmx.target == "cohort":
        response = cohort_answer(request, access, _fetch(access, source_id), {})
        return trigger_client_event(_toast(response, said, bad), "cohorts-changed", {})
    if not htmx and request.POST.get("from") == "cohort":
        (messages.warning if bad else messages.success)(request, said)
        return redirect("cohorts:cohort", access.project.id, source_id)
    return _back_to_list(request, access, said, bad)


@require_POST
@project_view(Right.SEE_COHORTS)
def watch(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Notes that somebody looks at this cohort: those are refreshed before others when requests are short."""
    one = _fetch(access, source_id)
    Cohort.objects.filter(pk=one.pk).update(watched_at=timezone.now())
    return HttpResponse(status=204)


@require_safe
@project_view(Right.SEE_COHORTS)
def people(request: HtmxRequest, access: Access, source_id: int, what: str) -> HttpResponse:
    """A page of a cohort's people, or of those who joined or left."""
    one = _fetch(access, source_id)
    snapshot = _version(one.held_id if what.startswith("held_") else one.current_id)
    if what not in _SETS or snapshot is None:
        raise Http404
    offset = _offsets(QueryDict(f"{what}={request.GET.get('offset', '')}")).get(what, 0)
    if not request.htmx:
        address = reverse("cohorts:cohort", args=[access.project.id, source_id])
        return redirect(f"{address}?{what}={offset}#people-{what}")
    size = detail.MEMBERS_SHOWN if what == "members" else detail.MOVES_SHOWN
    raw = getattr(snapshot, what.removeprefix("held_"))
    page = detail.people_at(one, {what: (raw, offset, size)})[what]
    return render(request, "cohorts/cohort/_people.html", {"cohort": one, "what": what, "page": page})


@require_POST
@project_view(Right.SEE_COHORTS)
def members(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Members whose id begins with a text. A POST, since ids may be phone numbers or addresses; recorded."""
    one = _fetch(access, source_id)
    form = FindForm(request.POST)
    snapshot = _version(one.current_id)
    found = None
    if form.is_valid() and snapshot is not None:
        found = detail.find_members(
            one, snapshot.members, form.cleaned_data["q"], sees_contacts=access.may(Right.SEE_CONTACTS)
        )
        record(
            Action.PROFILES_SEARCHED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=one.screen_id,
            by=["id"],
            found=len(found.rows),
        )
    status = 200 if form.is_valid() else 422
    context = {"cohort": one, "found": found, "find_form": form}
    if request.htmx:
        return render(request, "cohorts/cohort/_found.html", context, status=status)
    answer = cohort_answer(request, access, one, {}, **context)
    answer.status_code = status
    return answer


# -- A held version --------------------------------------------------------------------------------------------------
@require_POST
@project_view(Right.DECIDE_HELD)
def accept(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Makes the held version the current one."""
    return _decide(request, access, source_id, accepts=True)


@require_POST
@project_view(Right.DECIDE_HELD)
def discard(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Throws the held version away."""
    return _decide(request, access, source_id, accepts=False)


def _decide(request: HtmxRequest, access: Access, source_id: int, *, accepts: bool) -> HttpResponse:
    """Decides about the version that the person saw; another one in its place is left for them to look at."""
    one = _fetch(access, source_id)
    form = DecisionForm(request.POST)
    one.held_id = form.cleaned_data["held"] if form.is_valid() else None
    rule = membership.accept_held if accepts else membership.discard_held
    try:
        with transaction.atomic():
            rule(one, by=str(access.user))
            record(
                Action.SNAPSHOT_ACCEPTED if accepts else Action.SNAPSHOT_DISCARDED,
                project_id=access.project.id,
                actor=access.user,
                request=request,
                target=one.screen_id,
                snapshot=form.cleaned_data["held"],
            )
    except membership.Conflict:
        said = _("그 사이에 다른 사람이 결정했거나 새 버전이 왔습니다. 다시 확인해 주세요.")
        return after_act(request, access, source_id, said, bad=True)
    said = _("새 버전을 적용했습니다.") if accepts else _("새 버전을 버렸습니다. 이전 버전을 그대로 씁니다.")
    return after_act(request, access, source_id, said)


# -- Download --------------------------------------------------------------------------------------------------------
@require_POST
@project_view(Right.EXPORT)
def export(request: HtmxRequest, access: Access, source_id: int) -> HttpResponseBase:
    """People as CSV, once a reason is given."""
    one = _fetch(access, source_id)
    form = ExportForm(request.POST)
    snapshot = _version(one.current_id)
    if not form.is_valid() or snapshot is None:
        answer = cohort_answer(request, access, one, {}, export_form=form)
        answer.status_code = 422
        return answer
    what, reason = form.cleaned_data["what"], form.cleaned_data["reason"]
    people = loaded(getattr(snapshot, what))
    return download(request, access, one, people, what=what, version=snapshot.number, reason=reason)
