"""The rows of 믹스패널 연동 정보: what each shows, and what is said beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from integrations.connect import MixpanelSettings
from integrations.failures import REGION_NAMES
from integrations.forms import ALONG, SECRET
from integrations.health import Health
from integrations.models import Connection

KEYS: tuple[str, ...] = (
    "project_id",
    "service_account_username",
    SECRET,
    "phone_number_column",
    "email_column",
    "marketing_consent_column",
    "night_consent_column",
    "region",
    "identity_column",
    "unknown_members",
)
DOCUMENTED = KEYS[:5]
"""Their labels are the keys themselves, as Mixpanel's guide for the console has them."""


@dataclass(frozen=True)
class SettingRow:
    """One row. `value` is empty where there is nothing to copy; `stand_in` is shown then."""

    key: str
    label: str
    hint: str = ""
    value: str = ""
    stand_in: str = ""
    note: str = ""
    is_secret: bool = False
    begins_group: bool = False


def rows_of(row: Connection, health: Health | None) -> list[SettingRow]:
    """The rows of a registered connection, in the order of the page."""
    kept = MixpanelSettings.of(row)
    drop = _("제외하고 수만 세기") if kept.drop_unknown else _("새 유저로 만들기")
    return [
        SettingRow("project_id", "project_id", value=str(kept.project_id)),
        SettingRow("service_account_username", "service_account_username", value=kept.username),
        SettingRow(SECRET, SECRET, is_secret=True),
        SettingRow(
            "phone_number_column",
            "phone_number_column",
            value=kept.phone_column,
            note=_share(health, "phone_number_column", kept.phone_column),
        ),
        SettingRow(
            "email_column",
            "email_column",
            value=kept.email_column,
            note=_share(health, "email_column", kept.email_column),
        ),
        SettingRow(
            "marketing_consent_column",
            _("광고 수신 동의 열"),
            _("true, 1, yes, Y, 동의 같은 값만 동의로 봅니다"),
            value=kept.marketing_consent_column,
            stand_in=_("정하지 않음 · 아무도 동의하지 않은 것으로 봅니다"),
            note=_share(health, "marketing_consent_column", kept.marketing_consent_column),
            begins_group=True,
        ),
        SettingRow(
            "night_consent_column",
            _("야간 광고 수신 동의 열"),
            _("21:00~08:00 광고는 이 동의가 따로 있어야 합니다"),
            value=kept.night_consent_column,
            stand_in=_("정하지 않음 · 아무도 동의하지 않은 것으로 봅니다"),
            note=_share(health, "night_consent_column", kept.night_consent_column),
        ),
        SettingRow(
            "region",
            _("리전"),
            _("Mixpanel 데이터가 저장된 곳"),
            stand_in=REGION_NAMES[kept.region.value],
            begins_group=True,
        ),
        SettingRow(
            "identity_column",
            _("식별자 열"),
            _("비워 두면 distinct_id를 씁니다"),
            value=kept.identity_column,
            stand_in="distinct_id",
        ),
        SettingRow("unknown_members", _("모르는 유저"), _("콘솔에 없는 식별자가 왔을 때"), stand_in=drop),
    ]


def fields_of(key: str) -> Sequence[str]:
    """The form fields that the row is edited with."""
    return (key, ALONG[key]) if key in ALONG else (key,)


def _share(health: Health | None, field: str, column: str) -> str:
    offer = health.share_of(field, column) if health else None
    if offer is None:
        return ""
    if field == "phone_number_column":
        return _("%(percent)d%%에 휴대전화 번호가 있음") % {"percent": offer.percent}
    if field == "email_column":
        return _("%(percent)d%%에 이메일이 있음") % {"percent": offer.percent}
    return _("%(percent)d%%가 동의함") % {"percent": offer.percent}
