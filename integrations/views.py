"""설정: the connections of a project.

Every address answers with the whole page, or with the fragment `#mixpanel` alone where htmx asks for it.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations import ladder
from integrations.connect import MixpanelSettings, disconnect, opened, row_of
from integrations.failures import sentence
from integrations.forms import SECRET, MixpanelForm, as_entered
from integrations.health import health_of
from integrations.keys_panel import keys_context
from integrations.models import Connection
from integrations.register import Changed, SecretNeeded, change, last_changed_by, register, version_of
from integrations.rows import KEYS, fields_of, rows_of
from integrations.sender_page import sender_context
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.access import Access, Right, project_view

FRAGMENT = "mixpanel"


@require_safe
@project_view(Right.SEE_SETTINGS)
def settings_page(request: HttpRequest, access: Access) -> HttpResponse:
    """The settings of a project."""
    if request.htmx and request.htmx.target == "keys":  # type: ignore[attr-defined]
        return render(request, "integrations/_keys.html", {"api": keys_context(request, access)})
    return _show(request, access)


@sensitive_post_parameters(SECRET)
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def register_mixpanel(request: HttpRequest, access: Access) -> HttpResponse:
    """등록하기: all rows at once."""
    if request.method != "POST":
        return _show(request, access, registering=MixpanelForm())
    form = MixpanelForm(request.POST)
    if not form.is_valid():
        return _show(request, access, registering=form, status=422)
    try:
        values = MixpanelSettings(**form.settings())
        register(access.project, values, form.secret, only_new=True, actor=access.user, request=request)
    except Changed as changed:
        return _show(request, access, conflict=changed, status=409)
    return _done(request, access, _("등록했습니다. 연결 테스트를 눌러 확인하세요."), saved="test")


@sensitive_post_parameters(SECRET)
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def edit_mixpanel(request: HttpRequest, access: Access, key: str) -> HttpResponse:
    """One row. With `then=test` the connection is tested at once."""
    row = row_of(access.project)
    if key not in KEYS or (row is None and request.method != "POST"):
        raise Http404
    if row is None:  # Disconnected by somebody while this one was typing.
        return _gone(request, access)
    if request.method != "POST":
        initial = as_entered(MixpanelSettings.of(row))
        return _show(request, access, editing=key, form=MixpanelForm(only=fields_of(key), initial=initial))
    form = MixpanelForm(request.POST, only=fields_of(key))
    if not form.is_valid():
        return _show(request, access, editing=key, form=form, status=422)
    try:
        seen = request.POST.get("seen", "")
        row = change(
            row, MixpanelSettings, seen=seen, secret=form.secret, actor=access.user, request=request, **form.settings()
        )
    except SecretNeeded:
        form.add_error(SECRET, _("계정이나 리전을 바꾸려면 그 계정의 비밀번호를 다시 입력하세요."))
        return _show(request, access, editing=key, form=form, status=422)
    except Changed as changed:
        return _show(request, access, editing=key, form=form, conflict=changed, status=409)
    if request.POST.get("then") == "test":
        ladder.check(row, actor=access.user, request=request)
    return _done(request, access, _("저장했습니다."), saved=key)


@require_POST
@project_view(Right.EDIT_CONNECTIONS)
def check_mixpanel(request: HttpRequest, access: Access) -> HttpResponse:
    """연결 테스트. Takes some seconds."""
    row = row_of(access.project)
    if row is None:
        return _gone(request, access)
    ladder.check(row, actor=access.user, request=request)
    return _done(request, access, "", saved="test")


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def disconnect_mixpanel(request: HttpRequest, access: Access) -> HttpResponse:
    """Asks, then removes the credentials."""
    row = row_of(access.project)
    if request.method != "POST":
        return _show(request, access, disconnecting=True)
    if row is not None:
        disconnect(row, actor=access.user, request=request)
    return _done(request, access, _("연동을 해제했습니다. 이미 받은 유저와 코호트는 그대로 있습니다."))


# -- Showing ----------------------------------------------------------------------------------------------------------
def _show(request: Any, access: Access, *, status: int = 200, **context: Any) -> HttpResponse:
    """The page, or its fragment."""
    context = mixpanel_context(access, **context)
    if request.htmx and request.htmx.target == FRAGMENT:
        response = render(request, "integrations/_mixpanel.html", context, status=status)
    else:
        context |= {"sender": sender_context(request, access), "api": keys_context(request, access)}
        response = render(request, "integrations/settings.html", context, status=status)
    response["Vary"] = "HX-Request, HX-Target"
    return response


def mixpanel_context(access: Access, *, conflict: Changed | None = None, **context: Any) -> dict[str, Any]:
    """Everything of `_mixpanel.html`. `conflict`: what somebody else did meanwhile."""
    row = row_of(access.project)
    health = health_of(row) if row else None
    return context | {
        "nav": "settings",
        "row": row,
        "version": version_of(row) if row else "",
        "health": health,
        "locked": row is not None and not _opens(row),
        "conflict": conflict,
        "cannot_open": sentence("cannot_open"),
        "setting_rows": rows_of(row, health) if row else [],
        "may_edit": access.may(Right.EDIT_CONNECTIONS),
    }


def _opens(row: Connection) -> bool:
    """Whether the kept secret can be used; where it can't, the page asks for it again."""
    try:
        opened(row)
    except CannotOpen:
        return False
    return True


def _gone(request: HttpRequest, access: Access) -> HttpResponse:
    """Somebody disconnected what this person was about to change."""
    return _show(request, access, conflict=Changed(last_changed_by(access.project.id), timezone.now()), status=409)


def _done(request: Any, access: Access, told: str, *, saved: str = "") -> HttpResponse:
    """After a change: the fragment as it is now, or back to the page."""
    if request.htmx:
        return _show(request, access, told=told, saved=saved)
    if told:
        messages.success(request, told)
    return redirect(f"{reverse('integrations:settings', args=[access.project.id])}#{FRAGMENT}")
