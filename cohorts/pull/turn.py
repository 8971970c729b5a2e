"""A worker's turn with a refresh: its claim, the door to Mixpanel, and the time it has."""

import gc
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cohorts.models import Refresh
from cohorts.people.profiles import Mapping
from integrations.budget import Meter
from integrations.connect import MixpanelConnection
from integrations.mixpanel.client import MixpanelClient
from integrations.mixpanel.errors import HourlyBudgetSpent, TooManyAtOnce
from notifly_console.lib.leases import Claim


class TimeIsUp(Exception):
    """This turn is over; what was read is kept, and another turn goes on from there."""


class CountingMeter:
    """The shared meter, noting each query that counts on the refresh's row before it is sent: a worker that is killed
    forgets none."""

    def __init__(self, meter: Meter, claim: Claim, notes: dict[str, Any]) -> None:
        self._meter, self._claim, self._notes = meter, claim, notes

    def query(self, *, counts: bool, wait: bool = True) -> AbstractContextManager[None]:
        """As the meter's."""
        if not counts:
            return self._meter.query(counts=False, wait=wait)
        return self._counted(wait)

    @contextmanager
    def _counted(self, wait: bool) -> Iterator[None]:
        with self._meter.query(counts=True, wait=wait):
            self._notes["queries"] = self._notes.get("queries", 0) + 1
            self._claim.write(receipt=self._notes)
            yield

    def refused(self, error: HourlyBudgetSpent | TooManyAtOnce) -> None:
        """As the meter's."""
        self._meter.refused(error)


@dataclass(frozen=True)
class Turn:
    """What a worker has in hand while it works on a refresh."""

    refresh_id: UUID
    project_id: UUID
    claim: Claim
    client: MixpanelClient
    mapping: Mapping
    ends_at: float
    """On the monotonic clock."""
    notes: dict[str, Any]
    """What the refresh's receipt holds so far."""

    def check_time(self) -> None:
        """Raises TimeIsUp when it is."""
        if time.monotonic() >= self.ends_at:
            raise TimeIsUp

    def noted(self, **more: Any) -> dict[str, Any]:
        """The notes with what is known by now, to be written to the row."""
        self.notes.update(more)
        return self.notes


@contextmanager
def turn_of(refresh: Refresh, claim: Claim, connection: MixpanelConnection, ends_at: float) -> Iterator[Turn]:
    """A turn with the refresh that `claim` holds."""
    account = connection.account
    notes = dict(refresh.receipt)
    holder = f"refresh:{refresh.pk.hex}"
    with (
        Meter(account.region.value, account.project_id, holder=holder, background=True) as shared,
        MixpanelClient(account, CountingMeter(shared, claim, notes)) as client,
        few_collections(),
    ):
        yield Turn(refresh.pk, refresh.project_id, claim, client, Mapping.of(connection), ends_at, notes)


@contextmanager
def few_collections() -> Iterator[None]:
    """Keeps the garbage collector from walking all the rows of a page for each few hundred of them: parsing takes
    half the time without it. Rows hold no cycles; what else made some is collected when the turn is over."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
