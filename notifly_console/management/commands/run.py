"""`manage.py run`: the whole console on this machine, until Ctrl-C."""

import json
import os
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.lib import embedded
from notifly_console.run import leftovers, preflight, supervise
from notifly_console.run.demo import Demo, make_demo
from notifly_console.run.plan import programs, supervisor_config
from notifly_console.run.preflight import CannotStart


class Command(BaseCommand):
    help = "Runs web, workers, clock, broker and stand-in vendors on this machine until Ctrl-C (docs/operations.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="else PORT, else 8000")

    def handle(self, *_args: Any, **options: Any) -> None:
        self.var_dir = Path(settings.VAR_DIR).resolve()
        self.run_dir = self.var_dir / "run"
        try:
            port = _number("PORT", options["port"], 1, 65535)
            people = _number("SANDBOX_PEOPLE", os.environ.get("SANDBOX_PEOPLE") or "12000", 1, 5_000_000)
            self._look_first(port)
        except CannotStart as error:
            raise CommandError(str(error)) from None
        self.say("데이터베이스를 준비합니다. Preparing the database ...")
        call_command("migrate", interactive=False, verbosity=0)
        try:
            preflight.check_credentials()
        except CannotStart as error:
            raise CommandError(str(error)) from None
        sandbox_port = _kept_free_port(self.run_dir / "sandbox_port.txt") if _wants_sandbox() else None
        demo = make_demo(self.var_dir, connect=sandbox_port is not None) if _wants_demo() else None
        self._write_announcement(port, demo, people, sandbox_port)
        self.say("시작하는 중입니다. Starting ...")
        self._hand_over(port, people, sandbox_port, demo)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _look_first(self, port: int) -> None:
        """Raises CannotStart for what would go wrong; ends what a killed console left behind."""
        preflight.check_parts()
        preflight.check_broker_is_allowed()
        preflight.check_folder(self.var_dir)
        if leftovers.take_lock(self.run_dir) is None:
            where = leftovers.address_of_running(self.run_dir)
            raise CannotStart(
                f"This console is already running at {where}. Stop that one first, or give the second one a folder "
                "and a port of its own: VAR_DIR=/another/folder PORT=8001"
            )
        (self.run_dir / "console.json").unlink(missing_ok=True)
        if ended := leftovers.end_orphans(self.run_dir, settings.BROKER.socket):
            self.say(f"Ended {ended} processes that were left over from a console that was killed.")
        preflight.check_port(port)
        preflight.check_database()
        preflight.check_migrations()
        preflight.check_redis()
        if settings.BROKER.socket is not None:
            embedded.prepare_folder(settings.BROKER.socket.parent)
        if remark := preflight.broker_remark():
            self.say(remark)

    def _write_announcement(self, port: int, demo: Demo | None, people: int, sandbox_port: int | None) -> None:
        # By name, not by number: browsers offer passkeys at localhost, and at no bare address.
        address = f"http://localhost:{port}"
        lines = ["", "  Notifly Console", "", f"  주소 Address        {address}"]
        if demo is not None:
            password = demo.password or "(바꾸신 비밀번호 · the one that you changed it to)"
            lines += [f"  이메일 E-mail       {demo.email}", f"  비밀번호 Password   {password}", ""]
        else:
            lines += ["", "  No demo. The first owner: .venv/bin/python manage.py bootstrap --email … --project …", ""]
        if sandbox_port is not None:
            stand_in = f"http://127.0.0.1:{sandbox_port}"
            lines += [
                f"  연습용 Mixpanel(유저 {people:,}명)에 연결되어 있습니다. 리프레시를 눌러 보세요.",
                f"  Connected to a stand-in Mixpanel with {people:,} people (MIXPANEL_API_URL={stand_in}).",
                "  보낸 메시지는 연습용 SOLAPI가 받습니다. 휴대폰에 도착한 모습:",
                f"  What is sent goes to a stand-in SOLAPI ({stand_in}/solapi). What the phones received:",
                f"                      {stand_in}/_sandbox/phones",
                f"  SOLAPI API key      {SOLAPI_API_KEY}",
                f"  SOLAPI API secret   {SOLAPI_API_SECRET}",
                "  The real vendors instead: DEMO=0 make run",
            ]
        logs = os.path.relpath(self.var_dir / "log")
        lines += [f"  로그 Logs: {logs}/ · 종료 Stop: Ctrl-C", ""]
        file = self.run_dir / "console.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"address": address, "lines": lines, "stand_in": sandbox_port}))

    def _hand_over(self, port: int, people: int, sandbox_port: int | None, demo: Demo | None) -> None:
        """Becomes supervisord."""
        sandbox = None
        if sandbox_port is not None:
            os.environ["MIXPANEL_API_URL"] = f"http://127.0.0.1:{sandbox_port}"
            os.environ["SOLAPI_API_URL"] = f"http://127.0.0.1:{sandbox_port}/solapi"
            manage = str(settings.BASE_DIR / "manage.py")
            sandbox = [sys.executable, manage, "sandbox", "--port", str(sandbox_port), "--people", str(people)]
            if demo is not None and demo.hook_path:
                sandbox += ["--reports-to", f"http://127.0.0.1:{port}{demo.hook_path}"]
                sandbox += ["--reports-secret-file", str(demo.hook_secret_file)]
        found = programs(
            var_dir=self.var_dir,
            port=port,
            sandbox=sandbox,
            sqlite="sqlite" in settings.DATABASES["default"]["ENGINE"],
            broker=settings.BROKER,
        )
        (self.var_dir / "log").mkdir(mode=0o700, exist_ok=True)
        config = self.run_dir / "supervisord.conf"
        config.write_text(supervisor_config(found, root=settings.BASE_DIR, var_dir=self.var_dir))
        leftovers.note_commands(self.run_dir, [program.command for program in found])
        os.environ["VAR_DIR"] = str(self.var_dir)
        os.execv(sys.executable, [sys.executable, supervise.__file__, str(config)])  # noqa: S606


def _wants_demo() -> bool:
    """A demo is for a console that only this machine reaches."""
    return os.environ.get("DEMO", "1") != "0" and bool(settings.IS_LOCAL)


def _wants_sandbox() -> bool:
    """An operator who names a vendor's host wants that one."""
    return _wants_demo() and not settings.MIXPANEL_API_URL and not settings.SOLAPI_API_URL


def _number(name: str, text: str, least: int, most: int) -> int:
    if text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise CannotStart(f"{name} must be a number from {least} to {most}, and is {text[:20]!r}.")


def _kept_free_port(file: Path) -> int:
    """A free port on loopback, the same as last time where it is still free: it is in people's shell histories."""
    kept = file.read_text() if file.exists() else ""
    for port in (int(kept) if kept.isdecimal() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
        file.write_text(str(found))
        return found
    raise CannotStart("No port on 127.0.0.1 is free for the stand-in vendors.")
