"""From an empty project to the first pushed cohort: a real browser, the stand-in's webhook on a real socket."""

from typing import Any

import pytest
from playwright.sync_api import expect

from cohorts.models import Cohort
from cohorts.push import push, rehearse
from integrations import inlets, webhooks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COHORT = 2785620


@pytest.fixture
def town(sandbox: Any) -> Any:
    sandbox.world.cohorts.clear()
    sandbox.world.cohorts.add("VIP 재구매 유도", range(40), id=COHORT)
    webhooks.FAILURES.clear()
    inlets._noted.clear()
    return sandbox


def test_the_guide_leads_to_the_first_call(world: Any, town: Any, browse: Any, live_server: Any) -> None:
    page = browse("admin", f"/projects/{world.project.hex}/settings/push/")
    page.get_by_role("link", name="키 만들기").click()
    section = page.get_by_role("region", name="API 인증 정보")
    section.get_by_role("button", name="새 키 만들기").click()
    expect(section.get_by_role("heading", name="새 키를 만들었습니다")).to_be_focused()

    def copied(label: str) -> str:
        return str(section.get_by_role("button", name=f"{label} 복사").first.get_attribute("data-copy"))

    access_key, secret, url = copied("access key"), copied("secret key"), copied("웹훅 URL")
    assert url == f"{live_server.url}/mixpanel/projects/{world.project.hex}/cohorts"

    section.get_by_role("link", name="푸시 연동 안내와 수신 현황").click()
    came = page.locator("#push-live")
    expect(came.get_by_role("heading", name="첫 호출을 기다리는 중입니다")).to_be_visible()
    page.evaluate("window.sameDocument = true")

    connect = {"url": url, "username": access_key, "cohort": COHORT}
    _number, sync = town.world.pushes.connect(**connect, password="mistyped")
    assert sync.run().state == "paused"
    inlets.write_refusal(world.project.hex, "unknown_key")  # what a worker does
    expect(came).to_contain_text("호출이 왔지만 키가 맞지 않습니다")

    _number, sync = town.world.pushes.connect(**connect, password=secret)
    assert sync.run().state == "success"
    expect(came).to_contain_text("첫 호출을 받았습니다")
    push.take(world.project.id, COHORT)
    expect(came).to_contain_text("전화번호 $phone이(가) 오지 않았습니다")
    row = came.get_by_role("row", name="VIP 재구매 유도")
    expect(row).to_contain_text("적용됨")

    sync.properties, sync.snapshot = ("$phone",), None
    assert sync.run().state == "success"
    push.take(world.project.id, COHORT)
    expect(came).not_to_contain_text("오지 않았습니다", timeout=15_000)
    assert page.evaluate("window.sameDocument"), "all that without loading the page again"
    assert Cohort.objects.get().size == 40

    row.get_by_role("link", name="VIP 재구매 유도").click()
    expect(page.get_by_role("heading", name="Mixpanel 푸시")).to_be_visible()


def test_a_first_large_import_waits_for_a_person(
    world: Any, town: Any, browse: Any, pusher: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 1)
    for number in (1, 2):
        pusher.push([number], number=number, of=2, name="첫 코호트")
    pusher.work()
    page = browse("admin", f"/projects/{world.project.hex}/settings/push/")
    asked = page.get_by_role("region", name="‘첫 코호트’ 첫 가져오기를 시작할까요?")
    expect(asked).to_contain_text("새로 만들 유저")
    asked.get_by_role("button", name="가져오기 시작").click()
    expect(page.locator("#push-live")).to_contain_text("가져오기를 시작합니다.")
    expect(asked).not_to_be_visible()
    pusher.work()
    expect(page.get_by_role("row", name="첫 코호트")).to_contain_text("적용됨")


def test_revoking_asks_with_the_names_of_what_would_stop(world: Any, browse: Any, pusher: Any) -> None:
    pusher.push([1], name="장바구니 이탈")
    page = browse("admin", f"/projects/{world.project.hex}/settings/")
    section = page.get_by_role("region", name="API 인증 정보")
    section.get_by_role("link", name="폐기").click()
    expect(section.get_by_role("listitem")).to_have_text(["장바구니 이탈"])
    expect(section.get_by_role("link", name="취소")).to_be_focused()
    section.get_by_role("link", name="취소").click()
    expect(section.get_by_text("이 키를 폐기할까요?")).not_to_be_visible()
    section.get_by_role("link", name="폐기").click()
    section.get_by_role("button", name="폐기").click()
    expect(section).to_contain_text("키를 폐기했습니다")
    expect(section).to_contain_text("사용 중인 키가 없습니다")
