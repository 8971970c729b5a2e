"""The cache's table, so that `migrate` is all that a new database needs."""

from typing import ClassVar

from django.core.management import call_command
from django.db import migrations


def create(_apps: object, schema_editor: object) -> None:
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)  # type: ignore[attr-defined]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tenancy", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(create, migrations.RunPython.noop)]
