"""A message's picture at the provider: uploaded when it is first needed, and once for each kind of message."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from campaigns.message.content import AlimtalkContent, Content, TextContent
from campaigns.models import Picture
from integrations import senders
from integrations.messaging import Catalogue, Kind, Stopped
from notifly_console.tenancy.models import Project


def upload(content: Content, project: Project, catalogue: Catalogue) -> None:
    """Sees to it that the provider has the picture of `content`. Raises NotTaken, Stopped."""
    picture = _picture(content, project)
    if picture is None or (key := _key(content, project)) in picture.uploaded:
        return
    found = catalogue.upload(bytes(picture.content), name=picture.name, kind=_kind(content))
    with transaction.atomic():
        row = Picture.objects.select_for_update().get(pk=picture.pk)
        row.uploaded[key] = found
        row.save(update_fields=["uploaded"])


def uploaded(content: Content, project: Project) -> Mapping[str, str]:
    """The provider's id of the picture by ours; empty where there is no picture. Raises Stopped("image") where it was
    not uploaded."""
    picture = _picture(content, project)
    if picture is None:
        return {}
    found = picture.uploaded.get(_key(content, project))
    if found is None:
        raise Stopped("image")
    return {picture.pk.hex: found}


def _picture(content: Content, project: Project) -> Picture | None:
    """Raises Stopped("image") where the message has a picture that is gone."""
    if isinstance(content, AlimtalkContent) or not content.picture:
        return None
    try:
        return Picture.objects.get(pk=UUID(hex=content.picture), project=project)
    except (Picture.DoesNotExist, ValueError):
        raise Stopped("image") from None


def _kind(content: Content) -> Kind:
    return Kind.MMS if isinstance(content, TextContent) else Kind.FRIENDTALK


def _key(content: Content, project: Project) -> str:
    """By kind and account: another account of the provider doesn't know it."""
    row = senders.row_of(project)
    account = senders.account_id(row) if row else ""
    return f"{_kind(content).value}:{account}"
