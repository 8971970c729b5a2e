"""The door to a project's data: who may do what, as one table, and the only way to hold a project's object.

Every view of a project is wrapped by `project_view(right)`. It finds the project, the person's role in it, and asks
the table; the view gets an `Access` and fetches objects through it. Another project's object, a missing one and a
project one isn't a member of are the same 404.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import BigAutoField, Model, QuerySet, UUIDField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from notifly_console.lib.compiled import Compiled, Slot
from notifly_console.tenancy.models import Member, Project, Role, User

P = ParamSpec("P")
M = TypeVar("M", bound=Model)
R = TypeVar("R")

OF_PROJECT = {"project_id": Slot("project", UUIDField())}
"""The filter of a compiled query that `Access.rows` fills in."""


class Right(StrEnum):
    """One thing that a person may do. The docs page of rights is made of these and the table below."""

    SEE_COHORTS = "see_cohorts"
    REFRESH = "refresh"
    DECIDE_HELD = "decide_held"
    EDIT_GROUPS = "edit_groups"
    EDIT_COHORT_RULES = "edit_cohort_rules"
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
    Right.EDIT_GROUPS: _MARKETING,
    Right.EDIT_COHORT_RULES: _ADMINS,
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
    memberships: list[Member]
    """What `memberships_of` gave: the chooser's."""


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
        found: M | None
        try:
            if isinstance(source, type) and all(
                isinstance(value, int | str | UUID) and "__" not in name for name, value in lookup.items()
            ):
                found = self.first(_one(source, *lookup), **lookup)
            else:
                found = self.all(source).get(**lookup)
        except (ObjectDoesNotExist, ValueError, OverflowError):
            found = None
        if found is None:
            raise Http404
        return found

    def all(self, source: type[M] | QuerySet[M]) -> QuerySet[M]:
        """This project's objects of `source`."""
        queryset = source if isinstance(source, QuerySet) else source._default_manager.all()
        return queryset.filter(project=self.project)

    def rows(self, compiled: Compiled[R], **values: Any) -> list[R]:
        """This project's rows of a compiled query, which is filtered by OF_PROJECT and has slots for `values`."""
        return compiled.rows(project=self.project.id, **values)

    def first(self, compiled: Compiled[R], **values: Any) -> R | None:
        """The first of those rows; None where there is none."""
        return compiled.first(project=self.project.id, **values)


@lru_cache(maxsize=256)
def _one(model: type[M], *names: str) -> Compiled[M]:
    """The object of a project by the fields `names`: what most pages begin with."""
    fields = {name: model._meta.pk if name == "pk" else model._meta.get_field(name) for name in names}
    slots = {name: Slot(name, field) for name, field in fields.items()}
    return Compiled(lambda: model._default_manager.filter(**OF_PROJECT, **slots)[:1])


View = Callable[Concatenate[Any, Access, P], HttpResponseBase]


def project_view(right: Right) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """Wraps a view `(request, access, …)` whose address begins with a project id, for members who have `right`.

    404 for a stranger and for a missing project, 403 for a role without the right, and the set-up of a second factor
    for an admin of a project that requires one. Times are the project's zone's.
    """

    def wrap(view: View[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def inner(request: Any, project_id: UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            request.memberships = memberships_of(request.user)
            access = enter(request.user, project_id, request.memberships)
            request.access = access
            if needs_second_factor(access):
                return _to_second_factor(request)
            access.require(right)
            with timezone.override(access.project.zone):
                response = view(request, access, *args, **kwargs)
            _remember(request, response, access.project)
            return response

        inner.right = right  # type: ignore[attr-defined]
        return inner

    return wrap


def enter(user: Any, project_id: UUID, memberships: list[Member]) -> Access:
    """The person's access to a project, one of `memberships` (as `memberships_of` gave them) or beyond them. Raises
    Http404 when there is no such project or they aren't its member."""
    member = next((one for one in memberships if one.project_id == project_id), None)
    if member is None and len(memberships) == PROJECTS_OFFERED:
        member = Member.objects.select_related("project").filter(project_id=project_id, user=user).first()
    if member is None:
        raise Http404
    return Access(project=member.project, user=user, role=Role(member.role))


PROJECTS_OFFERED = 50


def memberships_of(user: Any) -> list[Member]:
    """The projects that the chooser at the top of each page offers, with the person's role in each: the first
    PROJECTS_OFFERED by name. The same statement finds the project at hand."""
    return _MEMBERSHIPS.rows(user=user.pk) if user.is_authenticated else []


_MEMBERSHIPS = Compiled(
    lambda: (
        Member.objects.select_related("project")
        .filter(user_id=Slot("user", BigAutoField()))
        .order_by("project__name", "pk")[:PROJECTS_OFFERED]
    )
)


LAST_PROJECT = "console_project"
"""The cookie with the project in which somebody was last."""


def _remember(request: HttpRequest, response: HttpResponseBase, project: Project) -> None:
    """A cookie, since reading a page writes nothing to the database."""
    if request.COOKIES.get(LAST_PROJECT) != project.hex:
        response.set_cookie(
            LAST_PROJECT, project.hex, max_age=365 * 86400, httponly=True, samesite="Lax", secure=settings.HTTPS
        )


def last_access(request: Any, memberships: list[Member]) -> Access | None:
    """The access to the project in which the person was last, or to their only one: where a page that belongs to no
    project leads back to. `memberships` as `memberships_of` gave them."""
    last = [one for one in memberships if one.project.hex == request.COOKIES.get(LAST_PROJECT)]
    member = next(iter(last or (memberships if len(memberships) == 1 else [])), None)
    return Access(project=member.project, user=request.user, role=Role(member.role)) if member else None


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
