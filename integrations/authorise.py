"""Who a request is made as: the Authorization header, made for each request, by credentials that don't print
themselves."""

import base64
import hmac
import secrets
from datetime import UTC, datetime
from typing import Protocol

from notifly_console.lib.crypto import Secret

HIDDEN = "••••"


class Credentials(Protocol):
    """What `http.Session.call` takes as `auth`."""

    def header(self) -> str:
        """The value of the Authorization header of one request; asked again for the next one."""

    def hide(self, text: str) -> str:
        """`text` with our secret blanked, should the other side have echoed it."""


class Basic:
    """HTTP Basic, in UTF-8."""

    def __init__(self, username: str, secret: Secret) -> None:
        self._username = username
        self._secret = secret

    def header(self) -> str:
        return f"Basic {self._token()}"

    def hide(self, text: str) -> str:
        for value in (self._secret.reveal(), self._token()):
            text = text.replace(value, HIDDEN) if value else text
        return text

    def _token(self) -> str:
        return base64.b64encode(f"{self._username}:{self._secret.reveal()}".encode(errors="replace")).decode()


class Signed:
    """SOLAPI's HMAC-SHA256: date and a fresh salt, signed. The same signature twice within 15 minutes is refused, so
    that a request with it is never to be repeated underneath (`retry=True`): whoever repeats it asks anew."""

    def __init__(self, api_key: str, secret: Secret) -> None:
        self._api_key = api_key
        self._secret = secret

    def header(self) -> str:
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        salt = secrets.token_hex(16)
        signed = signature(self._secret, date, salt)
        return f"HMAC-SHA256 apiKey={self._api_key}, date={date}, salt={salt}, signature={signed}"

    def hide(self, text: str) -> str:
        secret = self._secret.reveal()
        return text.replace(secret, HIDDEN) if secret else text


def signature(secret: Secret, date: str, salt: str) -> str:
    """SOLAPI's signature of a request: HMAC-SHA256 over date and salt, in lower-case hex."""
    return hmac.new(secret.reveal().encode(), (date + salt).encode(), "sha256").hexdigest()
