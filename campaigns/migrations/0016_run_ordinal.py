"""Sendings are counted without the tests between them; what the history says of them follows."""

from typing import Any

from django.db import migrations, models

COUNT = """UPDATE campaigns_run SET ordinal = counted.place FROM (
    SELECT id, row_number() OVER (PARTITION BY campaign_id ORDER BY number) AS place
    FROM campaigns_run WHERE kind <> 'test') AS counted WHERE counted.id = campaigns_run.id"""


def retell(apps: Any, _schema_editor: Any) -> None:
    """Lines of the history name the run by its number as it was."""
    events = apps.get_model("campaigns", "CampaignEvent").objects.filter(run__ordinal__isnull=False)
    moved = events.exclude(run__ordinal=models.F("run__number")).select_related("run").only("details", "run__ordinal")
    for event in moved.iterator(chunk_size=1000):
        if "number" in event.details:
            event.details["number"] = event.run.ordinal
            event.save(update_fields=["details"])


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0015_refused_rows")]

    operations = [
        migrations.AddField("run", "ordinal", models.PositiveIntegerField(null=True)),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunPython(retell, migrations.RunPython.noop),
        migrations.AddConstraint(
            "run", models.UniqueConstraint(fields=["campaign", "ordinal"], name="run_ordinal_once")
        ),
    ]
