"""A project connected to the stand-in Mixpanel, and short words for refreshing it."""

from typing import Any

import pytest

from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME


@pytest.fixture
def connect_to(world: Any, sandbox: Any) -> Any:
    """`connect_to(username=…, project_id=…, region=…, phone_column=…)` registers credentials for the world's
    project; without arguments those of an analyst of the stand-in's main project."""
    from integrations.connect import MixpanelSettings, register
    from integrations.mixpanel.schemas import Region

    def connect(*, secret: str = SECRET, region: str = "us", **values: Any) -> Any:
        settings = {"project_id": PROJECT, "username": USERNAME, **values}
        row, _ = register(world.project, MixpanelSettings(region=Region(region), **settings), secret)
        return row

    return connect


@pytest.fixture
def connected(connect_to: Any, world: Any) -> Any:
    """The world's project, connected."""
    connect_to()
    return world.project


@pytest.fixture
def refreshed(connected: Any) -> Any:
    """`refreshed()` asks for a refresh and runs it in this process; returns its row. `cohort=…` for one alone."""
    from cohorts import refresh
    from cohorts.models import Refresh

    def ask_and_run(cohort: Any = None, **options: Any) -> Refresh:
        row = refresh.request(connected, by="marketer@harutable.example", cohort=cohort)
        refresh.run(row.pk, **options)
        row.refresh_from_db()
        return row

    return ask_and_run
