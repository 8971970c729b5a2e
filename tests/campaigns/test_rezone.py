"""A project moves to another time zone: what is planned goes out at the same time of day there."""

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.models import Campaign, CampaignState
from notifly_console.audit.models import Entry
from tests.campaigns import sending

pytestmark = pytest.mark.django_db
DAILY = {"kind": "daily", "start": "2026-06-01", "forever": True, "time": "10:00"}


def planned(world: Any, timing: dict[str, Any], at: datetime, **fields: Any) -> Campaign:
    return sending.campaign(world.project, timing=timing, next_run_at=at, **fields)


def moves(world: Any, sign_in: Any, zone: str) -> str:
    address = f"/projects/{world.id.hex}/settings/project/"
    answer = sign_in("owner").post(address, {"name": "하루식탁", "time_zone": zone}, follow=True)
    return str(answer.content.decode())


def test_the_next_run_keeps_its_time_of_day_and_everybody_is_told(world: Any, sign_in: Any, day: Any) -> None:
    # Noon of July 1st in Seoul, 03:00 UTC.
    one = planned(world, DAILY, datetime(2026, 7, 2, 1, tzinfo=UTC))
    page = moves(world, sign_in, "Europe/Berlin")
    one.refresh_from_db()
    assert one.next_run_at == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert "캠페인 1개의 다음 발송 시각을 새 시간대로 다시 정했습니다" in page
    assert Entry.objects.get(action="project_changed").details["rescheduled"] == 1
    history = sign_in("owner").get(f"/projects/{world.id.hex}/campaigns/{one.pk.hex}/").content.decode()
    assert "2026-07-02 10:00 (Asia/Seoul) → 2026-07-01 10:00 (Europe/Berlin)" in history


def test_a_day_that_had_its_run_has_no_other(world: Any, sign_in: Any, day: Any) -> None:
    one = planned(world, DAILY, datetime(2026, 7, 2, 1, tzinfo=UTC))
    sending.run(one, "done", due_at=datetime(2026, 7, 1, 1, tzinfo=UTC))
    moves(world, sign_in, "Europe/Berlin")
    one.refresh_from_db()
    assert one.next_run_at == datetime(2026, 7, 2, 8, tzinfo=UTC)


def test_a_moment_that_has_passed_there_stops_the_campaign_and_says_so(world: Any, sign_in: Any, day: Any) -> None:
    timing = {"kind": "once", "date": "2026-07-01", "time": "11:00"}
    one = planned(world, timing, datetime(2026, 7, 1, 9, tzinfo=UTC))
    world.project.time_zone = "Europe/Berlin"
    world.project.save()
    moves(world, sign_in, "Asia/Seoul")
    one.refresh_from_db()
    assert (one.state, one.brake, one.next_run_at) == (CampaignState.INACTIVE, "time_passed", None)
    page = sign_in("owner").get(f"/projects/{world.id.hex}/campaigns/{one.pk.hex}/").content.decode()
    assert "예약한 시각이 이미 지났습니다" in page


def test_others_stay_as_they_are(world: Any, sign_in: Any, day: Any) -> None:
    paused = sending.campaign(world.project, CampaignState.INACTIVE, timing=DAILY)
    going = sending.campaign(world.project)
    page = moves(world, sign_in, "Asia/Tokyo")
    assert "다음 발송 시각을" not in page
    for one in (paused, going):
        one.refresh_from_db()
        assert one.next_run_at is None
        assert not one.events.exists()
