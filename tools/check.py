"""`make check`: every check, all of them even when one fails, and what failed at the end."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PY = sys.executable
MANAGE = [PY, "manage.py"]

CHECKS: list[tuple[str, list[str]]] = [
    ("format", [PY, "-m", "ruff", "format", "--check", "--quiet", "."]),
    ("lint", [PY, "-m", "ruff", "check", "--quiet", "."]),
    ("types", [PY, "-m", "mypy", "--no-error-summary", "."]),
    ("imports", [str(Path(PY).with_name("lint-imports")), "--no-logo"]),
    ("templates", [PY, "-m", "djlint", "templates", "--lint", "--quiet"]),
    ("migrations", [*MANAGE, "makemigrations", "--check", "--dry-run", "--verbosity", "0"]),
    ("settings", [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"]),
]


def main() -> int:
    """Runs the checks one after the other; 1 when any failed."""
    failed = []
    with tempfile.TemporaryDirectory() as var:
        for name, command in CHECKS:
            started = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, env=environment(var), capture_output=True, text=True)
            ok = done.returncode == 0
            print(f"{'ok    ' if ok else 'FAILED'} {name:<11} {time.monotonic() - started:5.1f} s", flush=True)
            if not ok:
                failed.append(name)
                print(done.stdout + done.stderr, flush=True)
    if failed:
        print("make check: " + ", ".join(failed) + " failed. `make format` mends format and some of lint.")
        return 1
    return 0


def environment(var: str) -> dict[str, str]:
    """The environment of a console in production, so that `check --deploy` judges what will run there."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {
        "VAR_DIR": var,
        "SECRET_KEY": "checked-only-" + "0123456789abcdef" * 4,
        "CREDENTIALS_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ALLOWED_HOSTS": "console.example.com",
        "CSRF_TRUSTED_ORIGINS": "https://console.example.com",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "TRUSTED_PROXIES": "1",
        "SSL_REDIRECT": "1",
        # The checked code is the tree's; a developer's .env must not have a say.
        "DEBUG": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


if __name__ == "__main__":
    sys.exit(main())
