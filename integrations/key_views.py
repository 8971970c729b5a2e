"""API 인증 정보: issuing and revoking keys. Answers with the whole settings page, or with the fragment `#keys`."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from integrations import inlets, keys_panel
from integrations.sender_page import sender_context
from integrations.views import mixpanel_context
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy import keys
from notifly_console.tenancy.access import Access, Right, project_view

FRAGMENT = "keys"


@require_POST
@project_view(Right.EDIT_KEYS)
def issue_key(request: HttpRequest, access: Access) -> HttpResponse:
    """새 키 만들기. The answer shows the secret, and nothing ever does again: so it is the page, not a way to it."""
    try:
        issued = keys.issue(access.project, actor=access.user, request=request)
    except keys.TooManyKeys:
        said = _("사용 중인 키가 10개입니다. 쓰지 않는 키를 폐기한 뒤 만드세요.")
        return _answer(request, access, status=409, problem=said)
    response = _answer(request, access, issued=issued.key, secret=issued.secret.reveal())
    patch_cache_control(response, no_store=True)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_KEYS)
def revoke_key(request: HttpRequest, access: Access, key_id: int) -> HttpResponse:
    """Asks, with what would stop, then ends the key at once."""
    key = keys_panel.key_of(access, key_id)
    if request.method != "POST":
        return _answer(request, access, revoking=key, syncs=keys_panel.syncs_of(key.pk))
    try:
        keys.revoke(key, actor=access.user, request=request)
    except keys.AlreadyRevoked:
        return _done(request, access, _("이미 폐기된 키입니다."))
    return _done(request, access, _("키를 폐기했습니다. 이 키로 오는 호출은 이제 거절됩니다."))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def release_inlet(request: HttpRequest, access: Access) -> HttpResponse:
    """Lets another Mixpanel project push here: the next page says which."""
    if request.method != "POST":
        return _answer(request, access, releasing=True)
    before = inlets.of(access.project).mixpanel_project_id
    inlets.forget_binding(access.project)
    record(
        Action.CONNECTION_CHANGED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target="webhook",
        mixpanel_project_id=before,
    )
    return _done(request, access, _("다음 호출을 보내는 Mixpanel 프로젝트의 코호트를 받습니다."))


def _answer(request: Any, access: Access, *, status: int = 200, **more: Any) -> HttpResponse:
    context: dict[str, Any] = {"api": keys_panel.keys_context(request, access, **more)}
    if request.htmx and request.htmx.target == FRAGMENT:
        response = render(request, "integrations/_keys.html", context, status=status)
    else:
        context |= mixpanel_context(access) | {"sender": sender_context(request, access)}
        response = render(request, "integrations/settings.html", context, status=status)
    response["Vary"] = "HX-Request, HX-Target"
    return response


def _done(request: Any, access: Access, told: str) -> HttpResponse:
    if request.htmx:
        return _answer(request, access, told=told)
    messages.success(request, told)
    return redirect(f"{reverse('integrations:settings', args=[access.project.id])}#{FRAGMENT}")
