"""리프레시 일정: the timetable of recurring refreshes, each cohort's choice, and the project's rules."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cohorts.models import Cohort, CohortRhythm
from cohorts.pages.plan_forms import INHERIT, RhythmForm, RulesForm
from cohorts.pages.queries import id_text, matching
from cohorts.pages.views import HtmxRequest, after_act, cohort_answer
from cohorts.pull import plan as planning
from cohorts.versions.retain import rules_of
from integrations import budget, connect
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy.access import Access, Right, project_view

COHORTS_SHOWN = 30
TICKS_SHOWN = 20


@require_safe
@project_view(Right.SEE_COHORTS)
def schedule(request: HttpRequest, access: Access) -> HttpResponse:
    """The next 24 hours within the hourly budget, what each cohort has chosen, and what came of the last moments."""
    now = timezone.now()
    plan = planning.plan_of(access.project)
    text = request.GET.get("q", "").replace("\0", "").strip()[:200]
    cohorts = access.all(Cohort).filter(is_listed=True, vanished_at=None)
    if text:
        cohorts = cohorts.annotate(id_text=id_text()).filter(matching(text))
    pages = Pages(
        cohorts.count(),
        COHORTS_SHOWN,
        page_of(request.GET.get("page", "")),
        lambda number: urlencode({"q": text, "page": number} if text else {"page": number}),
    )
    subjects = {one.key: one for one in plan.subjects}
    shown = cohorts.order_by("name_key", "id").values_list("pk", flat=True)[pages.slice]
    rows = [
        (subjects[key], plan.choice_of(subjects[key]), plan.due_of(subjects[key], now))
        for key in shown
        if key in subjects
    ]
    hours = planning.timetable(plan, now)
    context = {
        "nav": "cohorts",
        "plan": plan,
        "connection": connect.row_of(access.project),
        "hours": hours,
        "is_planned": any(hour.entries or hour.total or hour.waiting for hour in hours),
        "most": planning.MOST_AN_HOUR,
        "limit": budget.PER_HOUR,
        "rows": rows,
        "text": text,
        "pages": pages,
        "ticks": planning.last_ticks(access.project.pk, TICKS_SHOWN),
    }
    return render(request, "cohorts/plan/schedule.html", context)


# -- The project's rules ----------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_SETTINGS)
def rules(request: HttpRequest, access: Access) -> HttpResponse:
    """The project's rules for cohorts."""
    return _rules_page(request, access, RulesForm(instance=rules_of(access.project.pk)))


def _rules_page(request: HttpRequest, access: Access, form: RulesForm, status: int = 200) -> HttpResponse:
    context = {"nav": "settings", "form": form, "rules": form.instance, "may_edit": access.may(Right.EDIT_COHORT_RULES)}
    return render(request, "cohorts/plan/rules.html", context, status=status)


@require_POST
@project_view(Right.EDIT_COHORT_RULES)
def save_rules(request: HttpRequest, access: Access) -> HttpResponse:
    """Changes them; recorded with what they are by then."""
    form = RulesForm(request.POST, instance=rules_of(access.project.pk))
    if not form.is_valid():
        return _rules_page(request, access, form, status=422)
    with transaction.atomic():
        made = form.save(commit=False)
        made.project, made.changed_by = access.project, str(access.user)
        made.save()
        record(
            Action.COHORT_RULES_CHANGED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            fields=sorted(form.changed_data),
            **_rhythm_of(made),
            keep_versions=made.keep_versions,
            keep_all_days=made.keep_all_days,
            keep_days=made.keep_days,
        )
    messages.success(request, _("코호트 규칙을 저장했습니다."))
    return redirect("cohorts:rules", access.project.id)


def _rhythm_of(one: Any) -> dict[str, Any]:
    at = one.daily_at.strftime("%H:%M") if one.daily_at and one.every == "daily" else None
    return {"every": one.every, "hours": one.hours if one.every == "hours" else None, "daily_at": at}


# -- One cohort's choice ----------------------------------------------------------------------------------------------
@require_POST
@project_view(Right.REFRESH)
def save_rhythm(request: HtmxRequest, access: Access, source_id: int) -> HttpResponse:
    """Changes when a cohort is refreshed by itself; recorded."""
    one = access.fetch(Cohort, source_id=source_id)
    own = CohortRhythm.objects.filter(pk=one.pk).first()
    form = RhythmForm(request.POST, instance=own or CohortRhythm(cohort=one))
    if not form.is_valid():
        answer = cohort_answer(request, access, one, {}, rhythm_form=form)
        answer.status_code = 422
        return answer
    with transaction.atomic():
        if form.inherits:
            CohortRhythm.objects.filter(pk=one.pk).delete()
        else:
            made = form.save(commit=False)
            made.changed_by = str(access.user)
            made.save()
        record(
            Action.REFRESH_RHYTHM_CHANGED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=one.screen_id,
            **({"every": INHERIT} if form.inherits else _rhythm_of(form.instance)),
        )
    return after_act(request, access, source_id, _("이 코호트의 리프레시 일정을 저장했습니다."))
