"""What workers are woken for. The rows say what is to be done; a task that finds nothing to do is done."""

from celery import shared_task

from cohorts.groups import groups
from cohorts.people import phone_moves
from cohorts.pull import plan
from cohorts.pull import refresh as refreshing
from cohorts.push import push as pushing
from cohorts.versions import drift, retain


@shared_task(name="cohorts.run_refresh", max_retries=2)
def run_refresh(*, refresh_id: str) -> None:
    """Takes up a refresh, if nobody has it."""
    refreshing.run(refresh_id)


@shared_task(name="cohorts.sweep_refreshes", max_retries=0)
def sweep_refreshes() -> None:
    """Wakes workers for refreshes that are due, or whose worker died."""
    refreshing.sweep()


@shared_task(name="cohorts.tick", max_retries=0)
def tick() -> None:
    """Asks for the recurring refreshes that are due."""
    plan.tick_all()


@shared_task(name="cohorts.prune", max_retries=0)
def prune() -> None:
    """Forgets versions and refreshes that are past their time."""
    retain.prune()
    phone_moves.prune()
    drift.prune()
    plan.prune()
    pushing.prune()
    refreshing.prune()


@shared_task(name="cohorts.take_pushed", max_retries=2)
def take_pushed(*, project_id: str, subject: int) -> None:
    """Takes what Mixpanel has pushed of a cohort, if nobody does."""
    pushing.take(project_id, subject)


@shared_task(name="cohorts.sweep_pushed", max_retries=0)
def sweep_pushed() -> None:
    """Wakes workers for cohorts with pages left lying, and sessions that are due."""
    pushing.sweep()


@shared_task(name="cohorts.measure_groups", max_retries=0)
def measure_groups() -> None:
    """Remembers how large each user group is today."""
    groups.measure_all()
