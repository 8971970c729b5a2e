"""What workers are woken for. The rows say what is to be done; a task that finds nothing to do is done."""

from celery import shared_task

from campaigns import delivery, reconcile


@shared_task(name="campaigns.send", max_retries=2)
def send(*, run_id: int, wave: int | None = None) -> None:
    """One worker's slice of a run."""
    delivery.send(run_id, wave)


@shared_task(name="campaigns.ask", max_retries=2)
def ask(*, batch_id: str) -> None:
    """Asks the provider what became of a batch."""
    reconcile.ask(batch_id)
