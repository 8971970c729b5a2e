"""The pages of 구성원 관리: the list, one member, invitations, and the project's rule on second factors."""

from smtplib import SMTPException
from typing import Any
from uuid import UUID

import structlog
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.mail import send_mail
from django.db.models import Case, Exists, IntegerField, OuterRef, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy import members
from notifly_console.tenancy.access import Access, Right, project_view
from notifly_console.tenancy.forms import InviteForm, RoleForm
from notifly_console.tenancy.models import Invitation, Member, Role
from notifly_console.tenancy.roles import role_cards

log = structlog.get_logger(__name__)

PAGE = 100


@require_safe
@project_view(Right.SEE_MEMBERS)
def member_list(request: HttpRequest, access: Access) -> HttpResponse:
    """The people of a project, and who is invited."""
    return _list_page(request, access)


@require_safe
@project_view(Right.EDIT_MEMBERS)
def member(request: HttpRequest, access: Access, member_id: int) -> HttpResponse:
    """One member: role and removal."""
    return _member_page(request, access, member_id)


@require_POST
@project_view(Right.EDIT_MEMBERS)
def change_role(request: HttpRequest, access: Access, member_id: int) -> HttpResponse:
    """Gives a member another role."""
    access.fetch(Member, pk=member_id)
    form = RoleForm(request.POST, roles=list(Role))
    if not form.is_valid():
        return _member_page(request, access, member_id, error=_("역할을 선택해 주십시오."))
    try:
        changed = members.change_role(access, member_id, Role(form.cleaned_data["role"]), request)
    except members.Refused as refusal:
        return _member_page(request, access, member_id, error=str(refusal))
    facts = {"person": changed.user, "role": changed.get_role_display()}
    messages.success(request, _("%(person)s: 역할을 바꿨습니다 (%(role)s).") % facts)
    return redirect("tenancy:members", access.project.id)


@require_POST
@project_view(Right.EDIT_MEMBERS)
def remove(request: HttpRequest, access: Access, member_id: int) -> HttpResponse:
    """Ends a member's access to the project."""
    try:
        gone = members.remove(access, member_id, request)
    except members.Refused as refusal:
        return _member_page(request, access, member_id, error=str(refusal))
    if gone.user_id == access.user.pk:
        messages.success(request, _("프로젝트에서 나왔습니다."))
        return redirect("tenancy:projects")
    messages.success(request, _("%(person)s: 이 프로젝트에 더 이상 들어올 수 없습니다.") % {"person": gone.user})
    return redirect("tenancy:members", access.project.id)


@require_POST
@project_view(Right.EDIT_PROJECT)
def second_factor_rule(request: HttpRequest, access: Access) -> HttpResponse:
    """Whether owners and admins must have a second factor."""
    required = request.POST.get("required") == "on"
    members.require_second_factor(access, required, request)
    said = _("이제 소유자와 관리자에게 2단계 인증이 필요합니다.") if required else _("2단계 인증은 이제 선택입니다.")
    messages.success(request, said)
    return redirect("tenancy:members", access.project.id)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_MEMBERS)
def invite(request: HttpRequest, access: Access) -> HttpResponse:
    """Invites somebody; the answer shows the link, this once."""
    roles = _grantable(access)
    form = InviteForm(request.POST or None, roles=roles, initial={"role": Role.MARKETER})
    if form.is_valid():
        try:
            made = members.invite(access, form.cleaned_data["email"], Role(form.cleaned_data["role"]), request)
        except members.Refused as refusal:
            form.add_error("email", str(refusal))
        else:
            return _invited_page(request, access, *made)
    context = {"form": form, "cards": role_cards(roles), "chosen": form["role"].value(), "nav": "members"}
    return render(request, "tenancy/invite.html", context, status=422 if request.method == "POST" else 200)


@require_POST
@project_view(Right.EDIT_MEMBERS)
def resend(request: HttpRequest, access: Access, invitation_id: UUID) -> HttpResponse:
    """Sends a new link in place of the old one."""
    try:
        made = members.resend(access, invitation_id, request)
    except members.Refused as refusal:
        return _list_page(request, access, error=str(refusal))
    return _invited_page(request, access, *made)


@require_POST
@project_view(Right.EDIT_MEMBERS)
def withdraw(request: HttpRequest, access: Access, invitation_id: UUID) -> HttpResponse:
    """Ends an invitation."""
    try:
        invitation = members.withdraw(access, invitation_id, request)
    except members.Refused as refusal:
        return _list_page(request, access, error=str(refusal))
    messages.success(request, _("%(email)s: 초대를 취소했습니다.") % {"email": invitation.email})
    return redirect("tenancy:members", access.project.id)


def _list_page(request: HttpRequest, access: Access, error: str = "") -> HttpResponse:
    everybody = _members_of(access)
    pages = Pages(everybody.count(), PAGE, page_of(request.GET.get("page", "")))
    context: dict[str, Any] = {
        "pages": pages,
        "members": everybody[pages.slice],
        "grants": members.GRANTS[access.role],
        "error": error,
        "nav": "members",
    }
    if access.may(Right.EDIT_MEMBERS):
        context["invitations"] = (
            access.all(Invitation)
            .filter(accepted_at=None, withdrawn_at=None)
            .select_related("invited_by")
            .order_by("-created_at")[:200]
        )
    return render(request, "tenancy/members.html", context, status=422 if error else 200)


def _members_of(access: Access) -> QuerySet[Member]:
    factors = Authenticator.objects.filter(
        user=OuterRef("user"), type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    )
    rank = Case(*(When(role=role, then=Value(place)) for place, role in enumerate(Role)), output_field=IntegerField())
    return (
        access.all(Member)
        .select_related("user")
        .annotate(has_factor=Exists(factors), rank=rank)
        .order_by("rank", "created_at", "pk")
    )


def _member_page(request: HttpRequest, access: Access, member_id: int, error: str = "") -> HttpResponse:
    found = access.fetch(_members_of(access), pk=member_id)
    context = {
        "member": found,
        "is_me": found.user_id == access.user.pk,
        "may_change": found.role in members.GRANTS[access.role],
        "cards": role_cards(_grantable(access)),
        "error": error,
        "nav": "members",
    }
    return render(request, "tenancy/member.html", context, status=422 if error else 200)


def _invited_page(request: HttpRequest, access: Access, invitation: Invitation, token: str) -> HttpResponse:
    link = request.build_absolute_uri(reverse("tenancy:join", args=[token]))
    is_mailed = settings.HAS_MAIL and _mail(access, invitation, link)
    context = {"invitation": invitation, "link": link, "is_mailed": is_mailed, "nav": "members"}
    return render(request, "tenancy/invited.html", context, status=201)


def _mail(access: Access, invitation: Invitation, link: str) -> bool:
    """Whether the mail server took the invitation. Without it the link is still there to be handed over."""
    facts = {"invitation": invitation, "project": access.project, "by": access.user, "link": link}
    text = render_to_string("tenancy/mail/invitation.txt", facts)
    try:
        send_mail(_("[Notifly Console] 프로젝트 초대"), text, None, [invitation.email])
    except (SMTPException, OSError) as error:
        log.error("invitation_not_mailed", error=type(error).__name__)
        return False
    return True


def _grantable(access: Access) -> list[Role]:
    return [role for role in Role if role in members.GRANTS[access.role]]
