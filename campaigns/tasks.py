"""What workers are woken for. The rows say what is to be done; a task that finds nothing to do is done."""

import structlog
from celery import shared_task
from django.utils import timezone

from campaigns.audience import keep_versions, needs, optouts, uploads
from campaigns.sending import delivery, epoch, finish, freeze, launch, live, reconcile
from integrations.messaging import SendError
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)


@shared_task(name="campaigns.prepare", max_retries=2)
def prepare(*, run_id: int) -> None:
    """Makes a run ready to be sent."""
    freeze.prepare(run_id)


@shared_task(name="campaigns.send", max_retries=2)
def send() -> None:
    """One worker's turn at sending."""
    delivery.work()


@shared_task(name="campaigns.tidy", max_retries=2)
def tidy(*, run_id: int) -> None:
    """Leaves out those who still wait in a cancelled run."""
    finish.tidy(run_id)


@shared_task(name="campaigns.ask", max_retries=2)
def ask() -> None:
    """One worker's turn at asking what became of batches."""
    reconcile.work()


@shared_task(name="campaigns.sweep", max_retries=0)
def sweep() -> None:
    """The clock of campaigns: runs that are due, workers that died, questions that are due."""
    epoch.is_sound()
    launch.tick()
    reconcile.sweep()
    freeze.sweep()
    delivery.sweep()
    finish.sweep()


@shared_task(name="campaigns.look", max_retries=0)
def look() -> None:
    """Somebody may have come into a cohort that a campaign watches."""
    if epoch.is_sound():
        launch.tick()


@shared_task(name="campaigns.tell_cohorts", max_retries=0)
def tell_cohorts() -> None:
    """Says which versions runs still need, and when campaigns will want which cohort."""
    keep_versions.tell()
    needs.tell(live.closings(timezone.now()))


@shared_task(name="campaigns.pull_due_opt_outs", max_retries=0)
def pull_due_opt_outs() -> None:
    """Asks for each project that is due who refused at its provider."""
    optouts.pull_due()


@shared_task(name="campaigns.pull_opt_outs", max_retries=0)
def pull_opt_outs(*, project_id: str) -> None:
    """The same for one project. What fails is tried again with the next round, and before each advertisement anyway."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return
    try:
        seen, new = optouts.pull_from_provider(project)
    except SendError as error:
        log.warning("opt_outs_not_pulled", project=project.hex, code=error.code)
        return
    log.info("opt_outs_pulled", project=project.hex, seen=seen, new=new)


@shared_task(name="campaigns.prune", max_retries=0)
def prune() -> None:
    """Lets the rows of deleted campaigns and unused files follow."""
    finish.prune()
    uploads.prune()
