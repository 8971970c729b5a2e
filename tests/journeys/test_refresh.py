"""From credentials to people on screen: a real browser, a real refresh, the stand-in Mixpanel on a real socket."""

from typing import Any

import pytest
from playwright.sync_api import expect

from cohorts.models import Cohort, Profile, Refresh
from cohorts.pull import refresh
from integrations.mixpanel.schemas import Region
from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def town(world: Any, sandbox: Any) -> Any:
    """The stand-in with two cohorts, and the world's project connected to it."""
    from integrations.connect import MixpanelSettings
    from integrations.register import register

    sandbox.world.cohorts.clear()
    sandbox.world.cohorts.add("VIP 재구매 유도", range(400), id=2785620)
    sandbox.world.cohorts.add("휴면 전환 예정", range(40), id=2785621)
    register(world.project, MixpanelSettings(project_id=PROJECT, username=USERNAME, region=Region("us")), SECRET)
    return sandbox


def test_pressing_refresh_brings_cohorts_and_their_people(world: Any, town: Any, browse: Any) -> None:
    page = browse("marketer", f"/projects/{world.project.hex}/cohorts/")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("button", name="첫 리프레시 시작").click()
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")

    refresh.run(Refresh.objects.get().pk)  # what a worker does

    row = page.get_by_role("row", name="VIP 재구매 유도")
    expect(row).to_contain_text("mixpanel_2785620")
    expect(row).to_contain_text("최신")
    expect(page.locator("#run-words")).to_contain_text("코호트 2개")
    size = Cohort.objects.get(source_id=2785620).size
    expect(row).to_contain_text(f"{size:,}")
    assert page.evaluate("window.sameDocument")

    row.get_by_role("link", name="VIP 재구매 유도").click()
    dialog = page.get_by_role("dialog", name="코호트 상세 정보")
    expect(dialog.get_by_text(f"1–10 / {size:,}")).to_be_visible()
    first = dialog.locator("#people-members .id-list a").first
    key = int(first.get_attribute("href").rstrip("/").rsplit("/", 1)[1])
    first.click()
    expect(page.get_by_role("heading", name="지금 속한 코호트")).to_be_visible()
    expect(page.get_by_role("list").get_by_role("link", name="VIP 재구매 유도")).to_be_visible()
    assert Profile.objects.filter(pk=key, project=world.project).exists()


def test_refreshing_one_cohort_in_its_dialog_renews_it_there(world: Any, town: Any, browse: Any) -> None:
    refresh.run(refresh.request(world.project, by="clock").pk)
    before = Cohort.objects.get(source_id=2785621).size
    town.world.cohorts.set_members(2785621, range(90))
    page = browse("marketer", f"/projects/{world.project.hex}/cohorts/")
    page.get_by_role("link", name="휴면 전환 예정").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="이 코호트만 리프레시").click()
    expect(dialog.locator("#cohort-run")).to_contain_text("리프레시를 곧 시작합니다")
    run = Refresh.objects.order_by("-requested_at")[0]
    assert run.cohort.source_id == 2785621
    refresh.run(run.pk)
    after = Cohort.objects.get(source_id=2785621).size
    assert after > before
    expect(dialog.locator("#people-members")).to_contain_text(f"/ {after:,}")
    expect(dialog.get_by_role("heading", name="들어온 사람")).to_contain_text(f"+{after - before}")
    expect(page.locator("#c-2785621")).to_be_attached()


def test_a_wrong_secret_is_said_with_its_remedy(world: Any, town: Any, browse: Any) -> None:
    from integrations.connect import row_of

    row = row_of(world.project)
    row.set_secret("not the secret at all")
    row.save()
    page = browse("admin", f"/projects/{world.project.hex}/cohorts/")
    page.get_by_role("button", name="첫 리프레시 시작").click()
    expect(page.locator("#run-words")).to_contain_text("리프레시를 곧 시작합니다")
    refresh.run(Refresh.objects.get().pk)
    expect(page.locator("#run-words")).to_contain_text("Mixpanel이 서비스 계정을 받아들이지 않았습니다")
    expect(page.get_by_role("link", name="설정에서 확인")).to_be_visible()
