"""유저 리스트 and a profile's page. Everything that GET shows is masked; whole contacts and searches are POSTs, which
are recorded."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from cohorts.models import Profile
from cohorts.pages import sync_filter
from cohorts.pages.forms import FindForm
from cohorts.people import history, lookup
from cohorts.versions import retain
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib import email, phone
from notifly_console.tenancy.access import Access, Right, project_view

PROPERTIES_SHOWN = 12
KINDS = {"id": _("사용자 ID"), "phone": _("전화번호"), "email": _("이메일")}


@require_safe
@project_view(Right.SEE_PROFILES)
def profile_list(request: HttpRequest, access: Access) -> HttpResponse:
    """All profiles, or those who joined or left a cohort lately; the newest first."""
    key = _key(request.GET.get("before", ""))
    sync = sync_filter.read(access, request.GET)
    context = {"nav": "profiles", "is_first": key is None, "form": FindForm(), "sync": sync}
    if sync.form.errors:
        return render(request, "cohorts/people/profiles.html", context, status=422)
    if sync.choice is None:
        context["page"] = lookup.profile_page(access, key, sync.among)
    return render(request, "cohorts/people/profiles.html", context)


@require_POST
@project_view(Right.SEE_PROFILES)
def profile_search(request: HttpRequest, access: Access) -> HttpResponse:
    """Profiles by id, phone or e-mail, among those of the filter if there is one. That somebody searched, and by what,
    is recorded; the text is not."""
    form, sync = FindForm(request.POST), sync_filter.read(access, request.POST)
    context = {"nav": "profiles", "form": form, "sync": sync}
    if not form.is_valid() or sync.form.errors or sync.choice is not None:
        return render(request, "cohorts/people/profiles.html", context, status=422)
    found = lookup.search(access, form.cleaned_data["q"], sync.among)
    record(
        Action.PROFILES_SEARCHED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        by=found.kinds,
        found=len(found.rows),
    )
    kinds = [str(KINDS[kind]) for kind in found.kinds]
    return render(request, "cohorts/people/profiles.html", context | {"found": found, "kinds": kinds})


@require_safe
@project_view(Right.SEE_PROFILES)
def profile(request: HttpRequest, access: Access, profile_id: int) -> HttpResponse:
    """A profile with its properties and the cohorts that it is in; contacts masked."""
    one = access.fetch(Profile, pk=profile_id)
    after, before = _key(request.GET.get("after", "")), _key(request.GET.get("events", ""))
    context = _profile_context(access, one, contacts=None, after=after or 0, before=before)
    return render(request, "cohorts/people/profile.html", context)


def _key(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


@require_POST
@project_view(Right.SEE_CONTACTS)
def reveal(request: HttpRequest, access: Access, profile_id: int) -> HttpResponse:
    """The same page with whole contacts, once it is recorded who saw whose."""
    one = access.fetch(Profile, pk=profile_id)
    record(
        Action.PROFILE_SEEN,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=str(one.pk),
        whole_contacts=True,
    )
    return render(
        request, "cohorts/people/profile.html", _profile_context(access, one, contacts=lookup.contacts_of(one))
    )


def _profile_context(
    access: Access, one: Profile, contacts: lookup.Contacts | None, after: int = 0, before: int | None = None
) -> dict[str, object]:
    properties = lookup.properties_of(one, masked=contacts is None)
    return {
        "nav": "profiles",
        "profile": one,
        "shown": lookup.profile_row(one),
        "contacts": contacts,
        "title": one.external_id if contacts else lookup.profile_row(one).external_id,
        "phone_reason": phone.REASONS.get(one.phone_reason, one.phone_reason),
        "email_reason": email.REASONS.get(one.email_reason, one.email_reason),
        "properties": properties[:PROPERTIES_SHOWN],
        "more_properties": properties[PROPERTIES_SHOWN:],
        "properties_count": len(properties),
        "belonging": lookup.belonging(access, one, after),
        "events": history.events_of(one, before),
        "events_begin": before is None,
        "rules": retain.rules_of(access.project.id),
        "form": FindForm(),
    }


@require_safe
@project_view(Right.SEE_PROFILES)
def profile_cohorts(request: HttpRequest, access: Access, profile_id: int) -> HttpResponse:
    """The next step of the search for the cohorts that hold a profile."""
    one = access.fetch(Profile, pk=profile_id)
    context = {
        "profile": one,
        "belonging": lookup.belonging(access, one, _key(request.GET.get("after", "")) or 0),
        "is_step": True,
    }
    return render(request, "cohorts/people/_belonging.html", context)


@require_safe
@project_view(Right.SEE_PROFILES)
def profile_events(request: HttpRequest, access: Access, profile_id: int) -> HttpResponse:
    """More of a profile's Partner Sync, older than the version (its key) in `before`."""
    one = access.fetch(Profile, pk=profile_id)
    context = {"profile": one, "events": history.events_of(one, _key(request.GET.get("before", "")))}
    return render(request, "cohorts/people/_sync_more.html", context)
