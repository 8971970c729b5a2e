"""A project's rules for sending."""

from campaigns.models import Rules
from notifly_console.tenancy.models import Project


def rules_of(project: Project) -> Rules:
    """The project's rules; those that everybody begins with, written nowhere, until somebody changes one."""
    return Rules.objects.filter(pk=project.pk).first() or Rules(project=project)
