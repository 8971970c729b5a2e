"""`manage.py sandbox`: the stand-in vendors, for trying the console without an account anywhere."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.sandbox.server import serve
from integrations.sandbox.world import SandboxConfig


class Command(BaseCommand):
    help = "Runs the stand-in Mixpanel and SOLAPI on 127.0.0.1 until it is stopped (docs/sandbox.md)."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8100, help="port on 127.0.0.1 (0: any free one)")
        parser.add_argument("--people", type=int, default=20_000, help="size of the crowd")
        parser.add_argument("--seed", type=int, default=1, help="another seed, other people")
        parser.add_argument("--reports-to", default="", help="a webhook on this machine that reports are sent to")
        parser.add_argument("--reports-secret-file", type=Path, help="the file with that webhook's secret")

    def handle(self, *args: Any, **options: Any) -> None:
        config = SandboxConfig.for_demo(options["people"], options["seed"])
        try:
            serve(
                config, options["port"], self._say, _reports_to(options["reports_to"], options["reports_secret_file"])
            )
        except ValueError as error:
            raise CommandError(f"--reports-to: {error}") from error
        except OSError as error:
            text = f"Cannot listen on 127.0.0.1:{options['port']}: {error.strerror}. Choose another --port."
            raise CommandError(text) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _reports_to(url: str, secret_file: Path | None) -> tuple[str, str] | None:
    if not url:
        return None
    if secret_file is None:
        raise CommandError("--reports-to wants --reports-secret-file, too.")
    try:
        return url, secret_file.read_text().strip()
    except OSError as error:
        raise CommandError(f"Cannot read {secret_file}: {error.strerror}.") from error
