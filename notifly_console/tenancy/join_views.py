"""Joining a project by an invitation's link."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from notifly_console.tenancy import members
from notifly_console.tenancy.forms import JoinForm
from notifly_console.tenancy.models import Invitation, User


@login_not_required
@sensitive_post_parameters("password", "password_again")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: Any, token: str) -> HttpResponse:
    """What an invitation's link leads to: a new person makes an account, somebody with one signs in and accepts."""
    try:
        invitation = members.find_invitation(token)
    except Http404:
        return _dead_end(request, _("초대 링크를 찾을 수 없습니다"), _("주소가 잘리지 않았는지 확인해 주십시오."), 404)
    if over := _why_over(invitation):
        return _dead_end(request, *over, 410)
    user = request.user if request.user.is_authenticated else None
    if user is not None and user.email != invitation.email:
        return render(request, "tenancy/join_other.html", {"invitation": invitation}, status=403)
    if user is None and User.objects.filter(email=invitation.email).exists():
        return render(request, "tenancy/join_sign_in.html", {"invitation": invitation}, status=_status(request))
    form = JoinForm(request.POST or None, email=invitation.email) if user is None else None
    if request.method == "POST" and (form is None or form.is_valid()):
        return _join(request, token, user, form)
    return render(request, "tenancy/join.html", {"invitation": invitation, "form": form}, status=_status(request))


def _join(request: Any, token: str, user: User | None, form: JoinForm | None) -> HttpResponse:
    try:
        member = members.accept(token, user, form.cleaned_data if form else None, request)
    except members.Refused as refusal:
        return _dead_end(request, _("초대를 받을 수 없습니다"), str(refusal), 410)
    if user is None:
        get_adapter(request).login(request, member.user)
    messages.success(request, _("프로젝트에 참여했습니다."))
    return redirect("cohorts:list", member.project_id)


def _why_over(invitation: Invitation) -> tuple[str, str] | None:
    ask = _("프로젝트의 관리자에게 새 초대를 요청해 주십시오.")
    if invitation.accepted_at:
        return _("이미 사용한 초대입니다"), _("초대를 받은 계정으로 로그인해 주십시오.")
    if invitation.withdrawn_at:
        return _("취소된 초대입니다"), ask
    if invitation.is_expired:
        return _("기한이 지난 초대입니다"), ask
    return None


def _dead_end(request: HttpRequest, heading: str, words: str, status: int) -> HttpResponse:
    return render(request, "tenancy/join_over.html", {"heading": heading, "words": words}, status=status)


def _status(request: HttpRequest) -> int:
    return 422 if request.method == "POST" else 200
