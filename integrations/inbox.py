"""The one door in: keep a call from outside, acknowledge it, hand it over once.

What was acknowledged is a committed row. The handler of its kind is woken after the commit and swept for by the clock,
so the door itself needs no broker. Who handles a kind says so at start (`handled_by`); exactly one handler may.
"""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from celery import Task
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import Case, Count, F, Max, QuerySet, Value, When
from django.utils import timezone

from integrations.models import InboundKind, InboundPage, InboundState
from notifly_console.lib.crypto import CannotOpen, KeyRing
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

MOST_WAITING = 5_000
OLDEST_WAITING = timedelta(minutes=15)
ASKED_EVERY_SECONDS = 1.0
WOKEN_EVERY_SECONDS = 1.0
RETRY_SECONDS = 30
KEPT = timedelta(days=7)
PRUNED_AT_ONCE = 500
PRUNED_PER_TURN = 20
MOST_BYTES = 64 * 1024 * 1024
"""A kept body is never larger than this once it is unpacked."""
COMPRESSION = 1

_handlers: dict[str, Task] = {}
_waiting: dict[UUID, tuple[float, bool]] = {}
_woken: dict[tuple[UUID, int], float] = {}


# -- Handing over -----------------------------------------------------------------------------------------------------
def handled_by(kind: InboundKind, task: Task) -> None:
    """Says which task takes pages of this kind; it gets `project_id` and `subject`. Raises ImproperlyConfigured for a
    second one."""
    if kind in _handlers and _handlers[kind].task != task.task:
        raise ImproperlyConfigured(f"{kind} is handled twice: by {_handlers[kind].task} and {task.task}.")
    _handlers[kind] = task


def hand_over(kind: str, project_id: UUID, subject: int, *, more_follow: bool = False) -> None:
    """Wakes the handler after the current transaction; the sweep does it where that is lost. While more of the same is
    to come, a word a second is enough: a handler looks again before it goes to sleep."""
    handler = _handlers.get(kind)
    if handler is None:
        return
    now, said = time.monotonic(), _woken.get((project_id, subject), -WOKEN_EVERY_SECONDS)
    if more_follow and now - said < WOKEN_EVERY_SECONDS:
        return
    if len(_woken) > 10_000:
        _woken.clear()
    _woken[project_id, subject] = now
    nudge(handler, project_id=project_id.hex, subject=subject)


# -- Hints ------------------------------------------------------------------------------------------------------------
Hint = Callable[[UUID, Sequence[str]], None]
"""Gets the project and the handles of groups (`messaging.Messenger.open`) that have news."""
_hints: dict[str, Hint] = {}


def on_report(provider: str) -> Callable[[Hint], Hint]:
    """Says who wants to know that groups of this provider ("solapi") have news. It is called within the provider's
    call, before the answer: so it only notes, in a statement or two, that the groups are to be asked for. A call may
    come twice, late, or with groups that nobody knows. Raises ImproperlyConfigured for a second handler."""

    def claim(handler: Hint) -> Hint:
        known = _hints.setdefault(provider, handler)
        if (known.__module__, known.__qualname__) != (handler.__module__, handler.__qualname__):
            raise ImproperlyConfigured(f"Reports of {provider} are handled twice: by {known} and {handler}.")
        return handler

    return claim


def report(provider: str, project_id: UUID, handles: Sequence[str]) -> None:
    """Tells whoever wants to know. Nothing is lost where nobody does: reports are asked for by the clock as well."""
    if handles and (handler := _hints.get(provider)):
        handler(project_id, handles)


# -- Keeping ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Kept:
    """What became of a call: `is_new`, or a repeat of what is here already."""

    id: int
    is_new: bool


def keep(
    kind: InboundKind,
    project_id: UUID,
    subject: int,
    *,
    body: bytes,
    fingerprint: str,
    envelope: dict[str, Any],
    api_key_id: int | None,
    more_follow: bool = False,
) -> Kept:
    """Keeps a call, once. To be called in a transaction; acknowledge it after the commit and not before.

    A repeat is counted. One that was dropped is new again: who sends it wants it taken, and it wasn't."""
    page = InboundPage(
        project_id=project_id,
        kind=kind,
        subject=subject,
        fingerprint=fingerprint,
        envelope=envelope,
        size=len(body),
        api_key_id=api_key_id,
    )
    _seal(page, zlib.compress(body, COMPRESSION))
    if (number := _insert(page)) is not None:
        hand_over(kind, project_id, subject, more_follow=more_follow)
        return Kept(number, is_new=True)
    twin = InboundPage.objects.filter(project_id=project_id, kind=kind, fingerprint=fingerprint)
    dropped = When(state=InboundState.DROPPED, then=Value(InboundState.NEW.value))
    revived = When(state=InboundState.DROPPED, then=Value(None))
    twin.update(
        repeats=F("repeats") + 1,
        state=Case(dropped, default=F("state")),
        settled_at=Case(revived, default=F("settled_at")),
    )
    hand_over(kind, project_id, subject)
    return Kept(twin.values_list("pk", flat=True).get(), is_new=False)


def _insert(page: InboundPage) -> int | None:
    """The new row's id; None where its twin is here already, without an error that would end the transaction."""
    fields = [field for field in InboundPage._meta.concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(field.pre_save(page, add=True), connection) for field in fields]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {InboundPage._meta.db_table} ({columns}) VALUES ({places})"  # noqa: S608 -- our own names
            " ON CONFLICT (project_id, kind, fingerprint) DO NOTHING RETURNING id",
            values,
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


# -- Reading ----------------------------------------------------------------------------------------------------------
def body_of(page: InboundPage) -> bytes:
    """The body as it came. Raises CannotOpen when its key is gone."""
    packed = _open(page)
    return zlib.decompressobj().decompress(packed, MOST_BYTES)


def waiting(kind: InboundKind) -> QuerySet[InboundPage]:
    """Pages that nobody has taken yet, in the order of arrival."""
    return InboundPage.objects.filter(kind=kind, state=InboundState.NEW).order_by("pk")


def newest(project_id: UUID) -> int:
    """The number of the project's last arrival; 0 before the first."""
    return InboundPage.objects.filter(project_id=project_id).aggregate(last=Max("pk"))["last"] or 0


def settle(pages: QuerySet[InboundPage], state: InboundState, reason: str = "") -> int:
    """Marks pages as applied or dropped; how many."""
    return pages.update(state=state, reason=reason, settled_at=timezone.now())


# -- Not more than can be digested ------------------------------------------------------------------------------------
def is_full(project_id: UUID) -> bool:
    """Whether so much of the project waits to be taken that it is better sent again later. Asked of the database once
    a second at most; each process remembers."""
    asked_at, answer = _waiting.get(project_id, (-ASKED_EVERY_SECONDS, False))
    if time.monotonic() - asked_at >= ASKED_EVERY_SECONDS:
        answer = _ask_if_full(project_id)
        if len(_waiting) > 1000:
            _waiting.clear()
        _waiting[project_id] = (time.monotonic(), answer)
    return answer


def _ask_if_full(project_id: UUID) -> bool:
    mine = InboundPage.objects.filter(project_id=project_id, state=InboundState.NEW)
    times = mine.order_by("pk").values_list("received_at", flat=True)
    oldest: datetime | None = times.first()
    if oldest is None:
        return False
    is_full = timezone.now() - oldest > OLDEST_WAITING or times[MOST_WAITING : MOST_WAITING + 1].exists()
    if is_full:
        log.error("inbox_full", project=project_id.hex, oldest=oldest.isoformat(), remedy="are workers running?")
    return is_full


# -- Forgetting -------------------------------------------------------------------------------------------------------
def prune() -> int:
    """Deletes pages some days after they were settled; returns how many. A backlog goes over several turns."""
    gone = 0
    old = InboundPage.objects.filter(settled_at__lt=timezone.now() - KEPT).order_by("settled_at")
    for _ in range(PRUNED_PER_TURN):
        going = list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])
        gone += InboundPage.objects.filter(pk__in=going).delete()[0]
        if len(going) < PRUNED_AT_ONCE:
            break
    return gone


# -- Keys -----------------------------------------------------------------------------------------------------------
def keys_in_use() -> Counter[str]:
    """How many pages are sealed with each key."""
    return Counter(dict(InboundPage.objects.values_list("sealed_with").annotate(Count("id")).order_by()))


def reseal() -> Iterator[str]:
    """Seals every page under the newest key, giving the problem of each that wasn't: "" where there was none."""
    stale = InboundPage.objects.exclude(sealed_with=_ring().sealing_id).order_by("pk")
    for page in stale.iterator(chunk_size=50):
        before = page.sealed_with
        try:
            _seal(page, _open(page))
        except CannotOpen as problem:
            yield str(problem)
            continue
        InboundPage.objects.filter(pk=page.pk, sealed_with=before).update(body=page.body, sealed_with=page.sealed_with)
        yield ""


def forget_key(key_id: str) -> int:
    """Deletes the pages that a lost key sealed; how many. What was to be read from them comes with a full refresh."""
    return InboundPage.objects.filter(sealed_with=key_id).delete()[0]


def wrong_key(key_id: str) -> bool:
    """Whether the ring's key of this id isn't the one that pages were sealed with."""
    page = InboundPage.objects.filter(sealed_with=key_id).first()
    try:
        if page is not None:
            _open(page)
    except CannotOpen:
        return True
    return False


# -- Inside -----------------------------------------------------------------------------------------------------------
def _ring() -> KeyRing:
    ring: KeyRing = settings.CREDENTIALS_KEYS
    return ring


def _seal(page: InboundPage, packed: bytes) -> None:
    ring = _ring()
    page.body = ring.seal_bytes(packed, bound_to=_bound_to(page))
    page.sealed_with = ring.sealing_id


def _open(page: InboundPage) -> bytes:
    return _ring().open_bytes(bytes(page.body), bound_to=_bound_to(page))


def _bound_to(page: InboundPage) -> tuple[str, str, str, str]:
    """Its number isn't known when it is sealed; within a project the fingerprint names it as well."""
    return (page._meta.db_table, "body", page.fingerprint, page.project_id.hex)
