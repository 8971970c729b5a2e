"""Telling the cohorts which versions are still needed: those that a live run was frozen from.

Told again and again while the run lives, so that nothing has to be taken back when it ends, however it ends.
"""

from campaigns.models import RUN_LIVE, Run
from cohorts.versions import retain

KEPT_DAYS = 2
"""From each telling on."""


def tell() -> int:
    """Has the versions of all live runs kept. Returns how many."""
    used = Run.objects.filter(state__in=RUN_LIVE, snapshot__isnull=False).values_list("snapshot_id", flat=True)
    return retain.keep_until(set(used), days=KEPT_DAYS)
