"""A campaign whose people are written down and wait to be sent to: `python -m benchmarks.make_run <project> <people>`
prints the id of its run. The project gets the stand-in's SOLAPI account."""

import os
import sys
from collections.abc import Iterator
from itertools import count, islice

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")

import django

django.setup()

from django.utils import timezone  # noqa: E402

from campaigns.models import Campaign, CampaignState, Recipient, Run, RunState  # noqa: E402
from integrations import senders  # noqa: E402
from integrations.messaging import Channel  # noqa: E402
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET  # noqa: E402
from notifly_console.tenancy.models import Project  # noqa: E402

MESSAGE = {
    "sender": "15881234",
    "kind": "lms",
    "is_ad": False,
    "title": "주문하신 상품이 도착했습니다",
    "text": '{{ user["name"] | default: "고객" }}님, 주문하신 상품 {{ user["item"] }}이(가) 오늘 도착합니다.\n'
    "문 앞에 두고 갈까요? 원하시는 장소를 답장으로 알려 주세요.",
}
AT_ONCE = 20_000


def numbers() -> Iterator[str]:
    """010 numbers, but for those whose end gives them a fate of their own at the stand-in."""
    return (f"+8210{20_000_000 + n:08d}" for n in count(10) if not 1 <= n % 10_000 <= 5)


def make(project: Project, people: int) -> Run:
    """The run, with its recipients."""
    senders.register(project, senders.SolapiSettings(api_key=SOLAPI_API_KEY), SOLAPI_API_SECRET)
    now = timezone.now()
    campaign = Campaign.objects.create(
        project=project,
        name="도착 안내",
        state=CampaignState.ACTIVE,
        launched_at=now,
        channel=Channel.TEXT,
        timing={"kind": "now"},
        audience_kind="cohort",
        message=MESSAGE,
    )
    run = Run.objects.create(
        project=project,
        campaign=campaign,
        number=1,
        due_at=now,
        state=RunState.SENDING,
        channel=campaign.channel,
        message=campaign.message,
        size=people,
    )
    phones = numbers()
    for start in range(0, people, AT_ONCE):
        some = islice(phones, min(AT_ONCE, people - start))
        Recipient.objects.bulk_create(
            Recipient(run=run, phone=phone, external_id=f"u{start + n}", values={"name": "김하늘", "item": "원두 200g"})
            for n, phone in enumerate(some)
        )
    return run


if __name__ == "__main__":
    print(make(Project.objects.get(pk=sys.argv[1]), int(sys.argv[2])).pk)
