import sys
import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from cohorts import named
from cohorts.models import Refresh, RefreshState
from cohorts.pull import refresh as refreshing
from integrations.failures import sentence

POLL_SECONDS = 0.2
UNANSWERED_SECONDS = 30
BY = "command"


class Command(BaseCommand):
    help = "Asks for a refresh of a project's cohorts, or of one; workers carry it out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's id, 32 hex digits")
        parser.add_argument("--cohort", help="only this one: mixpanel_N")
        parser.add_argument(
            "--wait",
            action="store_true",
            help="follow it to its end; prints the receipt as one JSON line, and exits 0 only when it succeeded",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            project = named.project(options["project"])
            cohort = named.cohort(project, options["cohort"]) if options["cohort"] else None
            refresh = refreshing.request(project, by=BY, cohort=cohort)
        except named.Unknown as error:
            raise CommandError(str(error)) from None
        except refreshing.NotConnected as error:
            raise CommandError(_words(error.code)) from None
        if not options["wait"]:
            self.stdout.write(refresh.pk.hex)
            return
        self._follow(refresh)
        self.stdout.write(orjson.dumps({"state": refresh.state, **refresh.receipt}).decode())
        if refresh.state != RefreshState.SUCCEEDED:
            if refresh.failure:
                self.stderr.write(_words(refresh.failure))
            sys.exit(1)

    def _follow(self, refresh: Refresh) -> None:
        """Returns when the refresh is over. Says on stderr why it waits, and when nobody seems to take it up."""
        began = time.monotonic()
        said: datetime | None = None
        warned = False
        while refresh.is_live:
            time.sleep(POLL_SECONDS)
            refresh.refresh_from_db()
            if refresh.state == RefreshState.WAITING and said != refresh.not_before:
                said = refresh.not_before
                self.stderr.write(_words(refresh.waiting_for, until=said))
            if refresh.started_at is None and time.monotonic() - began > UNANSWERED_SECONDS and not warned:
                warned = True
                self.stderr.write("No worker has taken the refresh up yet. Start one (`make run`); it is not lost.")


def _words(code: str, **values: Any) -> str:
    failure = sentence(code, **values)
    return f"{failure.title} {failure.remedy}"
