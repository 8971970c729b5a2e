from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from integrations.rotate import forget, keys_in_use, reseal
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record


class Command(BaseCommand):
    help = (
        "Seals every stored credential under the first key of CREDENTIALS_KEYS. Says what it would do unless --apply "
        "is given. Runs while the console runs; when it was interrupted, run it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument("--forget", metavar="KEY_ID", help="give up what was sealed with a key that is lost")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["forget"]:
            self._forget(options["forget"])
            return
        newest = settings.CREDENTIALS_KEYS.sealing_id
        self._say_keys()
        if not options["apply"]:
            stale = sum(count for key_id, count in keys_in_use().items() if key_id != newest)
            hint = " Run with --apply to do it." if stale else ""
            self.stdout.write(f"{stale} to be sealed under {newest}.{hint}")
            return
        done, problems = 0, 0
        for outcome in reseal():
            done += not outcome.problem
            if outcome.problem:
                problems += 1
                self.stderr.write(f"{outcome.what}: {outcome.problem}")
        record(Action.CREDENTIALS_ROTATED, project_id=None, key=newest, done=done, problems=problems)
        self.stdout.write(f"{done} sealed under {newest}.")
        self._say_keys()
        if problems:
            raise CommandError(f"{problems} could not be opened, and are as they were.")

    def _forget(self, key_id: str) -> None:
        try:
            connections, factors = forget(key_id)
        except ValueError as error:
            raise CommandError(str(error)) from None
        record(Action.CREDENTIALS_ROTATED, project_id=None, forgotten=key_id, connections=connections, factors=factors)
        self.stdout.write(
            f"{connections} connections need their secret entered again; {factors} second factors were removed."
        )

    def _say_keys(self) -> None:
        for key_id, count in sorted(keys_in_use().items()):
            known = "" if key_id in settings.CREDENTIALS_KEYS.keys else " (not in CREDENTIALS_KEYS)"
            self.stdout.write(f"{key_id}: {count}{known}")
