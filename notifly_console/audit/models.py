"""The audit log's one table. Rows are only ever added: the database refuses to change or remove one."""

from typing import ClassVar

from django.db import models

from notifly_console.audit.actions import known_actions


class Entry(models.Model):
    """Who did what, when, from where. Ids and names are copied, so that an entry outlives what it speaks of."""

    project_id = models.UUIDField(null=True)
    at = models.DateTimeField(auto_now_add=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=48, choices=known_actions)
    target = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["project_id", "-id"], name="entry_of_project")]
        constraints: ClassVar = [
            # Which words there are is the list in code: in the database it would be a new table for each new one.
            models.CheckConstraint(condition=models.Q(action__gt=""), name="entry_action_named")
        ]

    def __str__(self) -> str:
        return f"{self.at} {self.actor} {self.action}"
