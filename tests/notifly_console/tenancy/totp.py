"""An authenticator app, as far as a test needs one (RFC 6238 with SHA-1, 6 digits, 30 seconds)."""

import base64
import hashlib
import hmac
import re
import struct
import time
from typing import Any

from django.test import Client

from tests.conftest import PASSWORD


def code_now(secret: str) -> str:
    """What the app shows at this moment of the test's clock."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def prove_again(client: Client) -> None:
    """Passes the question who it is."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def set_up(client: Client) -> str:
    """Registers an app for whoever is signed in; returns its secret."""
    prove_again(client)
    page = client.get("/accounts/2fa/app/activate/").content.decode()
    secret = re.search(r'<span class="mono">([A-Z2-7]{32})</span>', page)[1]  # type: ignore[index]
    done: Any = client.post("/accounts/2fa/app/activate/", {"code": code_now(secret)})
    assert done.status_code == 302
    return secret
