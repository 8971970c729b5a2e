"""What campaigns are made with: files of people, pictures."""

import uuid

from django.db import models

from notifly_console.tenancy.models import Project


class Upload(models.Model):
    """A CSV file as an audience: its rows with a usable number, and why the others were left out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    columns = models.JSONField(default=list)
    """Names of the file's columns, in order."""
    rows = models.BinaryField()
    """Deflated JSON lines `[phone, row number, {column: value}]` of the rows that can be sent to."""
    digits = models.BinaryField(default=b"")
    """The eight digits after 010 of each of these rows (`lib/digits.py`)."""
    consented = models.BinaryField(null=True)
    """A serialised bitmap of the places, from 1, of the rows that consent to advertising; null where no column says."""
    accepted = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=dict)
    """{"counts": {reason: n}, "examples": [[row number, reason, what stood there, masked], …]}, the first few."""
    refused_rows = models.BinaryField(null=True)
    """All of these lines, deflated as `rows` are; null for a file from before they were kept."""
    added_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Picture(models.Model):
    """A picture of a message, kept here and uploaded to the provider when it is first needed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=32)
    content = models.BinaryField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    uploaded = models.JSONField(default=dict)
    """The provider's id by kind of message and account; `campaigns/message/picture_ids.py` knows the keys."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
