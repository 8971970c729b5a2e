import django.db.models.deletion
import django.db.models.functions.comparison
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("cohorts", "0001_initial"),
        ("cohorts", "0002_consent_and_facets"),
        ("cohorts", "0003_user_groups"),
        ("cohorts", "0004_unusual_cohorts"),
        ("cohorts", "0005_push"),
        ("cohorts", "0006_versions_and_rhythm"),
    ]

    dependencies = [
        ("integrations", "0001_squashed_0004"),
        ("tenancy", "0001_squashed_0006"),
    ]

    operations = [
        migrations.CreateModel(
            name="Cohort",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source_id", models.BigIntegerField()),
                ("name", models.TextField()),
                ("name_key", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True)),
                ("reported_size", models.BigIntegerField(null=True)),
                ("is_visible", models.BooleanField(default=True)),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
                ("is_listed", models.BooleanField(default=True)),
                ("vanished_at", models.DateTimeField(null=True)),
                ("pushed_at", models.DateTimeField(null=True)),
                ("number", models.IntegerField(default=0)),
                ("size", models.BigIntegerField(null=True)),
                ("joined_count", models.BigIntegerField(default=0)),
                ("left_count", models.BigIntegerField(default=0)),
                ("refreshed_at", models.DateTimeField(null=True)),
                ("failed_at", models.DateTimeField(null=True)),
                ("failure", models.CharField(blank=True, max_length=32)),
                ("needed_at", models.DateTimeField(null=True)),
                ("watched_at", models.DateTimeField(null=True)),
                ("planned_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PushRoad",
            fields=[
                (
                    "cohort",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="road",
                        serialize=False,
                        to="cohorts.cohort",
                    ),
                ),
                ("members", models.BinaryField(default=bytes)),
                ("size", models.BigIntegerField(default=0)),
                ("first_at", models.DateTimeField(auto_now_add=True)),
                ("called_at", models.DateTimeField(null=True)),
                ("difference_at", models.DateTimeField(null=True)),
                ("complete_at", models.DateTimeField(null=True)),
                ("full_at", models.DateTimeField(null=True)),
                ("applied_seq", models.BigIntegerField(default=0)),
                ("applied_session", models.CharField(blank=True, max_length=200)),
                ("pulled_seq", models.BigIntegerField(default=0)),
                ("wants_full_at", models.DateTimeField(null=True)),
                ("wants_full_why", models.CharField(blank=True, max_length=32)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="CohortRules",
            fields=[
                (
                    "every",
                    models.CharField(
                        choices=[("off", "하지 않음"), ("hours", "몇 시간마다"), ("daily", "매일 정한 시각")],
                        default="off",
                        max_length=8,
                    ),
                ),
                ("hours", models.PositiveSmallIntegerField(default=24)),
                ("daily_at", models.TimeField(null=True)),
                ("before_campaign", models.BooleanField(default=True)),
                ("changed_by", models.CharField(blank=True, max_length=254)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="tenancy.project",
                    ),
                ),
                ("heals_daily", models.BooleanField(default=True)),
                ("keep_versions", models.PositiveSmallIntegerField(default=30)),
                ("keep_days", models.PositiveSmallIntegerField(null=True)),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("hours__gte", 1), ("hours__lte", 168)), name="cohortrules_hours_of_a_week"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("every", "daily"), _negated=True), ("daily_at__isnull", False), _connector="OR"
                        ),
                        name="cohortrules_daily_has_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("every__in", ["off", "hours", "daily"])), name="cohortrules_every_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("keep_versions__gte", 5), ("keep_versions__lte", 100)), name="keep_5_to_100"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("keep_days", None),
                            models.Q(("keep_days__gte", 1), ("keep_days__lte", 1000)),
                            _connector="OR",
                        ),
                        name="keep_days_of_some_years",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Pull",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "대기"), ("running", "리프레시 중"), ("done", "완료"), ("failed", "실패")],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("position", models.IntegerField()),
                ("session_id", models.TextField(blank=True)),
                ("total", models.BigIntegerField(null=True)),
                ("page_size", models.IntegerField(null=True)),
                ("pages_done", models.IntegerField(default=0)),
                ("arrivals", models.BigIntegerField(default=0)),
                ("received", models.BigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("attempts", models.IntegerField(default=0)),
                ("restarts", models.IntegerField(default=0)),
                ("failure", models.CharField(blank=True, max_length=32)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="cohorts.cohort"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pages", models.JSONField()),
                ("members", models.BinaryField()),
                (
                    "pull",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="cohorts.pull"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PushSession",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session_id", models.CharField(max_length=210)),
                (
                    "action",
                    models.CharField(
                        choices=[("members", "전체"), ("add_members", "들어옴"), ("remove_members", "나감")],
                        max_length=16,
                    ),
                ),
                ("turn", models.IntegerField(default=1)),
                ("pages", models.IntegerField()),
                ("pages_here", models.IntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("gathering", "수신 중"),
                            ("awaiting", "확인 대기"),
                            ("applied", "적용됨"),
                            ("abandoned", "중단됨"),
                            ("inconsistent", "어긋남"),
                            ("superseded", "더 새로운 것으로 대체됨"),
                        ],
                        default="gathering",
                        max_length=16,
                    ),
                ),
                ("why", models.CharField(blank=True, max_length=32)),
                ("first_seq", models.BigIntegerField()),
                ("name", models.TextField(blank=True)),
                ("description", models.TextField(null=True)),
                ("integration_id", models.CharField(blank=True, max_length=40)),
                ("began_at", models.DateTimeField()),
                ("last_page_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("members", models.BinaryField(default=bytes)),
                ("counts", models.JSONField(default=dict)),
                ("unusable", models.JSONField(default=list)),
                ("rehearsal", models.JSONField(default=dict)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sessions", to="cohorts.cohort"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PushPage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("is_read", models.BooleanField(default=False)),
                ("members", models.BinaryField(default=bytes)),
                ("counts", models.JSONField(default=dict)),
                ("unusable", models.JSONField(default=list)),
                (
                    "inbound",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="integrations.inboundpage"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="page_rows", to="cohorts.pushsession"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Refresh",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "대기"),
                            ("running", "리프레시 중"),
                            ("waiting", "요청 한도 대기"),
                            ("succeeded", "완료"),
                            ("partial", "일부 실패"),
                            ("failed", "실패"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                ("requested_by", models.CharField(blank=True, max_length=254)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("not_before", models.DateTimeField(null=True)),
                ("listed_at", models.DateTimeField(null=True)),
                ("waiting_for", models.CharField(blank=True, max_length=32)),
                ("failure", models.CharField(blank=True, max_length=32)),
                ("receipt", models.JSONField(default=dict)),
                (
                    "cohort",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="cohorts.cohort"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="pull",
            name="refresh",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="pulls", to="cohorts.refresh"
            ),
        ),
        migrations.CreateModel(
            name="Drift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("pulled", models.BigIntegerField()),
                ("pushed", models.BigIntegerField()),
                ("only_pulled", models.BinaryField()),
                ("only_pushed", models.BinaryField()),
                ("only_pulled_count", models.BigIntegerField()),
                ("only_pushed_count", models.BigIntegerField()),
                ("reported", models.BigIntegerField(null=True)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="drifts", to="cohorts.cohort"
                    ),
                ),
                (
                    "refresh",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.refresh"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("published", "적용됨"), ("held", "확인 필요"), ("discarded", "버림")],
                        default="published",
                        max_length=12,
                    ),
                ),
                ("members", models.BinaryField()),
                ("joined", models.BinaryField()),
                ("left", models.BinaryField()),
                ("size", models.BigIntegerField()),
                ("joined_count", models.BigIntegerField()),
                ("left_count", models.BigIntegerField()),
                ("reach", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("decided_by", models.CharField(blank=True, max_length=254)),
                ("decided_at", models.DateTimeField(null=True)),
                ("undoes", models.IntegerField(null=True)),
                ("restores", models.IntegerField(null=True)),
                ("returned_count", models.BigIntegerField(default=0)),
                ("phone_mark", models.BigIntegerField(null=True)),
                ("kept_until", models.DateTimeField(null=True)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="snapshots", to="cohorts.cohort"
                    ),
                ),
                (
                    "refresh",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.refresh"
                    ),
                ),
                (
                    "session",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="cohorts.pushsession",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="cohort",
            name="current",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.snapshot"
            ),
        ),
        migrations.AddField(
            model_name="cohort",
            name="held",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.snapshot"
            ),
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField()),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("hours", "몇 시간마다"),
                            ("daily", "매일 정한 시각"),
                            ("campaign", "캠페인 발송 전"),
                            ("heal", "두 경로 맞추기"),
                        ],
                        max_length=8,
                    ),
                ),
                ("made_at", models.DateTimeField(auto_now_add=True)),
                (
                    "cohort",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="ticks", to="cohorts.cohort"
                    ),
                ),
                (
                    "refresh",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.refresh"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UserGroup",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("name_key", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True)),
                ("definition", models.JSONField(default=dict)),
                ("version", models.IntegerField(default=1)),
                ("size", models.BigIntegerField(null=True)),
                ("counted_at", models.DateTimeField(null=True)),
                ("made_by", models.CharField(blank=True, max_length=254)),
                ("changed_by", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "partner_cohort",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="partner_group",
                        to="cohorts.cohort",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GroupSize",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("size", models.BigIntegerField()),
                ("reachable", models.BigIntegerField()),
                ("with_email", models.BigIntegerField()),
                (
                    "group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sizes", to="cohorts.usergroup"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GroupNesting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "inner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT, related_name="used_in", to="cohorts.usergroup"
                    ),
                ),
                (
                    "outer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="asks_about", to="cohorts.usergroup"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Alias",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=255)),
                ("profile_id", models.BigIntegerField()),
                ("old_id", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("old_id__isnull", False)), fields=["project", "at"], name="alias_of_gone"
                    ),
                    models.Index(fields=["profile_id"], name="alias_of_profile"),
                ],
                "constraints": [models.UniqueConstraint(fields=("project", "external_id"), name="alias_once")],
            },
        ),
        migrations.CreateModel(
            name="CohortRhythm",
            fields=[
                (
                    "every",
                    models.CharField(
                        choices=[("off", "하지 않음"), ("hours", "몇 시간마다"), ("daily", "매일 정한 시각")],
                        default="off",
                        max_length=8,
                    ),
                ),
                ("hours", models.PositiveSmallIntegerField(default=24)),
                ("daily_at", models.TimeField(null=True)),
                ("before_campaign", models.BooleanField(default=True)),
                ("changed_by", models.CharField(blank=True, max_length=254)),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "cohort",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="rhythm",
                        serialize=False,
                        to="cohorts.cohort",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("hours__gte", 1), ("hours__lte", 168)), name="cohortrhythm_hours_of_a_week"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("every", "daily"), _negated=True), ("daily_at__isnull", False), _connector="OR"
                        ),
                        name="cohortrhythm_daily_has_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("every__in", ["off", "hours", "daily"])), name="cohortrhythm_every_known"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DriftPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("only", models.CharField(choices=[("pulled", "풀"), ("pushed", "푸시")], max_length=6)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("no_profile", "콘솔에 없는 유저"),
                            ("unfinished", "끝나지 않은 세션에 들어 있던 유저"),
                            ("page_lost", "빠진 쪽에 있었을 유저"),
                            ("not_synced", "아직 푸시되지 않은 유저"),
                            ("lost_ack", "확인 응답이 유실된 뒤 나간 유저"),
                            ("left_unsaid", "나갔다는 알림이 없는 유저"),
                        ],
                        max_length=16,
                    ),
                ),
                ("people", models.BinaryField()),
                ("count", models.BigIntegerField()),
                ("without_phone", models.BigIntegerField()),
                (
                    "drift",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="cohorts.drift"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("drift", "only", "kind"), name="drift_part_once"),
                    models.CheckConstraint(
                        condition=models.Q(("only__in", ["pulled", "pushed"])), name="drift_part_of_a_road"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FacetChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField()),
                ("stamp", models.BigIntegerField(default=0)),
                ("sets", models.BinaryField(default=b"")),
                ("digits", models.BinaryField(default=b"")),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.project",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("project", "number"), name="facet_chunk_once")],
            },
        ),
        migrations.CreateModel(
            name="PhoneMoves",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("changed", models.BinaryField(default=bytes)),
                ("lost", models.BinaryField(default=bytes)),
                ("gained", models.BinaryField(default=bytes)),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.project",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["project", "id"], name="phone_moves_of_project")],
            },
        ),
        migrations.CreateModel(
            name="Profile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=255)),
                ("distinct_id", models.CharField(max_length=255)),
                ("is_anonymous", models.BooleanField(default=False)),
                ("phone", models.CharField(max_length=16, null=True)),
                ("phone_raw", models.CharField(blank=True, max_length=255)),
                ("phone_reason", models.CharField(blank=True, max_length=24)),
                ("email", models.CharField(max_length=254, null=True)),
                ("email_raw", models.CharField(blank=True, max_length=255)),
                ("email_reason", models.CharField(blank=True, max_length=24)),
                ("marketing_consent", models.BooleanField(default=False)),
                ("night_consent", models.BooleanField(default=False)),
                ("properties", models.JSONField(default=dict)),
                ("digest", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField()),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("phone__isnull", False)),
                        fields=["phone"],
                        name="profile_phone",
                        opclasses=["text_pattern_ops"],
                    ),
                    models.Index(
                        condition=models.Q(("email__isnull", False)),
                        fields=["email"],
                        name="profile_email",
                        opclasses=["text_pattern_ops"],
                    ),
                    models.Index(fields=["project", "-id"], name="profile_of_project"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "external_id"),
                        name="profile_once",
                        opclasses=["uuid_ops", "text_pattern_ops"],
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("phone", None), ("phone_reason__gt", "")),
                            models.Q(("phone__isnull", False), ("phone_reason", "")),
                            _connector="OR",
                        ),
                        name="profile_phone_or_reason",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="pushsession",
            index=models.Index(fields=["cohort", "-first_seq"], name="push_session_of_cohort"),
        ),
        migrations.AddIndex(
            model_name="pushsession",
            index=models.Index(
                condition=models.Q(("state", "gathering")), fields=["last_page_at"], name="push_session_gathering"
            ),
        ),
        migrations.AddConstraint(
            model_name="pushsession",
            constraint=models.UniqueConstraint(
                fields=("cohort", "session_id", "action", "turn"), name="push_session_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="pushsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["gathering", "awaiting", "applied", "abandoned", "inconsistent", "superseded"])
                ),
                name="push_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pushsession",
            constraint=models.CheckConstraint(
                condition=models.Q(("action__in", ["members", "add_members", "remove_members"])),
                name="push_action_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pushsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("state__in", ("gathering", "awaiting"))),
                    models.Q(
                        models.Q(("state__in", ("gathering", "awaiting")), _negated=True),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="push_finished_or_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="pushpage",
            constraint=models.UniqueConstraint(fields=("session", "number"), name="push_page_once"),
        ),
        migrations.AddIndex(
            model_name="refresh",
            index=models.Index(fields=["project", "-requested_at"], name="refresh_of_project"),
        ),
        migrations.AddConstraint(
            model_name="refresh",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "running", "waiting"))),
                fields=("project",),
                name="refresh_live_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="refresh",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "running", "waiting", "succeeded", "partial", "failed"])),
                name="refresh_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refresh",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("state__in", ("queued", "running", "waiting"))),
                    models.Q(
                        models.Q(("state__in", ("queued", "running", "waiting")), _negated=True),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="refresh_finished_or_live",
            ),
        ),
        migrations.AddIndex(
            model_name="pull",
            index=models.Index(fields=["refresh", "state", "position"], name="pull_next"),
        ),
        migrations.AddConstraint(
            model_name="pull",
            constraint=models.UniqueConstraint(fields=("refresh", "cohort"), name="pull_once"),
        ),
        migrations.AddConstraint(
            model_name="pull",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "running", "done", "failed"])), name="pull_state_known"
            ),
        ),
        migrations.AddIndex(
            model_name="drift",
            index=models.Index(fields=["cohort", "-at"], name="drift_of_cohort"),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.UniqueConstraint(fields=("cohort", "number"), name="snapshot_number_once"),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1), ("size__gte", 0)), name="snapshot_counts"
            ),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("restores", None), ("undoes", None)),
                    models.Q(("restores__isnull", False), ("undoes__isnull", False)),
                    _connector="OR",
                ),
                name="snapshot_undoes_and_restores",
            ),
        ),
        migrations.AddIndex(
            model_name="cohort",
            index=models.Index(fields=["project", "name_key", "id"], name="cohort_by_name"),
        ),
        migrations.AddIndex(
            model_name="cohort",
            index=models.Index(
                models.F("project"),
                models.OrderBy(
                    django.db.models.functions.comparison.Coalesce("size", models.Value(-1)), descending=True
                ),
                models.F("name_key"),
                models.F("id"),
                name="cohort_by_size",
            ),
        ),
        migrations.AddIndex(
            model_name="cohort",
            index=models.Index(
                condition=models.Q(
                    ("held__isnull", False),
                    ("failed_at__isnull", False),
                    ("vanished_at__isnull", False),
                    ("is_visible", False),
                    _connector="OR",
                ),
                fields=["project"],
                name="cohort_unusual",
            ),
        ),
        migrations.AddConstraint(
            model_name="cohort",
            constraint=models.UniqueConstraint(fields=("project", "source_id"), name="cohort_once"),
        ),
        migrations.AddConstraint(
            model_name="cohort",
            constraint=models.CheckConstraint(
                condition=models.Q(("size", None), ("size__gte", 0), _connector="OR"), name="cohort_size_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="cohort",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("failed_at", None), ("failure", "")),
                    models.Q(("failed_at__isnull", False), ("failure__gt", "")),
                    _connector="OR",
                ),
                name="cohort_failure_or_none",
            ),
        ),
        migrations.AddIndex(
            model_name="tick",
            index=models.Index(fields=["made_at"], name="tick_by_time"),
        ),
        migrations.AddConstraint(
            model_name="tick",
            constraint=models.UniqueConstraint(fields=("cohort", "due_at"), name="tick_once"),
        ),
        migrations.AddConstraint(
            model_name="tick",
            constraint=models.CheckConstraint(
                condition=models.Q(("why__in", ["hours", "daily", "campaign", "heal"])), name="tick_why_known"
            ),
        ),
        migrations.AddIndex(
            model_name="usergroup",
            index=models.Index(fields=["project", "name_key", "id"], name="user_group_by_name"),
        ),
        migrations.AddConstraint(
            model_name="usergroup",
            constraint=models.CheckConstraint(
                condition=models.Q(("size", None), ("size__gte", 0), _connector="OR"),
                name="user_group_size_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="groupsize",
            constraint=models.UniqueConstraint(fields=("group", "day"), name="group_size_once_a_day"),
        ),
        migrations.AddConstraint(
            model_name="groupnesting",
            constraint=models.UniqueConstraint(fields=("outer", "inner"), name="group_nesting_once"),
        ),
        migrations.AddConstraint(
            model_name="groupnesting",
            constraint=models.CheckConstraint(
                condition=models.Q(("outer", models.F("inner")), _negated=True), name="group_not_in_itself"
            ),
        ),
    ]
