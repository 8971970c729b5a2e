"""Fills the benchmark's database with one cohort of many profiles like those of a shop: nine in ten with a mobile
number, one in sixty-seven sharing another's, seven in ten consenting, some who refused. (`python -m
benchmarks.seed_audience PROJECT_ID PROFILES`)"""

import json
import os
import sys
import time
from uuid import UUID

import django

PROFILE = """
INSERT INTO cohorts_profile (project_id, external_id, distinct_id, is_anonymous, phone, phone_raw, phone_reason,
    email, email_raw, email_reason, marketing_consent, night_consent, properties, digest, created_at, updated_at)
SELECT %s, 'hs-' || lpad(n::text, 8, '0'), 'hs-' || lpad(n::text, 8, '0'), n %% 100 = 42,
    CASE WHEN r >= 0.11 THEN '+8210' || d END, CASE WHEN r >= 0.05 THEN '010-' || d ELSE '' END,
    CASE WHEN r >= 0.11 THEN '' WHEN r < 0.05 THEN 'missing' WHEN r < 0.07 THEN 'legacy_mobile'
         WHEN r < 0.09 THEN 'landline' ELSE 'foreign' END,
    'u' || n || '@mail.example', '', '', c < 0.7, c < 0.2,
    jsonb_build_object('$name', '고객 ' || n, '$city', '서울', '$region', '서울특별시', '$country_code', 'KR',
        '$last_seen', '2026-11-24T12:00:00', '$created', '2025-03-01T09:00:00', 'plan', '하루패스',
        'order_count', n %% 48, 'total_spent', n %% 48 * 19900, 'marketing_agreed', c < 0.7,
        '$phone', '010-' || d, '$email', 'u' || n || '@mail.example', 'user_no', 'HS' || n),
    n, now(), now()
FROM (SELECT n, random() AS r, random() AS c,
        lpad((20000000 + ((CASE WHEN n %% 67 = 66 THEN n - 1 ELSE n END)::bigint * 7368787) %% 80000000)::text, 8, '0')
            AS d
      FROM generate_series(1, %s) AS n) AS people
ORDER BY n
"""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from django.db import connection, transaction
    from pyroaring import BitMap64

    from campaigns.models import Campaign, OptOut, OptOutSource
    from cohorts.membership import publish
    from cohorts.models import Cohort, Profile
    from cohorts.people.facets import rebuild
    from notifly_console.tenancy.models import Project

    project = Project.objects.get(id=UUID(sys.argv[1]))
    profiles = int(sys.argv[2])
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(PROFILE, [project.id, profiles])
        cursor.execute("VACUUM ANALYZE cohorts_profile")
    began = time.perf_counter()
    rebuild(project.pk)
    rebuilt = time.perf_counter() - began
    people = Profile.objects.filter(project=project)
    refused = people.filter(phone__isnull=False, id__iendswith="17").values_list("phone", flat=True).distinct()
    OptOut.objects.bulk_create(
        [OptOut(project=project, phone=phone, source=OptOutSource.PROVIDER) for phone in refused], batch_size=5_000
    )
    cohort = Cohort.objects.create(project=project, source_id=5_000_000, name="전체 고객", name_key="전체 고객")
    with transaction.atomic():
        publish(cohort.pk, BitMap64(people.values_list("pk", flat=True)), {})
    campaign = Campaign.objects.create(
        project=project,
        name="주말 할인",
        channel="text",
        audience_kind="cohort",
        cohort=cohort,
        message={"kind": "sms", "is_ad": True, "text": '{{ user["$name"] | default: "고객" }}님, 주말 할인'},
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(json.dumps({"campaign": campaign.pk.hex, "rebuild_seconds": rebuilt}))


if __name__ == "__main__":
    main()
