"""Fills the benchmark's database with many cohorts and profiles, signs a marketer in, and prints one JSON line with the
session's cookie. (`python -m benchmarks.seed_pages PROJECT_ID COHORTS PROFILES`)"""

import json
import os
import sys
from datetime import timedelta
from uuid import UUID

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.db import connection
    from django.utils import timezone
    from pyroaring import BitMap64

    from cohorts.models import Cohort, Profile, Snapshot
    from notifly_console.tenancy.models import Member, Project
    from notifly_console.tenancy.session_store import SessionStore

    project = Project.objects.get(id=UUID(sys.argv[1]))
    cohorts, profiles = int(sys.argv[2]), int(sys.argv[3])
    table = Profile._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO {table} (project_id, external_id, distinct_id, is_anonymous, phone, phone_raw, phone_reason,
                    email, email_raw, email_reason, marketing_consent, night_consent, properties, digest, created_at,
                    updated_at)
                SELECT %s, 'user-' || n, 'user-' || n, false, '+8210' || lpad((20000000 + n)::text, 8, '0'), '', '',
                    'u' || n || '@mail.example', '', '', true, false,
                    jsonb_build_object('$name', '고객 ' || n, 'plan', 'basic'), n, now(), now()
                FROM generate_series(1, %s) AS n""",
            [project.id, profiles],
        )
        cursor.execute("ANALYZE")
    first = Profile.objects.order_by("id").values_list("id", flat=True).first() or 1
    now = timezone.now()
    Cohort.objects.bulk_create(
        [
            Cohort(
                project=project,
                source_id=5_000_000 + n,
                name=f"코호트 {n:05d}",
                name_key=f"코호트 {n:05d}",
                description="최근 90일에 3회 이상 구매한 고객",
                reported_size=100,
                number=2,
                size=100,
                joined_count=n % 7,
                left_count=n % 5,
                refreshed_at=now - timedelta(minutes=n),
            )
            for n in range(cohorts)
        ],
        batch_size=2000,
    )
    made = list(Cohort.objects.filter(project=project).order_by("id"))
    snapshots = []
    for position, cohort in enumerate(made):
        everybody = position == 0
        ids = range(first, first + profiles) if everybody else range(first + position * 90, first + position * 90 + 100)
        members = BitMap64(ids)
        for number in (1, 2):
            snapshots.append(  # noqa: PERF401 -- the nesting reads better than a comprehension
                Snapshot(
                    cohort=cohort,
                    number=number,
                    members=members.serialize(),
                    joined=BitMap64(ids[:20]).serialize(),
                    left=BitMap64().serialize(),
                    size=len(members),
                    joined_count=20,
                    left_count=0,
                    reach={
                        "reachable": len(members),
                        "with_email": len(members),
                        "anonymous": 0,
                        "phone": {},
                        "email": {},
                    },
                )
            )
    Snapshot.objects.bulk_create(snapshots, batch_size=500)
    current = {row.cohort_id: row for row in Snapshot.objects.filter(number=2).defer("members", "joined", "left")}
    for cohort in made:
        cohort.current, cohort.size = current[cohort.id], current[cohort.id].size
    Cohort.objects.bulk_update(made, ["current", "size"], batch_size=1000)
    user = Member.objects.select_related("user").filter(project=project).first().user  # type: ignore[union-attr]
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    print(json.dumps({"cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}", "biggest": made[0].source_id}))


if __name__ == "__main__":
    main()
