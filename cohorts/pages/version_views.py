"""The versions of a cohort: all of them, the difference of two, and undoing the last one."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cohorts import membership
from cohorts.models import Cohort
from cohorts.pages import detail
from cohorts.pages.export import download
from cohorts.pages.forms import CompareForm, DifferenceExportForm, UndoForm
from cohorts.pages.views import HtmxRequest, after_act, offset_of
from cohorts.versions import compare, retain
from cohorts.versions.undo import NothingBefore, undo_last
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy.access import Access, Right, project_view

LARGEST = 2**31 - 1
PAGE = 50


@require_safe
@project_view(Right.SEE_COHORTS)
def versions(request: HttpRequest, access: Access, source_id: int) -> HttpResponse:
    """The versions of a cohort that are kept, and any two of them to compare."""
    one = access.fetch(Cohort, source_id=source_id)
    choices = compare.kept(one).only("number", "size")
    pages = Pages(len(choices), PAGE, page_of(request.GET.get("page", "")))
    context = {
        "nav": "cohorts",
        "cohort": one,
        "pages": pages,
        "choices": choices,
        "lines": compare.page_of(one, pages.slice),
        "rules": retain.rules_of(one.project_id),
    }
    return render(request, "cohorts/versions/versions.html", context)


@require_safe
@project_view(Right.SEE_COHORTS)
def compare_versions(request: HttpRequest, access: Access, source_id: int) -> HttpResponse:
    """From two chosen numbers to the address of their difference."""
    one = access.fetch(Cohort, source_id=source_id)
    form = CompareForm(request.GET)
    if not form.is_valid():
        return redirect("cohorts:versions", access.project.id, source_id)
    older, newer = sorted((form.cleaned_data["older"], form.cleaned_data["newer"]))
    if compare.difference(one, older, newer) is None:
        return redirect("cohorts:versions", access.project.id, source_id)
    return redirect("cohorts:difference", access.project.id, source_id, older, newer)


@require_safe
@project_view(Right.SEE_COHORTS)
def difference(request: HtmxRequest, access: Access, source_id: int, older: int, newer: int) -> HttpResponse:
    """What two versions differ by: a page, or a dialog over another one."""
    one = access.fetch(Cohort, source_id=source_id)
    return _difference_answer(request, one, _difference(one, older, newer))


def _difference(one: Cohort, older: int, newer: int) -> compare.Difference:
    found = compare.difference(one, older, newer) if older < newer <= LARGEST else None
    if found is None:
        raise Http404
    return found


def _difference_answer(request: HtmxRequest, one: Cohort, found: compare.Difference, **more: Any) -> HttpResponse:
    offsets = {name: offset_of(request.GET.get(name, "")) for name in found.sets}
    asked: dict[str, detail.Asked] = {
        name: (people, offsets[name], compare.PEOPLE_SHOWN) for name, people in found.sets.items()
    }
    pages = detail.people_at(one, asked)
    parts = [(name, compare.SETS[name], pages[name]) for name in compare.SETS if name in pages]
    place = [one.project_id, one.source_id, found.older.number, found.newer.number]
    context = {
        "nav": "cohorts",
        "cohort": one,
        "difference": found,
        "parts": parts,
        "export_sets": [(name, label, page.total) for name, label, page in parts],
        "export_to": reverse("cohorts:difference_export", args=place),
        **more,
    }
    is_dialog = request.htmx and request.htmx.target == "dialogs"
    return render(
        request,
        "cohorts/versions/_difference_dialog.html" if is_dialog else "cohorts/versions/difference.html",
        context,
    )


@require_safe
@project_view(Right.SEE_COHORTS)
def difference_people(
    request: HtmxRequest, access: Access, source_id: int, older: int, newer: int, what: str
) -> HttpResponse:
    """A page of those who joined, left, or have another phone."""
    one = access.fetch(Cohort, source_id=source_id)
    found = _difference(one, older, newer)
    if what not in found.sets:
        raise Http404
    offset = offset_of(request.GET.get("offset", ""))
    if not request.htmx:
        address = redirect("cohorts:difference", access.project.id, source_id, older, newer)
        address["Location"] += f"?{what}={offset}#people-{what}"
        return address
    page = detail.people_at(one, {what: (found.sets[what], offset, compare.PEOPLE_SHOWN)})[what]
    return render(
        request, "cohorts/cohort/_people.html", {"cohort": one, "difference": found, "what": what, "page": page}
    )


@require_POST
@project_view(Right.EXPORT)
def difference_export(request: HtmxRequest, access: Access, source_id: int, older: int, newer: int) -> HttpResponseBase:
    """One of the differing sets as CSV, once a reason is given."""
    one = access.fetch(Cohort, source_id=source_id)
    found = _difference(one, older, newer)
    form = DifferenceExportForm(request.POST, sets=list(found.sets))
    if not form.is_valid():
        answer = _difference_answer(request, one, found, export_form=form)
        answer.status_code = 422
        return answer
    what, reason = form.cleaned_data["what"], form.cleaned_data["reason"]
    version = f"{older}-{newer}"
    return download(request, access, one, found.sets[what], what=what, version=version, reason=reason)


@require_POST
@project_view(Right.DECIDE_HELD)
def undo(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Brings the version before the current one back, if the current one is still the one that the person saw."""
    one = access.fetch(Cohort, source_id=source_id)
    form = UndoForm(request.POST)
    try:
        with transaction.atomic():
            made = undo_last(one, seen=form.cleaned_data["seen"] if form.is_valid() else 0, by=str(access.user))
            record(
                Action.SNAPSHOT_UNDONE,
                project_id=access.project.id,
                actor=access.user,
                request=request,
                target=one.screen_id,
                undone=made.undoes,
                restored=made.restores,
                version=made.number,
            )
    except membership.Conflict:
        said = _("그 사이에 새 버전이 적용되었습니다. 달라진 내용을 확인한 뒤 다시 되돌려 주세요.")
        return after_act(request, access, source_id, said, bad=True)
    except membership.DecisionFirst:
        said = _("확인을 기다리는 새 버전이 있습니다. 먼저 적용하거나 버려 주세요.")
        return after_act(request, access, source_id, said, bad=True)
    except NothingBefore:
        return after_act(request, access, source_id, _("되돌릴 이전 버전이 없습니다."), bad=True)
    said = _("버전 %(undone)s을(를) 되돌려 버전 %(restored)s의 유저를 다시 씁니다.") % {
        "undone": made.undoes,
        "restored": made.restores,
    }
    return after_act(request, access, source_id, said)
