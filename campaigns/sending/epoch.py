"""A database that was put back from a backup would send again to everybody who was sent to since. So the number of
dispatches is kept in two places: in the database, raised with each intent, and outside of it, raised after that was
committed and before the request leaves. Outside it is never ahead of the database, unless the database is an older one.

Then everything stops: campaigns wait for a person, whoever may have been sent to since stays unknown, and runs that had
not begun are passed over. Batches that the backup knows are settled with the provider as ever.

Outside is Redis, or without one a file in `VAR_DIR`. Where that is lost, or put back too, nothing is noticed.
"""

import os
from pathlib import Path
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from redis import Redis
from redis.exceptions import RedisError

from campaigns.models import (
    Batch,
    BatchState,
    Campaign,
    CampaignState,
    Epoch,
    Recipient,
    RecipientState,
    Run,
    RunState,
)
from campaigns.sending import finish, history
from integrations.messaging import Reason

log = structlog.get_logger(__name__)

CODE = "restored"
TIMEOUT_SECONDS = 2
_RAISE = """local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > known then redis.call('SET', KEYS[1], ARGV[1]) end"""


class Outside(Protocol):
    """Where the number is kept beside the database. Raises OSError or RedisError when it can't be reached."""

    def read(self) -> int | None: ...
    def rise_to(self, number: int) -> None: ...


class _InRedis:
    def __init__(self, url: str, key: str) -> None:
        self._redis: Any = Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
        self._key = key

    def read(self) -> int | None:
        found = self._redis.get(self._key)
        return None if found is None else int(found)

    def rise_to(self, number: int) -> None:
        self._redis.eval(_RAISE, 1, self._key, number)


class _InFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> int | None:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def rise_to(self, number: int) -> None:
        if number <= (self.read() or 0):
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(f".{os.getpid()}.new")
        new.write_text(str(number), encoding="ascii")
        new.replace(self._path)


def outside(epoch: Epoch) -> Outside:
    """Where this database's number is kept."""
    if settings.REDIS_URL:
        return _InRedis(settings.REDIS_URL, f"notifly:dispatches:{epoch.token.hex}")
    return _InFile(Path(settings.VAR_DIR) / "sending" / f"{epoch.token.hex}.txt")


def _row() -> Epoch:
    return Epoch.objects.get_or_create(pk=1)[0]


# -- At each dispatch -------------------------------------------------------------------------------------------------
def intend() -> Epoch:
    """Counts a dispatch that is about to happen. In the transaction of the intent, as its last statement: until that
    commits, others wait."""
    if not Epoch.objects.filter(pk=1).update(number=F("number") + 1):
        _row()
        Epoch.objects.filter(pk=1).update(number=F("number") + 1)
    return Epoch.objects.get(pk=1)


def note(epoch: Epoch) -> None:
    """Keeps it outside, after the intent was committed. Where that can't be done sending goes on: it is a guard against
    a rare accident, and the log says that it is down."""
    try:
        outside(epoch).rise_to(epoch.number)
    except (RedisError, OSError) as error:
        log.warning("dispatches_not_noted", error=type(error).__name__)


# -- Before anything is sent ------------------------------------------------------------------------------------------
def is_sound() -> bool:
    """Whether the database knows of every dispatch. Where it doesn't, everything is stopped, once. Asked by the clock,
    and by each worker before its turn."""
    epoch = _row()
    store = outside(epoch)
    try:
        known = store.read()
        if known is None:
            store.rise_to(epoch.number)
    except (RedisError, OSError) as error:
        log.warning("dispatches_not_known", error=type(error).__name__)
        return True
    if known is None or known <= epoch.number:
        return True
    _stop(known)
    return False


def _stop(known: int) -> None:
    with transaction.atomic():
        if Epoch.objects.filter(pk=1, number__lt=known).update(number=known) != 1:
            return  # Another one does it.
        going = list(Campaign.objects.filter(state=CampaignState.ACTIVE))
        Campaign.objects.filter(pk__in=[one.pk for one in going]).update(
            state=CampaignState.INACTIVE, brake=CODE, next_run_at=None
        )
        not_begun = Run.objects.filter(state__in=[RunState.QUEUED, RunState.FREEZING])
        not_begun.update(
            state=RunState.SKIPPED, skipped_for=CODE, finished_at=Now(), lease_until=None, fence=F("fence") + 1
        )
        _doubt()
        for campaign in going:
            history.note(campaign, "restored")
            finish.end_if_over(campaign)
    log.error("database_was_restored", dispatches=known)


def _doubt() -> None:
    """Whoever waits may have been sent to since."""
    taken: dict[str, Any] = {"fence": F("fence") + 1, "lease_until": None, "ask_at": Now(), "problem": CODE}
    Batch.objects.filter(state=BatchState.CLAIMED).update(state=BatchState.RETURNED, **taken)
    tried = Batch.objects.filter(state=BatchState.TRIED)
    of_tried = Recipient.objects.filter(batch__in=tried.values("pk"), state=RecipientState.CLAIMED)
    of_tried.update(state=RecipientState.UNKNOWN, handed_at=Now())
    tried.update(state=BatchState.UNKNOWN, **taken)
    open_ = Run.objects.filter(state__in=[RunState.SENDING, RunState.CANCELLED], handed_over_at=None)
    waiting = Recipient.objects.filter(
        run__in=open_.values("pk"), state__in=[RecipientState.PENDING, RecipientState.CLAIMED]
    )
    waiting.update(state=RecipientState.UNKNOWN, reason=Reason.NO_REPORT, code=CODE, handed_at=Now(), settled_at=Now())
