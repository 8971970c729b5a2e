from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from cohorts import named
from cohorts.people import facets
from notifly_console.tenancy.models import Project


class Command(BaseCommand):
    help = (
        "Makes the sets that audiences are counted with anew from the profiles: after an upgrade from a version without"
        " campaigns, or after profiles were deleted by hand. Runs while the console runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="the project's id, 32 hex digits; without it every project")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            projects = [named.project(options["project"])] if options["project"] else list(Project.objects.all())
        except named.Unknown as error:
            raise CommandError(str(error)) from None
        for project in projects:
            self.stdout.write(f"{project.hex}: {facets.rebuild(project.pk)} profiles")
