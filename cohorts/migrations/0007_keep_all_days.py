from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("cohorts", "0001_squashed_0006"),
        ("tenancy", "0001_squashed_0006"),
    ]

    operations = [
        migrations.AddField(
            model_name="cohortrules",
            name="keep_all_days",
            field=models.PositiveSmallIntegerField(db_default=7, default=7),
        ),
        migrations.AddConstraint(
            model_name="cohortrules",
            constraint=models.CheckConstraint(
                condition=models.Q(("keep_all_days__lte", 31)), name="keep_all_days_of_a_month"
            ),
        ),
    ]
