from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override
from django.views.decorators.debug import sensitive_variables

from integrations.connect import EMAIL_COLUMN, PHONE_COLUMN, MixpanelSettings
from integrations.forms import SECRET, MixpanelForm
from integrations.management.given import project_of, secret_of
from integrations.register import register

OPTION_OF = {
    "project_id": "--mixpanel-project",
    "service_account_username": "--username",
    SECRET: "MIXPANEL_SECRET",
    "region": "--region",
    "phone_number_column": "--phone-column",
    "email_column": "--email-column",
    "marketing_consent_column": "--marketing-consent-column",
    "night_consent_column": "--night-consent-column",
    "identity_column": "--identity-column",
    "unknown_members": "--unknown",
}


class Command(BaseCommand):
    help = (
        "Registers a project's Mixpanel service account. The secret is read from MIXPANEL_SECRET, or from the file "
        "that MIXPANEL_SECRET_FILE names. Running it again with the same values changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, help="the project's id, 32 hex digits")
        parser.add_argument("--mixpanel-project", required=True, help="the number of the project in Mixpanel")
        parser.add_argument("--username", required=True, help="the service account's user name")
        parser.add_argument("--region", required=True, help="us, eu or in")
        parser.add_argument("--phone-column", default=PHONE_COLUMN)
        parser.add_argument("--email-column", default=EMAIL_COLUMN)
        parser.add_argument(
            "--marketing-consent-column",
            default="",
            help="the profile property that says whether somebody consented to advertising; without it nobody has",
        )
        parser.add_argument(
            "--night-consent-column", default="", help="the same for advertising between 21:00 and 08:00"
        )
        parser.add_argument("--identity-column", default="", help="the profile property that identifies people, if any")
        parser.add_argument(
            "--unknown", default="create", help="create or drop members whose identity isn't known yet (create)"
        )

    @sensitive_variables("form")
    def handle(self, *_args: Any, **options: Any) -> None:
        project = project_of(options["project"])
        form = MixpanelForm(
            {
                "project_id": options["mixpanel_project"],
                "service_account_username": options["username"],
                SECRET: secret_of("MIXPANEL_SECRET", "the service account's secret"),
                "region": options["region"].lower(),
                "phone_number_column": options["phone_column"],
                "email_column": options["email_column"],
                "marketing_consent_column": options["marketing_consent_column"],
                "night_consent_column": options["night_consent_column"],
                "identity_column": options["identity_column"],
                "unknown_members": options["unknown"],
            }
        )
        with override("en"):
            if not form.is_valid():
                problems = [f"{OPTION_OF[name]}: {' '.join(map(str, errors))}" for name, errors in form.errors.items()]
                raise CommandError("\n".join(problems))
        _row, changed = register(project, MixpanelSettings(**form.settings()), form.secret)
        self.stdout.write("registered" if changed else "unchanged")
