"""A phone column that nobody has: noticed before anything is written.

A pull that would leave nobody of a cohort reachable by phone, where people were, is stopped: more often somebody has
named another column, or Mixpanel has stopped to send it, than that all have lost their phones. A person may say that it
is true (`let_them_go`); the next version that is published takes that back. Pushed pages are watched in the same way
(`cohorts/push/pages.py`): their series then waits for a person.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Mapping_
from typing import Any
from uuid import UUID

from django.db import transaction

from cohorts.models import Cohort, Profile, Snapshot
from cohorts.people.profiles import Mapping, Person
from integrations.mixpanel.schemas import Row
from notifly_console.lib import phone

MANY = 20
"""So many lose their phone in one batch of a cohort of several: fewer may be chance, and more people are to come."""
MAY_GO = "phones_may_go"
"""In a version's reach: a person has said that its people have no phones any more."""


class Watch:
    """Over the batches of one pull, or the pages of one pushed series, until the first person with a phone comes."""

    def __init__(self, cohort: Cohort, mapping: Mapping, *, reachable: int) -> None:
        """`reachable`: how many with a phone the pull has met so far."""
        self._project_id, self._column = cohort.project_id, mapping.phone_column
        self._is_over = bool(reachable) or not _expects_phones(cohort)

    def need_not_look(self, rows: Iterable[Row]) -> bool:
        """Whether nothing is to be feared (any more), with these rows as they came. Looks no further than the first
        phone."""
        self._is_over = self._is_over or any(not self._reason(row.properties) for row in rows)
        return self._is_over

    def _reason(self, properties: Mapping_[str, Any]) -> str:
        return phone.normalise(properties.get(self._column)).reason

    def would_lose_all(self, people: Mapping_[str, Person], *, is_all: bool) -> bool:
        """Whether these people take from the cohort whoever could be reached. `is_all`: nobody else comes."""
        if self._is_over:
            return False
        self._is_over = any(not self._reason(one.properties) for one in people.values())
        return not self._is_over and self.losing(people) >= (1 if is_all else MANY)

    def losing(self, people: Mapping_[str, Person]) -> int:
        """How many of them have a phone by now."""
        mine = Profile.objects.filter(project_id=self._project_id, external_id__in=list(people))
        return mine.filter(phone__isnull=False).count()


def _expects_phones(cohort: Cohort) -> bool:
    if cohort.current_id is None:
        return False
    reach = Snapshot.objects.filter(pk=cohort.current_id).values_list("reach", flat=True).first() or {}
    return bool(reach.get("reachable")) and not reach.get(MAY_GO)


@transaction.atomic
def let_them_go(project_id: UUID, cohort_id: int) -> None:
    """Notes that the cohort's people have no phones any more: the next pull writes what it finds."""
    snapshots = Snapshot.objects.select_for_update().filter(cohort_id=cohort_id, cohort__project_id=project_id)
    for current in snapshots.filter(pk__in=Cohort.objects.filter(pk=cohort_id).values("current_id")):
        Snapshot.objects.filter(pk=current.pk).update(reach=current.reach | {MAY_GO: True})
