"""Our client and the stand-in Mixpanel, which was written apart from it, over a real socket."""

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.http import BadAnswer, TooLarge, VendorError
from integrations.mixpanel.client import MixpanelClient
from integrations.mixpanel.errors import (
    HourlyBudgetSpent,
    MixpanelDown,
    NotPermitted,
    PlanWithoutApi,
    SessionLost,
    TooManyAtOnce,
    WrongCredentials,
)
from integrations.mixpanel.meter import Unmetered
from integrations.mixpanel.schemas import Account, Region
from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
from notifly_console.lib.crypto import Secret


@pytest.fixture
def cohort(sandbox: Any) -> int:
    """A cohort of 2,345 people with profiles and 7 without."""
    added = sandbox.world.books[PROJECT].add("시험", range(2_345), profileless=7)
    return int(added.id)


@pytest.fixture
def client(sandbox: Any) -> Iterator[MixpanelClient]:
    account = Account(PROJECT, USERNAME, Secret(SECRET), Region.US)
    with MixpanelClient(account, Unmetered(), wait=lambda seconds: None) as client:
        yield client


def pulled(client: MixpanelClient, cohort: int, **kwargs: Any) -> list[str]:
    with client.members(cohort, **{"page_size": 100, **kwargs}) as pages:
        return [row.distinct_id for page in pages for row in page.rows]


def test_the_account_and_its_cohorts(client: MixpanelClient, sandbox: Any, cohort: int) -> None:
    assert client.me().projects[PROJECT].region is Region.US
    own = client.service_account()
    assert own is not None
    assert own.role == "analyst"
    listed = {one.id: one for one in client.cohorts()}
    assert (listed[cohort].name, listed[cohort].count) == ("시험", 2_352)
    assert any(one.is_group for one in listed.values())
    assert client.count(cohort) == 2_345
    assert "$email" in {info.name for info in client.properties()}


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("session_on_last_page", [True, False])
@pytest.mark.parametrize("concurrency", [1, 5])
def test_a_pull_is_complete(
    client: MixpanelClient, sandbox: Any, cohort: int, totals: bool, session_on_last_page: bool, concurrency: int
) -> None:
    sandbox.world.configure(total_on_every_page=totals, session_on_last_page=session_on_last_page)
    ids = pulled(client, cohort, concurrency=concurrency)
    assert len(ids) == 2_345
    assert set(ids) == sandbox.world.books[PROJECT].ids(cohort)
    assert sandbox.world.meter(PROJECT).peak <= 5
    pages = sandbox.world.requests("engage")
    assert {(one.params["include_all_users"], one.params["page_size"]) for one in pages} == {("false", "100")}


PASSING = [
    "error_500",
    "text_502",
    "html_503",
    "cut",
    "cut_body",
    "malformed",
    "html_200",
    "no_results",
    "too_many_at_once",
]


@pytest.mark.parametrize("kind", PASSING)
def test_passing_faults_change_nothing(client: MixpanelClient, sandbox: Any, cohort: int, kind: str) -> None:
    faults = [sandbox.world.faults.add(kind, endpoint="engage", page=page) for page in range(24)]
    ids = pulled(client, cohort)
    assert set(ids) == sandbox.world.books[PROJECT].ids(cohort)
    assert len(ids) == 2_345
    assert {fault.struck for fault in faults} == {1}


LASTING: list[tuple[str, type[VendorError]]] = [
    ("rate_limited", HourlyBudgetSpent),
    ("too_many_at_once", TooManyAtOnce),
    ("bad_credentials_400", WrongCredentials),
    ("unauthorized", WrongCredentials),
    ("no_plan", PlanWithoutApi),
    ("forbidden", NotPermitted),
    ("html_503", MixpanelDown),
    ("cut", MixpanelDown),
    ("malformed", BadAnswer),
    ("huge", TooLarge),
]


@pytest.mark.parametrize(("kind", "error"), LASTING)
def test_lasting_faults_on_one_page_can_be_resumed(
    client: MixpanelClient, sandbox: Any, cohort: int, kind: str, error: type[VendorError]
) -> None:
    sandbox.world.faults.add(kind, endpoint="engage", page=5, times=None)
    ids: list[str] = []
    members = client.members(cohort, page_size=100)
    with pytest.raises(error), members:
        ids.extend(row.distinct_id for page in members for row in page.rows)
    sandbox.world.faults.clear()
    ids += pulled(client, cohort, start=members.cursor)
    assert len(ids) == 2_345
    assert set(ids) == sandbox.world.books[PROJECT].ids(cohort)


def test_a_lost_session_is_begun_again(client: MixpanelClient, sandbox: Any, cohort: int) -> None:
    members = client.members(cohort, page_size=100)
    next(members)
    next(members)
    sandbox.world.forget_sessions()
    with pytest.raises(SessionLost), members:
        list(members)
    with pytest.raises(SessionLost):
        pulled(client, cohort, start=members.cursor)
    assert set(pulled(client, cohort)) == sandbox.world.books[PROJECT].ids(cohort)


def test_the_hour_is_up_and_then_it_is_not(client: MixpanelClient, sandbox: Any) -> None:
    sandbox.world.configure(queries_per_hour=2)
    client.cohorts()
    client.cohorts()
    with pytest.raises(HourlyBudgetSpent):
        client.cohorts()
    sandbox.world.clock.advance(3_601)
    assert client.cohorts()


def test_credentials_of_one_region_open_no_other(client: MixpanelClient, sandbox: Any) -> None:
    for region in (Region.EU, Region.IN):
        account = Account(PROJECT, USERNAME, Secret(SECRET), region)
        with MixpanelClient(account, Unmetered()) as elsewhere, pytest.raises(WrongCredentials):
            elsewhere.me()
