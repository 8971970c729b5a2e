"""One session of many pages taken by one worker, in this process. Prints one JSON line: seconds to take the pages as
they would come while Mixpanel sends, seconds from the last page to the visible version, peak memory in kilobytes.
(`python -m benchmarks.push_once PROJECT_ID PAGES [FIRST]`)"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterable
from uuid import UUID

import django

COHORT = 7001
A_PAGE = 1000


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from cohorts.models import Cohort

    project_id, pages = UUID(sys.argv[1]), int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    confirm(project_id)
    session = f"bench-{time.time_ns()}"
    for number in range(1, pages):
        keep(project_id, session, number, pages, first)
    began, cpu = time.perf_counter(), time.process_time()
    take(project_id)
    cpu = time.process_time() - cpu
    before_last = time.perf_counter() - began
    keep(project_id, session, pages, pages, first)
    began = time.perf_counter()
    take(project_id)
    after_last = time.perf_counter() - began
    cohort = Cohort.objects.get(project_id=project_id, source_id=COHORT)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "before_last": before_last,
        "cpu": cpu,
        "after_last": after_last,
        "size": cohort.size,
        "peak_kb": usage.ru_maxrss,
    }
    print(json.dumps(result))


def take(project_id: UUID) -> None:
    """As a worker does, turn after turn, until nothing is left."""
    from cohorts.push import push
    from integrations.models import InboundPage

    while True:
        push.take(project_id, COHORT)
        if not InboundPage.objects.filter(project_id=project_id, state="new").exists():
            return


def confirm(project_id: UUID) -> None:
    """What a person does when the first large import waits."""
    from cohorts.people.profiles import Mapping
    from cohorts.push.rehearse import columns_of
    from integrations import inlets
    from integrations.models import Inlet
    from notifly_console.tenancy.models import Project

    project = Project.objects.get(pk=project_id)
    columns = columns_of(Mapping.of(inlets.mixpanel_settings(project)))
    Inlet.objects.update_or_create(project=project, defaults={"confirmed_for": columns})


def keep(project_id: UUID, session: str, number: int, pages: int, first: int) -> None:
    start = first + (number - 1) * A_PAGE
    keep_page(project_id, page(session, number, pages, range(start, start + A_PAGE)))


def keep_page(project_id: UUID, said: dict[str, object]) -> None:
    """A page into the inbox, as the webhook keeps it."""
    from django.db import transaction
    from django.utils import timezone

    from integrations import inbox
    from integrations.mixpanel.webhook import parse_page
    from integrations.models import InboundKind

    body = json.dumps(said, ensure_ascii=False).encode()
    parsed = parse_page(body)
    with transaction.atomic():
        inbox.keep(
            InboundKind.COHORT_PAGE,
            project_id,
            COHORT,
            body=body,
            fingerprint=parsed.fingerprint(timezone.now()),
            envelope=parsed.envelope(),
            api_key_id=None,
        )


def page(session: str, number: int, pages: int, people: Iterable[int], action: str = "members") -> dict[str, object]:
    """A page of about 208 kB: a thousand members with a dozen properties each."""
    return {
        "action": action,
        "parameters": {
            "mixpanel_project_id": "2855235",
            "mixpanel_cohort_id": str(COHORT),
            "mixpanel_cohort_name": "벤치마크",
            "mixpanel_session_id": session,
            "page_info": {"total_pages": pages, "page_count": number},
            "members": [member(one) for one in people],
        },
    }


def member(number: int) -> dict[str, object]:
    return {
        "mixpanel_distinct_id": f"user-{number:07d}",
        "email": f"person{number}@mail.example",
        "phone_number": f"+8210{20_000_000 + number:08d}",
        "first_name": "가나",
        "last_name": "다",
        "$city": "Seoul",
        "total_orders": number % 97,
        "plan": "골드" if number % 3 else "실버",
    }


if __name__ == "__main__":
    main()
