"""Who the people are, and what audiences ask of them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from notifly_console.tenancy.models import Project


class Profile(models.Model):
    """An end customer of a project, known by `external_id`. Its id is never reused: bitmaps hold it."""

    # No constraint in the database: it was a quarter of the time that a first refresh takes, and rows are only written
    # under a Refresh, whose own project is constrained.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    external_id = models.CharField(max_length=255)
    distinct_id = models.CharField(max_length=255)
    is_anonymous = models.BooleanField(default=False)
    phone = models.CharField(max_length=16, null=True)
    """E.164 where it is a reachable mobile number (product.md §3), else null with `phone_reason`."""
    phone_raw = models.CharField(max_length=255, blank=True)
    phone_reason = models.CharField(max_length=24, blank=True)
    email = models.CharField(max_length=254, null=True)
    """In lower case, which is also how it is searched for."""
    email_raw = models.CharField(max_length=255, blank=True)
    email_reason = models.CharField(max_length=24, blank=True)
    marketing_consent = models.BooleanField(default=False)
    night_consent = models.BooleanField(default=False)
    """To advertising between 21:00 and 08:00, which the other doesn't include (정보통신망법 제50조 ③)."""
    properties = models.JSONField(default=dict)
    digest = models.BigIntegerField(default=0)
    """Of everything above as it came: an equal digest means that nothing is to be written."""
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # The pattern operators let a search by the beginning of an id use the index whatever the collation.
            models.UniqueConstraint(
                fields=["project", "external_id"],
                name="profile_once",
                opclasses=["uuid_ops", "text_pattern_ops"],
            ),
            models.CheckConstraint(
                condition=Q(phone=None, phone_reason__gt="") | Q(phone__isnull=False, phone_reason=""),
                name="profile_phone_or_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["phone"],
                condition=Q(phone__isnull=False),
                name="profile_phone",
                opclasses=["text_pattern_ops"],
            ),
            models.Index(
                fields=["email"],
                condition=Q(email__isnull=False),
                name="profile_email",
                opclasses=["text_pattern_ops"],
            ),
            models.Index(fields=["project", "-id"], name="profile_of_project"),
        ]

    def __str__(self) -> str:
        return self.external_id


class FacetChunk(models.Model):
    """What audiences ask of the profiles whose id divided by 16,384 is `number`: `people/facets.py` reads it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.BigIntegerField()
    stamp = models.BigIntegerField(default=0)
    """Another one with every change."""
    sets = models.BinaryField(default=b"")
    digits = models.BinaryField(default=b"")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "number"], name="facet_chunk_once")]

    def __str__(self) -> str:
        return f"{self.project_id} {self.number}"


class PhoneMoves(models.Model):
    """Whose phone changed in one batch of profiles: what two versions differ by beside their members. A phone belongs
    to a person, not to a version, so this is kept once for a project and not with each version."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField(auto_now_add=True)
    changed = models.BinaryField(default=bytes)
    """Another reachable number than before."""
    lost = models.BinaryField(default=bytes)
    """No reachable number any more."""
    gained = models.BinaryField(default=bytes)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project", "id"], name="phone_moves_of_project")]

    def __str__(self) -> str:
        return f"{self.project_id} {self.pk}"


class Alias(models.Model):
    """A distinct id that turned out to be somebody with an identity. Where there were two profiles, `old_id` was the
    one that is gone: versions from before still hold it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(max_length=255)
    profile_id = models.BigIntegerField()
    old_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["project", "external_id"], name="alias_once")]
        indexes: ClassVar = [
            models.Index(fields=["project", "at"], condition=Q(old_id__isnull=False), name="alias_of_gone"),
            models.Index(fields=["profile_id"], name="alias_of_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} is {self.profile_id}"
