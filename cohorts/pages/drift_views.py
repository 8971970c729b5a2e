"""The two roads of a cohort side by side, why they differed, and who."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cohorts.models import Cohort, DriftPart
from cohorts.pages import detail
from cohorts.pages.views import HtmxRequest, offset_of
from cohorts.versions import drift
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_COHORTS)
def two_roads(request: HttpRequest, access: Access, source_id: int) -> HttpResponse:
    """Both roads, the last comparisons, and who was on one only."""
    one = access.fetch(Cohort, source_id=source_id)
    roads = drift.two_roads_of(one)
    parts = drift.parts_of(roads.drift) if roads and roads.drift else []
    asked: dict[str, detail.Asked] = {
        part.what: (part.row.people, offset_of(request.GET.get(part.what, "")), drift.PEOPLE_SHOWN) for part in parts
    }
    pages = detail.people_at(one, asked)
    context = {
        "nav": "cohorts",
        "cohort": one,
        "roads": roads,
        "shown_drift": roads.drift if roads else None,
        "parts": [(part, pages[part.what]) for part in parts],
        "drifts": drift.history_of(one),
    }
    return render(request, "cohorts/push/two_roads.html", context)


@require_safe
@project_view(Right.SEE_COHORTS)
def drift_people(request: HtmxRequest, access: Access, source_id: int, what: str) -> HttpResponse:
    """A page of those who were on one road only at the last comparison, for one reason."""
    one = access.fetch(Cohort, source_id=source_id)
    roads = drift.two_roads_of(one)
    only, _dash, kind = what.partition("-")
    part = DriftPart.objects.filter(drift=roads.drift, only=only, kind=kind).first() if roads and roads.drift else None
    if roads is None or part is None:
        raise Http404
    offset = offset_of(request.GET.get("offset", ""))
    if not request.htmx:
        whole = redirect("cohorts:two_roads", access.project.id, source_id)
        whole["Location"] += f"?{what}={offset}#people-{what}"
        return whole
    page = detail.people_at(one, {what: (part.people, offset, drift.PEOPLE_SHOWN)})[what]
    context = {"cohort": one, "shown_drift": roads.drift, "what": what, "page": page}
    return render(request, "cohorts/cohort/_people.html", context)
