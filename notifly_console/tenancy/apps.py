from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """People and projects: who may sign in, and who may do what where."""

    name = "notifly_console.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They connect what allauth tells to the audit log, and say how its facts are called.
        from notifly_console.tenancy import account_events, audit_words  # noqa: F401
