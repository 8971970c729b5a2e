"""How allauth is fitted to the console: nobody signs up uninvited, guessing is slowed, second-factor seeds are sealed,
and every sentence is ours."""

import ipaddress
from smtplib import SMTPException
from typing import Any, ClassVar

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from notifly_console.lib.visitors import address_of
from notifly_console.tenancy import account_events, seeds, sessions
from notifly_console.tenancy.access import must_keep_a_factor
from notifly_console.tenancy.models import User

log = structlog.get_logger(__name__)

KNOWN_DEVICE_COOKIE = "__Host-known-device" if settings.HTTPS else "known-device"
KNOWN_DEVICE_DAYS = 90
GUESSES_AT_ONE_PERSON = {"one_person": "20/m/key"}

TOO_MANY = _("로그인 시도가 너무 많았습니다. 15분 뒤에 다시 시도하거나 비밀번호를 재설정해 주십시오.")
SAID_AFTERWARDS = {
    "account/messages/password_changed.txt": _("비밀번호를 바꿨습니다. 다른 기기에서는 모두 로그아웃되었습니다."),
    "mfa/messages/totp_activated.txt": _("인증 앱을 등록했습니다."),
    "mfa/messages/totp_deactivated.txt": _("인증 앱을 해제했습니다."),
    "mfa/messages/webauthn_added.txt": _("패스키를 등록했습니다."),
    "mfa/messages/webauthn_removed.txt": _("패스키를 삭제했습니다."),
    "mfa/messages/recovery_codes_generated.txt": _("복구 코드를 새로 만들었습니다. 안전한 곳에 보관해 주십시오."),
}
TOLD_BY_MAIL = {
    "account/email/password_changed": _("비밀번호가 변경되었습니다"),
    "account/email/password_reset": _("비밀번호가 재설정되었습니다"),
    "mfa/email/totp_activated": _("인증 앱이 등록되었습니다"),
    "mfa/email/totp_deactivated": _("인증 앱이 해제되었습니다"),
    "mfa/email/webauthn_added": _("패스키가 등록되었습니다"),
    "mfa/email/webauthn_removed": _("패스키가 삭제되었습니다"),
    "mfa/email/recovery_codes_generated": _("복구 코드가 새로 만들어졌습니다"),
}


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up is by invitation only (`members.py`)."""

    error_messages: ClassVar[dict[str, Any]] = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("사용이 중지된 계정입니다. 프로젝트의 소유자에게 문의해 주십시오."),
        "email_password_mismatch": _("이메일이나 비밀번호가 맞지 않습니다."),
        "enter_current_password": _("지금 쓰는 비밀번호와 다릅니다."),
        "incorrect_code": _("코드가 맞지 않습니다. 인증 앱의 새 코드를 입력해 주십시오."),
        "incorrect_password": _("비밀번호가 맞지 않습니다."),
        "invalid_password_reset": _("재설정 링크가 올바르지 않습니다."),
        "too_many_login_attempts": TOO_MANY,
        "rate_limited": _("요청이 너무 많습니다. 잠시 뒤에 다시 시도해 주십시오."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Only this very host: allauth's own rule lets every host of ALLOWED_HOSTS through."""
        request = context.request
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )

    def is_ajax(self, request: HttpRequest) -> bool:
        """Pages are pages; only the passkey button asks for data."""
        return request.path == reverse("mfa_login_webauthn") and request.headers.get("Accept") == "application/json"

    # -- Guessing -----------------------------------------------------------------------------------------------------
    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # The pair of network and e-mail: a stranger who guesses elsewhere can't lock the owner out.
        return f"{network_of(request)}|{credentials.get('email', '').strip().lower()}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Counts the attempt before anything is hashed. Guesses at one person from many networks are slowed too, but
        for no longer than a minute, and not for a browser that this person has signed in with before."""
        super().pre_authenticate(request, **credentials)
        email = credentials.get("email", "").strip().lower()
        if known_device_email(request) == email:
            return
        if not ratelimit.consume(
            request, app="notifly_console", action="one_person", config=GUESSES_AT_ONE_PERSON, key=email
        ):
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        user = User.objects.filter(email=credentials.get("email", "").strip().lower()).first()
        step = "confirmation" if request.user.is_authenticated else "password"
        account_events.sign_in_failed(request, user, step)

    # -- Signing in ---------------------------------------------------------------------------------------------------
    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        sessions.begin(request)
        account_events.signed_in(request, user)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        response.set_cookie(
            KNOWN_DEVICE_COOKIE,
            signing.dumps(user.email, salt="known-device"),
            max_age=KNOWN_DEVICE_DAYS * 86400,
            httponly=True,
            samesite="Lax",
            secure=settings.HTTPS,
        )
        return response

    # -- What is said -------------------------------------------------------------------------------------------------
    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        if text := message or SAID_AFTERWARDS.get(message_template or ""):
            messages.add_message(request, level, text, extra_tags=extra_tags)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("tenancy:mypage")

    def format_email_subject(self, subject: str) -> str:
        return f"[Notifly Console] {subject}"

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tells the person by mail what changed about their account. The change has happened: a mail server that is
        away is logged and doesn't undo it."""
        heading = TOLD_BY_MAIL.get(template_prefix)
        if heading is None:
            return
        facts = {"heading": heading, "person": user, "address": address_of(self.request), "timestamp": timezone.now()}
        facts["device"] = sessions.device_of(self.request.headers.get("User-Agent", ""))
        try:
            self.send_mail("account/email/notice", user.email, facts | (context or {}))
        except (SMTPException, OSError) as error:
            log.error("notice_not_mailed", error=type(error).__name__)


class MFAAdapter(DefaultMFAAdapter):
    """allauth keeps TOTP seeds and recovery seeds as they are unless these are given."""

    error_messages: ClassVar[dict[str, Any]] = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _(
            "2단계 인증을 요구하는 프로젝트가 있어 마지막 인증 수단은 해제할 수 없습니다. "
            "다른 수단을 먼저 등록해 주십시오."
        ),
        "cannot_generate_recovery_codes": _("인증 앱이나 패스키를 먼저 등록해 주십시오."),
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"],
    }

    def encrypt(self, text: str) -> str:
        return seeds.seal(text, context.request.user.pk)

    def decrypt(self, encrypted_text: str) -> str:
        return seeds.open_sealed(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not must_keep_a_factor(authenticator)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return entity | {"name": "Notifly Console"}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return sessions.device_of(context.request.headers.get("User-Agent", "")) or "Passkey"

    def build_totp_svg(self, url: str) -> SafeString:
        """The QR code as an inline drawing: one path, no style, no `data:` address."""
        import qrcode

        code = qrcode.QRCode(border=0)
        code.add_data(url)
        rows = code.get_matrix()
        path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
        return format_html(
            '<svg class="qr" viewBox="-3 -3 {0} {0}" role="img" aria-label="QR"><path d="{1}"/></svg>',
            len(rows) + 6,
            path,
        )


def network_of(request: HttpRequest) -> str:
    """The visitor's network: /24 of an IPv4 address, /64 of an IPv6 one."""
    address = ipaddress.ip_address(address_of(request) or "0.0.0.0")  # noqa: S104 -- a stand-in, nothing listens there
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))


def known_device_email(request: HttpRequest) -> str | None:
    """Whose browser this is, by the signed cookie that a sign-in leaves behind."""
    try:
        return str(
            signing.loads(
                request.COOKIES.get(KNOWN_DEVICE_COOKIE, ""), salt="known-device", max_age=KNOWN_DEVICE_DAYS * 86400
            )
        )
    except signing.BadSignature:
        return None
