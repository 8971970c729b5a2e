"""A worker in a process of its own, for tests that kill it. The fork server imports it, so that each starts at once."""

import importlib
import os
from contextlib import nullcontext
from types import SimpleNamespace

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402

from cohorts.pull import pulls, refresh  # noqa: E402
from notifly_console.lib import checkpoints  # noqa: E402
from notifly_console.lib.postgresql import base  # noqa: E402


def work(refresh_id: str, mixpanel: str, checkpoint: str, page_size: int) -> None:
    """Runs the refresh, page by page, and dies or stops at the checkpoint."""
    settings.MIXPANEL_API_URL = mixpanel
    os.environ.update(CONSOLE_CHECKPOINTS="may_kill", CONSOLE_CHECKPOINT=checkpoint)
    importlib.reload(checkpoints)
    pulls.BATCH_PAGES, pulls.PAGE_SIZE = 1, page_size
    base.LONGEST_PAUSE_SECONDS = 1
    refresh.run(refresh_id)


def take_pushed(project_id: str, subject: int, checkpoint: str) -> None:
    """Takes what was pushed, a page at a time, and dies at the checkpoint."""
    from cohorts.push import pages, push

    os.environ.update(CONSOLE_CHECKPOINTS="may_kill", CONSOLE_CHECKPOINT=checkpoint)
    importlib.reload(checkpoints)
    push.reached = pages.reached = checkpoints.reached
    pages.READ_AT_ONCE = 1
    push.take(project_id, subject)


def look(checkpoint: str, planted: str = "") -> None:
    """Looks who has come into the cohorts that campaigns watch, and dies at the checkpoint. Planted "in_pieces": who
    was looked at and the run are written one by one."""
    from campaigns.sending import launch

    os.environ.update(CONSOLE_CHECKPOINTS="may_kill", CONSOLE_CHECKPOINT=checkpoint)
    importlib.reload(checkpoints)
    launch.reached = checkpoints.reached
    if planted == "in_pieces":
        launch.transaction = SimpleNamespace(atomic=nullcontext)
    launch.tick()
