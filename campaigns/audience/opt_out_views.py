"""수신거부 목록: the numbers that refused advertising. They are always masked; a number is looked for by POST, and
whatever changes the list is recorded."""

from io import BytesIO
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns.audience import optouts
from campaigns.audience.files import MOST_BYTES, BadFile
from campaigns.models import OptOut, OptOutPull
from integrations import failures, senders
from integrations.messaging import SendError
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib import phone
from notifly_console.tenancy.access import Access, Right, project_view

PAGE = 50
EXAMPLES_SHOWN = 20


class AddForm(forms.Form):
    """One number."""

    phone = forms.CharField(
        label=gettext_lazy("전화번호"),
        max_length=40,
        error_messages={"required": gettext_lazy("수신을 거부한 휴대전화 번호를 써 주세요.")},
    )
    note = forms.CharField(label=gettext_lazy("메모 (선택)"), max_length=200, required=False)


class ImportForm(forms.Form):
    """A file, or numbers one a line."""

    file = forms.FileField(label=gettext_lazy("CSV 파일"), required=False)
    numbers = forms.CharField(label=gettext_lazy("번호 (한 줄에 하나)"), max_length=1_000_000, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("file") and not data.get("numbers", "").strip():
            raise forms.ValidationError(_("파일을 고르거나 번호를 한 줄에 하나씩 써 주세요."))
        if data.get("file") and data["file"].size > MOST_BYTES:
            raise forms.ValidationError(str(BadFile("too_large", most=str(MOST_BYTES // 1_000_000))))
        return data

    @property
    def content(self) -> Any:
        """What to read: bytes of a file."""
        given = self.cleaned_data.get("file")
        return given.file if given else BytesIO(self.cleaned_data["numbers"].strip().encode())


class RemoveForm(forms.Form):
    """Why a number comes off the list. Kept with the record of it."""

    reason = forms.CharField(
        label=gettext_lazy("해제하는 이유"),
        min_length=2,
        max_length=200,
        error_messages={
            "required": gettext_lazy("해제하는 이유를 써 주세요. 누가 왜 해제했는지 기록으로 남습니다."),
            "min_length": gettext_lazy("해제하는 이유를 조금 더 자세히 써 주세요."),
        },
    )


class SearchForm(forms.Form):
    """A number, whole or its last four digits."""

    q = forms.CharField(max_length=40, error_messages={"required": gettext_lazy("찾을 번호나 뒤 네 자리를 써 주세요.")})


# -- Looking ----------------------------------------------------------------------------------------------------------
@require_safe
@project_view(Right.SEE_SETTINGS)
def opt_outs(request: Any, access: Access) -> HttpResponse:
    """The list, the newest first."""
    return _show(request, access)


@require_POST
@project_view(Right.SEE_SETTINGS)
def search(request: Any, access: Access) -> HttpResponse:
    """Numbers of the list. That somebody searched is recorded; the number is not."""
    form = SearchForm(request.POST)
    if not form.is_valid():
        return _show(request, access, status=422, search_form=form)
    text = form.cleaned_data["q"]
    found = optouts.find(access.project, text)
    record(
        Action.PROFILES_SEARCHED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=_("수신거부 목록"),
        by=["phone"],
        found=len(found),
    )
    return _show(request, access, found=found, sought=text, search_form=form)


def _show(request: Any, access: Access, *, status: int = 200, **more: Any) -> HttpResponse:
    before = request.GET.get("before", "")
    key = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    rows = access.all(OptOut).order_by("-pk")
    if key is not None:
        rows = rows.filter(pk__lt=key)
    shown = list(rows[: PAGE + 1])
    pull = OptOutPull.objects.filter(project=access.project).first()
    context = {
        "nav": "settings",
        "rows": shown[:PAGE],
        "before": shown[PAGE - 1].pk if len(shown) > PAGE else None,
        "is_first": key is None,
        "count": access.all(OptOut).count(),
        "pull": pull,
        "pull_problem": failures.sending(pull.problem) if pull and pull.problem else None,
        "is_connected": senders.is_connected(access.project),
        "may_edit": access.may(Right.EDIT_OPT_OUTS),
        "add_form": AddForm(),
        "import_form": ImportForm(),
        "search_form": SearchForm(),
    } | more
    return render(request, "campaigns/audience/opt_outs.html", context, status=status)


# -- Changing ---------------------------------------------------------------------------------------------------------
@require_POST
@project_view(Right.EDIT_OPT_OUTS)
def add(request: Any, access: Access) -> HttpResponse:
    """One number, in any spelling."""
    form = AddForm(request.POST)
    if form.is_valid():
        try:
            _row, is_new = optouts.add(
                access.project, form.cleaned_data["phone"], note=form.cleaned_data["note"], actor=access.user,
                request=request,
            )  # fmt: skip
        except optouts.BadNumber as error:
            form.add_error("phone", str(error))
        else:
            messages.success(
                request, _("등록했습니다. 광고를 보내지 않습니다.") if is_new else _("이미 등록된 번호입니다.")
            )
            return redirect("campaigns:opt_outs", access.project.id)
    return _show(request, access, status=422, add_form=form)


@require_POST
@project_view(Right.EDIT_OPT_OUTS)
def import_numbers(request: Any, access: Access) -> HttpResponse:
    """A file or a list of numbers; the page says what became of each row."""
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, access, status=422, import_form=form)
    try:
        done = optouts.import_file(access.project, form.content, actor=access.user, request=request)
    except BadFile as error:
        form.add_error(None, str(error))
        return _show(request, access, status=422, import_form=form)
    reasons = [(phone.REASONS.get(reason, reason), number) for reason, number in sorted(done.refused.items())]
    examples = [(row, phone.REASONS.get(reason, reason), cell) for row, reason, cell in done.examples[:EXAMPLES_SHOWN]]
    refused = {"count": sum(done.refused.values()), "reasons": reasons, "examples": examples}
    return _show(request, access, imported=done, refused=refused)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_OPT_OUTS)
def remove(request: Any, access: Access, opt_out_id: int) -> HttpResponse:
    """해제: asks why, then takes the number off the list."""
    row = access.fetch(OptOut, pk=opt_out_id)
    form = RemoveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        optouts.remove(row, reason=form.cleaned_data["reason"], actor=access.user, request=request)
        messages.success(request, _("수신거부를 해제했습니다. 동의한 사람이면 광고를 다시 받습니다."))
        return redirect("campaigns:opt_outs", access.project.id)
    is_dialog = request.htmx and request.htmx.target == "dialogs"
    context = {"nav": "settings", "row": row, "form": form}
    template = "_opt_out_remove_dialog" if is_dialog else "opt_out_remove"
    return render(request, f"campaigns/audience/{template}.html", context, status=422 if form.errors else 200)


@require_POST
@project_view(Right.EDIT_OPT_OUTS)
def pull(request: Any, access: Access) -> HttpResponse:
    """지금 가져오기: who refused at the provider's 080 service. Takes a few seconds."""
    try:
        seen, new = optouts.pull_from_provider(access.project)
    except SendError as error:
        failure = failures.sending(error.code)
        messages.error(request, f"{failure.title}. {failure.remedy}")
        return redirect("campaigns:opt_outs", access.project.id)
    record(
        Action.OPT_OUTS_PULLED, project_id=access.project.id, actor=access.user, request=request, count=seen, added=new
    )
    words = _("발송 플랫폼의 수신거부 %(seen)s건을 확인해 %(new)s건을 새로 등록했습니다.")
    messages.success(request, words % {"seen": f"{seen:,}", "new": f"{new:,}"})
    return redirect("campaigns:opt_outs", access.project.id)
