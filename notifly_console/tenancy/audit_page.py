"""The page 감사 로그: who did what, when, from where, in words."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from notifly_console.audit import search
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.audit.record import SYSTEM
from notifly_console.audit.words import facts_of
from notifly_console.tenancy.access import Access, Right, project_view


class QuestionForm(forms.Form):
    """The filters, as they stand in the address. What makes no sense is left out of the question and said so."""

    actor = forms.CharField(required=False, max_length=254)
    action = forms.ChoiceField(required=False, choices=[("", ""), *Action.choices])
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62)
    after = forms.IntegerField(required=False, min_value=1, max_value=2**62)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and since > until:
            self.add_error("until", _("끝나는 날이 시작하는 날보다 빠릅니다."))
        return data


@dataclass(frozen=True)
class Line:
    """An entry and what it says beyond its columns."""

    entry: Entry
    is_system: bool
    facts: list[tuple[str, str]]


@require_safe
@project_view(Right.SEE_AUDIT)
def audit_log(request: HttpRequest, access: Access) -> HttpResponse:
    """The project's audit log with its filters."""
    form = QuestionForm(request.GET)
    form.is_valid()
    given: dict[str, Any] = {name: value for name, value in form.cleaned_data.items() if value}
    before, after = given.pop("before", None), given.pop("after", None)
    answer = search.find(access.project.id, search.Question(**given), before=before, after=after)
    filters = {name: value.isoformat() if isinstance(value, date) else value for name, value in given.items()}
    context = {
        "nav": "audit",
        "form": form,
        "lines": [Line(entry, entry.actor == SYSTEM, facts_of(entry.details)) for entry in answer.entries],
        "actors": search.actors(access.project.id),
        "actions": Action.choices,
        "is_filtered": bool(given),
        "older": _address(filters, before=answer.older),
        "newer": _address(filters, after=answer.newer),
    }
    return render(request, "tenancy/audit.html", context, status=422 if form.errors else 200)


def _address(filters: dict[str, Any], **place: int | None) -> str:
    if None in place.values():
        return ""
    return "?" + urlencode(filters | place)
