"""설정 → API 인증 정보, as people use it."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from integrations import inlets
from integrations.models import Inlet
from notifly_console.tenancy import keys
from notifly_console.tenancy.models import ApiKey
from tests.integrations.pushing import PROJECT, Pusher, page

KEYS = {"HX-Request": "true", "HX-Target": "keys"}


def settings(client: Any, world: Any) -> str:
    return str(client.get(f"/projects/{world.id.hex}/settings/").content.decode())


def test_everybody_sees_what_is_entered_in_mixpanel_and_only_admins_may_change_it(sign_in: Any, world: Any) -> None:
    keys.issue(world.project)
    for who, may in (("admin", True), ("marketer", False), ("viewer", False)):
        html = settings(sign_in(who), world)
        assert "API 인증 정보" in html
        assert f'data-copy="{world.id.hex}"' in html
        assert f'data-copy="http://testserver/mixpanel/projects/{world.id.hex}/cohorts"' in html
        assert ("새 키 만들기" in html) is may
        assert ("폐기" in html) is may


def test_the_secret_of_a_new_key_is_shown_once(sign_in: Any, world: Any) -> None:
    client = sign_in("admin")
    for headers in ({}, KEYS):
        answer = client.post(f"/projects/{world.id.hex}/settings/keys/new/", headers=headers)
        html = answer.content.decode()
        secret = re.findall(r'data-copy="([^"]+)" aria-label="secret key 복사"', html)[0]
        key = ApiKey.objects.latest("pk")
        assert keys.check(world.id, key.access_key, secret) == key
        assert key.created_by == "admin@harutable.example"
        assert "no-store" in answer.headers["Cache-Control"]
        assert secret not in settings(client, world)
        assert key.access_key in settings(client, world)


def test_an_eleventh_key_is_refused_with_what_to_do(sign_in: Any, world: Any) -> None:
    for _ in range(keys.MOST_LIVE):
        keys.issue(world.project)
    answer = sign_in("admin").post(f"/projects/{world.id.hex}/settings/keys/new/", headers=KEYS)
    assert answer.status_code == 409
    assert "쓰지 않는 키를 폐기한 뒤" in answer.content.decode()


def test_revoking_names_the_syncs_that_would_stop(sign_in: Any, world: Any, pusher: Pusher) -> None:
    pusher.push([1], cohort=1, name="장바구니 이탈")
    pusher.push([1], cohort=1, name="장바구니 이탈자", session="later")
    pusher.push([1], cohort=2, name="휴면 <고객>")
    client = sign_in("admin")
    key = ApiKey.objects.get()
    address = f"/projects/{world.id.hex}/settings/keys/{key.pk}/revoke/"
    for headers in ({}, KEYS):
        html = client.get(address, headers=headers).content.decode()
        assert "<li>장바구니 이탈자</li>" in html
        assert "<li>장바구니 이탈</li>" not in html
        assert "휴면 &lt;고객&gt;" in html
    assert ApiKey.objects.get().revoked_at is None
    html = client.post(address, headers=KEYS).content.decode()
    assert "키를 폐기했습니다" in html
    assert pusher.send(page([2])).status_code == 401
    assert client.post(address, headers=KEYS).status_code == 404, "a revoked key is nothing to see any more"


def test_of_many_syncs_the_first_are_named_and_the_others_counted(sign_in: Any, world: Any, pusher: Pusher) -> None:
    for cohort in range(1, 14):
        pusher.push([1], cohort=cohort, name=f"코호트 {cohort:02}", session=str(cohort))
    address = f"/projects/{world.id.hex}/settings/keys/{ApiKey.objects.get().pk}/revoke/"
    html = sign_in("admin").get(address, headers=KEYS).content.decode()
    assert re.findall(r"<li>([^<]*)</li>", html) == [*(f"코호트 {number:02}" for number in range(1, 11)), "외 3개"]


def test_a_key_that_nothing_came_with_stops_nothing(sign_in: Any, world: Any) -> None:
    key = keys.issue(world.project).key
    html = (
        sign_in("admin").get(f"/projects/{world.id.hex}/settings/keys/{key.pk}/revoke/", headers=KEYS).content.decode()
    )
    assert "멈추는 동기화가 없습니다" in html


def test_an_old_key_that_was_replaced_is_said_to_be_idle(sign_in: Any, world: Any, pusher: Pusher) -> None:
    old = keys.issue(world.project).key
    old_days = timezone.now() - timedelta(days=2)
    ApiKey.objects.filter(pk=old.pk).update(created_at=old_days, last_used_at=old_days)
    pusher.push([1])
    html = settings(sign_in("viewer"), world)
    assert f"이전 키 {old.access_key[:8]}…은 하루 넘게 쓰이지 않았습니다" in html


def test_the_last_call_is_shown_and_a_refused_one_with_the_reason(sign_in: Any, world: Any, pusher: Pusher) -> None:
    client = sign_in("viewer")
    assert "아직 없음" in settings(client, world)
    pusher.push([1], name="가입 7일 차", number=7, of=10)
    assert "members · 가입 7일 차 · 10쪽 중 7쪽" in settings(client, world)
    inlets.write_refusal(world.id.hex, "unknown_key")
    assert "키가 맞지 않습니다" in settings(client, world)
    inlets.write_refusal("0" * 32, "unknown_key")
    assert Inlet.objects.count() == 1


def test_another_mixpanel_project_may_be_let_in(sign_in: Any, world: Any, pusher: Pusher) -> None:
    pusher.push([1])
    client = sign_in("admin")
    address = f"/projects/{world.id.hex}/settings/keys/release/"
    assert str(PROJECT) in settings(client, world)
    assert "동기화는 Mixpanel에서 멈춥니다" in client.get(address, headers=KEYS).content.decode()
    client.post(address, headers=KEYS)
    assert pusher.send(page([1], project=77)).status_code == 200
    assert Inlet.objects.get().mixpanel_project_id == 77


def test_cancelling_brings_the_section_back(sign_in: Any, world: Any) -> None:
    html = sign_in("admin").get(f"/projects/{world.id.hex}/settings/", headers=KEYS).content.decode()
    assert html.count('id="keys"') == 1
    assert "<h1" not in html
