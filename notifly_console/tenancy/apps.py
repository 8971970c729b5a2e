from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """People and projects: who may sign in, and who may do what where."""

    name = "notifly_console.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"
