"""What the largest bodies cost a web process: each in a process of its own, by its peak."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from integrations import webhooks

MOST_GROWTH_KB = 400 * 1024
HEAD = b'{"action":"members","parameters":{"mixpanel_project_id":"1","mixpanel_cohort_id":"2","members":['
MOST = webhooks.MOST_BYTES - 200
PARSES = """
import resource, sys
import django
django.setup()
from django.utils import timezone
from integrations.mixpanel.webhook import NotAPage, parse_page
body = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    parse_page(body).fingerprint(timezone.now())
    how = "taken"
except NotAPage as problem:
    how = str(problem)
print(how, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sep="|")
"""


def filled(piece: bytes, most_pieces: int = 10**9) -> bytes:
    """As many of the piece as fit, or as are let through."""
    return b",".join([piece] * min(MOST // (len(piece) + 1), most_pieces))


BOMBS = {
    "lists": lambda: filled(b"[]", 190_000) + b',"' + b"x" * 30_000_000 + b'"',
    "objects": lambda: filled(b'{"a":1}', 190_000),
    "strings": lambda: filled(b'"abcdefghijklmn"', 1_490_000),
    "numbers": lambda: filled(b"1234567890123.25", 1_490_000),
    "huge numbers": lambda: filled(b"9" * 4000),
    "names": lambda: b"{" + b",".join(b'"%07d":1' % n for n in range(1_400_000)) + b"}",
    "halves of pairs": lambda: b'"' + rb"\ud800" * 490_000 + b"x" * 28_000_000 + b'"',
}


@pytest.mark.parametrize("what", BOMBS)
def test_no_body_costs_more_memory_than_there_is(what: str) -> None:
    body = HEAD + BOMBS[what]() + b"]}}"
    assert len(body) <= webhooks.MOST_BYTES
    environment = {name: os.environ[name] for name in ("PATH", "SECRET_KEY", "CREDENTIALS_KEYS", "VAR_DIR")}
    done = subprocess.run(
        [sys.executable, "-c", PARSES],
        input=body, cwd=settings.BASE_DIR, capture_output=True, check=False, timeout=60,
        env={"DJANGO_SETTINGS_MODULE": "notifly_console.settings", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    how, _, grown = done.stdout.decode().strip().rpartition("|")
    assert how == "taken", "one that is refused costs less"
    assert int(grown) < MOST_GROWTH_KB, f"{int(grown) // 1024} MB"
