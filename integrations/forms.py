"""What people enter about the Mixpanel connection. Field names are the keys that the settings page shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from integrations.connect import EMAIL_COLUMN, PHONE_COLUMN, MixpanelSettings
from integrations.mixpanel.schemas import Region
from integrations.models import Inlet

SECRET = "service_account_password"  # noqa: S105 -- the name of a field
SETTING_OF = {
    "project_id": "project_id",
    "service_account_username": "username",
    "phone_number_column": "phone_column",
    "email_column": "email_column",
    "marketing_consent_column": "marketing_consent_column",
    "night_consent_column": "night_consent_column",
    "region": "region",
    "identity_column": "identity_column",
    "unknown_members": "drop_unknown",
}
"""Field → its name in `MixpanelSettings`; the secret has none."""
ALONG = {"service_account_username": SECRET, "region": SECRET}
"""Fields that are changed together with another one."""
MOST_PROJECT_ID = 10**12
REGIONS = [(Region.US.value, "US"), (Region.EU.value, "EU"), (Region.IN.value, "India")]

# A NUL is left to Django's own check of every CharField: both would say the same sentence twice.
_NO_SPACE = RegexValidator(r"\A[^\s\x01-\x1f\x7f-\x9f]+\Z", _("공백이나 제어 문자 없이 입력하세요."))
_NO_COLON = RegexValidator(
    r"\A[^:]+\Z", _("사용자 이름에는 쌍점(:)을 쓸 수 없습니다. 비밀번호까지 붙여 넣었는지 확인하세요.")
)
_ONE_LINE = RegexValidator(r"\A[^\x01-\x1f\x7f-\x9f\u2028\u2029]+\Z", _("제어 문자나 줄바꿈 없이 한 줄로 입력하세요."))


class Column(forms.CharField):
    """The name of a profile property in Mixpanel: at most 255 characters, any but control characters."""

    def __init__(self, *, missing: Any = "", **kwargs: Any) -> None:
        messages = {
            "required": missing,
            "max_length": _("열 이름은 255자까지 쓸 수 있습니다. 지금 %(show_value)d자입니다."),
            "null_characters_not_allowed": _ONE_LINE.message,
        }
        super().__init__(max_length=255, validators=[_ONE_LINE], error_messages=messages, **kwargs)


class MixpanelForm(forms.Form):
    """The whole connection, or only the rows `only`. Valid values are given by `settings()` and `secret`."""

    project_id = forms.IntegerField(
        min_value=1,
        max_value=MOST_PROJECT_ID,
        widget=forms.TextInput,
        error_messages={
            "required": _("Mixpanel 프로젝트 번호를 입력하세요. Project Settings → Overview에 있습니다."),
            "invalid": _("프로젝트 번호는 숫자로만 이루어집니다. 예: 2855235"),
            "min_value": _("프로젝트 번호는 1 이상의 숫자입니다. 예: 2855235"),
            "max_value": _("프로젝트 번호가 너무 깁니다. 다른 값을 붙여 넣었는지 확인하세요."),
        },
    )
    service_account_username = forms.CharField(
        max_length=254,
        validators=[_NO_SPACE, _NO_COLON],
        error_messages={
            "required": _("서비스 계정의 사용자 이름을 입력하세요. 예: console.1a2b3c.mp-service-account"),
            "max_length": _("사용자 이름은 254자까지입니다. 지금 %(show_value)d자입니다."),
            "null_characters_not_allowed": _NO_SPACE.message,
        },
    )
    service_account_password = forms.CharField(
        max_length=512,
        validators=[_NO_SPACE],
        widget=forms.PasswordInput,  # Never renders its value.
        error_messages={
            "required": _("서비스 계정을 만들 때 한 번만 보인 비밀번호(secret)를 입력하세요."),
            "max_length": _("비밀번호는 512자까지입니다. 지금 %(show_value)d자입니다."),
            "null_characters_not_allowed": _NO_SPACE.message,
        },
    )
    region = forms.ChoiceField(
        choices=REGIONS,
        initial=Region.US.value,
        error_messages={
            "required": _("리전을 고르세요."),
            "invalid_choice": _("리전은 US, EU, India 중 하나입니다."),
        },
    )
    phone_number_column = Column(
        initial=PHONE_COLUMN, missing=_("전화번호 열의 이름을 입력하세요. Mixpanel의 기본값은 $phone입니다.")
    )
    email_column = Column(
        initial=EMAIL_COLUMN, missing=_("이메일 열의 이름을 입력하세요. Mixpanel의 기본값은 $email입니다.")
    )
    marketing_consent_column = Column(required=False)
    night_consent_column = Column(required=False)
    identity_column = Column(required=False)
    unknown_members = forms.ChoiceField(
        choices=[("create", _("새 유저로 만들기")), ("drop", _("제외하고 수만 세기"))],
        initial="create",
        error_messages={
            "required": _("모르는 유저를 어떻게 할지 고르세요."),
            "invalid_choice": _("만들기와 제외하기 중 하나를 고르세요."),
        },
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, only: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        for name in [name for name in self.fields if only and name not in only]:
            del self.fields[name]
        self.order_fields(only)
        if only and SECRET not in only[:1] and SECRET in self.fields:
            # Beside another row it is only needed where that row really changes: `register.change` decides.
            self.fields[SECRET].required = False

    @property
    def secret(self) -> str:
        """The secret that was entered, or ""."""
        return str(self.cleaned_data.get(SECRET, ""))

    def settings(self) -> dict[str, Any]:
        """The values by their names in `MixpanelSettings`."""
        found = {SETTING_OF[name]: value for name, value in self.cleaned_data.items() if name in SETTING_OF}
        if "region" in found:
            found["region"] = Region(found["region"])
        if "drop_unknown" in found:
            found["drop_unknown"] = found["drop_unknown"] == "drop"
        return found


def as_entered(kept: MixpanelSettings | Inlet, only: Sequence[str] = ()) -> dict[str, Any]:
    """The settings as the form's values; of an inlet `only` those that it has."""
    names = {field: name for field, name in SETTING_OF.items() if not only or field in only}
    values: dict[str, Any] = {field: getattr(kept, name) for field, name in names.items()}
    if "region" in values:
        values["region"] = values["region"].value
    return {**values, "unknown_members": "drop" if kept.drop_unknown else "create"}
