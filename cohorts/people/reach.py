"""How the people of a set can be reached, counted in the table: for sets that didn't come whole in one pull."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q
from pyroaring import BitMap64

from cohorts.models import Profile
from cohorts.people.tally import Tally

AT_ONCE = 20_000


def reach_of(ids: BitMap64) -> dict[str, Any]:
    """As a snapshot keeps it (`tally.Tally.reach`). Twenty thousand people a statement."""
    tally = Tally()
    for some in _chunks(ids):
        kinds = Profile.objects.filter(some).values_list("phone_reason", "email_reason", "is_anonymous")
        for phone, email, anonymous, count in kinds.annotate(Count("id")).order_by():
            tally.phones[phone] += count
            tally.emails[email] += count
            tally.anonymous += count * anonymous
    return tally.reach


def _chunks(ids: BitMap64) -> Iterator[Q]:
    for start in range(0, len(ids), AT_ONCE):
        some = list(ids[start : start + AT_ONCE])
        is_dense = some[-1] - some[0] == len(some) - 1
        yield Q(pk__range=(some[0], some[-1])) if is_dense else Q(pk__in=some)
