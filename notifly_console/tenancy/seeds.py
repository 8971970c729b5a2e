"""Second-factor seeds at rest: sealed under the key ring, each bound to the person it belongs to.

allauth hands over the text alone, so the person's id stands before the sealed part, and is part of what is
authenticated. A seed copied to another person's row is refused because it is found there.
"""

from collections import Counter

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Q

from notifly_console.lib.crypto import CannotOpen, key_id_of

COLUMN = ("mfa_authenticator", "data")
FIELDS = ("secret", "seed")
"""Where in an authenticator's data a sealed text stands: a TOTP secret, the seed of recovery codes."""


def seal(plain: str, user_id: int) -> str:
    """`plain` sealed for that person: `<user id>:<token>`."""
    return f"{user_id}:{settings.CREDENTIALS_KEYS.seal(plain, bound_to=(*COLUMN, str(user_id)))}"


def open_sealed(text: str) -> str:
    """What `seal` sealed. Raises CannotOpen for a missing key, an altered text, and one that stands in another
    person's row."""
    user_id, token = _parts(text)
    holders = Authenticator.objects.filter(Q(data__secret=text) | Q(data__seed=text))
    if holders.exclude(user_id=int(user_id)).exists():
        raise CannotOpen("A second factor's seed stands in the row of another person than it was sealed for.")
    return str(settings.CREDENTIALS_KEYS.open(token, bound_to=(*COLUMN, user_id)).reveal())


def keys_in_use() -> Counter[str]:
    """How many seeds are sealed under each key id."""
    return Counter(key_id_of(_parts(text)[1]) for row in _sealed_rows() for text in _texts(row))


def reseal() -> int:
    """Seals every seed under the first key of the ring; says how many it changed. May be stopped and run again.
    Raises CannotOpen when a seed's key is not in the ring."""
    changed = 0
    for row in _sealed_rows():
        stale = {
            field: row.data[field]
            for field in FIELDS
            if field in row.data and key_id_of(_parts(row.data[field])[1]) != settings.CREDENTIALS_KEYS.sealing_id
        }
        if not stale:
            continue
        fresh = {field: seal(open_sealed(text), row.user_id) for field, text in stale.items()}
        # Guarded by the old text: a factor that was replaced meanwhile stays as it is.
        guard = {f"data__{field}": text for field, text in stale.items()}
        changed += Authenticator.objects.filter(pk=row.pk, **guard).update(data=row.data | fresh)
    return changed


def _sealed_rows() -> list[Authenticator]:
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES]
    return list(Authenticator.objects.filter(type__in=kinds).order_by("pk"))


def _texts(row: Authenticator) -> list[str]:
    return [row.data[field] for field in FIELDS if field in row.data]


def _parts(text: str) -> tuple[str, str]:
    user_id, _, token = text.partition(":")
    if not user_id.isdecimal() or not token:
        raise CannotOpen("A stored second factor isn't in a form that this version reads. Set it up again.")
    return user_id, token
