"""Finding things by the names that people type: a project's 32 hex digits, a cohort's `mixpanel_N`."""

import re
from uuid import UUID

from cohorts.models import Cohort
from notifly_console.tenancy.models import Project


class Unknown(Exception):
    """There is nothing of that name; the message says so, and what a name looks like."""


def project(name: str) -> Project:
    """The project with this id. Raises Unknown."""
    try:
        return Project.objects.get(pk=UUID(name))
    except (ValueError, Project.DoesNotExist):
        raise Unknown(f"There is no project {name!r}. Its id is the 32 hex digits shown in 설정.") from None


def cohort(project: Project, name: str) -> Cohort:
    """The project's cohort of this screen id. Raises Unknown."""
    found = re.fullmatch(rf"{Cohort.SOURCE}_([0-9]{{1,18}})", name)
    row = Cohort.objects.filter(project=project, source_id=int(found[1])).first() if found else None
    if row is None:
        raise Unknown(
            f"The project has no cohort {name!r}. A cohort is written {Cohort.SOURCE}_N; one that is new in Mixpanel"
            " is known after a refresh of the whole project."
        )
    return row
