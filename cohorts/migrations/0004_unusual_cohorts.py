from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cohorts", "0003_user_groups"),
        ("tenancy", "0005_apikey"),
    ]

    operations = [
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
    ]
