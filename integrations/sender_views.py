"""설정 → 발신 정보: registering a sender, testing it, and what it offers.

Every address answers with the whole page, or with the fragment `#sender` alone where htmx asks for it.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from integrations import hooks, sender_ladder, senders
from integrations.keys_panel import keys_context
from integrations.models import Kind
from integrations.register import Changed, last_changed_by
from integrations.sender_forms import SECRET, SenderForm
from integrations.sender_page import sender_context
from integrations.senders import SolapiSettings
from integrations.views import mixpanel_context
from notifly_console.tenancy.access import Access, Right, project_view

FRAGMENT = "sender"


@sensitive_post_parameters(SECRET)
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def register_sender(request: HttpRequest, access: Access) -> HttpResponse:
    """등록하기: the key pair, tested at once."""
    if request.method != "POST":
        return _show(request, access, registering=SenderForm())
    form = SenderForm(request.POST)
    if not form.is_valid():
        return _show(request, access, registering=form, status=422)
    try:
        row, _written = senders.register(
            access.project, form.settings(), form.secret, only_new=True, actor=access.user, request=request
        )
    except Changed as changed:
        return _show(request, access, conflict=changed, status=409)
    sender_ladder.check(row, actor=access.user, request=request)
    return _done(request, access, _("등록하고 연결을 확인했습니다."), saved="test")


@sensitive_post_parameters(SECRET)
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def edit_sender(request: HttpRequest, access: Access) -> HttpResponse:
    """Another key pair, or another secret of the same key; tested at once."""
    row = senders.row_of(access.project)
    if row is None:
        return _gone(request, access)
    if request.method != "POST":
        form = SenderForm(initial={"api_key": SolapiSettings.of(row).api_key})
        return _show(request, access, editing=form)
    form = SenderForm(request.POST)
    if not form.is_valid():
        return _show(request, access, editing=form, status=422)
    try:
        seen = request.POST.get("seen", "")
        row = senders.change(row, seen=seen, secret=form.secret, actor=access.user, request=request, **form.values())
    except Changed as changed:
        return _show(request, access, editing=form, conflict=changed, status=409)
    sender_ladder.check(row, actor=access.user, request=request)
    return _done(request, access, _("저장하고 연결을 확인했습니다."), saved="key")


@require_POST
@project_view(Right.EDIT_CONNECTIONS)
def check_sender(request: HttpRequest, access: Access) -> HttpResponse:
    """연결 테스트. Takes some seconds."""
    row = senders.row_of(access.project)
    if row is None:
        return _gone(request, access)
    sender_ladder.check(row, actor=access.user, request=request)
    return _done(request, access, "", saved="test")


@require_POST
@project_view(Right.REFRESH)
def refresh_sender(request: HttpRequest, access: Access) -> HttpResponse:
    """새로 고침: what the account offers now."""
    if not senders.is_connected(access.project):
        return _gone(request, access)
    senders.refresh_listing(access.project)
    return _done(request, access, "", saved="refresh")


@sensitive_variables()
@require_POST
@project_view(Right.EDIT_CONNECTIONS)
def new_hook_secret(request: HttpRequest, access: Access) -> HttpResponse:
    """A new webhook secret, shown in this answer and never again."""
    row = senders.row_of(access.project)
    if row is None:
        return _gone(request, access)
    secret = hooks.make_secret(row, actor=access.user, request=request)
    response = _show(request, access, hook_secret=secret.reveal(), saved="hook")
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def disconnect_sender(request: HttpRequest, access: Access) -> HttpResponse:
    """Asks, then removes the key pair."""
    row = senders.row_of(access.project)
    if request.method != "POST":
        return _show(request, access, disconnecting=True)
    if row is not None:
        senders.disconnect(row, actor=access.user, request=request)
    return _done(request, access, _("발신 정보를 해제했습니다. 보낸 기록은 그대로 있습니다."))


# -- Showing ----------------------------------------------------------------------------------------------------------
def _show(request: Any, access: Access, *, status: int = 200, **state: Any) -> HttpResponse:
    """The page, or its fragment."""
    sender = sender_context(request, access, **state)
    if request.htmx and request.htmx.target == FRAGMENT:
        response = render(request, "integrations/_sender.html", {"sender": sender}, status=status)
    else:
        context = mixpanel_context(access) | {"sender": sender, "api": keys_context(request, access)}
        response = render(request, "integrations/settings.html", context, status=status)
    response["Vary"] = "HX-Request, HX-Target"
    return response


def _gone(request: HttpRequest, access: Access) -> HttpResponse:
    """Somebody disconnected what this person was about to change."""
    by = last_changed_by(access.project.id, Kind.SOLAPI)
    return _show(request, access, conflict=Changed(by, timezone.now()), status=409)


def _done(request: Any, access: Access, told: str, *, saved: str = "") -> HttpResponse:
    """After a change: the fragment as it is now, or back to the page."""
    if request.htmx:
        return _show(request, access, told=told, saved=saved)
    if told:
        messages.success(request, told)
    return redirect(f"{reverse('integrations:settings', args=[access.project.id])}#{FRAGMENT}")
