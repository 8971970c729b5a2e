"""What `make setup` promises beyond installing packages."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from notifly_console.lib.crypto import KeyRing

ROOT = Path(__file__).resolve().parent.parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


@pytest.fixture
def setup() -> Any:
    spec = importlib.util.spec_from_file_location("setup_tool", ROOT / "tools" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- What a machine may lack ------------------------------------------------------------------------------------------
def test_a_machine_without_python_is_one_sentence(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--no-print-directory", "run", "PYTHON=python-that-is-not-there"]
    by_itself = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=tmp_path, env=by_itself, capture_output=True, text=True)
    first, *rest = done.stderr.strip().splitlines()
    assert done.returncode != 0
    assert first.startswith("Notifly Console needs Python 3.11 or newer, and there is no python-that-is-not-there")
    assert all(line.startswith("make: ***") for line in rest)


def test_an_old_python_is_one_sentence(setup: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["setup.py", "run"])
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    with pytest.raises(SystemExit):
        setup.main()
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "needs Python 3.11 or newer" in sentence
    assert sentence.endswith("name it: make run PYTHON=python3.12")


def test_a_python_without_venv_is_one_sentence(setup: Any, monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setattr(setup, "VENV", str(tmp_path / ".venv"))
    without = subprocess.CompletedProcess([], 1, "", "The virtual environment was not created: ensurepip is missing.")
    monkeypatch.setattr(setup.subprocess, "run", lambda *_args, **_kwargs: without)
    monkeypatch.setattr(setup, "find_uv", lambda: None)
    with pytest.raises(SystemExit):
        setup.make_venv()
    *_before, sentence = capsys.readouterr().err.splitlines()
    assert "can't make virtual environments" in sentence
    assert "sudo apt install python" in sentence


# -- What it makes ----------------------------------------------------------------------------------------------------
def test_keys_are_made_once_for_this_account_only(setup: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    setup.write_secrets()
    files = sorted((tmp_path / "var").iterdir())
    assert [file.name for file in files] == ["credentials_keys.txt", "secret_key.txt"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert KeyRing.parse(files[0].read_text().strip()).sealing_id == "k1"
    before = [file.read_text() for file in files]
    setup.write_secrets()
    assert [file.read_text() for file in files] == before


def test_a_key_that_appears_meanwhile_is_kept(setup: Any, tmp_path: Path) -> None:
    """Another `make setup` may win between the look and the write."""
    path = tmp_path / "key.txt"

    def slow() -> str:
        path.write_text("theirs")
        return "ours"

    setup.write_once(str(path), slow)
    assert path.read_text() == "theirs"
    assert [file.name for file in tmp_path.iterdir()] == ["key.txt"]


def test_an_up_to_date_call_says_nothing_and_touches_nothing() -> None:
    if not (ROOT / ".venv" / "bin" / "python").exists():
        pytest.skip("this suite doesn't run from .venv")
    command = [sys.executable, "-I", "-S", str(ROOT / "tools" / "setup.py"), "translations"]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    compiled = {path: os.stat(path).st_mtime_ns for path in ROOT.glob("notifly_console/locale/**/*.mo")}
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stdout + second.stdout == ""
    assert {path: os.stat(path).st_mtime_ns for path in compiled} == compiled


def test_the_tests_run_on_what_the_console_runs_on(setup: Any) -> None:
    assert setup.covers("dev", "run")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_a_hash_and_no_lock_names_an_index(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?://|--index|--extra|--find", text)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry, entry
