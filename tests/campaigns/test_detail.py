"""The page of a campaign after its launch, through HTTP: what it tells, what it asks by itself, what one does there."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import (
    Batch,
    Campaign,
    CampaignState,
    Recipient,
    RecipientState,
    Run,
    RunKind,
    RunState,
)
from campaigns.sending import freeze, history, launch, tally
from cohorts.people import facets
from integrations import senders
from integrations.messaging import Stopped
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.audit.models import Entry
from notifly_console.lib import nudge
from tests import factories as make
from tests.campaigns import provider, sending
from tests.campaigns.test_list import become

pytestmark = pytest.mark.django_db
S = RecipientState
HTMX = {"HX-Request": "true"}


def address_of(campaign: Campaign, rest: str = "") -> str:
    return f"/projects/{campaign.project.hex}/campaigns/{campaign.pk.hex}/{rest}"


def page(client: Any, campaign: Campaign, rest: str = "", status: int = 200) -> str:
    response = client.get(address_of(campaign, rest))
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def seen(html: str) -> str:
    return re.search(r'name="seen" value="([^"]+)"', html)[1]


def outcome(html: str) -> dict[str, int]:
    """The numbers of the outcome by their labels, sub-lines left out, and the sum."""
    table = html.split('<table class="outcome">')[1].split("</table>")[0]
    rows = re.findall(r'<tr(?: class="(sum)")?><th scope="row">(.*?)</th><td class="num">([\d,]+)</td>', table)
    return {re.sub("<[^>]+>", "", label): int(number.replace(",", "")) for _sum, label, number in rows}


@pytest.fixture
def running(world: Any) -> Campaign:
    """Of 100: 40 delivered, 12 failed, 1 refused, 5 awaited, 2 unknown, 3 left out, 37 wait."""
    campaign = sending.campaign(world.project, name="11월 VIP 재구매", author_name="박지원")
    run = sending.run(campaign, people=100)
    become(run, 0, 40, state=S.DELIVERED, kind="sms")
    become(run, 40, 48, state=S.FAILED, reason="no_such_number", code="3003")
    become(run, 48, 52, state=S.FAILED, reason="phone_off", is_transient=True)
    become(run, 53, 58, state=S.ACCEPTED)
    become(run, 58, 60, state=S.UNKNOWN)
    ids = list(Recipient.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    Recipient.objects.filter(pk=ids[52]).update(state=S.CLAIMED)
    Recipient.objects.filter(pk=ids[52]).update(state=S.REFUSED, reason="number_invalid")
    Recipient.objects.filter(pk__in=ids[60:63]).update(state=S.SKIPPED, reason="opted_out")
    return campaign


# -- What it tells ----------------------------------------------------------------------------------------------------
def test_the_outcome_adds_up_to_the_audience_with_every_reason(running: Campaign, sign_in: Any) -> None:
    html = page(sign_in("viewer"), running)
    counts = outcome(html)
    assert counts == {"도달": 40, "실패": 13, "대기": 42, "결과 모름": 2, "제외": 3, "발송 대상": 100}
    assert sum(counts.values()) == 2 * counts["발송 대상"]
    for words in ("없는 번호", "전원 꺼짐", "번호 형식 오류", "다시 보낼 수 있음", "아직 넘기지 않음", "수신거부"):
        assert words in html
    assert 'aria-label="도달 40, 실패 13, 대기 42, 결과 모름 2, 제외 3"' in html
    assert "37명 발송 취소" in page(sign_in("marketer"), running)


def test_the_bar_is_as_wide_as_everybody_and_shows_even_the_few(world: Any) -> None:
    from campaigns.results.report import WIDTH, parts_of, segments, unknown_of

    run = sending.run(sending.campaign(world.project), people=1)
    for counts in ((1_000_000, 1, 1), (1, 0, 0), (3, 3, 3), (999_999, 1, 0)):
        delivered, failed, unknown = counts
        lines = [
            tally.Line(state, "", "", False, False, n)
            for state, n in ((S.DELIVERED, delivered), (S.FAILED, failed), (S.UNKNOWN, unknown))
            if n
        ]
        counted = tally.Tally(sum(counts), tuple(lines))
        drawn = segments(parts_of(counted, unknown_of(run, counted)))
        assert sum(one.width for one in drawn) == WIDTH
        assert len(drawn) == sum(bool(n) for n in counts)
        assert all(one.width > 0 for one in drawn)


def test_while_it_sends_the_pace_and_the_end_are_real(running: Campaign, sign_in: Any) -> None:
    run = running.runs.get()
    now = timezone.now()
    batch = sending.batch(run, "sent", size=60, sent_at=now)
    Batch.objects.filter(pk=batch.pk).update(created_at=now - timedelta(seconds=30))
    html = page(sign_in("viewer"), running)
    assert re.search(r"1초에 [12]\.\d건", html)
    assert "1분 안에 끝남" in html
    assert "60 <small>/ 100명에게 넘김" not in html
    assert "59 <small>/ 100명에게 넘김" in html, "who was refused or left out was never handed over"


def test_a_brake_says_why_and_what_to_do(running: Campaign, sign_in: Any) -> None:
    history.note(running, "braked", run=running.runs.get(), code="failure_rate", bad=12, known=52)
    Campaign.objects.filter(pk=running.pk).update(state=CampaignState.INACTIVE, brake="failure_rate")
    html = page(sign_in("marketer"), running)
    for words in ("실패가 너무 많아 멈췄습니다", "최근 결과 52건 가운데 12건이 실패했습니다", "스스로 멈춤", "재개"):
        assert words in html
    assert 'id="notice-resume"' in html
    assert 'id="notice-resume"' not in page(sign_in("viewer"), running), "who may not start it isn't offered it"


def test_the_night_and_unknown_ones_are_explained(running: Campaign, sign_in: Any) -> None:
    run = running.runs.get()
    Run.objects.filter(pk=run.pk).update(waiting_for="night", not_before=timezone.now() + timedelta(hours=5))
    sending.batch(run, "unknown", size=2, ask_at=timezone.now() + timedelta(minutes=2))
    html = page(sign_in("viewer"), running)
    assert "야간에는 광고를 보낼 수 없어 08:00까지 기다립니다" in html
    assert "2명은 받았는지 아직 모릅니다" in html
    assert re.search(r"다시 보내지 않고 \d\d:\d\d:\d\d KST에 결과를 조회합니다", html)


def test_a_recurring_one_lists_its_runs_and_switches_between_them(world: Any, sign_in: Any) -> None:
    now = timezone.now()
    timing = {"kind": "daily", "start": "2026-06-01", "forever": True, "time": "10:00"}
    campaign = sending.campaign(world.project, timing=timing, next_run_at=now + timedelta(days=1))
    for number in range(1, 26):
        run = sending.run(
            campaign, RunState.DONE, people=3, snapshot_number=number, due_at=now - timedelta(days=30 - number),
            handed_over_at=now,
        )  # fmt: skip
        become(run, 0, 3, state=S.DELIVERED)
        tally.keep(run.pk)
    skipped = sending.run(campaign, RunState.SKIPPED, skipped_for="stale", due_at=now)
    client = sign_in("viewer")
    html = page(client, campaign)
    assert "다음 발송" in html
    assert 'id="run-26"' in html
    assert 'id="run-18"' not in html
    assert "코호트 버전 25" in html, "the newest that was sent is looked at"
    assert address_of(campaign, "runs") in html
    html = page(client, campaign, f"?run={skipped.number}")
    assert "코호트가 프로젝트 규칙보다 오래되었습니다" in html
    assert "고정한 버전</dt><dd>3" in page(client, campaign, "?run=3")
    page(client, campaign, "?run=99", status=404)
    page(client, campaign, "?run=x", status=404)


def numbers(html: str) -> list[int]:
    return [int(one) for one in re.findall(r'id="run-(\d+)"', html)]


def test_a_long_history_is_paged_both_ways_from_any_day(
    world: Any, sign_in: Any, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    campaign = sending.campaign(world.project, timing={"kind": "live", "forever": True})
    made = [
        Run(
            project=world.project, campaign=campaign, number=number, due_at=now - timedelta(days=400 - number),
            state=RunState.SKIPPED if number % 4 == 0 else RunState.DONE, size=0, finished_at=now, settled_at=now,
        )
        for number in range(1, 401)
    ]  # fmt: skip
    Run.objects.bulk_create(made)
    client = sign_in("viewer")
    with django_assert_max_num_queries(16):
        html = page(client, campaign, "runs")
    assert numbers(html) == list(range(400, 350, -1))
    assert "모두 400회" in html
    assert "runs?before=351&amp;" in html
    assert "after=400" not in html
    assert numbers(page(client, campaign, "runs?before=351")) == list(range(350, 300, -1))
    assert numbers(page(client, campaign, "runs?after=300")) == list(range(350, 300, -1))
    assert numbers(page(client, campaign, "runs?before=21&sent=1"))[:3] == [19, 18, 17]
    day = made[99].due_at.astimezone(world.project.zone).date()
    assert numbers(page(client, campaign, f"runs?until={day}"))[0] == 100
    assert "여기에 맞는 회차가 없습니다" in page(client, campaign, "runs?until=2001-01-01")
    part = client.get(address_of(campaign, "runs?before=351&until=x"), headers=HTMX | {"HX-Target": "run-page"})
    assert "<html" not in part.content.decode()
    assert numbers(part.content.decode())[0] == 350


def test_a_draft_opens_where_it_is_written_and_for_a_viewer_as_a_page(world: Any, sign_in: Any) -> None:
    draft = sending.campaign(world.project, CampaignState.DRAFT)
    assert sign_in("marketer").get(address_of(draft)).headers["Location"].endswith("/edit")
    assert 'id="h-message">메시지' in page(sign_in("viewer"), draft)


def test_one_that_waits_for_its_day_says_whom_it_would_reach_now(world: Any, sign_in: Any) -> None:
    cohort = make.cohort_with(world.project, 1, make.profiles(world.project, 7))
    facets.rebuild(world.project.pk)
    timing = {"kind": "once", "date": "2099-01-01", "time": "10:00"}
    campaign = sending.campaign(
        world.project, cohort=cohort, timing=timing, next_run_at=timezone.now() + timedelta(days=9)
    )
    client = sign_in("viewer")
    html = page(client, campaign)
    assert "다음 발송" in html
    assert 'id="h-message">메시지' in html
    assert f'hx-get="{address_of(campaign, "planned")}"' in html
    html = client.get(address_of(campaign, "planned"), headers=HTMX).content.decode()
    assert "7명" in html


def test_an_inactive_one_is_a_page_too(running: Campaign, sign_in: Any) -> None:
    Campaign.objects.filter(pk=running.pk).update(state=CampaignState.INACTIVE)
    html = page(sign_in("marketer"), running)
    assert 'id="act-resume"' in html
    assert 'id="act-edit"' in html


def test_statements_dont_grow_with_people_runs_or_history(running: Campaign, sign_in: Any) -> None:
    client = sign_in("owner")
    page(client, running)
    with CaptureQueriesContext(connection) as few:
        page(client, running)
    for _ in range(10):
        run = sending.run(running, RunState.DONE, people=5, handed_over_at=timezone.now())
        become(run, 0, 5, state=S.DELIVERED)
        history.note(running, "done", run=run)
    with CaptureQueriesContext(connection) as many:
        page(client, running)
    assert len(many) <= len(few) + 1
    assert len(many) <= 24


# -- What it asks by itself -------------------------------------------------------------------------------------------
def test_an_open_page_is_answered_with_nothing_until_something_changes(running: Campaign, sign_in: Any) -> None:
    client = sign_in("viewer")
    ask = re.search(r'id="poll"[^>]*hx-get="([^"]+)"', page(client, running))[1].replace("&amp;", "&")
    assert client.get(ask, headers=HTMX).status_code == 204
    become(running.runs.get(), 63, 70, state=S.DELIVERED)
    answer = client.get(ask, headers=HTMX)
    assert answer.status_code == 200
    html = " ".join(answer.content.decode().split())
    assert outcome(html)["도달"] == 47
    for region in ("campaign-head", "campaign-main", "campaign-side"):
        assert re.search(f'id="{region}"[^>]*hx-swap-oob="true"', html)
    assert 'id="who"' not in html, "what one types into the search stays"
    assert "#announce" not in html, "numbers aren't read aloud"
    launch.pause(running, by=None)
    html = client.get(ask, headers=HTMX).content.decode()
    assert re.search(r'hx-swap-oob="innerHTML:#announce">멈췄습니다', html), "that it stopped is"


def test_the_message_is_drawn_anew_once_there_is_somebody_to_draw_it_for(world: Any, sign_in: Any) -> None:
    text = sending.TEXT | {"text": '{{ user["$name"] | default: "고객" }}님, 안녕하세요'}
    campaign = sending.campaign(world.project, message=text)
    run = sending.run(campaign, RunState.FREEZING)
    Run.objects.update(size=None)
    client = sign_in("viewer")
    html = page(client, campaign)
    assert "고객님, 안녕하세요" in html
    ask = re.search(r'id="poll"[^>]*hx-get="([^"]+)"', html)[1].replace("&amp;", "&")
    Recipient.objects.create(run=run, phone="+821020000001", values={"$name": "김서연"})
    Run.objects.update(size=1, state=RunState.SENDING)
    html = client.get(ask, headers=HTMX).content.decode()
    assert re.search(r'id="campaign-message"[^>]*hx-swap-oob="true"', html)
    assert "김서연님, 안녕하세요" in html
    ask = re.search(r'id="poll"[^>]*hx-get="([^"]+)"', html)[1].replace("&amp;", "&")
    Run.objects.update(waiting_for="night")
    assert "campaign-message" not in client.get(ask, headers=HTMX).content.decode(), "once is enough"


def test_a_settled_run_of_an_ended_campaign_asks_no_more(world: Any, sign_in: Any) -> None:
    campaign = sending.campaign(world.project, CampaignState.ENDED)
    run = sending.run(campaign, RunState.DONE, people=2, handed_over_at=timezone.now())
    become(run, 0, 2, state=S.DELIVERED)
    assert tally.keep(run.pk)
    html = page(sign_in("viewer"), campaign)
    assert '<span id="poll" hidden></span>' in html
    assert "모든 결과를 받았습니다" in html


# -- Steering ---------------------------------------------------------------------------------------------------------
def test_pause_and_resume(running: Campaign, sign_in: Any, account: provider.Provider) -> None:
    client = sign_in("marketer")
    given = {"seen": seen(page(client, running))}
    response = client.post(address_of(running, "pause"), given, follow=True)
    assert response.status_code == 200
    assert "일시 중지했습니다" in response.content.decode()
    running.refresh_from_db()
    assert running.state == CampaignState.INACTIVE
    # A double click, or somebody else's: it is as they wanted it.
    assert client.post(address_of(running, "pause"), given).status_code == 302
    response = client.post(address_of(running, "resume"), {"seen": seen(page(client, running))}, follow=True)
    assert "다시 시작했습니다" in response.content.decode()
    running.refresh_from_db()
    assert running.state == CampaignState.ACTIVE
    actions = list(Entry.objects.filter(project_id=running.project_id).order_by("pk").values_list("action", flat=True))
    assert actions == ["campaign_paused", "campaign_resumed"]


def test_an_act_on_what_has_changed_is_a_conflict_that_says_what_happened(
    running: Campaign, sign_in: Any, account: provider.Provider
) -> None:
    client = sign_in("marketer")
    launch.pause(running, by=None)
    given = {"seen": seen(page(client, running))}
    Campaign.objects.filter(pk=running.pk).update(version=9)
    history.note(running, "paused", by="dohyun@harutable.example")
    for act in ("resume", "end", "delete"):
        response = client.post(address_of(running, act), given)
        assert response.status_code == 409, act
        html = response.content.decode()
        assert "그 사이에 이 캠페인이 바뀌어서 하지 않았습니다" in html
        assert "dohyun@harutable.example" in html
        assert f'value="{CampaignState.INACTIVE}.9.' in html, "what they see now is what they would act on"
    running.refresh_from_db()
    assert running.state == CampaignState.INACTIVE


def test_what_keeps_it_from_starting_again_is_told(world: Any, sign_in: Any, account: provider.Provider) -> None:
    timing = {"kind": "daily", "start": "2020-06-01", "end": "2020-06-03", "time": "10:00"}
    campaign = sending.campaign(world.project, CampaignState.INACTIVE, timing=timing)
    client = sign_in("marketer")
    response = client.post(address_of(campaign, "resume"), {"seen": seen(page(client, campaign))})
    assert response.status_code == 409
    assert "남은 발송이 없습니다" in response.content.decode()


def test_cancelling_asks_with_the_number_and_leaves_the_rest_out(
    running: Campaign, sign_in: Any, account: provider.Provider
) -> None:
    client = sign_in("marketer")
    asked = client.get(address_of(running, "runs/1/cancel"), headers=HTMX | {"HX-Target": "dialogs"}).content.decode()
    assert "남은 37명에게 보내지 않을까요?" in asked
    assert "이미 넘긴 59명은 되돌릴 수 없습니다" in asked
    assert ">37명 발송 취소</button>" in asked
    assert "<html" not in asked
    assert "<html" in client.get(address_of(running, "runs/1/cancel")).content.decode()
    response = client.post(address_of(running, "runs/1/cancel"), {"seen": seen(asked)}, follow=True)
    assert "발송을 취소했습니다" in response.content.decode()
    run = running.runs.get()
    assert run.state == RunState.CANCELLED
    assert client.post(address_of(running, "runs/1/cancel"), {"seen": seen(asked)}).status_code == 409


def test_failures_are_sent_again_once_to_as_many_as_were_seen(
    world: Any, sign_in: Any, account: provider.Provider
) -> None:
    campaign = sending.campaign(world.project, CampaignState.ENDED)
    run = sending.run(campaign, RunState.DONE, people=9, handed_over_at=timezone.now())
    become(run, 0, 4, state=S.DELIVERED)
    become(run, 4, 7, state=S.FAILED, reason="phone_off", is_transient=True)
    become(run, 7, 9, state=S.FAILED, reason="no_such_number")
    client = sign_in("marketer")
    assert "실패 재발송 3명" in page(client, campaign)
    assert client.post(address_of(campaign, "runs/1/again"), {"people": "2"}).status_code == 409
    assert client.post(address_of(campaign, "runs/1/again"), {"people": "3"}).status_code == 302
    again = Run.objects.get(campaign=campaign, kind=RunKind.RETRY)
    assert (again.retry_of_id, again.size) == (run.pk, 3)
    assert "실패 재발송" not in page(client, campaign, "?run=1"), "once for each run"


def test_ending_duplicating_and_deleting(running: Campaign, sign_in: Any, account: provider.Provider) -> None:
    client = sign_in("marketer")
    asked = page(client, running, "end")
    assert "이 캠페인을 종료할까요?" in asked
    assert client.post(address_of(running, "end"), {"seen": seen(asked)}).status_code == 302
    made = client.post(address_of(running, "duplicate"))
    copy = Campaign.objects.get(state=CampaignState.DRAFT)
    assert made.headers["Location"].endswith(f"/{copy.pk.hex}/edit")
    assert (
        client.post(address_of(running, "delete"), {"seen": seen(page(client, running, "delete"))}).status_code == 302
    )
    assert client.get(address_of(running)).status_code == 404
    html = client.get(f"/projects/{running.project.hex}/campaigns/").content.decode()
    assert "11월 VIP 재구매 사본" in html
    assert "11월 VIP 재구매</a>" not in html


def test_the_menu_of_a_row_has_what_is_possible_and_nothing_else(running: Campaign, sign_in: Any) -> None:
    def items(who: str) -> set[str]:
        html = sign_in(who).get(address_of(running, "menu"), headers=HTMX).content.decode()
        return set(re.findall(r"<span>(.*?)</span>", html))

    assert items("marketer") == {"상세", "일시 중지", "복제", "종료"}
    assert items("viewer") == {"상세"}
    Campaign.objects.filter(pk=running.pk).update(state=CampaignState.INACTIVE)
    assert items("marketer") == {"상세", "수정", "재개", "복제", "종료"}
    Campaign.objects.filter(pk=running.pk).update(state=CampaignState.ENDED)
    assert items("marketer") == {"상세", "복제", "삭제"}
    assert "<html" in sign_in("viewer").get(address_of(running, "menu")).content.decode(), "without scripts, a page"


# -- The people -------------------------------------------------------------------------------------------------------
@pytest.fixture
def run(running: Campaign) -> Run:
    return running.runs.get()


def find(client: Any, campaign: Campaign, text: str, status: int = 200) -> str:
    response = client.post(address_of(campaign, "runs/1/search"), {"q": text}, headers=HTMX)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def test_a_number_opens_its_people_page_by_page(running: Campaign, sign_in: Any) -> None:
    client = sign_in("viewer")
    html = client.get(address_of(running, "runs/1/people?who=failed&reason=phone_off"), headers=HTMX).content.decode()
    assert html.count('id="r-') == 4
    assert "010-****-0048" in html
    assert "01020000048" not in html.replace("-", "")
    response = client.get(address_of(running, "runs/1/people?who=failed"))
    assert response.headers["Location"].endswith("?run=1&who=failed#who")
    sending.run(running, people=120)
    found: list[str] = []
    after = ""
    for _ in range(3):
        html = client.get(
            address_of(running, f"runs/2/people?who=not_handed&after={after}"), headers=HTMX
        ).content.decode()
        found += re.findall(r'id="r-(\d+)"', html)
        after = (re.findall(r"after=(pending-\d+)", html) or [""])[-1]
    assert len(found) == len(set(found)) == 120
    assert not after
    assert 'id="r-' not in client.get(address_of(running, "runs/1/people?who=x"), headers=HTMX).content.decode()


@pytest.mark.parametrize("who", ["viewer", "admin"])
def test_people_are_found_by_their_last_digits_whole_number_and_id(running: Campaign, sign_in: Any, who: str) -> None:
    person = make.profile(running.project, "vip_17", phone="+821020000017")
    Recipient.objects.filter(run__campaign=running, phone=person.phone).update(
        profile_id=person.pk, external_id=person.external_id
    )
    client = sign_in(who)
    for text in ("0017", "010-2000-0017", "+82 10-2000-0017", "vip_17", "vip"):
        html = find(client, running, text)
        assert html.count('id="r-') == 1, text
        assert "010-****-" in html
    assert "<mark>0017</mark>" in find(client, running, "0017")
    assert "user_0000099" in find(client, running, "user_0000099"), "whose profile is gone, too"
    assert "이 회차에는 없습니다" in find(client, running, "nobody")
    find(client, running, "", status=422)


def test_a_part_of_a_number_finds_nobody_for_those_who_may_not_see_it(running: Campaign, sign_in: Any) -> None:
    for text in ("0102000", "010-2000-00", "20000017", "8210200000", "000017"):
        html = find(sign_in("marketer"), running, text)
        assert 'id="r-' not in html, text
        assert "번호의 일부로는 찾을 수 없습니다" in html, text
    assert 'id="r-' in find(sign_in("admin"), running, "010-2000-00")


def test_an_id_that_is_a_number_is_no_way_round_the_mask(running: Campaign, sign_in: Any) -> None:
    person = make.profile(running.project, "01020000017", phone="+821020000017")
    Recipient.objects.filter(run__campaign=running, phone=person.phone).update(
        profile_id=person.pk, external_id=person.external_id
    )
    assert 'id="r-' not in find(sign_in("marketer"), running, "0102000001")
    assert 'id="r-' in find(sign_in("marketer"), running, "01020000017")


def test_a_search_is_recorded_without_its_text(running: Campaign, sign_in: Any) -> None:
    find(sign_in("marketer"), running, "010-2000-0017")
    entry = Entry.objects.get(action="profiles_searched")
    assert entry.details["by"] == ["phone", "id"]
    assert entry.details["found"] == 1
    assert "20000017" not in str(entry.details).replace("-", "")


def test_a_recipients_page_tells_their_way(running: Campaign, run: Run, sign_in: Any) -> None:
    history.note(running, "frozen", run=run, size=100, version=42)
    Run.objects.filter(pk=run.pk).update(snapshot_number=42)
    batch = sending.batch(run, "sent", handle="G4V2026")
    one = Recipient.objects.filter(run=run, state=S.FAILED, reason="phone_off").first()
    Recipient.objects.filter(pk=one.pk).update(batch=batch, message_id="M4V1", kind="sms", code="3104")
    client = sign_in("viewer")
    html = page(client, running, f"runs/1/recipients/{one.pk}/")
    steps = ("발송 대상으로 확정", "코호트 버전 42", "발송 플랫폼에 넘김", "G4V2026", "M4V1", "실패: 전원 꺼짐", "3104")
    for words in (*steps, "주문하신 상품이 도착했습니다"):
        assert words in html, words
    assert one.phone[-8:] not in html.replace("-", "")
    dialog = client.get(address_of(running, f"runs/1/recipients/{one.pk}/"), headers=HTMX | {"HX-Target": "dialogs"})
    assert dialog.content.decode().lstrip().startswith("<dialog")
    page(client, running, "runs/1/recipients/999999/", status=404)


def test_the_whole_number_is_shown_by_post_and_recorded(running: Campaign, run: Run, sign_in: Any) -> None:
    one = run.recipients.order_by("pk").first()
    path = address_of(running, f"runs/1/recipients/{one.pk}/contact")
    assert sign_in("marketer").post(path).status_code == 403
    response = sign_in("admin").post(path)
    assert "010-2000-0000" in response.content.decode()
    assert Entry.objects.get(action="profile_seen").details["recipient"] == one.pk


# -- The file ---------------------------------------------------------------------------------------------------------
def rows_of(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    raw = b"".join(response.streaming_content)
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_no_file_without_a_reason(running: Campaign, sign_in: Any) -> None:
    response = sign_in("marketer").post(address_of(running, "runs/1/export"), {"who": "all"})
    assert response.status_code == 422
    assert "받는 이유를 입력해 주세요" in response.content.decode()
    assert sign_in("viewer").post(address_of(running, "runs/1/export"), {"who": "all"}).status_code == 403
    assert not Entry.objects.filter(action="recipients_exported").exists()


def test_a_file_has_everybody_once_masked_and_safe(running: Campaign, run: Run, sign_in: Any) -> None:
    first = run.recipients.order_by("pk").first()
    Recipient.objects.filter(pk=first.pk).update(external_id="=cmd|'/c calc'!A1")
    given = {"who": "all", "reason": "결과 보고"}
    head, *people = rows_of(sign_in("marketer").post(address_of(running, "runs/1/export"), given))
    assert head[:4] == ["사용자 ID", "전화번호", "상태", "이유"]
    assert len(people) == 100
    assert people[0][:3] == ["'=cmd|'/c calc'!A1", "010-****-0000", "도달"]
    assert {row[2] for row in people} == {"도달", "실패", "거절", "결과 대기", "결과 모름", "제외", "대기"}
    entry = Entry.objects.get(action="recipients_exported")
    assert (entry.details["people"], entry.details["reason"]) == (100, "결과 보고")
    assert entry.details["whole_contacts"] is False
    _head, *people = rows_of(sign_in("admin").post(address_of(running, "runs/1/export"), given | {"who": "failed"}))
    assert len(people) == 13
    assert people[0][1] == "010-2000-0040"


def test_a_provider_that_is_gone_brakes_and_the_page_leads_to_the_settings(
    world: Any, sign_in: Any, account: provider.Provider
) -> None:
    campaign = sending.campaign(world.project)
    run = sending.run(campaign, people=5)
    account.fail("open", Stopped("wrong_key"))
    sending.send(run)
    html = page(sign_in("marketer"), campaign)
    assert "SOLAPI가 API 키를 받아들이지 않았습니다" in html
    assert "발신 정보 보기" in html


# -- Through SOLAPI's own socket --------------------------------------------------------------------------------------
def test_what_the_provider_did_is_what_the_page_says(
    world: Any, sandbox: Any, settings: Any, monkeypatch: Any, day: Any, sign_in: Any
) -> None:
    """Forty people whose last digits say what becomes of them, a batch of whom nobody hears, and a pause in between."""
    monkeypatch.setattr(nudge, "_enqueue", lambda task, ids: None)
    settings.SENDING_BATCH = 10
    senders.register(world.project, senders.SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    senders.refresh_listing(world.project)
    ids = make.profiles(world.project, 40)
    facets.rebuild(world.project.pk)
    campaign = sending.campaign(
        world.project, CampaignState.DRAFT, cohort=make.cohort_with(world.project, 1, ids), version=1,
        message=sending.TEXT | {"sender": "15881234"},
    )  # fmt: skip
    launch.launch(campaign, by=world.people["marketer"], seen_version=1, expected_size=40)
    run = Run.objects.get()
    freeze.prepare(run.pk)
    sandbox.world.faults.add("done_then_cut", endpoint="groups/send", times=1)
    sending.send(run)
    client = sign_in("marketer")
    html = page(client, campaign)
    assert outcome(html) == {"도달": 0, "실패": 1, "대기": 30, "결과 모름": 9, "발송 대상": 40}
    assert "발송 플랫폼이 잠시 받지 않아 기다립니다" in html
    client.post(address_of(campaign, "pause"), {"seen": seen(html)})
    Run.objects.update(not_before=None)
    sending.send(run)
    html = page(client, campaign)
    assert outcome(html)["대기"] == 30, "nobody is sent to while it is paused"
    client.post(address_of(campaign, "resume"), {"seen": seen(html)})
    sending.settle(run)
    html = page(client, campaign)
    # 0003 never hears, 0004 is refused, 0005 fails (docs/sandbox.md).
    assert outcome(html) == {"도달": 37, "실패": 2, "대기": 1, "결과 모름": 0, "발송 대상": 40}
    assert sandbox.world.solapi.ledger.repeated() == {}
    assert 'class="property"><dt>예상 비용 / 쓴 비용</dt><dd>' in html
    spent = re.search(r"예상 비용 / 쓴 비용</dt><dd>([\d,]+)원 / ([\d,]+)원", html)
    assert int(spent[1].replace(",", "")) * 38 == int(spent[2].replace(",", "")) * 40, "of 40, 38 aren't given back"
    state = {"0002": "도달", "0003": "결과 대기", "0004": "거절", "0005": "실패"}
    for tail, words in state.items():
        assert f">{words}</span>" in find(client, campaign, tail)


# -- Everybody was handed over, and the fallback is ours --------------------------------------------------------------
def test_a_run_that_only_awaits_results_says_so_and_not_that_it_sends(world: Any, sign_in: Any) -> None:
    message = {"profile": "KA01PF1", "text": "여름 소식", "fallback": {"kind": "sms", "text": "여름 소식"}}
    campaign = sending.campaign(world.project, channel="friendtalk", message=message, name="여름 소식")
    run = sending.run(campaign, people=4, sends_fallback=True, handed_over_at=timezone.now())
    become(run, 0, 3, state=S.ACCEPTED)
    become(run, 3, 4, state=S.DELIVERED)
    client = sign_in("marketer")
    shown = page(client, campaign)
    assert "모두 넘겼고 결과를 기다립니다" in shown
    assert "3명의 결과를 기다립니다. 카카오로 받지 못한 사람에게는 결과가 오는 대로 대체 문자를 보냅니다." in shown
    assert "보내고 있습니다" not in shown
    assert "지금 멈추면" not in shown
    assert "대체 문자 취소" in shown
    assert "대체 문자를 보내지 않을까요?" in page(client, campaign, f"runs/{run.number}/cancel")
    listed = client.get(f"/projects/{world.id.hex}/campaigns/").content.decode()
    assert "결과 대기" in listed
    assert "발송 중" not in re.sub(r"(?s)<nav.*?</nav>|<form.*?</form>", "", listed)
    client.post(address_of(campaign, "pause"), {"seen": seen(shown)})
    assert "재개할 때까지 대체 문자를 보내지 않습니다" in page(client, campaign)
