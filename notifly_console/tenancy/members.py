"""Who belongs to a project, and how that changes: roles, removal, invitations.

Each change is decided inside one transaction that holds the project's row, on what is true at that moment: two owners
who remove each other at the same time can't leave a project without one.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy import zones
from notifly_console.tenancy.access import WHO_MAY, Access, Right
from notifly_console.tenancy.models import Invitation, Member, Project, Role, User

INVITATION_DAYS = 7

GRANTS: dict[Role, frozenset[Role]] = {
    Role.OWNER: frozenset(Role),
    Role.ADMIN: frozenset({Role.ADMIN, Role.MARKETER, Role.VIEWER}),
    Role.MARKETER: frozenset(),
    Role.VIEWER: frozenset(),
}
"""Which roles each role may give, change and take away. An admin neither touches an owner nor makes one."""


class Refused(Exception):
    """A rule forbids it; the text is for the person."""


def change_role(access: Access, member_id: int, role: Role, request: HttpRequest) -> Member:
    """Gives the member that role. Raises Http404 and Refused."""
    with transaction.atomic():
        actor, member = _hold(access, member_id)
        if role not in GRANTS[actor]:
            raise Refused(_("이 역할은 소유자만 줄 수 있습니다."))
        if member.role == role:
            return member
        if member.role == Role.OWNER:
            _keep_an_owner(access.project)
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        record(
            Action.MEMBER_ROLE_CHANGED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=member.user.email,
            before=before,
            after=role.value,
        )
    return member


def remove(access: Access, member_id: int, request: HttpRequest) -> Member:
    """Ends the member's access at once. Raises Http404 and Refused."""
    with transaction.atomic():
        _actor, member = _hold(access, member_id)
        if member.role == Role.OWNER:
            _keep_an_owner(access.project)
        record(
            Action.MEMBER_REMOVED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=member.user.email,
            role=member.role,
        )
        Member.objects.filter(pk=member.pk).delete()
    return member


def require_second_factor(access: Access, required: bool, request: HttpRequest) -> None:
    """Sets the project's rule that owners and admins must have a second factor."""
    with transaction.atomic():
        _lock(access.project)
        if (
            not Project.objects.filter(pk=access.project.pk)
            .exclude(requires_second_factor=required)
            .update(requires_second_factor=required)
        ):
            return
        record(
            Action.PROJECT_CHANGED,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=access.project.name,
            requires_second_factor=required,
        )


def change_project(access: Access, *, name: str, time_zone: str, request: HttpRequest) -> int | None:
    """Gives the project another name or time zone; how many appointments moved with the zone, None where it has both
    already."""
    after: dict[str, Any] = {"name": name, "time_zone": time_zone}
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=access.project.pk)
        changed = {field: value for field, value in after.items() if value != getattr(project, field)}
        if not changed:
            return None
        before = {field: getattr(project, field) for field in changed}
        zone = project.zone
        Project.objects.filter(pk=project.pk).update(**changed)
        project.refresh_from_db()
        moved = zones.moved(project, zone) if "time_zone" in changed else 0
        record(
            Action.PROJECT_CHANGED,
            project_id=project.id,
            actor=access.user,
            request=request,
            target=name,
            before=before,
            after=changed,
            **({"rescheduled": moved} if moved else {}),
        )
    return moved


def create_project(user: User, name: str, request: HttpRequest) -> Project:
    """A new project with its maker as owner."""
    with transaction.atomic():
        project = Project.objects.create(name=name)
        Member.objects.create(project=project, user=user, role=Role.OWNER)
        record(Action.PROJECT_CREATED, project_id=project.id, actor=user, request=request, target=name)
    return project


def may_create_projects(user: User) -> bool:
    """Whoever runs a project may open another; the console's first comes from `manage.py bootstrap`."""
    return Member.objects.filter(user=user, role__in=[Role.OWNER, Role.ADMIN]).exists()


# -- Invitations ------------------------------------------------------------------------------------------------------
def invite(access: Access, email: str, role: Role, request: HttpRequest) -> tuple[Invitation, str]:
    """A new invitation and its token, which is told this once. Raises Refused."""
    with transaction.atomic():
        actor = _role_now(access)
        if role not in GRANTS[actor]:
            raise Refused(_("이 역할은 소유자만 줄 수 있습니다."))
        if Member.objects.filter(project=access.project, user__email=email).exists():
            raise Refused(_("이미 이 프로젝트의 구성원입니다."))
        for earlier in Invitation.objects.filter(
            project=access.project, email=email, accepted_at=None, withdrawn_at=None
        ):
            if not earlier.is_expired:
                raise Refused(_("이미 초대했습니다. 구성원 관리의 보낸 초대에서 링크를 다시 보낼 수 있습니다."))
            Invitation.objects.filter(pk=earlier.pk).update(withdrawn_at=timezone.now())
        return _issue(access, email, role, request)


def resend(access: Access, invitation_id: UUID, request: HttpRequest) -> tuple[Invitation, str]:
    """Replaces an open invitation by one with a new token and seven new days; the old link dies. Raises Http404 and
    Refused."""
    with transaction.atomic():
        earlier = _open_invitation(access, invitation_id)
        Invitation.objects.filter(pk=earlier.pk).update(withdrawn_at=timezone.now())
        return _issue(access, earlier.email, Role(earlier.role), request, again=True)


def withdraw(access: Access, invitation_id: UUID, request: HttpRequest) -> Invitation:
    """Ends an open invitation. Raises Http404 and Refused."""
    with transaction.atomic():
        invitation = _open_invitation(access, invitation_id)
        Invitation.objects.filter(pk=invitation.pk).update(withdrawn_at=timezone.now())
        record(
            Action.INVITATION_WITHDRAWN,
            project_id=access.project.id,
            actor=access.user,
            request=request,
            target=invitation.email,
            role=invitation.role,
        )
    return invitation


def find_invitation(token: str) -> Invitation:
    """The invitation of that token, whatever its state. Raises Http404."""
    found = Invitation.objects.select_related("project", "invited_by").filter(token_digest=digest(token)).first()
    if found is None:
        raise Http404
    return found


def accept(token: str, user: User | None, new_person: dict[str, str] | None, request: HttpRequest) -> Member:
    """Lets `user` in, or the new person (`name`, `password`) whose account it makes. Raises Http404, and Refused when
    the invitation has meanwhile been used or withdrawn, is over, or is for somebody else."""
    with transaction.atomic():
        _lock(find_invitation(token).project)
        invitation = find_invitation(token)
        if invitation.accepted_at or invitation.withdrawn_at or invitation.is_expired:
            raise Refused(_("이 초대는 더 이상 쓸 수 없습니다."))
        if user is None:
            if new_person is None or User.objects.filter(email=invitation.email).exists():
                raise Refused(_("먼저 로그인해 주십시오."))
            user = User.objects.create_user(invitation.email, new_person["password"], name=new_person["name"])
        elif user.email != invitation.email:
            raise Refused(_("다른 이메일로 온 초대입니다."))
        member, _made = Member.objects.get_or_create(
            project=invitation.project, user=user, defaults={"role": invitation.role}
        )
        Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now())
        record(
            Action.MEMBER_JOINED,
            project_id=invitation.project_id,
            actor=user,
            request=request,
            target=user.email,
            role=member.role,
        )
    return member


def digest(token: str) -> str:
    """What is kept of a token: enough to recognise it, nothing to use."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _issue(access: Access, email: str, role: Role, request: HttpRequest, **details: Any) -> tuple[Invitation, str]:
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=access.project,
        email=email,
        role=role,
        token_digest=digest(token),
        invited_by=access.user,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    record(
        Action.MEMBER_INVITED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=email,
        role=role.value,
        **details,
    )
    return invitation, token


def _open_invitation(access: Access, invitation_id: UUID) -> Invitation:
    actor = _role_now(access)
    invitation = access.fetch(Invitation, pk=invitation_id)
    if invitation.role not in GRANTS[actor]:
        raise Refused(_("소유자로 초대한 것은 소유자만 바꿀 수 있습니다."))
    if invitation.accepted_at or invitation.withdrawn_at:
        raise Refused(_("이 초대는 이미 끝났습니다."))
    return invitation


# -- What holds at this moment ----------------------------------------------------------------------------------------
def _lock(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)


def _role_now(access: Access) -> Role:
    """The actor's role under the lock: it may have changed since the page was asked for."""
    _lock(access.project)
    actor = Member.objects.filter(project=access.project, user=access.user).first()
    if actor is None:
        raise Http404
    role = Role(actor.role)
    if role not in WHO_MAY[Right.EDIT_MEMBERS]:
        raise Refused(_("구성원을 바꿀 권한이 없습니다."))
    return role


def _hold(access: Access, member_id: int) -> tuple[Role, Member]:
    actor = _role_now(access)
    member = access.fetch(Member.objects.select_related("user"), pk=member_id)
    if member.role not in GRANTS[actor]:
        raise Refused(_("소유자의 역할은 소유자만 바꿀 수 있습니다."))
    return actor, member


def _keep_an_owner(project: Project) -> None:
    if Member.objects.filter(project=project, role=Role.OWNER).count() < 2:
        raise Refused(
            _("마지막 소유자는 내보내거나 역할을 낮출 수 없습니다. 다른 구성원을 먼저 소유자로 지정해 주십시오.")
        )
