"""The first owner and project of a console."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy.models import Member, Project, Role, User


class CannotBootstrap(Exception):
    """What was given doesn't make an owner and a project; the message says what to change."""


@transaction.atomic
def bootstrap(*, email: str, password: str, project_name: str) -> Project:
    """Makes the owner and their project where they aren't there yet; the same call again changes nothing.

    Raises CannotBootstrap for a bad e-mail address, or an empty password or name.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise CannotBootstrap("--email is not an e-mail address.") from None
    if not project_name.strip() or len(project_name) > 80:
        raise CannotBootstrap("--project needs a name of 1 to 80 characters.")
    user = User.objects.filter(email=email).first()
    if user is None:
        if not password:
            raise CannotBootstrap("Give --password, or set BOOTSTRAP_PASSWORD.")
        user = User.objects.create_user(email, password)
    member = (
        Member.objects.select_related("project")
        .filter(user=user, role=Role.OWNER, project__name=project_name)
        .order_by("created_at")
        .first()
    )
    if member is not None:
        return member.project
    project = Project.objects.create(name=project_name)
    Member.objects.create(project=project, user=user, role=Role.OWNER)
    record(Action.PROJECT_CREATED, project_id=project.id, actor=user, target=project.name)
    return project
