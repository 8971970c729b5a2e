"""People of a cohort as CSV."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.models import Cohort, Profile
from cohorts.pages.detail import ids_in_chunks
from cohorts.people.lookup import name_in, national
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
    yes, no = _("예"), _("아니요")
    reasons = {key: str(words) for key, words in phone.REASONS.items()}

    def cells(row: tuple[Any, ...]) -> list[str]:
        external_id, properties, number, phone_raw, phone_reason, email, email_raw = row
        given_phone = national(number) if number else phone_raw
        given_email = email or email_raw
        return [
            external_id if whole_contacts else mask_contacts(external_id),
            name_in(properties),
            given_phone if whole_contacts or not given_phone else mask_phone(given_phone),
            given_email if whole_contacts or not given_email else mask_email(given_email),
            yes if number else no,
            "" if number else reasons.get(phone_reason, phone_reason),
        ]

    return csv_lines(names, map(cells, _rows(project_id, people)))


def _rows(project_id: UUID, people: BitMap64) -> Iterator[tuple[Any, ...]]:
    # Tuples of what the file shows: whole profiles took more than twice as long, half a minute for a million.
    for ids in ids_in_chunks(people, ROWS_AT_ONCE):
        found = Profile.objects.filter(project_id=project_id, pk__in=ids).order_by("pk")
        yield from found.values_list(
            "external_id", "properties", "phone", "phone_raw", "phone_reason", "email", "email_raw"
        )
