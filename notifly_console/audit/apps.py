from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Who did what, when, from where: append-only."""

    name = "notifly_console.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
