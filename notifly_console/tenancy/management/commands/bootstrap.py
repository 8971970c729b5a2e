import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifly_console.tenancy.bootstrap import CannotBootstrap, bootstrap


class Command(BaseCommand):
    help = "Makes an owner and a project, and prints the project's id. Running it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", help="else read from BOOTSTRAP_PASSWORD, which keeps it off the process list")
        parser.add_argument("--project", required=True, help="the project's name")

    def handle(self, *_args: Any, **options: Any) -> None:
        password = options["password"] or os.environ.get("BOOTSTRAP_PASSWORD", "")
        try:
            project = bootstrap(email=options["email"], password=password, project_name=options["project"])
        except CannotBootstrap as error:
            raise CommandError(str(error)) from None
        self.stdout.write(project.hex)
