from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The project itself as an app, so that its commands (`run`, `bootstrap`) and system checks are found."""

    name = "notifly_console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"
