"""Pages as they come on a bad day, into the console and into a receiver that adds whatever comes (as the open receivers
of Mixpanel's webhook do). Prints one JSON line of how many people each has wrong. (`python -m benchmarks.push_correct
PROJECT_ID`)"""

import json
import os
import random
import sys
from uuid import UUID

import django

PAGES, A_PAGE = 100, 50


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from django.utils import timezone

    from benchmarks import push_once
    from cohorts.models import PushSession
    from cohorts.push.sessions import ABANDONED_AFTER

    project = UUID(sys.argv[1])
    push_once.confirm(project)
    push_once.A_PAGE = A_PAGE
    dice = random.Random(1)
    everybody = set(range(PAGES * A_PAGE))
    peer: set[int] = set()

    def send(session: str, number: int, pages: int, people: list[int]) -> None:
        push_once.keep_page(project, push_once.page(session, number, pages, people))
        peer.update(people)

    def people_of(number: int, everybody: list[int]) -> list[int]:
        return everybody[(number - 1) * A_PAGE : number * A_PAGE]

    first = sorted(everybody)
    numbers = [number for number in range(1, PAGES + 1) if number != 57]
    sent = numbers + dice.choices(numbers, k=40)
    dice.shuffle(sent)
    for number in sent:
        send("first", number, PAGES, people_of(number, first))
        if dice.random() < 0.2:
            push_once.take(project)
    push_once.take(project)
    ours_partial, peer_partial = len(visible(project)), len(peer)
    PushSession.objects.update(last_page_at=timezone.now() - 2 * ABANDONED_AFTER)
    push_once.take(project)
    left = sorted(dice.sample(first, len(first) * 9 // 10))
    pages = -(-len(left) // A_PAGE)
    for number in dice.sample(range(1, pages + 1), pages):
        send("second", number, pages, people_of(number, left))
    push_once.take(project)
    result = {
        "ours_partial": ours_partial,
        "peer_partial": peer_partial,
        "ours_after": len(visible(project) ^ set(left)),
        "peer_after": len(peer ^ set(left)),
    }
    print(json.dumps(result))


def visible(project: UUID) -> set[int]:
    """The numbers of the people in the cohort's current version."""
    from benchmarks.push_once import COHORT
    from cohorts.membership import loaded
    from cohorts.models import Cohort, Profile

    cohort = Cohort.objects.select_related("current").get(project_id=project, source_id=COHORT)
    ids = list(loaded(cohort.current.members)) if cohort.current else []
    names = Profile.objects.filter(pk__in=ids).values_list("external_id", flat=True)
    return {int(name.removeprefix("user-")) for name in names}


if __name__ == "__main__":
    main()
