"""A phone column that nobody has: the refresh stops before it takes anybody's number, and says what to do."""

from typing import Any

import pytest

from cohorts.models import Cohort, Profile, RefreshState
from cohorts.pull import forewarn
from integrations.failures import sentence
from notifly_console.audit.models import Entry
from tests.cohorts.conftest import EVERYBODY, SOME
from tests.cohorts.test_refresh import cohort_of

pytestmark = pytest.mark.django_db


def phones() -> dict[str, Any]:
    return dict(Profile.objects.order_by("pk").values_list("external_id", "phone"))


def test_nothing_is_written_and_each_cohort_says_why(
    town: Any, refreshed: Any, connect_to: Any, connected: Any
) -> None:
    refreshed()
    before, versions = phones(), [cohort_of(connected, one).current for one in (EVERYBODY, SOME)]
    connect_to(phone_column="no_such_column")

    row = refreshed()

    assert (row.state, row.failure) == (RefreshState.FAILED, "phones_would_go")
    assert phones() == before
    assert any(before.values())
    for source_id, version in zip((EVERYBODY, SOME), versions, strict=True):
        cohort = cohort_of(connected, source_id)
        assert (cohort.failure, cohort.current) == ("phones_would_go", version)

    connect_to()
    assert refreshed().state == RefreshState.SUCCEEDED
    assert cohort_of(connected).failure == ""


def test_a_column_of_something_else_is_no_better_than_none(town: Any, refreshed: Any, connect_to: Any) -> None:
    refreshed()
    before = phones()
    connect_to(phone_column="$email")
    assert refreshed().failure == "phones_would_go"
    assert phones() == before


def test_once_somebody_says_that_it_is_true_it_is_read(
    town: Any, refreshed: Any, connect_to: Any, connected: Any, sign_in: Any
) -> None:
    refreshed()
    connect_to(phone_column="no_such_column")
    refreshed()
    client, address = sign_in("marketer"), f"/projects/{connected.hex}/cohorts/"
    html = client.get(address).content.decode()
    assert sentence("phones_would_go").title in html
    assert html.count("전화번호 없이 읽기</button>") == 2
    assert "전화번호 없이 읽기</button>" not in sign_in("viewer").get(address).content.decode()
    assert "phone_number_column/" in sign_in("admin").get(address).content.decode()

    client.post(f"{address}mixpanel_{EVERYBODY}/refresh", {"without_phones": "1"})
    refreshed()

    cohort = cohort_of(connected)
    assert (cohort.failure, cohort.current.reach["reachable"]) == ("", 0)
    assert not any(phones().values())
    assert forewarn.MAY_GO not in cohort.current.reach, "it was said for once"
    assert Entry.objects.filter(details__without_phones=True).count() == 1
    assert refreshed().state == RefreshState.SUCCEEDED, "there is nobody to lose any more"


def test_who_may_not_decide_cant_say_so(refreshed: Any, connected: Any, sign_in: Any, town: Any) -> None:
    refreshed()
    response = sign_in("viewer").post(
        f"/projects/{connected.hex}/cohorts/mixpanel_{EVERYBODY}/refresh", {"without_phones": "1"}
    )
    assert response.status_code == 403
    assert forewarn.MAY_GO not in cohort_of(connected).current.reach


def test_people_who_never_had_a_phone_are_read(town: Any, refreshed: Any, connect_to: Any, connected: Any) -> None:
    connect_to(phone_column="no_such_column")
    assert refreshed().state == RefreshState.SUCCEEDED
    town.world.cohorts.add("새로", range(40, 60), id=3_000_001)
    assert refreshed().state == RefreshState.SUCCEEDED
    assert Cohort.objects.filter(failed_at__isnull=False).count() == 0


def test_who_can_be_reached_may_leave(town: Any, refreshed: Any, connected: Any) -> None:
    """Nobody loses a number: those who have one are only elsewhere now. That too few are left is another question."""
    refreshed()
    crowd = town.world.crowd
    without = [index for index in range(40) if crowd.e164(index) is None]
    town.world.cohorts.set_members(SOME, without)
    assert refreshed().state == RefreshState.SUCCEEDED
    assert cohort_of(connected, SOME).failure == ""
