from django.apps import AppConfig


class CohortsConfig(AppConfig):
    """Who the people are."""

    name = "cohorts"
    label = "cohorts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cohorts import audit_words  # noqa: F401 -- registers itself
        from cohorts.push.push import TAKE
        from integrations.inbox import handled_by
        from integrations.models import InboundKind

        handled_by(InboundKind.COHORT_PAGE, TAKE)
