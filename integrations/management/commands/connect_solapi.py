from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override
from django.views.decorators.debug import sensitive_variables

from integrations import senders
from integrations.failures import sending
from integrations.management.given import project_of, secret_of
from integrations.sender_forms import SenderForm

OPTION_OF = {"api_key": "--api-key", "api_secret": "SOLAPI_SECRET"}


class Command(BaseCommand):
    help = (
        "Registers a project's SOLAPI API key, and fetches its channels, numbers, templates and prices. The secret is "
        "read from SOLAPI_SECRET, or from the file that SOLAPI_SECRET_FILE names. Running it again with the same "
        "values changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's id, 32 hex digits")
        parser.add_argument("--api-key", required=True, help="the API Key of SOLAPI's console")

    @sensitive_variables("form")
    def handle(self, *_args: Any, **options: Any) -> None:
        project = project_of(options["project"])
        form = SenderForm(
            {"api_key": options["api_key"], "api_secret": secret_of("SOLAPI_SECRET", "the API Secret of that key")}
        )
        with override("en"):
            if not form.is_valid():
                problems = [f"{OPTION_OF[name]}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
                raise CommandError("\n".join(problems))
            _row, changed = senders.register(project, form.settings(), form.secret)
            listed = senders.refresh_listing(project)
            if listed.problem:
                said = sending(listed.problem)
                self.stderr.write(f"Registered, but what it offers can't be listed now: {said.title}. {said.remedy}")
        self.stdout.write("registered" if changed else "unchanged")
