"""설정 → 발송 규칙: who an advertisement names, how old a cohort may be, the night, the ceiling, the brake."""

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from campaigns import rules as rules_of_project
from campaigns.models import Freshness, Night, Rules
from campaigns.rules import FIELDS, Changed, rules_of, seen_of
from notifly_console.tenancy.access import Access, Right, project_view

LONGEST_HOURS = 24 * 365
MOST_WON = 10_000_000_000


class RulesForm(forms.Form):
    """The rules as they are entered."""

    sender_name = forms.CharField(label=gettext_lazy("발송자 이름"), max_length=40, required=False)
    opt_out_number = forms.CharField(label=gettext_lazy("무료 수신거부 번호"), max_length=20, required=False)
    freshness_hours = forms.IntegerField(
        label=gettext_lazy("코호트 신선도"),
        min_value=1,
        max_value=LONGEST_HOURS,
        error_messages={
            "required": gettext_lazy("몇 시간이 지나면 오래된 것으로 볼지 써 주세요."),
            "invalid": gettext_lazy("시간을 숫자로 써 주세요."),
        },
    )
    freshness = forms.ChoiceField(label=gettext_lazy("오래된 코호트"), choices=Freshness.choices)
    night = forms.ChoiceField(label=gettext_lazy("야간에 걸린 수신자"), choices=Night.choices)
    ceiling_won = forms.IntegerField(
        label=gettext_lazy("비용 한도"),
        min_value=1,
        max_value=MOST_WON,
        required=False,
        error_messages={"invalid": gettext_lazy("금액을 원 단위 숫자로 써 주세요.")},
    )
    brake_percent = forms.IntegerField(
        label=gettext_lazy("자동 멈춤"),
        min_value=1,
        max_value=100,
        error_messages={
            "required": gettext_lazy("몇 %부터 멈출지 써 주세요."),
            "invalid": gettext_lazy("1부터 100까지의 숫자로 써 주세요."),
        },
    )

    def clean_sender_name(self) -> str:
        return " ".join(self.cleaned_data["sender_name"].split())

    def clean_opt_out_number(self) -> str:
        digits = re.sub(r"[\s().-]", "", self.cleaned_data["opt_out_number"])
        if digits and not re.fullmatch(r"080[0-9]{6,8}", digits):
            raise forms.ValidationError(_("080으로 시작하는 무료 번호를 써 주세요. 예: 080-123-4567"))
        return digits


@require_safe
@project_view(Right.SEE_SETTINGS)
def rules(request: Any, access: Access) -> HttpResponse:
    """The rules as they are."""
    return _show(request, access, rules_of(access.project))


@require_POST
@project_view(Right.EDIT_SENDING_RULES)
def save_rules(request: Any, access: Access) -> HttpResponse:
    """저장."""
    stored = rules_of(access.project)
    form = RulesForm(_without_commas(request.POST))
    if not form.is_valid():
        return _show(request, access, stored, form, seen=request.POST.get("seen", ""), status=422)
    try:
        changed = rules_of_project.change(
            access.project, form.cleaned_data, seen=request.POST.get("seen", ""), actor=access.user, request=request
        )
    except Changed as conflict:
        stored = conflict.stored
        return _show(request, access, stored, form, seen=seen_of(stored), status=409, conflict=_differing(stored, form))
    messages.success(
        request, _("저장했습니다. 다음에 넘기는 메시지부터 따릅니다.") if changed else _("바뀐 것이 없습니다.")
    )
    return redirect("campaigns:rules", access.project.id)


def _without_commas(post: Any) -> Any:
    data = post.copy()
    data["ceiling_won"] = data.get("ceiling_won", "").replace(",", "").strip()
    return data


def _differing(stored: Rules, form: RulesForm) -> list[str]:
    return [str(form.fields[name].label) for name in FIELDS if getattr(stored, name) != form.cleaned_data[name]]


def _show(
    request: Any, access: Access, stored: Rules, form: RulesForm | None = None, *, status: int = 200, **more: Any
) -> HttpResponse:
    initial = {name: getattr(stored, name) for name in FIELDS}
    context = {
        "nav": "settings",
        "form": form or RulesForm(initial=initial),
        "rules": stored,
        "seen": seen_of(stored),
        "may_edit": access.may(Right.EDIT_SENDING_RULES),
    } | more
    return render(request, "campaigns/rules.html", context, status=status)
