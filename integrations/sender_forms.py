"""What people enter about a sender."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from integrations.senders import SolapiSettings

SECRET = "api_secret"  # noqa: S105 -- the name of a field

# A NUL is left to Django's own check of every CharField: both would say the same sentence twice.
_KEY = RegexValidator(r"\A[A-Za-z0-9_\x00-]+\Z", _("API Key는 영문자와 숫자로만 이루어집니다. 예: NCSAYU7YDBXYORXC"))
_NO_SPACE = RegexValidator(r"\A[^\s\x01-\x1f\x7f-\x9f]+\Z", _("공백이나 제어 문자 없이 입력하세요."))


class SenderForm(forms.Form):
    """SOLAPI's key pair. Valid values are given by `settings()` and `secret`."""

    api_key = forms.CharField(
        max_length=64,
        validators=[_KEY],
        error_messages={
            "required": _("SOLAPI 콘솔의 API Key를 입력하세요. 예: NCSAYU7YDBXYORXC"),
            "max_length": _("API Key는 64자까지입니다. 지금 %(show_value)d자입니다."),
            "null_characters_not_allowed": _KEY.message,
        },
    )
    api_secret = forms.CharField(
        max_length=256,
        validators=[_NO_SPACE],
        widget=forms.PasswordInput,  # Never renders its value.
        error_messages={
            "required": _("API Key와 함께 발급된 API Secret을 입력하세요."),
            "max_length": _("API Secret은 256자까지입니다. 지금 %(show_value)d자입니다."),
            "null_characters_not_allowed": _NO_SPACE.message,
        },
    )

    @property
    def secret(self) -> str:
        """The secret that was entered."""
        return str(self.cleaned_data[SECRET])

    def settings(self) -> SolapiSettings:
        """What isn't secret."""
        return SolapiSettings(api_key=str(self.cleaned_data["api_key"]))

    def values(self) -> dict[str, Any]:
        """The same, as changes."""
        return {"api_key": self.settings().api_key}
