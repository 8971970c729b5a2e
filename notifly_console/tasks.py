"""The clock's sign of life."""

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

HEARTBEAT = "heartbeat"


@shared_task(name="console.heartbeat")
def heartbeat() -> None:
    """Notes that beat sent a message and a worker took it; `/readyz` reads the note."""
    cache.set(HEARTBEAT, timezone.now().isoformat(), timeout=None)
