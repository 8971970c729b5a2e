"""What a user group costs, in this process, as a page asks for it. Prints one JSON line.
(`python -m benchmarks.groups_once seed|group|overlap PROJECT_ID`)"""

import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any
from uuid import UUID

import django

COHORTS = 10
ROUNDS = 5


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    what: dict[str, Callable[[UUID], dict[str, Any]]] = {"seed": seed, "group": group, "overlap": overlap}
    result = what[sys.argv[1]](UUID(sys.argv[2]))
    print(json.dumps(result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def seed(project_id: UUID) -> dict[str, Any]:
    """Ten more cohorts, each of a random half of ids twice as many as there are people: as large as the population,
    and as hard for a bitmap as a set can be."""
    from django.db import transaction
    from pyroaring import BitMap64

    from cohorts.membership import publish
    from cohorts.models import Cohort, Profile

    people = Profile.objects.filter(project_id=project_id).count()
    chance = random.Random(7)
    for number in range(COHORTS):
        name = f"코호트 {number}"
        cohort = Cohort.objects.create(project_id=project_id, source_id=number + 1, name=name, name_key=name)
        with transaction.atomic():
            publish(cohort.pk, BitMap64(chance.sample(range(1, people * 2 + 1), people)), {})
    return {"people": people}


def group(project_id: UUID) -> dict[str, Any]:
    """Five conditions, three of them about properties: of a cohort, and of everybody."""
    from cohorts.groups import groups
    from cohorts.groups.conditions import definition_of
    from cohorts.models import Cohort

    keys = dict(Cohort.objects.filter(project_id=project_id).values_list("source_id", "pk"))
    asks = [
        {"kind": "property", "name": "plan", "operator": "=", "type": "text", "value": "하루패스"},
        {"kind": "property", "name": "order_count", "operator": ">=", "type": "number", "value": "12"},
        {"kind": "property", "name": "marketing_agreed", "operator": "=", "type": "boolean", "value": "true"},
        {"kind": "contact", "what": "phone", "has": True},
    ]
    found: dict[str, Any] = {}
    for name, source_id in (("everybody", 5_000_000), ("half", 1)):
        definition = definition_of(
            {"segments": [[*asks, {"kind": "cohort", "cohort": keys[source_id], "is_in": True}]], "filters": []}
        )
        found[name] = median(seconds(partial(groups.members, project_id, definition)) for _ in range(ROUNDS))
        found[f"{name}_size"] = len(groups.members(project_id, definition))
    return found


def overlap(project_id: UUID) -> dict[str, Any]:
    """Every part of the picture that ten cohorts make."""
    from cohorts.membership import loaded
    from cohorts.models import Cohort, UserGroup
    from cohorts.pages.group_queries import overlap_of

    cohorts = list(Cohort.objects.filter(project_id=project_id, source_id__lte=COHORTS).select_related("current"))
    first, *others = cohorts
    assert first.current is not None
    members = loaded(first.current.members)
    took = median(seconds(lambda: overlap_of(UserGroup(name="단골"), members, others)) for _ in range(ROUNDS))
    return {"seconds": took, "parts": overlap_of(UserGroup(name="단골"), members, others).more}


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
