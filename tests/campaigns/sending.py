"""Campaigns, runs and recipients for tests of sending, as the console itself would have written them."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from campaigns.models import Batch, BatchState, Campaign, CampaignState, Recipient, Run, RunState
from campaigns.sending import delivery, reconcile
from integrations.messaging import Channel
from notifly_console.tenancy.models import Project

TEXT = {"sender": "0212345678", "kind": "sms", "is_ad": False, "text": "주문하신 상품이 도착했습니다."}
AD = {"sender": "0212345678", "kind": "lms", "is_ad": True, "title": "여름 세일", "text": "오늘까지 30% 할인"}


def campaign(project: Project, state: str = CampaignState.ACTIVE, **fields: Any) -> Campaign:
    """A text campaign to a cohort; launched unless `state` says that it is a draft."""
    fields.setdefault("name", "도착 안내")
    fields.setdefault("channel", Channel.TEXT)
    fields.setdefault("message", TEXT)
    fields.setdefault("audience_kind", "cohort")
    fields.setdefault("timing", {"kind": "now"})
    if state != CampaignState.DRAFT:
        fields.setdefault("launched_at", timezone.now())
    return Campaign.objects.create(project=project, state=state, **fields)


def run(of: Campaign, state: str = RunState.SENDING, *, people: int = 0, first: int = 0, **fields: Any) -> Run:
    """A run with `people` recipients who wait, 010-2000-0000 and up."""
    fields.setdefault("number", Run.objects.filter(campaign=of).count() + 1)
    fields.setdefault("due_at", timezone.now())
    fields.setdefault("channel", of.channel)
    fields.setdefault("message", of.message)
    if state in (RunState.DONE, RunState.CANCELLED, RunState.SKIPPED):
        fields.setdefault("finished_at", timezone.now())
    made = Run.objects.create(project=of.project, campaign=of, state=state, size=people, **fields)
    Recipient.objects.bulk_create(
        [
            Recipient(run=made, phone=f"+8210{20_000_000 + n:08d}", external_id=f"user_{n:07d}", values={})
            for n in range(first, first + people)
        ],
        batch_size=2_000,
    )
    return made


def batch(of: Run, state: str = BatchState.CLAIMED, **fields: Any) -> Batch:
    """A batch of the run; its people are put in by whoever asks for it."""
    fields.setdefault("size", 0)
    if state in (BatchState.TRIED, BatchState.SENT, BatchState.UNKNOWN, BatchState.CLOSED):
        fields.setdefault("tried_at", timezone.now())
        fields.setdefault("handle", "G4V2025")
    if state in (BatchState.SENT, BatchState.CLOSED):
        fields.setdefault("sent_at", timezone.now())
    return Batch.objects.create(run=of, state=state, **fields)


def counts(of: Run) -> dict[str, int]:
    """How many of the run's people are in each state."""
    found: dict[str, int] = {}
    for state in Recipient.objects.filter(run=of).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def long_ago() -> datetime:
    return datetime.fromisoformat("2020-01-01T00:00:00+00:00")


def send(run: Run) -> None:
    """A worker sends the run as it is stored."""
    delivery.send(Run.objects.select_related("project", "campaign").get(pk=run.pk))


def again(run: Run) -> None:
    """As the sweep does when a pause is over."""
    Run.objects.filter(pk=run.pk).update(not_before=None, waiting_for="")
    send(run)


def settle(run: Run, rounds: int = 6) -> None:
    """Leases run out, questions come due, workers are woken, until nothing changes."""
    for _ in range(rounds):
        held = Batch.objects.filter(run=run, lease_until__isnull=False)
        held.update(lease_until=long_ago())
        reconcile.reap()
        Batch.objects.filter(run=run, ask_at__isnull=False).update(ask_at=long_ago())
        for pk in list(Batch.objects.filter(reconcile.due(), run=run).values_list("pk", flat=True)):
            reconcile.ask(pk)
        again(run)
