"""The environment of a test run, set before Django reads its settings (a pytest plugin, `-p tests.environment`)."""

import logging
import os
from pathlib import Path
from typing import Any

# The databases that a test run uses are named by the TEST_ variables.
for _name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(_name, None)
    if _value := os.environ.get(f"TEST_{_name}"):
        os.environ[_name] = _value
# The one test that cuts the power has a PostgreSQL of its own.
os.environ.setdefault("PGOPTIONS", "-c synchronous_commit=off")
os.environ.setdefault("SECRET_KEY", "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz")
os.environ.setdefault("CREDENTIALS_KEYS", "k1:" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
if (_worker := os.environ.get("PYTEST_XDIST_WORKER")) and Path(os.environ["VAR_DIR"]).name != _worker:
    # Tests that run side by side have a folder, and so a database and a broker, of their own.
    os.environ["VAR_DIR"] = str(Path(os.environ["VAR_DIR"]) / _worker)
os.environ["EMAIL_URL"] = "memorymail://"
os.environ["ALLOWED_HOSTS"] = "testserver,localhost,127.0.0.1"
# What a thread still has to say when its test is over, and the output taken away, is no error of the next one.
logging.raiseExceptions = False
Path(os.environ["VAR_DIR"]).mkdir(parents=True, exist_ok=True)

OF_THEIR_OWN = ("browser", "starts", "processes")
"""Marks of tests that start something which has a database."""


def pytest_addoption(parser: Any) -> None:
    parser.addoption(
        "--with-database", action="store_true", help="leave out the tests that show the same whatever the database"
    )


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """What touches no database, or is marked `once`, needn't be shown with each."""
    if not config.getoption("--with-database"):
        return
    kept = [item for item in items if _depends_on_the_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _depends_on_the_database(item: Any) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    if "once" in marks:
        return False
    return "db" in item.fixturenames or bool(marks & {"django_db", *OF_THEIR_OWN})
