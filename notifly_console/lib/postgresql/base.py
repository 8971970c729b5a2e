"""The backend that `DATABASES` names. Where a setting says so (`WATCHED`: pages, not workers), it gives up a server
that says nothing, and ends statements that take longer than any page would wait."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from notifly_console.lib.postgresql import silence

LONGEST_STATEMENT_SECONDS = 30


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
        # A pooler in transaction mode (CONN_MAX_AGE=0) would hand the limit on to workers.
        if self.settings_dict.get("WATCHED") and self.settings_dict["CONN_MAX_AGE"] != 0:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{LONGEST_STATEMENT_SECONDS}s'")


def _ask(place: tuple[str, str]) -> None:
    try:
        silence.ask(place)
    except silence.Silent:
        raise psycopg.OperationalError("the server accepts connections and says nothing") from None
