"""Sealing credentials at rest: AES-256-GCM under a ring of keys, each token bound to the row it belongs to.

A token copied to another row, column or project doesn't open there. A key that is missing or wrong is an error that
says so, never an empty value.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ImproperlyConfigured

VERSION = "v1"
NONCE_BYTES = 12
KEY_BYTES = 32


class CannotOpen(Exception):
    """A sealed value doesn't open: its key isn't in the ring, it belongs to another row, or it was altered."""


class Secret:
    """A value that doesn't print itself. Only `reveal()` gives it, and only the code that sends it should ask."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plain value."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(••••)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret isn't serialised.")


@dataclass(frozen=True)
class KeyRing:
    """The keys of `CREDENTIALS_KEYS`: the first one seals, every one opens."""

    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Reads `id:base64,id:base64`. Raises ImproperlyConfigured, naming the key id and never the key."""
        keys: dict[str, bytes] = {}
        for entry in (part.strip() for part in text.split(",") if part.strip()):
            key_id, _, encoded = entry.partition(":")
            if not key_id.isalnum() or not encoded:
                raise ImproperlyConfigured(
                    "CREDENTIALS_KEYS must look like `k2:<base64 of 32 bytes>,k1:<base64 of 32 bytes>`, newest first."
                )
            if key_id in keys:
                raise ImproperlyConfigured(
                    f"CREDENTIALS_KEYS names the key id {key_id} twice. Give each key its own id."
                )
            keys[key_id] = _decode_key(key_id, encoded)
        if not keys:
            raise ImproperlyConfigured("CREDENTIALS_KEYS holds no key. `make setup` writes one for a first look.")
        return cls(keys)

    @property
    def sealing_id(self) -> str:
        """The id of the key that new tokens are sealed with."""
        return next(iter(self.keys))

    def seal(self, plain: str, *, bound_to: Sequence[str]) -> str:
        """A token `v1.<key id>.<base64url>` of `plain` that opens only with the same `bound_to`
        (table, column, primary key, project)."""
        key_id = self.sealing_id
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self.keys[key_id]).encrypt(nonce, plain.encode(), _associated(key_id, bound_to))
        return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def seal_bytes(self, plain: bytes, *, bound_to: Sequence[str]) -> bytes:
        """As `seal`, for what is large: `v1.<key id>.` and then plain bytes rather than base64."""
        key_id = self.sealing_id
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self.keys[key_id]).encrypt(nonce, plain, _associated(key_id, bound_to))
        return b"%s.%s.%s" % (VERSION.encode(), key_id.encode(), nonce + sealed)

    def open_bytes(self, token: bytes, *, bound_to: Sequence[str]) -> bytes:
        """What `seal_bytes` sealed. Raises CannotOpen."""
        head, _, raw = token.partition(b".")[2].partition(b".")
        key_id = head.decode("latin-1")
        if not token.startswith(VERSION.encode() + b".") or not raw:
            raise CannotOpen("A sealed body isn't in a form that this version reads.")
        key = self.keys.get(key_id)
        if key is None:
            raise CannotOpen(f"The key {key_id} is not in CREDENTIALS_KEYS. Put it back.")
        try:
            return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(key_id, bound_to))
        except (InvalidTag, ValueError):
            raise CannotOpen(f"A body doesn't open with key {key_id}: another key, or the row was altered.") from None

    def open(self, token: str, *, bound_to: Sequence[str]) -> Secret:
        """What `seal` sealed. Raises CannotOpen, which names the key id and never the token."""
        key_id = key_id_of(token)
        key = self.keys.get(key_id)
        if key is None:
            raise CannotOpen(
                f"The key {key_id} is not in CREDENTIALS_KEYS. Put it back, or enter the credentials again."
            )
        try:
            raw = base64.urlsafe_b64decode(token.split(".", 2)[2])
            plain = AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(key_id, bound_to))
        except (InvalidTag, ValueError, binascii.Error):
            raise CannotOpen(
                f"A credential doesn't open with key {key_id}: the key is another one than it was sealed with, "
                "or the row was altered. Put the right key back, or enter the credentials again."
            ) from None
        return Secret(plain.decode())


def key_id_of(token: str) -> str:
    """The id of the key that a token was sealed with. Raises CannotOpen when it isn't a token of ours."""
    parts = token.split(".", 2)
    if len(parts) != 3 or parts[0] != VERSION:
        raise CannotOpen("A stored credential isn't in a form that this version reads. Enter the credentials again.")
    return parts[1]


def _associated(key_id: str, bound_to: Sequence[str]) -> bytes:
    return "\x1f".join([VERSION, key_id, *bound_to]).encode()


def _decode_key(key_id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise ImproperlyConfigured(f"The key {key_id} of CREDENTIALS_KEYS is not base64.") from None
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"The key {key_id} of CREDENTIALS_KEYS has {len(key)} bytes; it needs {KEY_BYTES}.")
    return key
