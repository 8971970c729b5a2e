"""A campaign may watch several cohorts: those of its user group."""

import django.db.models.deletion
from django.db import migrations, models


def copy(apps, schema_editor):
    before, after = apps.get_model("campaigns", "WatchOfOne"), apps.get_model("campaigns", "Watch")
    same = ("campaign_id", "cohort_id", "number", "since", "was_in")
    after.objects.bulk_create(after(**one) for one in before.objects.values(*same))


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0001_squashed_0012"),
        ("cohorts", "0001_squashed_0006"),
    ]

    operations = [
        migrations.RenameModel("Watch", "WatchOfOne"),
        migrations.AlterField(
            model_name="watchofone",
            name="campaign",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="campaigns.campaign",
            ),
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="watches", to="campaigns.campaign"
                    ),
                ),
                (
                    "cohort",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="cohorts.cohort",
                    ),
                ),
                ("number", models.IntegerField()),
                ("since", models.DateTimeField()),
                ("was_in", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("campaign", "cohort"), name="watch_once")],
            },
        ),
        migrations.RunPython(copy, migrations.RunPython.noop, elidable=True),
        migrations.DeleteModel("WatchOfOne"),
    ]
