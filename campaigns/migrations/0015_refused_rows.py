from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0014_left_out"),
    ]

    operations = [
        migrations.AddField(
            model_name="upload",
            name="refused_rows",
            field=models.BinaryField(null=True),
        ),
    ]
