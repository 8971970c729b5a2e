"""`manage.py sandbox`: the stand-in vendors, for trying the console without an account anywhere."""

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

    def handle(self, *args: Any, **options: Any) -> None:
        config = SandboxConfig.for_demo(options["people"], options["seed"])
        try:
            serve(config, options["port"], self._say)
        except OSError as error:
            text = f"Cannot listen on 127.0.0.1:{options['port']}: {error.strerror}. Choose another --port."
            raise CommandError(text) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
