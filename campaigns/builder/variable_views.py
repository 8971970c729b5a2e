"""문구 변수 추가: which value of a person goes into a text, and what where they have none."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from campaigns.builder.page import part_context
from campaigns.builder.reach import plan_of
from campaigns.builder.views import fetch
from campaigns.message.personalise import FIELD_LENGTH
from campaigns.message.problems import label_of
from campaigns.models import AudienceKind, Campaign
from cohorts.people.naming import Name, names_among
from notifly_console.tenancy.access import Access, Right, project_view

RESERVED = (
    ("$user_id", _("사용자 ID")),
    ("$email", _("이메일")),
    ("$phone_number", _("전화번호")),
)


class VariableForm(forms.Form):
    """A variable as it is to be written."""

    category = forms.ChoiceField(
        label=_("변수 유형"), choices=[("user", _("유저 속성 (user)")), ("csv", _("CSV 열 (csv)"))]
    )
    field = forms.CharField(
        label=_("변수명"),
        max_length=FIELD_LENGTH,
        error_messages={"required": _("넣을 값의 이름을 쓰거나 아래에서 골라 주세요.")},
    )
    default = forms.CharField(label=_("기본값 (선택)"), max_length=200, required=False)

    def clean_field(self) -> str:
        return _unquoted(self.cleaned_data["field"])

    def clean_default(self) -> str:
        return _unquoted(self.cleaned_data["default"])

    @property
    def written(self) -> str:
        """`{{ user["name"] | default: "고객" }}`"""
        given = self.cleaned_data
        default = f" | default: {_quoted(given['default'])}" if given["default"] else ""
        return f"{{{{ {given['category']}[{_quoted(given['field'])}]{default} }}}}"


def _unquoted(text: str) -> str:
    if ('"' in text and "'" in text) or "\n" in text:
        raise forms.ValidationError(_("큰따옴표와 작은따옴표를 함께 쓸 수 없습니다."))
    return text


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def variable(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """The dialog; once it is filled in, an event that puts the variable at the cursor, or (without scripts) the text
    to copy."""
    campaign = fetch(access, campaign_id)
    into = request.GET.get("into", "")[:200]
    is_file = campaign.audience_kind == AudienceKind.CSV
    is_given = request.GET.get("given") == "1"
    form = VariableForm(request.GET if is_given else None, initial=_initial(request, is_file=is_file))
    written = form.written if is_given and form.is_valid() else ""
    if written and request.htmx:
        response = HttpResponse(status=204)
        return trigger_client_event(response, "builder:insert", {"field": into, "text": written})
    context = part_context(access, campaign) | {
        "form": form,
        "into": into,
        "into_label": label_of(into),
        "written": written,
        "names": _names(access, campaign),
        "reserved": () if is_file else RESERVED,
        "is_file": is_file,
    }
    target = (request.htmx.target or "") if request.htmx else ""
    template = {"dialogs": "_variable", "variable-form": "_variable_form"}.get(target, "variable")
    return render(
        request, f"campaigns/message/{template}.html", context, status=422 if is_given and not written else 200
    )


def _initial(request: Any, *, is_file: bool) -> dict[str, str]:
    category = request.GET.get("category", "")
    return {
        "category": category if category in ("user", "csv") else "csv" if is_file else "user",
        "field": request.GET.get("field", "")[:FIELD_LENGTH],
        "default": request.GET.get("default", "")[:200],
    }


def _names(access: Access, campaign: Campaign) -> list[Name]:
    """What there is to choose from: the file's columns, else the properties of those who are sent to."""
    if campaign.audience_kind == AudienceKind.CSV:
        return [Name(column, 100) for column in campaign.upload.columns] if campaign.upload else []
    plan = plan_of(campaign)
    return names_among(access.project.pk, plan.chosen if plan and plan.chosen else None)
