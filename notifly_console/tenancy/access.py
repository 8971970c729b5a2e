"""The door to a project's data: who may do what, as one table, and the only way to hold a project's object.

Every view of a project is wrapped by `project_view(right)`. It finds the project, the person's role in it, and asks
the table; the view gets an `Access` and fetches objects through it. Another project's object, a missing one and a
project one isn't a member of are the same 404.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from notifly_console.tenancy.models import Member, Project, Role, User

P = ParamSpec("P")
M = TypeVar("M", bound=Model)


class Right(StrEnum):
    """One thing that a person may do. The docs page of rights is made of these and the table below."""

    SEE_COHORTS = "see_cohorts"
    REFRESH = "refresh"
    DECIDE_HELD = "decide_held"
    SEE_PROFILES = "see_profiles"
    SEE_CONTACTS = "see_contacts"
    EXPORT = "export"
    SEE_SETTINGS = "see_settings"
    EDIT_CONNECTIONS = "edit_connections"
    EDIT_KEYS = "edit_keys"
    SEE_MEMBERS = "see_members"
    EDIT_MEMBERS = "edit_members"
    EDIT_PROJECT = "edit_project"
    SEE_AUDIT = "see_audit"
    SEE_CAMPAIGNS = "see_campaigns"
    EDIT_CAMPAIGNS = "edit_campaigns"
    LAUNCH = "launch"
    EDIT_SENDING_RULES = "edit_sending_rules"
    EDIT_OPT_OUTS = "edit_opt_outs"


_ALL = frozenset(Role)
_MARKETING = frozenset({Role.OWNER, Role.ADMIN, Role.MARKETER})
_ADMINS = frozenset({Role.OWNER, Role.ADMIN})
_OWNERS = frozenset({Role.OWNER})

WHO_MAY: dict[Right, frozenset[Role]] = {
    Right.SEE_COHORTS: _ALL,
    Right.REFRESH: _MARKETING,
    Right.DECIDE_HELD: _MARKETING,
    Right.SEE_PROFILES: _ALL,
    Right.SEE_CONTACTS: _ADMINS,  # full phone numbers and e-mail addresses; everybody else sees them masked
    Right.EXPORT: _MARKETING,
    Right.SEE_SETTINGS: _ALL,
    Right.EDIT_CONNECTIONS: _ADMINS,
    Right.EDIT_KEYS: _ADMINS,
    Right.SEE_MEMBERS: _ALL,
    Right.EDIT_MEMBERS: _ADMINS,
    Right.EDIT_PROJECT: _OWNERS,
    Right.SEE_AUDIT: _ADMINS,
    Right.SEE_CAMPAIGNS: _ALL,
    Right.EDIT_CAMPAIGNS: _MARKETING,
    Right.LAUNCH: _MARKETING,
    Right.EDIT_SENDING_RULES: _ADMINS,
    Right.EDIT_OPT_OUTS: _MARKETING,
}


class ProjectRequest(HttpRequest):
    """A request that came through `project_view`."""

    user: User
    access: "Access"


@dataclass(frozen=True)
class Access:
    """A signed-in person inside one of their projects."""

    project: Project
    user: User
    role: Role

    def may(self, right: Right) -> bool:
        """Whether the person's role has `right` here."""
        return self.role in WHO_MAY[right]

    def require(self, right: Right) -> None:
        """Raises PermissionDenied unless the person's role has `right` here."""
        if not self.may(right):
            raise PermissionDenied(right)

    def fetch(self, source: type[M] | QuerySet[M], **lookup: Any) -> M:
        """This project's object of `source` that matches `lookup`. Raises Http404 for a missing one and for another
        project's alike. `source` has a `project` field."""
        queryset = self.all(source)
        try:
            return queryset.get(**lookup)
        except (ObjectDoesNotExist, ValueError, OverflowError):
            raise Http404 from None

    def all(self, source: type[M] | QuerySet[M]) -> QuerySet[M]:
        """This project's objects of `source`."""
        queryset = source if isinstance(source, QuerySet) else source._default_manager.all()
        return queryset.filter(project=self.project)


View = Callable[Concatenate[Any, Access, P], HttpResponseBase]


def project_view(right: Right) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """Wraps a view `(request, access, …)` whose address begins with a project id, for members who have `right`.

    404 for a stranger and for a missing project, 403 for a role without the right, and the set-up of a second factor
    for an admin of a project that requires one. Times are the project's zone's.
    """

    def wrap(view: View[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def inner(request: Any, project_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            access = enter(request.user, project_id)
            request.access = access
            if needs_second_factor(access):
                return _to_second_factor(request)
            access.require(right)
            with timezone.override(access.project.zone):
                return view(request, access, *args, **kwargs)

        inner.right = right  # type: ignore[attr-defined]
        return inner

    return wrap


def enter(user: Any, project_id: UUID) -> Access:
    """The person's access to a project. Raises Http404 when there is no such project or they aren't its member."""
    if not user.is_authenticated:
        raise Http404
    member = Member.objects.select_related("project").filter(project_id=project_id, user=user).first()
    if member is None:
        raise Http404
    return Access(project=member.project, user=user, role=Role(member.role))


def needs_second_factor(access: Access) -> bool:
    """Whether this project wants a second factor of this person, and they have none yet."""
    return access.project.requires_second_factor and access.role in _ADMINS and not factors_of(access.user.pk).exists()


def factors_of(user_id: int) -> QuerySet[Authenticator]:
    """The person's second factors. Recovery codes are none: they stand in for one that was lost."""
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(
        user_id=user_id, type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    )
    return factors


def projects_that_require_a_factor(user_id: int) -> QuerySet[Project]:
    """The projects where this person's role is one of which a second factor is required."""
    return Project.objects.filter(
        requires_second_factor=True, members__user_id=user_id, members__role__in=list(_ADMINS)
    )


def must_keep_a_factor(factor: Authenticator) -> bool:
    """Whether removing `factor` would leave its person without the second factor that a project requires."""
    others = factors_of(factor.user_id).exclude(pk=factor.pk)
    return not others.exists() and projects_that_require_a_factor(factor.user_id).exists()


def _to_second_factor(request: HttpRequest) -> HttpResponse:
    """The set-up page, which names the projects that ask for it. htmx is told to load it whole."""
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=403, headers={"HX-Redirect": reverse("mfa_index")})
    return redirect("mfa_index")
