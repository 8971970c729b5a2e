from django.apps import AppConfig


class CohortsConfig(AppConfig):
    """Who the people are."""

    name = "cohorts"
    label = "cohorts"
    default_auto_field = "django.db.models.BigAutoField"
