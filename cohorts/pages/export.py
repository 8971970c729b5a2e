"""People of a cohort as CSV."""

from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.models import Cohort, Profile
from cohorts.pages.detail import ids_in_chunks
from cohorts.people.lookup import name_of, national
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib import phone
from notifly_console.lib.masking import mask_contacts, mask_email, mask_phone
from notifly_console.lib.spreadsheet import csv_lines
from notifly_console.tenancy.access import Access, Right

ROWS_AT_ONCE = 2_000


def download(
    request: HttpRequest,
    access: Access,
    cohort: Cohort,
    people: BitMap64,
    *,
    what: str,
    version: int | str,
    reason: str,
) -> StreamingHttpResponse:
    """A set of people of a cohort as a file; recorded with their number before the first byte leaves. Contacts are
    whole for those who may see them. `what` names the set and `version` the version, or the two, that it is of."""
    whole = access.may(Right.SEE_CONTACTS)
    record(
        Action.PROFILES_EXPORTED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target=cohort.screen_id,
        what=what,
        version=version,
        people=len(people),
        whole_contacts=whole,
        reason=reason,
    )
    rows = lines(cohort.project_id, people, whole_contacts=whole)
    response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"{cohort.screen_id}_v{version}_{what}_{timezone.localdate():%Y%m%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{quote(name)}"'
    return response


def lines(project_id: UUID, people: BitMap64, *, whole_contacts: bool) -> Iterator[str]:
    """The CSV of a set of profiles, line by line. Contacts are masked unless `whole_contacts`; people who were deleted
    since are left out."""
    names = [_("사용자 ID"), _("이름"), _("전화번호"), _("이메일"), _("문자 받을 수 있음"), _("받을 수 없는 이유")]
    return csv_lines(names, (_cells(profile, whole_contacts) for profile in _profiles(project_id, people)))


def _profiles(project_id: UUID, people: BitMap64) -> Iterator[Profile]:
    for ids in ids_in_chunks(people, ROWS_AT_ONCE):
        found = Profile.objects.filter(project_id=project_id, pk__in=ids)
        yield from found.order_by("pk").defer("distinct_id")


def _cells(profile: Profile, whole: bool) -> list[str]:
    given_phone = national(profile.phone) if profile.phone else profile.phone_raw
    given_email = profile.email or profile.email_raw
    return [
        profile.external_id if whole else mask_contacts(profile.external_id),
        name_of(profile),
        given_phone if whole or not given_phone else mask_phone(given_phone),
        given_email if whole or not given_email else mask_email(given_email),
        _("예") if profile.phone else _("아니요"),
        str(phone.REASONS.get(profile.phone_reason, profile.phone_reason)) if not profile.phone else "",
    ]
