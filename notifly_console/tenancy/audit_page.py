"""The page 감사 로그: who did what, when, from where, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from notifly_console.audit import search
from notifly_console.audit.actions import Action
from notifly_console.audit.models import Entry
from notifly_console.audit.record import SYSTEM
from notifly_console.tenancy.access import Access, Right, project_view
from notifly_console.tenancy.models import Role

MEANS = {
    "password": gettext_lazy("비밀번호"),
    "password_reset": gettext_lazy("비밀번호 재설정"),
    "mail": gettext_lazy("메일 링크"),
    "totp": gettext_lazy("인증 앱"),
    "webauthn": gettext_lazy("패스키"),
    "recovery_codes": gettext_lazy("복구 코드"),
}
STEPS = {
    "password": gettext_lazy("비밀번호 단계"),
    "second_factor": gettext_lazy("2단계 인증 단계"),
    "confirmation": gettext_lazy("본인 재확인"),
}
REASONS = {
    "asked": gettext_lazy("직접 로그아웃"),
    "idle": gettext_lazy("오랫동안 사용하지 않음"),
    "too_old": gettext_lazy("로그인 유지 시간 초과"),
    "foreign_project": gettext_lazy("다른 Mixpanel 프로젝트"),
}
LABELS = {
    "means": gettext_lazy("수단"),
    "step": gettext_lazy("단계"),
    "reason": gettext_lazy("이유"),
    "factor": gettext_lazy("인증 수단"),
    "role": gettext_lazy("역할"),
    "again": gettext_lazy("다시 보냄"),
    "requires_second_factor": gettext_lazy("관리자 2단계 인증 필수"),
    "fields": gettext_lazy("항목"),
    "field": gettext_lazy("항목"),
    "kind": gettext_lazy("종류"),
    "region": gettext_lazy("지역"),
    "state": gettext_lazy("상태"),
    "code": gettext_lazy("결과"),
    "result": gettext_lazy("결과"),
    "cohort": gettext_lazy("코호트"),
    "version": gettext_lazy("버전"),
    "size": gettext_lazy("크기"),
    "count": gettext_lazy("건수"),
    "rows": gettext_lazy("건수"),
    "by": gettext_lazy("찾은 방법"),
    "found": gettext_lazy("결과 수"),
    "whole_contacts": gettext_lazy("연락처 전체"),
    "what": gettext_lazy("대상"),
    "people": gettext_lazy("인원"),
    "joined": gettext_lazy("진행 중인 것에 합류"),
    "snapshot": gettext_lazy("버전"),
    "without_phones": gettext_lazy("전화번호 없이 읽기"),
    "settings": gettext_lazy("설정"),
    "mixpanel_project_id": gettext_lazy("Mixpanel 프로젝트"),
    "cohorts": gettext_lazy("코호트"),
}
WORDS: dict[str, dict[str, Any]] = {
    "by": {"id": gettext_lazy("사용자 ID"), "phone": gettext_lazy("전화번호"), "email": gettext_lazy("이메일")},
    "means": MEANS,
    "factor": MEANS,
    "step": STEPS,
    "reason": REASONS,
    "role": {role.value: role.label for role in Role},
}
VALUE_LENGTH = 120
NOT_SHOWN = {"refresh"}  # ids that say nothing to a person


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


def facts_of(details: dict[str, Any]) -> list[tuple[str, str]]:
    """The details of an entry as pairs of words."""
    facts = []
    rest = {key: value for key, value in details.items() if key not in NOT_SHOWN}
    if "before" in rest and "after" in rest:
        facts += _changes(rest.pop("before"), rest.pop("after"))
    for key, value in rest.items():
        words = _value(value, WORDS.get(key, {}))
        if words:
            facts.append((str(LABELS.get(key, key.replace("_", " "))), words))
    return facts


def _changes(before: Any, after: Any) -> list[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = dict.fromkeys([*before, *after])
        return [
            (str(LABELS.get(key, key)), f"{_one(before.get(key), {}, key)} → {_one(after.get(key), {}, key)}")
            for key in names
        ]
    return [(_("변경"), f"{_one(before, WORDS['role'])} → {_one(after, WORDS['role'])}")]


def _value(value: Any, words: dict[str, Any]) -> str:
    if isinstance(value, dict):
        return _short(", ".join(f"{key}: {_one(inner, words, key)}" for key, inner in value.items()))
    if isinstance(value, str) or not isinstance(value, Iterable):
        return _one(value, words)
    return _short(", ".join(_one(inner, words) for inner in value))


def _one(value: Any, words: dict[str, Any], name: str = "") -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(_("예") if value else _("아니요"))
    if isinstance(value, int):
        return str(value) if name.endswith("_id") else f"{value:,}"
    return _short(str(words.get(value, value) if isinstance(value, str) else value))


def _short(text: str) -> str:
    return text if len(text) <= VALUE_LENGTH else text[:VALUE_LENGTH] + "…"


def _address(filters: dict[str, Any], **place: int | None) -> str:
    if None in place.values():
        return ""
    return "?" + urlencode(filters | place)
