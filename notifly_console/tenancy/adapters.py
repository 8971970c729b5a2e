"""How allauth is fitted to the console: nobody signs up uninvited, and second-factor seeds are sealed at rest."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

SEED = ("mfa_authenticator", "data")


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up is by invitation only (`members.py`)."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class MFAAdapter(DefaultMFAAdapter):
    """allauth keeps TOTP seeds and recovery seeds as they are unless these two are given."""

    def encrypt(self, text: str) -> str:
        return str(settings.CREDENTIALS_KEYS.seal(text, bound_to=SEED))

    def decrypt(self, encrypted_text: str) -> str:
        return str(settings.CREDENTIALS_KEYS.open(encrypted_text, bound_to=SEED).reveal())
