"""How fast one provider account is asked: `SOLAPI_REQUESTS_PER_SECOND`, shared by all workers.

One row a connection holds the moment from which the next request may leave. A turn is taken by moving that moment on,
under the row's lock and by the database's clock: turns are evenly spaced, none is given twice, and a worker that dies
with one costs nobody more than that turn. A provider that says "not now" (429) moves it for everybody.

The messengers and catalogues of `integrations/senders.py` take their turns themselves; nobody above needs to.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from integrations.budget import database_clock
from integrations.models import Pace

PATIENCE_SECONDS = 5.0
LONGEST_HOLD_SECONDS = 600.0


@dataclass(frozen=True)
class Usage:
    """How busy an account is, for pages."""

    per_second: float
    busy_seconds: float
    """How long those who have a turn will take."""
    held_until: datetime | None
    """Until when the provider wants no request at all."""


def take(connection_id: UUID, requests: int = 1, *, patience: float = PATIENCE_SECONDS) -> float:
    """Takes the next turn for so many requests: seconds to wait before the first of them, 0 to go at once. Where that
    is more than `patience`, no turn was taken: come back then."""
    _begin(connection_id)
    with transaction.atomic(durable=True):
        row = Pace.objects.select_for_update().get(connection_id=connection_id)
        now = database_clock()
        turn = max(moment for moment in (row.next_at, row.held_until, now) if moment is not None)
        wait = (turn - now).total_seconds()
        if wait <= patience:
            row.next_at = turn + timedelta(seconds=requests / settings.SOLAPI_REQUESTS_PER_SECOND)
            row.save(update_fields=["next_at"])
    return wait


def hold(connection_id: UUID, seconds: float) -> None:
    """Nobody's turn comes for so many seconds: the provider asked for it."""
    _begin(connection_id)
    with transaction.atomic(durable=True):
        row = Pace.objects.select_for_update().get(connection_id=connection_id)
        until = database_clock() + timedelta(seconds=min(max(seconds, 0.0), LONGEST_HOLD_SECONDS))
        if row.held_until is None or row.held_until < until:
            row.held_until = until
            row.save(update_fields=["held_until"])


def usage(connection_id: UUID) -> Usage:
    """How busy the account is now."""
    row = Pace.objects.filter(connection_id=connection_id).first()
    now = database_clock()
    next_at = row.next_at if row else None
    held = row.held_until if row and row.held_until and row.held_until > now else None
    busy = max(0.0, (next_at - now).total_seconds()) if next_at else 0.0
    return Usage(settings.SOLAPI_REQUESTS_PER_SECOND, busy, held)


class Turns:
    """The turns of one account, as a client takes them."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id

    def take(self, patience: float) -> float:
        """Seconds until our turn; more than `patience` means that none was taken."""
        return take(self._connection_id, patience=patience)

    def hold(self, seconds: float) -> None:
        """The other side asked everybody to wait."""
        hold(self._connection_id, seconds)


def _begin(connection_id: UUID) -> None:
    # Apart, so that the row is there before anybody locks it.
    if not Pace.objects.filter(connection_id=connection_id).exists():
        Pace.objects.get_or_create(connection_id=connection_id)
