"""What the audit log calls the facts of connections, and how a test's result reads."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from integrations import failures
from notifly_console.audit.words import say


def result_of(code: str) -> Any:
    """A connection test's result: that of Mixpanel's, or that of a sender's."""
    if code == "ok":
        return _("정상")
    return failures.sentence(code).title if code in failures.known_codes() else failures.sending(code).title


say(
    # Settings are called what the settings page calls them.
    labels={
        "result": _("결과"),
        "settings": _("설정"),
        "project_id": "project_id",
        "username": "service_account_username",
        "region": _("리전"),
        "phone_column": "phone_number_column",
        "email_column": "email_column",
        "identity_column": _("식별자 열"),
        "drop_unknown": _("모르는 유저 제외"),
        "marketing_consent_column": _("광고 수신 동의 열"),
        "night_consent_column": _("야간 광고 수신 동의 열"),
        "api_key": "API Key",
        "mixpanel_project_id": _("Mixpanel 프로젝트"),
        "what": _("대상"),
    },
    result=result_of,
    region=failures.REGION_NAMES,
)
