"""A project's inlet: which Mixpanel project's pages it takes, and what was turned away there."""

import time
from typing import Any
from uuid import UUID

import structlog
from django.http import HttpRequest
from django.utils import timezone

from integrations.connect import MixpanelSettings
from integrations.models import Connection, Inlet, Kind
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.celery import app
from notifly_console.lib.nudge import nudge
from notifly_console.lib.throttle import Throttle
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

NOTE = app.signature("integrations.note_refusal")
BELIEVED_SECONDS = 3.0
_noted = Throttle(1, 60)
_belonging: dict[tuple[UUID, int], float] = {}


def belongs(project_id: UUID, mixpanel_project_id: int) -> bool:
    """Whether pages of this Mixpanel project are the project's: of the one that it is connected to, else of the one
    whose page came first, which is remembered. To be called in a transaction. A yes is believed for a few seconds."""
    known = _belonging.get((project_id, mixpanel_project_id), -BELIEVED_SECONDS)
    if time.monotonic() - known < BELIEVED_SECONDS:
        return True
    is_so = _ask_whose(project_id, mixpanel_project_id)
    if is_so:
        if len(_belonging) > 1000:
            _belonging.clear()
        _belonging[project_id, mixpanel_project_id] = time.monotonic()
    return is_so


def _ask_whose(project_id: UUID, mixpanel_project_id: int) -> bool:
    connected = Connection.objects.filter(project_id=project_id, kind=Kind.MIXPANEL).values_list("settings", flat=True)
    settings = connected.first()
    if settings is not None:
        return int(settings["project_id"]) == mixpanel_project_id
    bound = Inlet.objects.filter(project_id=project_id).values_list("mixpanel_project_id", flat=True).first()
    if bound is None:
        bound = _bind(project_id, mixpanel_project_id)
    return bound == mixpanel_project_id


def _bind(project_id: UUID, mixpanel_project_id: int) -> int | None:
    """Of two first pages at once one wins, and both learn which."""
    Inlet.objects.get_or_create(project_id=project_id)
    unbound = Inlet.objects.filter(project_id=project_id, mixpanel_project_id=None)
    unbound.update(mixpanel_project_id=mixpanel_project_id, bound_at=timezone.now())
    return Inlet.objects.values_list("mixpanel_project_id", flat=True).get(project_id=project_id)


def of(project: Project) -> Inlet:
    """The project's inlet; an unsaved one with what holds by default where nothing came yet."""
    return Inlet.objects.filter(project=project).first() or Inlet(project=project)


def mixpanel_settings(project: Project) -> MixpanelSettings | Inlet:
    """Who has `phone_column`, `email_column`, `identity_column` and `drop_unknown` for the project's people: its
    connection, else its inlet."""
    row = Connection.objects.filter(project=project, kind=Kind.MIXPANEL).first()
    return MixpanelSettings.of(row) if row else of(project)


# -- What was turned away ---------------------------------------------------------------------------------------------
def note_refusal(project_id: UUID | None, reason: str) -> None:
    """Lets a worker note that a call was turned away, for the set-up guide to show. Not written here: it would tell a
    project's id from a made-up one by the time it takes, and give a flood something to write."""
    if project_id is not None and _noted.wait(f"{project_id} {reason}") == 0:
        _noted.count(f"{project_id} {reason}")
        nudge(NOTE, project_id=project_id.hex, reason=reason)


def write_refusal(project_id: str, reason: str) -> None:
    """The note itself, by a worker; nothing for a project that isn't there."""
    project = Project.objects.filter(pk=UUID(project_id)).first()
    if project is None:
        return
    Inlet.objects.get_or_create(project=project)
    Inlet.objects.filter(project=project).update(refused_at=timezone.now(), refused_reason=reason)


def refuse_foreign(project_id: UUID, mixpanel_project_id: int, request: HttpRequest) -> None:
    """Records that another Mixpanel project's page came with a good key: once a minute, however many come."""
    log.warning("foreign_mixpanel_project", project=project_id.hex, mixpanel_project=mixpanel_project_id)
    note_refusal(project_id, "foreign_project")
    if _noted.wait(f"{project_id} {mixpanel_project_id}") == 0:
        _noted.count(f"{project_id} {mixpanel_project_id}")
        record(
            Action.INBOUND_REFUSED,
            project_id=project_id,
            request=request,
            target=str(mixpanel_project_id),
            reason="foreign_project",
        )


def change_columns(project: Project, **columns: Any) -> None:
    """Sets how pushed people are read while no service account is connected."""
    Inlet.objects.update_or_create(project=project, defaults=columns)


def forget_binding(project: Project) -> None:
    """Lets the next page say anew whose pages come here. (Other processes believe what they know a little longer.)"""
    _belonging.clear()
    Inlet.objects.filter(project=project).update(mixpanel_project_id=None, bound_at=None)
