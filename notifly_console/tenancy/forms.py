"""Forms of people and projects."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm as AllauthActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, LoginWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from notifly_console.tenancy import zones
from notifly_console.tenancy.models import Role, User

NAME_LENGTH = 80


class Name(forms.CharField):
    """A name that people gave: one line, no control characters (Django's CharField refuses NUL)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=NAME_LENGTH, strip=True, **kwargs)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value))
        if any(not char.isprintable() for char in text):
            raise ValidationError(_("이름에 쓸 수 없는 문자가 있습니다."), code="unprintable")
        return text


class ProjectForm(forms.Form):
    """A new project."""

    name = Name(label=_("프로젝트 이름"))


class ProjectSettingsForm(ProjectForm):
    """A project's name and the zone that its days and hours are meant in."""

    time_zone = forms.CharField(label=_("시간대"), max_length=64)

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"])
        if name not in zones.names():
            raise ValidationError(_("목록에 있는 시간대를 고르세요. 예: Asia/Seoul"), code="unknown")
        return name


class PersonForm(forms.Form):
    """One's own name."""

    name = Name(label=_("이름"))


class InviteForm(forms.Form):
    """Whom to invite, and as what. `roles` are those that the person at hand may give."""

    email = forms.EmailField(label=_("이메일"), max_length=254)
    role = forms.ChoiceField(label=_("역할"))

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class RoleForm(forms.Form):
    """A member's new role, out of those that the person at hand may give."""

    role = forms.ChoiceField(label=_("역할"))

    def __init__(self, *args: Any, roles: list[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]


class JoinForm(forms.Form):
    """Name and password of somebody who joins by an invitation and has no account yet."""

    name = Name(label=_("이름"))
    password = forms.CharField(label=_("비밀번호"), strip=False, max_length=256)
    password_again = forms.CharField(label=_("비밀번호 확인"), strip=False, max_length=256)

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        password = data.get("password")
        if password and data.get("password_again") and password != data["password_again"]:
            self.add_error("password_again", _("두 비밀번호가 서로 다릅니다."))
        elif password:
            try:
                validate_password(password, User(email=self.email, name=data.get("name", "")))
            except ValidationError as error:
                self.add_error("password", error)
        return data


class ActivateTOTPForm(AllauthActivateTOTPForm):
    """allauth's form; the code that proves the app can't be used once more to sign in."""

    def clean_code(self) -> str:
        code = str(super().clean_code())
        TOTP(Authenticator(user=self.user))._mark_code_used(code)
        return code


class _PasskeyForm(forms.Form):
    """allauth speaks of a code of the authenticator app where a passkey isn't taken."""

    refused: Any

    def clean_credential(self) -> Authenticator:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except ValidationError as error:
            if error.code != "incorrect_code":
                raise
            raise ValidationError(self.refused, code=error.code) from None


class LoginPasskeyForm(_PasskeyForm, LoginWebAuthnForm):
    """A passkey instead of a password."""

    refused = _(
        "이 패스키로는 로그인할 수 없습니다. 삭제되었거나 다른 곳의 패스키입니다. 비밀번호로 로그인해 주십시오."
    )


class SecondPasskeyForm(_PasskeyForm, AuthenticateWebAuthnForm):
    """A passkey as the second step."""

    refused = _("이 계정의 패스키가 아니거나 삭제된 패스키입니다. 다른 패스키나 코드로 확인해 주십시오.")


class ProofPasskeyForm(_PasskeyForm, ReauthenticateWebAuthnForm):
    """A passkey that proves once more who it is."""

    refused = SecondPasskeyForm.refused
