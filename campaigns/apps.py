from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    """What they are told: campaigns, their runs, and each recipient's outcome."""

    name = "campaigns"
    label = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from campaigns import arrows, reconcile  # noqa: F401 -- `reconcile` says that it wants to know of reports

        post_migrate.connect(arrows.install, sender=self, dispatch_uid="campaigns.arrows")
