"""Sealing every credential under the newest key, one row at a time, while the console runs.

A row changes in one guarded statement, so that a reader finds the old token or the new one and both keys open; a
rotation that was killed is simply run again. Only when no row is under a key may that key leave CREDENTIALS_KEYS.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import QuerySet

from integrations import inbox
from integrations.models import Connection
from notifly_console.lib.crypto import CannotOpen, KeyRing, key_id_of
from notifly_console.tenancy import seeds

UNREADABLE = "unreadable"
"""Stands in the counts for values that aren't in the form of a token."""


@dataclass(frozen=True)
class Outcome:
    """What became of one row: `problem` is empty when it is under the newest key now."""

    what: str
    problem: str = ""


def keys_in_use() -> Counter[str]:
    """How many sealed values there are under each key id: secrets of connections, seeds of second factors, and calls
    that are still kept."""
    counts: Counter[str] = Counter()
    for token in _sealed().values_list("sealed_secret", flat=True).iterator(chunk_size=2000):
        counts[_key_of(token)] += 1
    counts.update(inbox.keys_in_use())
    try:
        counts.update(seeds.keys_in_use())
    except CannotOpen:
        counts[UNREADABLE] += 1
    return counts


def wrong_keys() -> list[str]:
    """Key ids of the ring that don't open what was sealed under that id: one row of each is tried."""
    ring: KeyRing = settings.CREDENTIALS_KEYS
    wrong = []
    for key_id in ring.keys:
        # Only what opening asks for: this runs before `migrate`, too, when a later column isn't there yet.
        sealed = _sealed().filter(sealed_secret__startswith=f"v1.{key_id}.")
        row = sealed.only("project_id", "sealed_secret").first()
        try:
            if row is not None:
                row.secret()
        except CannotOpen:
            wrong.append(key_id)
            continue
        if inbox.wrong_key(key_id):
            wrong.append(key_id)
    return wrong


def reseal() -> Iterator[Outcome]:
    """Seals every value under the newest key, giving an outcome for each connection and call that wasn't, and one for
    all second factors. What can't be opened is left as it is and said."""
    ring: KeyRing = settings.CREDENTIALS_KEYS
    stale = _sealed().exclude(sealed_secret__startswith=f"v1.{ring.sealing_id}.").order_by("pk")
    for row in stale.iterator(chunk_size=500):
        yield Outcome(f"connection {row.id.hex}", _reseal(row))
    try:
        for _ in range(seeds.reseal()):
            yield Outcome("second factor")
    except CannotOpen as problem:
        yield Outcome("second factors", str(problem))
    for words in inbox.reseal():
        yield Outcome("call from outside", words)


def forget(key_id: str) -> tuple[int, int]:
    """Gives up what was sealed under a lost key: connections stay, without a secret; second factors and kept calls go.
    Returns how many connections and factors. Raises ValueError for a key that is in the ring: that one isn't lost."""
    ring: KeyRing = settings.CREDENTIALS_KEYS
    if key_id in ring.keys:
        raise ValueError(f"The key {key_id} is in CREDENTIALS_KEYS: what it sealed can be re-sealed.")
    mark = f"v1.{key_id}."
    connections = _sealed().filter(sealed_secret__startswith=mark).update(sealed_secret="", secret_hint="")
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
    lost = [
        row.pk
        for row in Authenticator.objects.filter(type__in=kinds)
        if any(f":{mark}" in f":{value}" for value in row.data.values() if isinstance(value, str))
    ]
    Authenticator.objects.filter(pk__in=lost).delete()
    inbox.forget_key(key_id)
    return connections, len(lost)


def _reseal(row: Connection) -> str:
    """Returns the problem, or ""."""
    before = row.sealed_secret
    try:
        plain = row.secret()
    except CannotOpen as problem:
        return str(problem)
    # Only the token: the hint, and who set the secret when, stay as they are, and no open form becomes stale.
    row.set_secret(plain.reveal())
    # Where a person has just entered a new secret, that one is under the newest key already and stays.
    Connection.objects.filter(pk=row.pk, sealed_secret=before).update(sealed_secret=row.sealed_secret)
    return ""


def _sealed() -> QuerySet[Connection]:
    return Connection.objects.exclude(sealed_secret="")


def _key_of(token: str) -> str:
    try:
        return key_id_of(token)
    except CannotOpen:
        return UNREADABLE
