import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("campaigns", "0001_initial"),
        ("campaigns", "0002_drafts"),
        ("campaigns", "0003_sending"),
        ("campaigns", "0004_freezing"),
        ("campaigns", "0005_audiences"),
        ("campaigns", "0006_deleted_campaigns"),
        ("campaigns", "0007_no_waves"),
        ("campaigns", "0008_results"),
        ("campaigns", "0009_edited_from"),
        ("campaigns", "0010_opt_out_pulls"),
        ("campaigns", "0011_epoch"),
        ("campaigns", "0012_live"),
    ]

    dependencies = [
        ("cohorts", "0001_squashed_0006"),
        ("tenancy", "0001_squashed_0006"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Campaign",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="캠페인 이름")),
                ("description", models.TextField(blank=True, verbose_name="캠페인 설명")),
                ("author_name", models.CharField(blank=True, max_length=254)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "드래프트"),
                            ("active", "액티브"),
                            ("inactive", "비활성"),
                            ("ended", "종료"),
                        ],
                        default="draft",
                        max_length=8,
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        blank=True,
                        choices=[("alimtalk", "카카오 알림톡"), ("friendtalk", "카카오 친구톡"), ("text", "문자")],
                        max_length=12,
                    ),
                ),
                ("timing", models.JSONField(default=dict)),
                (
                    "audience_kind",
                    models.CharField(
                        blank=True,
                        choices=[("cohort", "외부 툴 연동 코호트"), ("group", "유저 그룹 설정"), ("csv", "CSV 파일")],
                        max_length=8,
                    ),
                ),
                ("message", models.JSONField(default=dict)),
                ("kept", models.JSONField(default=dict)),
                ("edited_by", models.CharField(blank=True, max_length=254)),
                ("edited_at", models.DateTimeField(null=True)),
                ("edited_from", models.CharField(blank=True, max_length=32)),
                ("version", models.IntegerField(default=0)),
                ("next_run_at", models.DateTimeField(null=True)),
                ("brake", models.CharField(blank=True, max_length=32)),
                ("launched_at", models.DateTimeField(null=True)),
                ("launched_by", models.CharField(blank=True, max_length=254)),
                ("ended_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("deleted_at", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "cohort",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cohorts.cohort"
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="cohorts.usergroup"
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
            name="Epoch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.UUIDField(default=uuid.uuid4)),
                ("number", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="OptOutPull",
            fields=[
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
                ("pulled_at", models.DateTimeField(null=True)),
                ("seen", models.PositiveIntegerField(default=0)),
                ("problem", models.CharField(blank=True, max_length=32)),
                ("tried_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Picture",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("media_type", models.CharField(max_length=32)),
                ("content", models.BinaryField()),
                ("width", models.PositiveIntegerField()),
                ("height", models.PositiveIntegerField()),
                ("uploaded", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Rules",
            fields=[
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
                ("sender_name", models.CharField(blank=True, max_length=40, verbose_name="발송자 이름")),
                ("opt_out_number", models.CharField(blank=True, max_length=16, verbose_name="무료 수신거부 번호")),
                ("freshness_hours", models.PositiveIntegerField(default=24)),
                (
                    "freshness",
                    models.CharField(
                        choices=[
                            ("warn", "알려 주고 그대로 보내기"),
                            ("refresh", "먼저 리프레시하기"),
                            ("refuse", "보내지 않기"),
                        ],
                        default="warn",
                        max_length=8,
                    ),
                ),
                (
                    "night",
                    models.CharField(
                        choices=[("wait", "08:00까지 기다렸다 보내기"), ("drop", "보내지 않기")],
                        default="wait",
                        max_length=4,
                    ),
                ),
                ("ceiling_won", models.PositiveBigIntegerField(null=True)),
                ("brake_percent", models.PositiveIntegerField(default=20)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("freshness__in", ["warn", "refresh", "refuse"])),
                        name="rules_freshness_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("night__in", ["wait", "drop"])), name="rules_night_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("brake_percent__gte", 1), ("brake_percent__lte", 100)), name="rules_brake"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("regular", "발송"), ("retry", "재발송"), ("test", "테스트")],
                        default="regular",
                        max_length=8,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "대기"),
                            ("freezing", "발송 대상 확정 중"),
                            ("sending", "발송 중"),
                            ("done", "발송 완료"),
                            ("cancelled", "발송 취소"),
                            ("skipped", "건너뜀"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                ("skipped_for", models.CharField(blank=True, max_length=32)),
                ("requested_by", models.CharField(blank=True, max_length=254)),
                (
                    "channel",
                    models.CharField(
                        choices=[("alimtalk", "카카오 알림톡"), ("friendtalk", "카카오 친구톡"), ("text", "문자")],
                        max_length=12,
                    ),
                ),
                ("message", models.JSONField(default=dict)),
                ("snapshot_number", models.IntegerField(null=True)),
                ("joined", models.BinaryField(null=True)),
                ("chosen", models.BinaryField(null=True)),
                ("frozen_upto", models.BigIntegerField(default=0)),
                ("funnel", models.JSONField(default=list)),
                ("size", models.BigIntegerField(null=True)),
                ("expected_won", models.DecimalField(decimal_places=2, max_digits=14, null=True)),
                ("unit_prices", models.JSONField(default=dict)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("not_before", models.DateTimeField(null=True)),
                ("waiting_for", models.CharField(blank=True, max_length=32)),
                ("troubles", models.PositiveIntegerField(default=0)),
                ("watched_from", models.DateTimeField(null=True)),
                ("sends_fallback", models.BooleanField(default=False)),
                ("canary_until", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("handed_over_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("outcome", models.JSONField(default=list)),
                ("delivered_count", models.BigIntegerField(default=0)),
                ("failed_count", models.BigIntegerField(default=0)),
                ("unknown_count", models.BigIntegerField(default=0)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="campaigns.campaign"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
                (
                    "retry_of",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="retry", to="campaigns.run"
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="cohorts.snapshot"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("claimed", "준비 중"),
                            ("tried", "넘기는 중"),
                            ("sent", "넘김"),
                            ("returned", "되돌림"),
                            ("unknown", "결과 모름"),
                            ("closed", "결과 확인 끝"),
                        ],
                        default="claimed",
                        max_length=8,
                    ),
                ),
                ("size", models.PositiveIntegerField()),
                ("handle", models.CharField(blank=True, max_length=64)),
                ("fence", models.BigIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("problem", models.CharField(blank=True, max_length=32)),
                ("tried_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("ask_at", models.DateTimeField(null=True)),
                ("asked_times", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="batches", to="campaigns.run"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Upload",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("columns", models.JSONField(default=list)),
                ("rows", models.BinaryField()),
                ("digits", models.BinaryField(default=b"")),
                ("consented", models.BinaryField(null=True)),
                ("accepted", models.PositiveIntegerField(default=0)),
                ("refused", models.JSONField(default=dict)),
                ("added_by", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="run",
            name="upload",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="campaigns.upload"
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="upload",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="campaigns.upload"
            ),
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="watch",
                        serialize=False,
                        to="campaigns.campaign",
                    ),
                ),
                ("number", models.IntegerField()),
                ("since", models.DateTimeField()),
                ("was_in", models.BigIntegerField(default=0)),
                (
                    "cohort",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="cohorts.cohort",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OptOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("phone", models.CharField(max_length=16)),
                (
                    "source",
                    models.CharField(
                        choices=[("own", "직접 등록"), ("import", "파일 등록"), ("provider", "080 수신거부")],
                        max_length=8,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200)),
                ("added_by", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenancy.project"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "phone"), name="opt_out_once"),
                    models.CheckConstraint(condition=models.Q(("phone__startswith", "+")), name="opt_out_e164"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recipient",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("profile_id", models.BigIntegerField(null=True)),
                ("external_id", models.CharField(blank=True, max_length=255)),
                ("phone", models.CharField(max_length=16)),
                ("values", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "대기"),
                            ("claimed", "넘기는 중"),
                            ("accepted", "결과 대기"),
                            ("delivered", "도달"),
                            ("failed", "실패"),
                            ("refused", "거절"),
                            ("skipped", "제외"),
                            ("unknown", "결과 모름"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=24)),
                ("code", models.CharField(blank=True, max_length=16)),
                ("kind", models.CharField(blank=True, max_length=12)),
                ("message_id", models.CharField(blank=True, max_length=64)),
                ("was_replaced", models.BooleanField(default=False)),
                ("is_transient", models.BooleanField(default=False)),
                ("handed_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="recipients",
                        to="campaigns.batch",
                    ),
                ),
                (
                    "once_of",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recipients",
                        to="campaigns.run",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "state", "id"], name="recipient_by_state"),
                    models.Index(
                        condition=models.Q(("batch__isnull", False)), fields=["batch"], name="recipient_of_batch"
                    ),
                    models.Index(
                        condition=models.Q(("once_of__isnull", False)),
                        fields=["once_of", "profile_id"],
                        name="recipient_of_live_campaign",
                    ),
                    models.Index(
                        condition=models.Q(("profile_id__isnull", False)),
                        fields=["profile_id"],
                        name="recipient_of_profile",
                    ),
                    models.Index(condition=models.Q(("profile_id", None)), fields=["phone"], name="recipient_of_file"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "phone"), name="recipient_once", opclasses=["int8_ops", "text_pattern_ops"]
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("once_of__isnull", False)),
                        fields=("once_of", "phone"),
                        name="recipient_once_of_campaign",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "state__in",
                                [
                                    "pending",
                                    "claimed",
                                    "accepted",
                                    "delivered",
                                    "failed",
                                    "refused",
                                    "skipped",
                                    "unknown",
                                ],
                            )
                        ),
                        name="recipient_state_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("phone__startswith", "+")), name="recipient_e164"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["accepted", "delivered", "unknown"]), _negated=True),
                            ("handed_at__isnull", False),
                            _connector="OR",
                        ),
                        name="recipient_handed_over_says_when",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CampaignEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("what", models.CharField(max_length=32)),
                ("by", models.CharField(blank=True, max_length=254)),
                ("details", models.JSONField(default=dict)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="campaigns.campaign"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="campaigns.run"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["campaign", "-id"], name="campaign_event_of")],
            },
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(fields=["run", "state"], name="batch_by_state"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(condition=models.Q(("ask_at__isnull", False)), fields=["ask_at"], name="batch_to_ask"),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("lease_until__isnull", False)), fields=["lease_until"], name="batch_leased"
            ),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(condition=models.Q(("handle__gt", "")), fields=["handle"], name="batch_by_handle"),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["claimed", "tried", "sent", "returned", "unknown", "closed"])),
                name="batch_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="batch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["tried", "sent", "unknown", "closed"]), _negated=True),
                    ("tried_at__isnull", False),
                    _connector="OR",
                ),
                name="batch_tried_says_when",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["project", "-created_at"], name="run_of_project"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("state__in", ("queued", "freezing", "sending"))), fields=["state"], name="run_live"
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("settled_at", None), models.Q(("state", "skipped"), _negated=True)),
                fields=["campaign"],
                name="run_unsettled",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(fields=("campaign", "number"), name="run_number_once"),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "regular")), fields=("campaign", "due_at"), name="run_once_for_each_moment"
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.UniqueConstraint(
                condition=models.Q(("joined__isnull", False), ("state__in", ["queued", "freezing"])),
                fields=("campaign",),
                name="run_of_joins_one_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["queued", "freezing", "sending", "done", "cancelled", "skipped"])),
                name="run_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["regular", "retry", "test"])), name="run_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "retry"), ("retry_of", None), _connector="OR"), name="run_retry_of"
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at", None), ("state__in", ("queued", "freezing", "sending"))),
                    models.Q(
                        models.Q(("state__in", ("queued", "freezing", "sending")), _negated=True),
                        ("finished_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="run_finished_or_live",
            ),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(fields=["project", "-created_at"], name="campaign_of_project"),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=models.Q(("next_run_at__isnull", False)), fields=["next_run_at"], name="campaign_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["draft", "active", "inactive", "ended"])), name="campaign_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("channel__in", ["alimtalk", "friendtalk", "text", ""])),
                name="campaign_channel_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("launched_at", None), ("state", "draft")),
                    models.Q(models.Q(("state", "draft"), _negated=True), ("launched_at__isnull", False)),
                    _connector="OR",
                ),
                name="campaign_launched_or_draft",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("next_run_at", None), ("state", "active"), _connector="OR"),
                name="campaign_runs_only_while_active",
            ),
        ),
    ]
