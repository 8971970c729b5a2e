"""설정 → Mixpanel 푸시: the guide, what came, and what waits for a person."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cohorts import membership
from cohorts.models import Cohort, Drift, PushRoad, PushSession, PushState
from cohorts.push import rehearse
from integrations import inlets
from integrations.models import Inlet
from notifly_console.tenancy import keys
from notifly_console.tenancy.models import ApiKey
from tests import factories
from tests.integrations.pushing import COHORT, Pusher, member


@pytest.fixture
def shown(sign_in: Any, world: Any) -> Any:
    """`shown("admin")` is the page as that person sees it."""

    def show(who: str = "viewer", path: str = "") -> str:
        answer = sign_in(who).get(f"/projects/{world.id.hex}/settings/push/{path}")
        assert answer.status_code == 200
        return str(answer.content.decode())

    return show


def test_the_guide_says_field_by_field_what_to_enter(shown: Any, world: Any) -> None:
    factories.connection(
        world.project, phone_column="mobile", identity_column="member_no", marketing_consent_column="ad_ok"
    )
    key = keys.issue(world.project).key
    html = shown()
    assert "전화번호는 기본 속성이 아닙니다" in html
    for value in (
        f"http://testserver/mixpanel/projects/{world.id.hex}/cohorts",
        key.access_key,
        "mobile",
        "$email",
        "member_no",
        "ad_ok",
    ):
        assert f'data-copy="{value}"' in html, value
    assert "<dt>광고 수신 동의 열</dt><dd><code>ad_ok</code></dd>" in html


def test_it_leads_from_the_key_to_the_first_call_and_what_is_missing(shown: Any, world: Any, pusher: Pusher) -> None:
    ApiKey.objects.all().delete()
    assert "먼저 키를 만드세요" in shown()
    pusher.pair = factories.api_key(world.project)
    assert "첫 호출을 기다리는 중입니다" in shown()
    inlets.write_refusal(world.id.hex, "unknown_key")
    assert "호출이 왔지만 키가 맞지 않습니다" in shown()
    without = [{"mixpanel_distinct_id": "u1", "email": "a@b.example"}]
    pusher.push(without, number=1, of=2, name="가입 7일 차")
    assert "첫 호출을 받았습니다" in shown()
    pusher.work()
    html = shown()
    assert "2쪽 중 1쪽 수신, 대기 중" in html
    assert "전화번호 <code>$phone</code>" in html
    assert "이메일 <code>" not in html
    pusher.sync([member(2)], number=2, of=2, name="가입 7일 차")
    html = shown()
    assert "적용됨" in html
    assert "오지 않은 속성이 있습니다" not in html
    assert "반복 동기화 0/60" in html
    pusher.sync([], action="add_members", session="next")
    assert "반복 동기화 1/60" in shown()


ATTRIBUTES = {
    "mobile": "전화번호",
    "$email": "이메일",
    "member_no": "식별자",
    "ad_ok": "광고 수신 동의",
    "night_ok": "야간 광고 수신 동의",
}
WHOLE = {
    "mixpanel_distinct_id": "d-1",
    "mobile": "010-2000-0001",
    "email": "a@b.example",
    "member_no": "M-1",
    "ad_ok": True,
    "night_ok": False,
}


def said_missing(html: str) -> list[tuple[str, str]]:
    return [(what, name) for what, name in re.findall(r"<li>([^<]+) <code>([^<]+)</code>이\(가\) 오지 않", html)]


def said_come(html: str) -> list[str]:
    return re.findall(r"<code>([^<]+)</code>", html.partition('id="came"')[2].partition("</p>")[0])


@pytest.fixture
def reading(world: Any) -> None:
    columns = {"phone_column": "mobile", "email_column": "$email", "identity_column": "member_no"}
    consents = {"marketing_consent_column": "ad_ok", "night_consent_column": "night_ok"}
    factories.connection(world.project, **columns, **consents)


@pytest.mark.parametrize("absent", ATTRIBUTES)
def test_each_attribute_that_is_read_and_didnt_come_is_named(
    shown: Any, pusher: Pusher, reading: None, absent: str
) -> None:
    without = {name: value for name, value in WHOLE.items() if name != absent.lstrip("$")}
    pusher.sync([without], session="a")
    html = shown()
    assert said_missing(html) == [(ATTRIBUTES[absent], absent)]
    assert sorted(said_come(html)) == sorted(set(ATTRIBUTES) - {absent})
    pusher.sync([WHOLE | {"plan": "a"}], session="b")
    html = shown()
    assert said_missing(html) == []
    assert said_come(html) == [*sorted(ATTRIBUTES), "plan"], "what is read first, then all others"


def test_where_nothing_but_ids_came_all_is_missing(shown: Any, pusher: Pusher, reading: None) -> None:
    pusher.sync([])
    assert said_missing(shown()) == [], "nobody came yet"
    pusher.sync([{"mixpanel_distinct_id": ""}], session="b")
    assert said_missing(shown()) == [], "nobody who could be taken"
    pusher.sync([{"mixpanel_distinct_id": "d-1"}], session="c")
    html = shown()
    assert said_missing(html) == [(what, name) for name, what in ATTRIBUTES.items()]
    assert "전화번호(mobile)가 함께 오지 않았습니다." in html
    pusher.sync([], session="d", action="add_members")
    pusher.sync([{"mixpanel_distinct_id": "d-1"}], session="d", action="remove_members")
    assert "전화번호(mobile)가 함께 오지 않았습니다." in shown(), "what came since had nobody in it, or nobody new"


def test_who_leaves_needs_no_attributes(shown: Any, pusher: Pusher, reading: None) -> None:
    pusher.sync([WHOLE], session="a")
    pusher.sync([{"mixpanel_distinct_id": "d-1", "plan": "a"}], session="b", action="remove_members")
    html = shown()
    assert said_missing(html) == []
    assert "함께 오지 않았습니다" not in html


def test_of_many_attributes_the_first_are_named(shown: Any, pusher: Pusher) -> None:
    pusher.sync([member(1, **{f"own{number:02}": 1 for number in range(20)})])
    html = shown()
    assert said_come(html)[:3] == ["$email", "$phone", "$first_name"]
    assert len(said_come(html)) == 12
    assert "외 12개" in html


def test_a_poll_is_answered_only_when_something_has_changed(
    sign_in: Any, world: Any, pusher: Pusher, shown: Any
) -> None:
    client = sign_in("viewer")
    token = re.findall(r"live\?v=(\w+)", shown())[0]
    address = f"/projects/{world.id.hex}/settings/push/live?v={token}"
    assert client.get(address, headers={"HX-Request": "true"}).status_code == 204
    pusher.sync([1])
    answer = client.get(address, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert 'id="push-live"' in answer.content.decode()
    assert client.get(address).status_code == 302


@pytest.fixture
def waiting(pusher: Pusher, world: Any, monkeypatch: Any) -> PushSession:
    """A first large import that waits."""
    monkeypatch.setattr(rehearse, "SMALL_PAGES", 1)
    factories.profile(world.project, "user-1", phone="+821020000002")
    pusher.push([1, 2, "010-2000-0002"], number=1, of=2, name="첫 코호트")
    pusher.work()
    return PushSession.objects.get()


def test_a_rehearsal_is_shown_and_confirmed(
    sign_in: Any, world: Any, pusher: Pusher, shown: Any, waiting: PushSession
) -> None:
    html = shown()
    assert "‘첫 코호트’ 첫 가져오기를 시작할까요?" in html
    assert "같은 번호를 쓰는 유저" in html
    assert "가져오기 시작" not in html, "that is for admins"
    address = f"/projects/{world.id.hex}/settings/push/confirm"
    assert sign_in("marketer").post(address).status_code == 403
    assert "가져오기 시작" in shown("admin")
    asked = {"session": waiting.pk}
    answer = sign_in("admin").post(address, asked, headers={"HX-Request": "true"})
    assert "가져오기를 시작합니다." in answer.content.decode()
    pusher.sync([3], number=2, of=2)
    assert PushSession.objects.get().state == PushState.APPLIED
    answer = sign_in("admin").post(address, asked, follow=True)
    assert "확인을 기다리는 가져오기가 없습니다." in answer.content.decode()


def test_columns_are_set_here_while_there_is_no_connection(sign_in: Any, world: Any, pusher: Pusher) -> None:
    client = sign_in("admin")
    address = f"/projects/{world.id.hex}/settings/push/columns"
    values = {
        "phone_number_column": "mobile",
        "email_column": "$email",
        "identity_column": "member_no",
        "unknown_members": "create",
        "marketing_consent_column": "",
        "night_consent_column": "",
    }
    assert client.get(address).status_code == 200
    assert client.post(address, values | {"phone_number_column": ""}).status_code == 422
    assert client.post(address, values).status_code == 302
    pusher.sync([{"mixpanel_distinct_id": "d", "member_no": "M-1", "mobile": "010-2000-0001"}])
    current = Cohort.objects.get().current
    assert current is not None
    assert current.reach["reachable"] == 1
    factories.connection(world.project)
    assert client.get(address).headers["Location"].endswith("/settings/")
    assert Inlet.objects.get().identity_column == "member_no"


def test_the_dialog_tells_of_the_push(sign_in: Any, world: Any, pusher: Pusher) -> None:
    pusher.sync([1, {"mixpanel_distinct_id": ""}, {"mixpanel_distinct_id": "\ud800010-2000-0007"}])
    cohort = Cohort.objects.get()
    Drift.objects.create(
        cohort=cohort, pulled=1, pushed=2, only_pulled=b"", only_pushed=b"", only_pulled_count=0, only_pushed_count=1
    )
    html = sign_in("viewer").get(f"/projects/{world.id.hex}/cohorts/mixpanel_{COHORT}/").content.decode()
    assert "Mixpanel 푸시" in html
    assert "쓸 수 없는 구성원 2명" in html
    assert "distinct_id가 없음" in html
    assert "010-2000-0007" not in html, "what looks like a number is masked"
    assert "푸시에서 빠진 0명을 넣고, 남아 있던 1명을 뺐습니다." in html
    PushRoad.objects.update(wants_full_at=timezone.now(), wants_full_why="page_changed")
    html = sign_in("viewer").get(f"/projects/{world.id.hex}/cohorts/mixpanel_{COHORT}/").content.decode()
    assert "전체 동기화 필요" in html


def test_what_only_mixpanel_sends_is_not_offered_to_be_fetched(sign_in: Any, world: Any, pusher: Pusher) -> None:
    pusher.sync([1])
    client, address = sign_in("marketer"), f"/projects/{world.id.hex}/cohorts/mixpanel_{COHORT}/"
    html = client.get(address).content.decode()
    assert "이 코호트만 리프레시" not in html
    assert "Mixpanel이 보내는 대로 갱신됩니다." in html
    factories.connection(world.project)
    html = client.get(address).content.decode()
    assert "이 코호트만 리프레시" in html
    assert "Mixpanel이 보내는 대로 갱신됩니다." not in html


def test_what_was_held_or_given_up_is_said(shown: Any, pusher: Pusher) -> None:
    pusher.sync([1, 2, 3], session="a")
    pusher.sync([], session="b")
    assert "절반 넘게 줄어 보류했습니다." in shown()
    membership.discard_held(Cohort.objects.get(), by="x")
    pusher.sync([4], session="c", number=1, of=2)
    PushSession.objects.filter(session_id="c").update(last_page_at=timezone.now() - timedelta(minutes=11))
    pusher.work()
    html = shown()
    assert "2쪽 중 1쪽에서 멈췄습니다." in html
    assert "(One-time sync)라면 Mixpanel에서 다시 시작해야 합니다." in html
    PushRoad.objects.update(difference_at=timezone.now())
    html = shown()
    assert "Mixpanel이 다음 동기화에서 처음부터 다시 보냅니다." in html
    assert "One-time sync)라면" not in html, "joins and leaves come: it is a recurring one"


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([{"number": 0, "of": 3}], "전체 쪽수를 벗어난 쪽이 왔습니다."),
        ([{"number": 1, "of": 3}, {"number": 2, "of": 4}], "도중에 전체 쪽수가 바뀌었습니다."),
        ([{"action": "remove_members"}], "전체 목록보다 나간 유저가 먼저 왔습니다."),
    ],
)
def test_why_a_whole_list_is_needed_is_said(shown: Any, pusher: Pusher, pages: list[dict[str, Any]], why: str) -> None:
    for one in pages:
        pusher.push([1], session="a", **one)
    pusher.work()
    html = shown()
    assert "전체 동기화 필요" in html
    assert why in html


def test_a_session_whose_pages_are_all_here_waits_for_us_and_not_for_pages(shown: Any, pusher: Pusher) -> None:
    pusher.sync([1], session="a", number=1, of=2)
    pusher.sync([2], session="b")  # Complete, and behind one that isn't.
    assert "모두 수신, 적용 대기 중" in shown()
    pusher.sync([3], session="a", number=2, of=2)
    assert "적용 대기 중" not in shown()


def test_the_number_of_statements_doesnt_grow_with_the_cohorts(
    sign_in: Any, world: Any, pusher: Pusher, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("viewer")
    for cohort in range(1, 9):
        pusher.sync([cohort], cohort=cohort, session=str(cohort))
    client.get(f"/projects/{world.id.hex}/settings/push/")
    with django_assert_max_num_queries(24):
        client.get(f"/projects/{world.id.hex}/settings/push/")


def test_a_project_that_only_takes_pushes_isnt_told_to_connect_again(sign_in: Any, world: Any, pusher: Pusher) -> None:
    factories.cohort(world.project, 5)
    address = f"/projects/{world.id.hex}/cohorts/"
    assert "Mixpanel 연동이 해제되어 있습니다" in sign_in("viewer").get(address).content.decode()
    pusher.sync([1])
    assert "Mixpanel 연동이 해제되어 있습니다" not in sign_in("viewer").get(address).content.decode()
