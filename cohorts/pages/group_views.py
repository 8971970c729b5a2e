"""유저 그룹 관리: the list, a group's page with its statistics, and the builder. Each address answers htmx with its
fragment and everybody else with a page."""

from datetime import datetime, time
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cohorts.groups import groups
from cohorts.groups.conditions import Definition, InGroup, Operator, Type, definition_of
from cohorts.models import Cohort, GroupSize, UserGroup
from cohorts.pages import group_queries
from cohorts.pages.detail import sizes_chart
from cohorts.pages.group_forms import Compose
from cohorts.pages.views import HtmxRequest
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.paging import page_of
from notifly_console.tenancy.access import Access, Right, project_view

DAYS_SHOWN = 90


# -- The list ---------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_COHORTS)
def group_list(request: HtmxRequest, access: Access) -> HttpResponse:
    """The project's user groups; for a search by htmx, the table alone."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    page = group_queries.group_page(access, text, page_of(request.GET.get("page", "")))
    is_part = request.htmx and request.htmx.target == "groups"
    template = "cohorts/groups/_groups.html" if is_part else "cohorts/groups/groups.html"
    return render(request, template, {"nav": "groups", "page": page, "text": text})


# -- One group --------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_COHORTS)
def group(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """A group's page: what it says, how large it is, where it is used."""
    one = access.fetch(UserGroup, pk=group_id)
    definition = definition_of(one.definition)
    history = list(GroupSize.objects.filter(group=one).order_by("-day")[:DAYS_SHOWN])
    context = {
        "nav": "groups",
        "group": one,
        "words": group_queries.words_of(access.project.pk, definition),
        "history": history,
        "chart": sizes_chart(
            [(datetime.combine(row.day, time(12), access.project.zone), row.size) for row in reversed(history)]
        ),
        "used_in": group_queries.used_in(one),
    }
    return render(request, "cohorts/groups/group.html", context)


@require_safe
@project_view(Right.SEE_COHORTS)
def group_numbers(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """The part of a group's page that takes counting: size, reach and overlap, as of now."""
    one = access.fetch(UserGroup, pk=group_id)
    if not request.htmx:
        return redirect("cohorts:group", access.project.id, one.pk)
    definition = definition_of(one.definition)
    try:
        people = groups.members(access.project.pk, definition)
    except groups.NotReady as error:
        return render(request, "cohorts/groups/_numbers.html", {"group": one, "not_ready": error})
    others = group_queries.neighbours(one, definition)
    context = {
        "group": one,
        "count": groups.counted(access.project.pk, people),
        "overlap": group_queries.overlap_of(one, people, others) if people else None,
        "forgotten": group_queries.forgotten(access.project.pk, definition),
    }
    return render(request, "cohorts/groups/_numbers.html", context)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_measure(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """Counts the group now and writes it into its statistics."""
    one = access.fetch(UserGroup, pk=group_id)
    try:
        counted = groups.measure(one)
    except groups.NotReady as error:
        messages.warning(request, _why_not_ready(error))
    else:
        messages.success(request, _("지금 %(n)s명입니다.") % {"n": f"{counted.size:,}"})
    return redirect("cohorts:group", access.project.id, one.pk)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_duplicate(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """A copy, opened in the builder."""
    one = access.fetch(UserGroup, pk=group_id)
    try:
        with transaction.atomic():
            copy = groups.duplicate(one, by=str(access.user))
            _record(Action.GROUP_SAVED, request, access, copy, copied_from=one.name)
    except groups.CannotSave as error:
        messages.warning(request, error.problems[0].text)
        return redirect("cohorts:group", access.project.id, one.pk)
    _measured(copy)
    messages.success(request, _("유저 그룹을 복제했습니다."))
    return redirect("cohorts:group_edit", access.project.id, copy.pk)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_delete(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """Deletes a group that nothing asks about."""
    one = access.fetch(UserGroup, pk=group_id)
    if one.is_partner:
        messages.warning(request, _("Mixpanel이 동기화하는 유저 그룹은 여기에서 지울 수 없습니다."))
        return redirect("cohorts:group", access.project.id, one.pk)
    try:
        with transaction.atomic():
            _record(Action.GROUP_DELETED, request, access, one)
            groups.delete(one)
    except groups.InUse:
        messages.warning(
            request, _("다른 유저 그룹이나 캠페인이 쓰고 있어 지울 수 없습니다. 쓰는 곳에서 먼저 빼 주세요.")
        )
        return redirect("cohorts:group", access.project.id, one.pk)
    messages.success(request, _("‘%(name)s’을(를) 지웠습니다.") % {"name": one.name})
    return redirect("cohorts:groups", access.project.id)


# -- The builder ------------------------------------------------------------------------------------------------------
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_GROUPS)
def group_new(request: HtmxRequest, access: Access) -> HttpResponse:
    """A new group. `from`: a group that it begins with (유저 그룹 불러오기), `next`: where to go once it is saved."""
    if request.method == "POST":
        return _save(request, access, None)
    loaded_from = _loaded_from(request, access)
    if loaded_from is None:
        return _builder_page(request, access, Compose([[]]), None)
    begun = Definition(segments=((InGroup(loaded_from.pk.hex),),))
    return _builder_page(request, access, Compose.of(begun), None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_GROUPS)
def group_edit(request: HtmxRequest, access: Access, group_id: UUID) -> HttpResponse:
    """A group in the builder."""
    one = access.fetch(UserGroup, pk=group_id)
    if request.method == "POST":
        return _save(request, access, one)
    if one.is_partner:
        messages.info(request, _("Mixpanel이 동기화하는 유저 그룹입니다. 복제하면 조건을 더할 수 있습니다."))
        return redirect("cohorts:group", access.project.id, one.pk)
    return _builder_page(request, access, Compose.of(definition_of(one.definition)), one)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_compose(request: HtmxRequest, access: Access) -> HttpResponse:
    """What a button of the builder does to the form: nothing is saved."""
    compose = Compose.posted(request.POST)
    one = _edited(request, access)
    do = request.POST.get("do", "")
    compose.do(_first_found(access, compose, one) if do == "enter" else do)
    if request.htmx:
        return render(request, "cohorts/groups/_builder.html", _builder_context(request, access, compose, one))
    return _builder_page(request, access, compose, one)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_size(request: HtmxRequest, access: Access) -> HttpResponse:
    """How many the form as it stands means."""
    compose = Compose.posted(request.POST)
    context: dict[str, Any] = {"is_counted": True, "is_blank": compose.is_blank}
    if not compose.definition.problems:
        try:
            context["count"] = groups.count(access.project.pk, compose.definition)
            context["forgotten"] = group_queries.forgotten(access.project.pk, compose.definition)
        except groups.NotReady as error:
            context["not_ready"] = _why_not_ready(error)
    return render(request, "cohorts/groups/_size.html", context)


@require_POST
@project_view(Right.EDIT_GROUPS)
def group_choices(request: HtmxRequest, access: Access) -> HttpResponse:
    """Cohorts or groups for a condition, by the beginning of what was typed. A POST: it comes with the whole form."""
    place, kind = request.POST.get("place", "")[:16], request.POST.get("of", "")
    one = _edited(request, access)
    found, matched = group_queries.choices(access, kind, request.POST.get("find", ""), one.pk if one else None)
    context = {"place": place, "choices": found, "matched": matched, "kind": kind}
    return render(request, "cohorts/groups/_choices.html", context)


# -- Inside -----------------------------------------------------------------------------------------------------------
def _save(request: HtmxRequest, access: Access, one: UserGroup | None) -> HttpResponse:
    compose = Compose.posted(request.POST)
    seen = request.POST.get("seen", "")
    try:
        with transaction.atomic():
            saved = groups.save(
                access.project,
                name=request.POST.get("name", ""),
                description=request.POST.get("description", "")[:2000],
                definition=compose.definition,
                by=str(access.user),
                group=one,
                seen=int(seen) if seen.isdecimal() and len(seen) < 9 else None,
            )
            _record(Action.GROUP_SAVED, request, access, saved)
    except groups.CannotSave as error:
        return _builder_page(request, access, compose, one, problems=error.problems, status=422)
    except groups.Conflict as error:
        return _builder_page(request, access, compose, one, conflict=error.group, status=409)
    _measured(saved)
    messages.success(request, _("유저 그룹을 저장했습니다."))
    if (address := _next(request)) is not None:
        joint = "&" if "?" in address else "?"
        return redirect(f"{address}{joint}group={saved.pk.hex}")
    return redirect("cohorts:group", access.project.id, saved.pk)


def _measured(one: UserGroup) -> None:
    """Lists and choices show a size: that of what was saved, not of what it was before."""
    try:
        groups.measure(one)
    except groups.NotReady:
        return  # Its page says why.


def _builder_page(
    request: HtmxRequest, access: Access, compose: Compose, one: UserGroup | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = _builder_context(request, access, compose, one, with_problems="problems" in more) | more
    context["names"] = group_queries.property_names(access.project.pk)
    return render(request, "cohorts/groups/edit.html", context, status=status)


def _builder_context(
    request: HtmxRequest, access: Access, compose: Compose, one: UserGroup | None, *, with_problems: bool = False
) -> dict[str, Any]:
    segments, filters = group_queries.lines_of(access.project.pk, compose, with_problems=with_problems)
    posted = request.POST
    context: dict[str, Any] = {
        "nav": "groups",
        "group": one,
        "segments": segments,
        "filters": filters,
        "types": [(type_.value, type_.label) for type_ in Type],
        "name": posted.get("name", one.name if one else ""),
        "description": posted.get("description", one.description if one else ""),
        "seen": posted.get("seen", one.version if one else ""),
        "next": _next(request) or "",
        "presence": (Operator.EXISTS, Operator.MISSING),
        "focus": compose.focus,
        "find": compose.find,
    }
    if compose.picking_kind:
        context["choices"], context["matched"] = group_queries.choices(
            access, compose.picking_kind, compose.find, one.pk if one else None
        )
    return context


def _first_found(access: Access, compose: Compose, one: UserGroup | None) -> str:
    """What Enter means where somebody types to find a cohort or a group: the first that is shown. Else nothing."""
    if not compose.picking_kind or not compose.find.strip():
        return ""
    found, _matched = group_queries.choices(access, compose.picking_kind, compose.find, one.pk if one else None)
    return f"pick:{compose.picking}:{found[0].value}" if found else ""


def _edited(request: HtmxRequest, access: Access) -> UserGroup | None:
    key = request.POST.get("editing", "")
    return access.fetch(UserGroup, pk=key) if key else None


def _loaded_from(request: HtmxRequest, access: Access) -> UserGroup | None:
    key = request.GET.get("from", "")
    return access.fetch(UserGroup, pk=key) if key else None


def _next(request: HtmxRequest) -> str | None:
    """Where a person came from to build a group: an address of this console, or None."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if is_ours else None


def _why_not_ready(error: groups.NotReady) -> str:
    unread: list[Cohort] = list(error.cohorts)
    if unread:
        name = unread[0].name or unread[0].screen_id
        return _("코호트 ‘%(name)s’을(를) 아직 읽지 않아 셀 수 없습니다. 먼저 리프레시해 주세요.") % {"name": name[:80]}
    return _("조건으로 쓴 코호트나 유저 그룹이 없어졌습니다. 조건을 고쳐 주세요.")


def _record(action: Action, request: HtmxRequest, access: Access, one: UserGroup, **details: Any) -> None:
    record(
        action,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=one.name,
        group=one.pk.hex,
        **details,
    )
