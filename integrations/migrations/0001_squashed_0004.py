import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("integrations", "0001_initial"),
        ("integrations", "0002_inbound"),
        ("integrations", "0003_sender"),
        ("integrations", "0004_push_rehearsal"),
    ]

    dependencies = [
        ("tenancy", "0001_squashed_0006"),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("mixpanel", "Mixpanel"), ("solapi", "SOLAPI")], max_length=16)),
                ("settings", models.JSONField(default=dict)),
                ("sealed_secret", models.TextField(blank=True)),
                ("secret_hint", models.CharField(blank=True, max_length=4)),
                ("secret_set_at", models.DateTimeField(null=True)),
                ("secret_set_by", models.CharField(blank=True, max_length=254)),
                ("health", models.JSONField(default=dict)),
                ("hook_digest", models.CharField(blank=True, max_length=64)),
                ("hook_set_at", models.DateTimeField(null=True)),
                ("hook_called_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="connections", to="tenancy.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Inlet",
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
                ("mixpanel_project_id", models.BigIntegerField(null=True)),
                ("bound_at", models.DateTimeField(null=True)),
                ("phone_column", models.CharField(default="$phone", max_length=255)),
                ("email_column", models.CharField(default="$email", max_length=255)),
                ("identity_column", models.CharField(blank=True, max_length=255)),
                ("marketing_consent_column", models.CharField(blank=True, max_length=255)),
                ("night_consent_column", models.CharField(blank=True, max_length=255)),
                ("drop_unknown", models.BooleanField(default=False)),
                ("confirmed_for", models.CharField(blank=True, max_length=48)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("confirmed_by", models.CharField(blank=True, max_length=254)),
                ("refused_at", models.DateTimeField(null=True)),
                ("refused_reason", models.CharField(blank=True, max_length=48)),
            ],
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("region", models.CharField(max_length=2)),
                ("mixpanel_project_id", models.BigIntegerField()),
                ("blocked_until", models.DateTimeField(null=True)),
                ("pages_counted_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("region", "mixpanel_project_id"), name="budget_once")],
            },
        ),
        migrations.CreateModel(
            name="Pace",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="integrations.connection",
                    ),
                ),
                ("next_at", models.DateTimeField(null=True)),
                ("held_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SenderListing",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="integrations.connection",
                    ),
                ),
                ("data", models.JSONField(default=dict)),
                ("fetched_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=32)),
                ("tried_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="InboundPage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("cohort_page", "Mixpanel cohort page")], max_length=24)),
                ("subject", models.BigIntegerField(default=0)),
                ("fingerprint", models.CharField(max_length=64)),
                ("envelope", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
                ("sealed_with", models.CharField(max_length=16)),
                ("size", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[("new", "New"), ("taken", "Taken"), ("applied", "Applied"), ("dropped", "Dropped")],
                        default="new",
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=48)),
                ("repeats", models.IntegerField(default=0)),
                ("received_at", models.DateTimeField(auto_now_add=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "api_key",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="tenancy.apikey"
                    ),
                ),
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
        ),
        migrations.CreateModel(
            name="Place",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("holder", models.CharField(max_length=80)),
                ("lease_until", models.DateTimeField()),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="places", to="integrations.budget"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Query",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "budget",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="queries",
                        to="integrations.budget",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(fields=("project", "kind"), name="connection_once"),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["mixpanel", "solapi"])), name="connection_kind_known"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundpage",
            index=models.Index(
                condition=models.Q(("state", "new")), fields=["project", "kind", "subject", "id"], name="inbound_new"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundpage",
            index=models.Index(
                condition=models.Q(("settled_at__isnull", False)), fields=["settled_at"], name="inbound_settled"
            ),
        ),
        migrations.AddIndex(
            model_name="inboundpage",
            index=models.Index(fields=["project", "-id"], name="inbound_of_project"),
        ),
        migrations.AddConstraint(
            model_name="inboundpage",
            constraint=models.UniqueConstraint(fields=("project", "kind", "fingerprint"), name="inbound_once"),
        ),
        migrations.AddConstraint(
            model_name="inboundpage",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["cohort_page"])), name="inbound_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="inboundpage",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at", None), ("state__in", ["new", "taken"])),
                    models.Q(("settled_at__isnull", False), ("state__in", ["applied", "dropped"])),
                    _connector="OR",
                ),
                name="inbound_settled_or_open",
            ),
        ),
        migrations.AddIndex(
            model_name="query",
            index=models.Index(fields=["budget", "at"], name="query_of_hour"),
        ),
    ]
