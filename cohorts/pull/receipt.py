"""What a refresh did, in numbers: kept on its row, shown on the page, printed by the command.

Rows are counted where they were read: somebody who is in two cohorts is received twice, new once."""

from collections import Counter
from typing import Any

from django.utils import timezone

from cohorts.models import Pull, PullState, Refresh
from cohorts.people.tally import Tally

LISTED = ("new_cohorts", "hidden", "vanished", "groups_skipped")


def of(refresh: Refresh) -> dict[str, Any]:
    """The receipt of a refresh that ends now: from its pulls, and from what its row noted while it ran (`queries`, and
    the counts of the list)."""
    noted = refresh.receipt
    total, outcomes, restarts = Tally(), Counter[str](), 0
    joined = left = 0
    for state, counts, tries in Pull.objects.filter(refresh=refresh).values_list("state", "counts", "restarts"):
        total.add(Tally.of(counts))
        restarts += tries
        outcomes[counts.get("how", "") if state == PullState.DONE else state] += 1
        joined += counts.get("joined", 0)
        left += counts.get("left", 0)
    reach = total.reach
    seconds = (timezone.now() - refresh.started_at).total_seconds() if refresh.started_at else 0.0
    return {
        "cohorts": sum(outcomes.values()),
        "changed": outcomes["new"],
        "held": outcomes["held"],
        "failed": outcomes[PullState.FAILED],
        "received": total.received,
        "new": total.new,
        "updated": total.updated,
        "unchanged": total.unchanged,
        "joined": joined,
        "left": left,
        "reachable": reach["reachable"],
        "unreachable": reach["phone"],
        "with_email": reach["with_email"],
        "without_email": reach["email"],
        "anonymous": reach["anonymous"],
        "duplicates": total.duplicates,
        "merged": total.merged,
        "dropped": total.dropped,
        "refused": {reason: count for reason, count in sorted(total.refused.items()) if count},
        "short": total.short,
        "beyond": total.beyond,
        "restarts": restarts,
        "queries": noted.get("queries", 0),
        "seconds": round(seconds, 3),
        **{name: noted.get(name, 0) for name in LISTED},
    }
