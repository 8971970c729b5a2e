"""A project connected to the stand-in Mixpanel, and short words for refreshing it."""

from typing import Any

import pytest

from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME

EVERYBODY = 2_400_001
SOME = 2_785_620


@pytest.fixture
def connect_to(world: Any, sandbox: Any) -> Any:
    """`connect_to(username=…, project_id=…, region=…, phone_column=…)` registers credentials for the world's
    project; without arguments those of an analyst of the stand-in's main project."""
    from integrations.connect import MixpanelSettings
    from integrations.mixpanel.schemas import Region
    from integrations.register import register

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
    from cohorts.models import Refresh
    from cohorts.pull import refresh

    def ask_and_run(cohort: Any = None, **options: Any) -> Refresh:
        row = refresh.request(connected, by="marketer@harutable.example", cohort=cohort)
        refresh.run(row.pk, **options)
        row.refresh_from_db()
        return row

    return ask_and_run


@pytest.fixture
def town(sandbox: Any) -> Any:
    """The stand-in with two cohorts only: EVERYBODY of 2,500 people and SOME, the first 40 of them."""
    cohorts = sandbox.world.cohorts
    cohorts.clear()
    cohorts.add("전체", range(2500), id=EVERYBODY)
    cohorts.add("일부", range(40), id=SOME)
    return sandbox


@pytest.fixture
def state_of(db: None) -> Any:
    """`state_of(project)` is all that a refresh leaves behind, without ids and times: to compare two runs by."""
    from cohorts import membership
    from cohorts.models import Cohort, Profile

    def describe(project: Any) -> dict[str, Any]:
        people = {one.pk: one for one in Profile.objects.filter(project=project)}
        fields = ("distinct_id", "is_anonymous", "phone", "phone_raw", "phone_reason", "email", "properties", "digest")
        return {
            "profiles": {one.external_id: [getattr(one, name) for name in fields] for one in people.values()},
            "cohorts": {
                one.source_id: {
                    "row": [one.name, one.number, one.size, one.joined_count, one.left_count, one.failure],
                    "members": {people[pk].external_id for pk in membership.loaded(one.current.members)},
                    "reach": one.current.reach,
                }
                for one in Cohort.objects.filter(project=project).exclude(current=None).select_related("current")
            },
        }

    return describe
