"""The audit log's one table. Rows are only ever added: the database refuses to change or remove one."""

from typing import ClassVar

from django.db import models

from notifly_console.audit.actions import Action


class Entry(models.Model):
    """Who did what, when, from where. Ids and names are copied, so that an entry outlives what it speaks of."""

    project_id = models.UUIDField(null=True)
    at = models.DateTimeField(auto_now_add=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=48, choices=Action.choices)
    target = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project_id", "-id"], name="entry_of_project")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(action__in=Action.values), name="entry_action_known")
        ]

    def __str__(self) -> str:
        return f"{self.at} {self.actor} {self.action}"
