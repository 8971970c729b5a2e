"""What workers do for the doors in and out."""

from celery import shared_task

from integrations import inbox, inlets, senders
from notifly_console.lib.nudge import nudge


@shared_task(name="integrations.note_refusal", max_retries=0)
def note_refusal(*, project_id: str, reason: str) -> None:
    """Notes that a call of the project's webhook was turned away."""
    inlets.write_refusal(project_id, reason)


@shared_task(name="integrations.prune", max_retries=0)
def prune() -> None:
    """Forgets what came in and was settled days ago."""
    inbox.prune()


@shared_task(name="integrations.refresh_listing", max_retries=0)
def refresh_listing(*, connection_id: str) -> None:
    """Asks a sender's account for what it offers, if that is due."""
    senders.refresh_if_due(connection_id)


@shared_task(name="integrations.sweep_listings", max_retries=0)
def sweep_listings() -> None:
    """Wakes workers for senders whose listing has grown old."""
    for connection_id in senders.due_listings():
        nudge(refresh_listing, connection_id=connection_id)
