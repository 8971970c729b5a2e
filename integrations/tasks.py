"""What workers do for the doors in and out."""

from celery import shared_task

from integrations import inbox, inlets


@shared_task(name="integrations.note_refusal", max_retries=0)
def note_refusal(*, project_id: str, reason: str) -> None:
    """Notes that a call of the project's webhook was turned away."""
    inlets.write_refusal(project_id, reason)


@shared_task(name="integrations.prune", max_retries=0)
def prune() -> None:
    """Forgets what came in and was settled days ago."""
    inbox.prune()
