"""캠페인 리스트 through HTTP."""

from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Campaign, CampaignState, Recipient, RecipientState, Run, RunKind, RunState
from campaigns.sending import tally
from integrations.messaging import Channel
from tests.campaigns import sending

pytestmark = pytest.mark.django_db
S = RecipientState


@pytest.fixture
def address(world: Any) -> str:
    return f"/projects/{world.project.hex}/campaigns/"


def become(run: Run, first: int, last: int, **columns: Any) -> None:
    """People `first` up to `last` of the run, in one go, past the arrows: as rows may stand after a day."""
    ids = list(Recipient.objects.filter(run=run).order_by("pk").values_list("pk", flat=True)[first:last])
    for state in ("claimed", "accepted", columns["state"]):
        people = Recipient.objects.filter(pk__in=ids).exclude(state=state)
        people.update(handed_at=timezone.now(), **(columns if state == columns["state"] else {"state": state}))
        if state == columns["state"]:
            return


def shown(client: Any, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_list_says_what_to_do(sign_in: Any, address: str) -> None:
    html = shown(sign_in("marketer"), address)
    assert "아직 캠페인이 없습니다" in html
    assert html.count("캠페인 생성</a>") >= 2
    assert "캠페인 생성</a>" not in shown(sign_in("viewer"), address), "who can't make one isn't offered it"


def test_a_row_says_who_when_how_and_what_became_of_it(world: Any, sign_in: Any, address: str) -> None:
    one = sending.campaign(world.project, name="11월 VIP 재구매", author_name="박지원")
    run = sending.run(one, people=50)
    become(run, 0, 30, state=S.DELIVERED)
    become(run, 30, 40, state=S.FAILED, reason="phone_off")
    become(run, 40, 42, state=S.UNKNOWN)
    html = " ".join(shown(sign_in("viewer"), address).split())
    for words in ("11월 VIP 재구매", "박지원 · 즉시 발송", "문자", "액티브", "발송 중"):
        assert words in html
    cells = [html.split(f'data-label="{label}"')[1].split("</td>")[0] for label in ("도달", "실패", "대기")]
    assert [cell.split(">")[1].split("<")[0] for cell in cells] == ["30", "10", "8"]
    assert "결과 모름 2" in cells[2]


def test_a_draft_has_no_numbers_and_no_time(world: Any, sign_in: Any, address: str) -> None:
    sending.campaign(world.project, CampaignState.DRAFT, name="", timing={}, channel="")
    html = shown(sign_in("marketer"), address)
    assert "이름 없는 캠페인" in html
    assert "시점 미정" in html
    assert html.count('class="num">–') == 3


def test_it_is_filtered_by_state_channel_and_text(world: Any, sign_in: Any, address: str) -> None:
    sending.campaign(world.project, name="봄 세일 문자")
    sending.campaign(world.project, CampaignState.INACTIVE, name="봄 알림톡", channel=Channel.ALIMTALK, message={})
    sending.campaign(world.project, CampaignState.DRAFT, name="여름 초안")
    client = sign_in("viewer")
    expected = {
        "q=봄": {"봄 세일 문자", "봄 알림톡"},
        "state=draft": {"여름 초안"},
        "channel=alimtalk": {"봄 알림톡"},
        "q=봄&channel=text&state=active": {"봄 세일 문자"},
        "state=nonsense&channel=nonsense&page=-3": {"봄 세일 문자", "봄 알림톡", "여름 초안"},
    }
    for query, names in expected.items():
        html = shown(client, f"{address}?{query}")
        assert {name for name in ("봄 세일 문자", "봄 알림톡", "여름 초안") if name in html} == names, query
    assert "찾는 캠페인이 없습니다" in shown(client, f"{address}?q=없는 이름")


def test_many_are_paged_and_the_number_of_statements_stays(
    world: Any, sign_in: Any, address: str, connection_queries: Any
) -> None:
    client = sign_in("viewer")
    sending.run(sending.campaign(world.project), people=3)
    client.get(address)
    with connection_queries() as few:
        client.get(address)
    now = timezone.now()
    Campaign.objects.bulk_create(
        [Campaign(project=world.project, name=f"캠페인 {n}", state="ended", launched_at=now) for n in range(1_000)]
    )
    for one in Campaign.objects.order_by("-created_at", "-pk")[:20]:
        for _ in range(3):
            run = sending.run(one, RunState.DONE, people=2, handed_over_at=now)
            become(run, 0, 2, state=S.DELIVERED)
            assert tally.keep(run.pk)
        sending.run(one, people=2)
    with connection_queries() as many:
        html = shown(client, address)
    assert "캠페인 1,001개 중 1–30" in html
    assert len(many) <= len(few) <= 12
    assert "캠페인 1,001개 중 991–1,001" in shown(client, f"{address}?page=34")
    assert "캠페인 1,001개 중 991–1,001" in shown(client, f"{address}?page=999"), "beyond the end is the end"


def test_tests_dont_count_and_who_is_sent_to_again_counts_once(world: Any, sign_in: Any, address: str) -> None:
    one = sending.campaign(world.project, CampaignState.ENDED)
    first = sending.run(one, RunState.DONE, people=10, handed_over_at=timezone.now())
    become(first, 0, 6, state=S.DELIVERED)
    become(first, 6, 10, state=S.FAILED, is_transient=True)
    again = sending.run(one, people=4, first=6, kind=RunKind.RETRY, retry_of=first)
    become(again, 0, 3, state=S.DELIVERED)
    become(sending.run(one, people=2, kind=RunKind.TEST), 0, 2, state=S.FAILED)
    html = shown(sign_in("viewer"), address)
    cells = [html.split(f'data-label="{label}"')[1].split("</td>")[0] for label in ("도달", "실패", "대기")]
    assert [cell.split(">")[1].split("<")[0] for cell in cells] == ["9", "0", "1"]


def test_many_failures_show(world: Any, sign_in: Any, address: str) -> None:
    run = sending.run(
        sending.campaign(world.project, CampaignState.ENDED), RunState.DONE, people=100, handed_over_at=timezone.now()
    )
    become(run, 0, 79, state=S.DELIVERED)
    become(run, 79, 100, state=S.FAILED)
    assert "실패 21%" in shown(sign_in("viewer"), address)


def test_htmx_gets_the_list_alone_and_a_foreign_campaign_is_on_none(world: Any, sign_in: Any, address: str) -> None:
    sending.campaign(world.other_project, name="남의 것")
    sending.campaign(world.project, name="우리 것")
    html = sign_in("viewer").get(address, headers={"HX-Request": "true", "HX-Target": "campaigns"}).content.decode()
    assert html.lstrip().startswith('<div id="campaigns"')
    assert "우리 것" in html
    assert "남의 것" not in html


# -- The counts themselves --------------------------------------------------------------------------------------------
def test_the_counts_add_up_whatever_happens_and_are_kept_at_the_end(world: Any) -> None:
    run = sending.run(sending.campaign(world.project), people=20)
    for first, last, state in ((0, 5, S.DELIVERED), (5, 9, S.FAILED), (9, 11, S.ACCEPTED), (11, 12, S.UNKNOWN)):
        become(run, first, last, state=state)
        counted = tally.tally_of(run)
        assert sum(line.people for line in counted.lines) == run.size == 20
    assert (counted.delivered, counted.failed, counted.awaited, counted.unknown) == (5, 4, 2, 1)
    assert counted.not_handed == 8
    assert not tally.keep(run.pk), "it is still going"


def test_a_run_is_kept_once_and_counted_never_again(world: Any, connection_queries: Any) -> None:
    run = sending.run(sending.campaign(world.project), RunState.DONE, people=6, handed_over_at=timezone.now())
    become(run, 0, 4, state=S.DELIVERED, kind="sms")
    become(run, 4, 6, state=S.FAILED, reason="phone_off", is_transient=True, kind="sms")
    waiting = sending.batch(run, "sent")
    assert not tally.keep(run.pk), "a batch of it is still asked about"
    waiting.state = "closed"
    waiting.save()
    assert tally.sweep() == 1
    assert tally.sweep() == 0
    run.refresh_from_db()
    with connection_queries() as asked:
        kept = tally.tally_of(run)
    assert len(asked) == 0
    assert (kept.delivered, kept.failed, kept.retriable) == (run.delivered_count, run.failed_count, 2) == (4, 2, 2)


def test_what_was_spent_goes_by_kind_and_leaves_failures_out() -> None:
    counted = tally.Tally(
        10,
        (
            tally.Line(S.DELIVERED, "", "sms", False, False, 4),
            tally.Line(S.DELIVERED, "", "alimtalk", False, True, 2),
            tally.Line(S.FAILED, "phone_off", "sms", True, False, 3),
            tally.Line(S.ACCEPTED, "", "mms", False, False, 1),
        ),
    )
    assert tally.spent(counted, {"sms": "18", "lms": "45", "alimtalk": "13"}, "lms") == (4 * 18 + 2 * 45, 1)


@pytest.fixture
def connection_queries() -> Any:
    from django.db import connection

    return lambda: CaptureQueriesContext(connection)
