"""What operators' commands are given, read the same way by each."""

import os
from pathlib import Path
from uuid import UUID

from django.core.management.base import CommandError

from notifly_console.tenancy.models import Project


def project_of(text: str) -> Project:
    """The project of `--project`. Raises CommandError."""
    try:
        return Project.objects.get(pk=UUID(text))
    except (ValueError, Project.DoesNotExist):
        raise CommandError(
            "--project: there is no project with this id. `manage.py bootstrap` prints it, the settings page shows it."
        ) from None


def secret_of(name: str, what: str) -> str:
    """The secret in the variable `name`, or in the file that `<name>_FILE` names. Raises CommandError, saying `what`
    is wanted."""
    if secret := os.environ.get(name, ""):
        return secret
    path = os.environ.get(f"{name}_FILE", "")
    if not path:
        raise CommandError(f"Set {name}, or {name}_FILE, to {what}.")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name}_FILE can't be read: {type(error).__name__}.") from None
