from argparse import ArgumentParser
from typing import Any
from uuid import UUID

import orjson
from django.core.management.base import BaseCommand, CommandError

from notifly_console.tenancy.keys import TooManyKeys, issue
from notifly_console.tenancy.models import Project


class Command(BaseCommand):
    help = (
        "Issues an API key of a project and prints it as one JSON line. The secret is kept nowhere: it is shown once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's id, 32 hex digits")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            project = Project.objects.get(pk=UUID(options["project"]))
        except (ValueError, Project.DoesNotExist):
            raise CommandError("--project: there is no project with this id. The settings page shows it.") from None
        try:
            issued = issue(project)
        except TooManyKeys:
            raise CommandError("The project has ten live keys. Revoke one under 설정 → API 인증 정보 first.") from None
        pair = {"access_key": issued.key.access_key, "secret_key": issued.secret.reveal()}
        self.stdout.write(orjson.dumps(pair).decode())
