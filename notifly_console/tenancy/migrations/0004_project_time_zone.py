from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0003_session"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="time_zone",
            field=models.CharField(default="Asia/Seoul", max_length=64, verbose_name="시간대"),
        ),
    ]
