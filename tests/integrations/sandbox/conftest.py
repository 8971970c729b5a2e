"""The sandbox asked over its socket, by hand. Nothing here needs a database."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
from integrations.sandbox.server import SandboxServer
from integrations.sandbox.world import SandboxConfig

from .solapi_asker import SolapiAsker

PEOPLE = 3_000


class Asker:
    """A careful client of few words."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.world = sandbox.world
        self.url = sandbox.url
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = (USERNAME, SECRET)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.http.get(self.url + path, params=params, timeout=30)

    def query(self, endpoint: str, project: int | None = PROJECT, **form: Any) -> requests.Response:
        params = {} if project is None else {"project_id": project}
        return self.http.post(f"{self.url}/us/api/query/{endpoint}", params=params, data=form, timeout=30)

    def page(
        self, cohort: int | None = None, page: int = 0, session: str | None = None, **form: Any
    ) -> requests.Response:
        """A page of Engage; `all_users` is False unless told."""
        wanted: dict[str, Any] = {"include_all_users": "false", **form}
        if cohort is not None:
            wanted["filter_by_cohort"] = f'{{"id": {cohort}}}'
        if page:
            wanted["page"] = page
        if session is not None:
            wanted["session_id"] = session
        return self.query("engage", **wanted)

    def pull(self, cohort: int | None = None, **form: Any) -> list[dict[str, Any]]:
        """All rows of a cohort, until an empty page."""
        first = self.page(cohort, **form).json()
        rows, number, more = list(first["results"]), 0, first["results"]
        while more:
            number += 1
            more = self.page(cohort, number, first["session_id"], **form).json()["results"]
            rows += more
        return rows

    def control(self, method: str, room: str, json: Any = None, **headers: str) -> requests.Response:
        return self.http.request(method, f"{self.url}/_sandbox/{room}", json=json, headers=headers, timeout=30)


@pytest.fixture(scope="session")
def _asked_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(people=PEOPLE, seed=7)) as server:
        yield server


@pytest.fixture
def mixpanel(_asked_sandbox: SandboxServer) -> Iterator[Asker]:
    _asked_sandbox.world.reset()
    asker = Asker(_asked_sandbox)
    yield asker
    asker.http.close()
    _asked_sandbox.world.reset()


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row["$distinct_id"]) for row in rows]


@pytest.fixture
def solapi(_asked_sandbox: SandboxServer) -> Iterator[SolapiAsker]:
    _asked_sandbox.world.reset()
    asker = SolapiAsker(_asked_sandbox)
    yield asker
    asker.http.close()
    _asked_sandbox.world.reset()
