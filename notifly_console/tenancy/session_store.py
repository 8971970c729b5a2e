"""Where sessions are kept: Django's database sessions, with the person beside each, under a digest of their key.

The key, which the browser's cookie holds, is kept nowhere: who has a copy of the database has nobody's session. The
console is served by WSGI; the asynchronous half of Django's store isn't carried over.
"""

import hashlib
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db.models import CharField, DateTimeField
from django.utils import timezone

from notifly_console.lib.compiled import Compiled, Slot


def kept_under(session_key: str) -> str:
    """The primary key of a session's row. A key has 165 random bits, so that a plain digest can't be guessed back; it
    is cut to what Django's column holds."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(DatabaseSessionStore):
    """The engine that `SESSION_ENGINE` names."""

    person: Any = None
    """Whom the session names, read in the statement that read the session; whether it still signs them in is for
    `sessions.person_of` to say."""

    @classmethod
    def get_model_class(cls) -> Any:
        from notifly_console.tenancy.models import Session

        return Session

    def exists(self, session_key: str) -> bool:
        return bool(super().exists(kept_under(session_key)))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(kept_under(key))

    def _get_session_from_db(self) -> Any:
        row = _OF_KEY.first(key=kept_under(self.session_key or ""), now=timezone.now())
        if row is None:
            self._session_key = None
        else:
            self.person = row.user
        return row

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.session_key = kept_under(row.session_key)
        row.user_id = data.get(SESSION_KEY)
        return row


_OF_KEY: Compiled[Any] = Compiled(
    lambda: (
        SessionStore.get_model_class()
        .objects.select_related("user")
        .filter(session_key=Slot("key", CharField()), expire_date__gt=Slot("now", DateTimeField()))
    )
)
