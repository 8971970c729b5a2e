"""The clock's sign of life, and what it tidies of the console itself."""

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone

from notifly_console.tenancy.session_store import SessionStore

HEARTBEAT = "heartbeat"


@shared_task(name="console.heartbeat")
def heartbeat() -> None:
    """Notes that beat sent a message and a worker took it; `/readyz` reads the note."""
    cache.set(HEARTBEAT, timezone.now().isoformat(), timeout=None)


@shared_task(name="console.forget_sessions")
def forget_sessions() -> None:
    """Deletes the rows of sessions that have ended by themselves."""
    SessionStore.clear_expired()
