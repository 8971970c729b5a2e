"""The least that a webhook can do: compare a password, parse the body, insert it, commit, answer. One gunicorn, one
connection a thread. (`DATABASE_URL`, `gunicorn benchmarks.peers.bare_receiver:application`)"""

import base64
import hmac
import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

_expected = "Basic " + base64.b64encode(os.environ.get("PEER_PAIR", "user:word").encode()).decode()
_local = threading.local()


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI."""
    if not hmac.compare_digest(environ.get("HTTP_AUTHORIZATION", ""), _expected):
        start("401 Unauthorized", [("Content-Length", "0")])
        return []
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    action = json.loads(body)["action"]
    connection().execute("INSERT INTO peer_page (body) VALUES (%s)", [body])
    said = json.dumps({"action": action, "status": "success"}).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
    return [said]


def connection() -> psycopg.Connection:
    """This thread's; commits each statement."""
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    found: psycopg.Connection = _local.connection
    return found
