from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from cohorts import membership, named
from cohorts.models import Cohort, Profile

AT_ONCE = 2000
FIELDS = ("external_id", "phone", "email", "phone_reason")


class Command(BaseCommand):
    help = "Prints the profiles of a cohort's current version, one JSON line each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's id, 32 hex digits")
        parser.add_argument("--cohort", required=True, help="mixpanel_N")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            project = named.project(options["project"])
            cohort = named.cohort(project, options["cohort"])
        except named.Unknown as error:
            raise CommandError(str(error)) from None
        for line in _lines(cohort):
            self.stdout.write(line)


def _lines(cohort: Cohort) -> Iterator[str]:
    """In the order of the profiles' ids; a profile that was deleted since is left out."""
    if cohort.current is None:
        raise CommandError(f"{cohort.screen_id} has not been read yet. Refresh it first.")
    ids = membership.loaded(cohort.current.members)
    for offset in range(0, len(ids), AT_ONCE):
        some = list(ids[offset : offset + AT_ONCE])
        rows = Profile.objects.filter(project_id=cohort.project_id, pk__in=some).order_by("pk").values_list(*FIELDS)
        for external_id, phone, email, reason in rows:
            yield orjson.dumps(
                {
                    "external_id": external_id,
                    "phone": phone,
                    "email": email,
                    "reachable": phone is not None,
                    "reason": reason or None,
                }
            ).decode()
