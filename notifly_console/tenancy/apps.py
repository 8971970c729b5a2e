from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """People and projects: who may sign in, and who may do what where."""

    name = "notifly_console.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from notifly_console.tenancy import account_events  # noqa: F401 -- connects what allauth tells to the audit log
