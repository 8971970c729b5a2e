"""The Celery app, which queue each task goes to, and the system's clock: what runs by itself, and when."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging
from django.conf import settings
from kombu import Queue
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")

app = Celery("notifly_console")
app.conf.update(
    broker_url=settings.BROKER.url,
    broker_transport_options=settings.BROKER.options,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    # A row, not a message, is what must not be lost; these only make its nudge come back sooner.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_retry_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_soft_time_limit=240,
    task_time_limit=300,
    # Told to stop (QUIT), a worker gives its running task these seconds; an idle one ends at once.
    worker_soft_shutdown_timeout=5,
    worker_max_tasks_per_child=500,
    worker_max_memory_per_child=400_000,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    timezone="UTC",
    enable_utc=True,
    task_default_queue="control",
    # A campaign never delays a refresh, nor the other way round; nor does what was sent wait behind what is to be.
    task_queues=[Queue("control"), Queue("fetch"), Queue("send"), Queue("reconcile")],
    task_routes={
        "cohorts.run_refresh": {"queue": "fetch"},
        "cohorts.take_pushed": {"queue": "fetch"},
        "integrations.refresh_listing": {"queue": "fetch"},
        "campaigns.prepare": {"queue": "send"},
        "campaigns.send": {"queue": "send"},
        "campaigns.tidy": {"queue": "reconcile"},
        "campaigns.ask": {"queue": "reconcile"},
        "campaigns.pull_opt_outs": {"queue": "reconcile"},
    },
    beat_schedule={
        "take up refreshes that are due or whose worker died": {
            "task": "cohorts.sweep_refreshes",
            "schedule": 15.0,
            "options": {"expires": 30},
        },
        "take what was pushed and left lying": {
            "task": "cohorts.sweep_pushed",
            "schedule": 15.0,
            "options": {"expires": 30},
        },
        "make runs that are due, and take up what was left of sending": {
            "task": "campaigns.sweep",
            "schedule": 15.0,
            "options": {"expires": 30},
        },
        "make runs that are due by now: of those who gathered, too": {
            "task": "campaigns.look",
            "schedule": 5.0,
            "options": {"expires": 5},
        },
        "say that the clock and a worker are alive": {
            "task": "console.heartbeat",
            "schedule": 20.0,
            "options": {"expires": 40},
        },
        "forget sessions that have ended": {
            "task": "console.forget_sessions",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "ask senders what they offer, where that has grown old": {
            "task": "integrations.sweep_listings",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "forget calls from outside that were settled": {
            "task": "integrations.prune",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
        "ask the providers who refused advertising": {
            "task": "campaigns.pull_due_opt_outs",
            "schedule": 20.0,
            "options": {"expires": 30},
        },
        "let the rows of deleted campaigns follow them": {
            "task": "campaigns.prune",
            "schedule": 300.0,
            "options": {"expires": 300},
        },
        "remember how large user groups are": {
            "task": "cohorts.measure_groups",
            "schedule": 6 * 3600.0,
            "options": {"expires": 3600},
        },
        "say which cohorts and versions campaigns need": {
            "task": "campaigns.tell_cohorts",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "ask for the recurring refreshes that are due": {
            "task": "cohorts.tick",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "forget what is past its time": {
            "task": "cohorts.prune",
            "schedule": 3600.0,
            "options": {"expires": 3600},
        },
    },
)
app.autodiscover_tasks()


@setup_logging.connect
def _keep_django_logging(**_kwargs: Any) -> None:
    """Celery leaves logging as `settings.LOGGING` set it up."""


@beat_init.connect
def _tick_at_once(**_kwargs: Any) -> None:
    """The frequent ticks come with the start of the clock, not an interval later: `/readyz` is true at once, and a
    refresh that a restart interrupted goes on."""
    for entry in app.conf.beat_schedule.values():
        if entry["schedule"] <= 60:
            try:
                app.send_task(entry["task"], retry=False, **entry["options"])
            except OperationalError as error:
                logging.getLogger(__name__).warning("The first tick was not sent: %s", type(error).__name__)
                return
