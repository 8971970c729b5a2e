"""The backend that `DATABASES` names. The server ends a transaction whose holder stands still. Where a setting says so
(`WATCHED`: pages, not workers), it also gives up a server that says nothing, and ends statements that take longer than
any page would wait."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from notifly_console.lib.postgresql import silence

LONGEST_STATEMENT_SECONDS = 30
LONGEST_PAUSE_SECONDS = 45
"""In a transaction. A process that is frozen (a host that is moved, memory that ran out) keeps its connection and its
locks: whoever takes over what its lease guarded would wait for it."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, watched."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self.settings_dict.get("WATCHED"):
            return super().get_new_connection(conn_params)
        host, port = str(conn_params.get("host") or ""), str(conn_params.get("port") or "5432")
        if host and "," not in host:
            # libpq itself waits for two seconds at least.
            _ask((host, port))
        connection = super().get_new_connection(conn_params)
        place = (connection.info.host, str(connection.info.port))
        wait = connection.wait

        def still_there() -> None:
            try:
                _ask(place)
            except psycopg.OperationalError:
                connection.pgconn.finish()
                raise

        connection.wait = lambda steps, **kwargs: wait(silence.watched(steps, still_there), **kwargs)
        return connection

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.settings_dict["CONN_MAX_AGE"] == 0:
            # A pooler in transaction mode would hand the limits of pages on to workers (docs/operations.md).
            return
        limits = f"SET idle_in_transaction_session_timeout = '{LONGEST_PAUSE_SECONDS}s'"
        if self.settings_dict.get("WATCHED"):
            limits += f"; SET statement_timeout = '{LONGEST_STATEMENT_SECONDS}s'"
        with self.connection.cursor() as cursor:
            cursor.execute(limits)


def _ask(place: tuple[str, str]) -> None:
    try:
        silence.ask(place)
    except silence.Silent:
        raise psycopg.OperationalError("the server accepts connections and says nothing") from None
