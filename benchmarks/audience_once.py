"""What the console does with an audience, in this process, as a page or a worker does it. Prints one JSON line.
(`python -m benchmarks.audience_once funnel|freeze CAMPAIGN_ID`, `… csv FILE`)"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    what: dict[str, Callable[[str], dict[str, Any]]] = {"funnel": funnel, "freeze": freeze, "csv": read_csv}
    result = what[sys.argv[1]](sys.argv[2])
    print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def funnel(campaign_id: str) -> dict[str, Any]:
    """The plan of an advertisement, first and again, with its first numbers; then one that asks for a name; then what
    everybody's text is."""
    from campaigns.audience import plan as audience
    from campaigns.audience.measure import measure
    from campaigns.message.check import content_of
    from campaigns.models import Campaign
    from campaigns.rules import rules_of

    campaign = Campaign.objects.select_related("cohort", "project").get(pk=UUID(campaign_id))
    found: dict[str, Any] = {"cold": seconds(lambda: audience.first_phones(audience.plan(campaign)))}
    found["warm"] = min(seconds(lambda: audience.first_phones(audience.plan(campaign))) for _ in range(5))
    made = audience.plan(campaign)
    found["people"] = seconds(lambda: audience.people_of(made, "one_per_number", "same_number", offset=5_000))
    found["steps"] = {step.key: step.count for step in made.funnel.steps}
    asked = campaign.message | {"skips_missing": True, "text": '{{ user["$name"] }}님, 주말 할인'}
    content = content_of(campaign.channel, asked)
    found["measure"] = seconds(lambda: measure(content, rules_of(campaign.project), made))
    campaign.message = asked
    found["needing"] = seconds(lambda: audience.plan(campaign))
    return found


def freeze(campaign_id: str) -> dict[str, Any]:
    """Everybody with a number, written down for an information message."""
    from django.db.models import Q
    from django.utils import timezone

    from campaigns.models import Campaign, Run
    from campaigns.sending.recipients import freeze_into
    from notifly_console.lib.leases import claim

    campaign = Campaign.objects.get(pk=UUID(campaign_id))
    run = Run.objects.create(
        project_id=campaign.project_id,
        campaign=campaign,
        number=campaign.runs.count() + 1,
        due_at=timezone.now(),
        channel=campaign.channel,
        message=campaign.message | {"is_ad": False},
    )
    mine = claim(Run.objects.filter(pk=run.pk), ready=Q(lease_until=None))
    assert mine
    sizes: list[int] = []
    used = processor_seconds()
    took = seconds(lambda: sizes.append(freeze_into(run, mine)))
    return {"seconds": took, "processor": processor_seconds() - used, "size": sizes[0]}


def processor_seconds() -> float:
    """Of this process and its database backend, which is on the same machine."""
    from django.db import connection

    connection.ensure_connection()
    backend = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(backend[11]) + int(backend[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def read_csv(path: str) -> dict[str, Any]:
    """A file read with its reasons, and kept."""
    from campaigns.audience.uploads import read_csv
    from campaigns.models import Upload
    from notifly_console.tenancy.models import Project

    project = Project.objects.first()
    assert project
    uploads: list[Upload] = []
    with Path(path).open("rb") as file:
        took = seconds(lambda: uploads.append(read_csv(project, "bench.csv", file, "")))
    return {"seconds": took, "accepted": uploads[0].accepted, "refused": sum(uploads[0].refused["counts"].values())}


if __name__ == "__main__":
    main()
