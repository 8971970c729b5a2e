"""Two profiles have become one (`people/identity.py`): what campaigns wrote down for the one that is gone is the other
one's now, so that nobody who is still to be sent to is taken for erased, and a person's page shows all."""

from uuid import UUID

from django.db.models import BigIntegerField, Case, F, Value, When

from campaigns.models import Recipient
from cohorts.people.identity import Pairs, on_merge


def follow(project_id: UUID, pairs: Pairs) -> None:
    """Gives recipients of profiles that are gone to those that they are part of now. Called in the transaction that
    makes them one."""
    news = [When(profile_id=old, then=Value(new)) for old, new in pairs.items()]
    moved = Case(*news, default=F("profile_id"), output_field=BigIntegerField())
    Recipient.objects.filter(run__project_id=project_id, profile_id__in=pairs).update(profile_id=moved)


on_merge(follow)
