"""What a person was sent, on their page; and what campaigns use a cohort or a user group, on theirs."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Campaign, CampaignState, OptOut, Recipient, RecipientState
from cohorts.groups.conditions import Definition
from cohorts.models import Cohort, GroupNesting, Profile, Snapshot, UserGroup
from tests import factories as make
from tests.campaigns import sending
from tests.campaigns.test_list import become

pytestmark = pytest.mark.django_db
S = RecipientState
HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(world: Any) -> Profile:
    return make.profile(world.project, "vip_17", phone="+821020000017", marketing_consent=True)


def sent(person: Profile, name: str, state: str = S.DELIVERED, **columns: Any) -> Recipient:
    """A campaign of that name to the person."""
    campaign = sending.campaign(person.project, name=name, **columns.pop("campaign", {}))
    run = sending.run(campaign, people=20)
    become(run, 17, 18, state=state, **columns)
    one = run.recipients.get(phone=person.phone)
    Recipient.objects.filter(pk=one.pk).update(profile_id=person.pk, external_id=person.external_id)
    return one


def lens(client: Any, person: Profile, rest: str = "", **extra: Any) -> str:
    response = client.get(f"/projects/{person.project.hex}/profiles/{person.pk}/messages{rest}", **extra)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_person_has_every_message_with_state_reason_and_receipt(person: Profile, sign_in: Any) -> None:
    sent(person, "봄 세일")
    failed = sent(person, "가을 쿠폰", S.FAILED, reason="phone_off", code="3104")
    sent(person, "지워진 것", campaign={"deleted_at": timezone.now()})
    client = sign_in("viewer")
    html = lens(client, person, headers=HTMX)
    assert "봄 세일" in html
    assert "가을 쿠폰" in html
    assert "전원 꺼짐" in html
    assert "코드 3104" in html
    assert f"recipients/{failed.pk}/" in html
    assert "지워진 것" not in html
    assert html.index("가을 쿠폰") < html.index("봄 세일"), "the newest first"
    assert 'id="opt-out" hx-swap-oob="true"' in html
    assert "<html" in lens(client, person), "without scripts it is a page"


def test_rows_of_files_are_found_by_number_and_never_anothers(person: Profile, world: Any, sign_in: Any) -> None:
    run = sending.run(sending.campaign(world.project, name="파일 캠페인"), people=20)
    become(run, 17, 18, state=S.DELIVERED)
    sending.run(sending.campaign(world.other_project, name="남의 캠페인"), people=20)
    stranger = make.profile(world.project, "other", phone="+821020000018")
    other = sending.run(sending.campaign(world.project, name="다른 사람의"), people=20)
    Recipient.objects.filter(run=other, phone=person.phone).update(profile_id=stranger.pk)
    html = lens(sign_in("viewer"), person, headers=HTMX)
    assert "파일 캠페인" in html
    assert "남의 캠페인" not in html
    assert "다른 사람의" not in html, "the number was another profile's then"


def test_the_refusal_of_the_number_is_told(person: Profile, sign_in: Any) -> None:
    OptOut.objects.create(project=person.project, phone=person.phone, source="provider")
    assert "080 수신거부" in lens(sign_in("viewer"), person, headers=HTMX)


def test_many_messages_come_page_by_page(person: Profile, sign_in: Any) -> None:
    for number in range(25):
        sent(person, f"캠페인 {number:02d}")
    client = sign_in("viewer")
    first = lens(client, person, headers=HTMX)
    before = first.split("?before=")[1].split('"')[0]
    second = lens(client, person, f"?before={before}", headers=HTMX)
    names = {f"캠페인 {number:02d}" for number in range(25)}
    shown = [{name for name in names if name in html} for html in (first, second)]
    assert [len(one) for one in shown] == [20, 5]
    assert shown[0] | shown[1] == names
    assert "opt-out" not in second


def test_the_page_of_a_profile_loads_it_and_tells_the_consent(person: Profile, sign_in: Any) -> None:
    path = f"/projects/{person.project.hex}/profiles/{person.pk}"
    html = sign_in("viewer").get(f"{path}/").content.decode()
    assert f'hx-get="{path}/messages"' in html
    assert "광고 수신 동의" in html
    assert "동의</span>" in html


# -- Who uses it ------------------------------------------------------------------------------------------------------
def test_a_cohort_names_the_campaigns_that_use_it_also_by_groups(world: Any, sign_in: Any) -> None:
    cohort: Cohort = make.cohort_with(world.project, 2785620, make.profiles(world.project, 3), "VIP")
    definition = Definition.of_cohort(cohort.pk).as_json()
    inner = UserGroup.objects.create(project=world.project, name="안쪽", name_key="안쪽", definition=definition)
    outer = UserGroup.objects.create(project=world.project, name="바깥", name_key="바깥", definition={})
    GroupNesting.objects.create(outer=outer, inner=inner)
    sending.campaign(world.project, name="코호트로", cohort=cohort)
    sending.campaign(world.project, name="그룹으로", audience_kind="group", group=inner)
    sending.campaign(world.project, CampaignState.ENDED, name="그룹의 그룹으로", audience_kind="group", group=outer)
    sending.campaign(world.project, name="상관없는 것")
    client = sign_in("viewer")
    path = f"/projects/{world.project.hex}/cohorts/mixpanel_2785620"
    html = client.get(f"{path}/campaigns", headers=HTMX).content.decode()
    for name in ("코호트로", "그룹으로", "그룹의 그룹으로", "유저 그룹 안쪽", "유저 그룹 바깥"):
        assert name in html
    assert "상관없는 것" not in html
    assert html.index("그룹의 그룹으로") > html.index("코호트로"), "one that is over comes last"
    assert f'hx-get="{path}/campaigns"' in client.get(f"{path}/").content.decode()
    live = {"kind": "live", "end": "2030-11-30"}
    sending.campaign(world.project, name="들어오면", cohort=cohort, timing=live)
    words = "2030-11-30까지 들어온 사람에게 보냅니다."
    html = client.get(f"{path}/campaigns", headers=HTMX).content.decode()
    assert "이벤트 기반" in html
    assert words not in html
    cohort.held = cohort.current
    cohort.save()
    html = client.get(f"{path}/campaigns", headers=HTMX).content.decode()
    assert html.count(words) == 1, "what waits for a person has to be decided in time"
    over = sending.campaign(world.project, CampaignState.ENDED, name="끝난 것", cohort=cohort, timing=live)
    late = "이 캠페인은 끝나서, 기다리는 버전을 지금 적용해도 새로 들어온 사람에게 보내지 않습니다."
    since = Snapshot.objects.values_list("created_at", flat=True).get(pk=cohort.held_id)
    for hours, times in ((1, 1), (-1, 0)):
        Campaign.objects.filter(pk=over.pk).update(ended_at=since + timedelta(hours=hours))
        html = client.get(f"{path}/campaigns", headers=HTMX).content.decode()
        assert html.count(late) == times, "told where it was over only after the version had come to wait"
    html = client.get(f"/projects/{world.project.hex}/groups/{inner.pk.hex}/campaigns", headers=HTMX).content.decode()
    assert "그룹의 그룹으로" in html
    assert "코호트로" not in html
    Campaign.objects.update(deleted_at=timezone.now())
    assert "아직 쓰는 캠페인이 없습니다" in client.get(f"{path}/campaigns", headers=HTMX).content.decode()
