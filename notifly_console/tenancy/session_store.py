"""Where sessions are kept: Django's database sessions, with the person beside each."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db.models import CharField, DateTimeField
from django.utils import timezone

from notifly_console.lib.compiled import Compiled, Slot


class SessionStore(DatabaseSessionStore):
    """The engine that `SESSION_ENGINE` names."""

    person: Any = None
    """Whom the session names, read in the statement that read the session; whether it still signs them in is for
    `sessions.person_of` to say."""

    @classmethod
    def get_model_class(cls) -> Any:
        from notifly_console.tenancy.models import Session

        return Session

    def _get_session_from_db(self) -> Any:
        row = _OF_KEY.first(key=self.session_key, now=timezone.now())
        if row is None:
            self._session_key = None
        else:
            self.person = row.user
        return row

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY)
        return row


_OF_KEY: Compiled[Any] = Compiled(
    lambda: (
        SessionStore.get_model_class()
        .objects.select_related("user")
        .filter(session_key=Slot("key", CharField()), expire_date__gt=Slot("now", DateTimeField()))
    )
)
