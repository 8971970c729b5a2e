from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CampaignsConfig(AppConfig):
    """What they are told: campaigns, their runs, and each recipient's outcome."""

    name = "campaigns"
    label = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # `reconcile` says that it wants to know of reports, `follow` of profiles that have become one, `live` of
        # versions of cohorts, `rezone` of projects that move to another zone, `audit_words` how facts are called.
        from campaigns import audit_words  # noqa: F401
        from campaigns.sending import arrows, follow, live, reconcile, rezone  # noqa: F401

        post_migrate.connect(arrows.install, sender=self, dispatch_uid="campaigns.arrows")
