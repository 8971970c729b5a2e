from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    """Everything that talks to somebody else's computer."""

    name = "integrations"
    label = "integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations import audit_words, checks  # noqa: F401 -- both register themselves
