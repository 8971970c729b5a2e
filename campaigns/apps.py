from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """What they are told."""

    name = "campaigns"
    label = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"
