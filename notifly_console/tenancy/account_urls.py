"""The account pages that the console has. What isn't here doesn't exist: nobody signs up, nobody changes an e-mail
address, and no other site signs anybody in."""

from allauth.account import views as account
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as passkeys
from django.urls import path, re_path

from notifly_console.tenancy.account_views import logout, page, reset_password, second_factors

urlpatterns = [
    path("login/", page(account.login), name="account_login"),
    path("logout/", page(logout), name="account_logout"),
    path("inactive/", page(account.account_inactive), name="account_inactive"),
    path("reauthenticate/", page(account.reauthenticate), name="account_reauthenticate"),
    path("password/change/", page(account.password_change), name="account_change_password"),
    path("password/reset/", page(reset_password), name="account_reset_password"),
    path("password/reset/sent/", page(account.password_reset_done), name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/$",
        page(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/done/",
        page(account.password_reset_from_key_done),
        name="account_reset_password_from_key_done",
    ),
    path("2fa/", page(second_factors), name="mfa_index"),
    path("2fa/authenticate/", page(factors.authenticate), name="mfa_authenticate"),
    path("2fa/reauthenticate/", page(factors.reauthenticate), name="mfa_reauthenticate"),
    path("2fa/app/activate/", page(totp.activate_totp), name="mfa_activate_totp"),
    path("2fa/app/deactivate/", page(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", page(recovery.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("2fa/recovery-codes/generate/", page(recovery.generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("2fa/recovery-codes/download/", page(recovery.download_recovery_codes), name="mfa_download_recovery_codes"),
    path("2fa/passkeys/", page(passkeys.list_webauthn), name="mfa_list_webauthn"),
    path("2fa/passkeys/add/", page(passkeys.add_webauthn), name="mfa_add_webauthn"),
    path("2fa/passkeys/login/", page(passkeys.login_webauthn), name="mfa_login_webauthn"),
    path("2fa/passkeys/reauthenticate/", page(passkeys.reauthenticate_webauthn), name="mfa_reauthenticate_webauthn"),
    path("2fa/passkeys/<int:pk>/edit/", page(passkeys.edit_webauthn), name="mfa_edit_webauthn"),
    path("2fa/passkeys/<int:pk>/remove/", page(passkeys.remove_webauthn), name="mfa_remove_webauthn"),
]
