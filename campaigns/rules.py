"""A project's rules for sending."""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from campaigns.models import Rules
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy.models import Project

FIELDS = (
    "sender_name", "opt_out_number", "freshness_hours", "freshness", "night", "ceiling_won", "brake_percent",
)  # fmt: skip


class Changed(Exception):
    """Somebody saved meanwhile. `stored` is what they left."""

    def __init__(self, stored: Rules) -> None:
        super().__init__(stored.pk)
        self.stored = stored


def rules_of(project: Project) -> Rules:
    """The project's rules; those that everybody begins with, written nowhere, until somebody changes one."""
    return Rules.objects.filter(pk=project.pk).first() or Rules(project=project)


def seen_of(rules: Rules) -> str:
    """What a change was decided on: "" while nobody has changed them."""
    return rules.updated_at.isoformat() if rules.updated_at else ""


def change(
    project: Project, values: dict[str, Any], *, seen: str, actor: Any = None, request: HttpRequest | None = None
) -> list[str]:
    """Writes the rules (`values` by FIELDS), and in the log which of them changed; their names. Raises Changed when
    somebody saved after `seen` (as `seen_of` gave it). They hold from the next batch on; what is frozen stays."""
    with transaction.atomic():
        stored = Rules.objects.select_for_update().filter(pk=project.pk).first() or Rules(project=project)
        if seen_of(stored) != seen:
            raise Changed(stored)
        changed = [name for name in FIELDS if getattr(stored, name) != values[name]]
        if not changed:
            return []
        is_new = stored.updated_at is None
        for name in changed:
            setattr(stored, name, values[name])
        try:
            with transaction.atomic():
                stored.save(force_insert=is_new)
        except IntegrityError as error:
            raise Changed(Rules.objects.get(pk=project.pk)) from error
        record(
            Action.SENDING_RULES_CHANGED,
            project_id=project.pk,
            actor=actor,
            request=request,
            fields=changed,
            **{name: str(values[name]) for name in changed},
        )
    return changed
