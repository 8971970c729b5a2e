"""The pages of one's own account: allauth's views, answering the way the rest of the console does.

An invalid form is 422 and too many attempts are 429, with the same page; what a passkey needs travels in a data
attribute, since no page has a script of its own.
"""

import json
from collections.abc import Callable
from functools import wraps
from smtplib import SMTPException
from typing import Any

import structlog
from allauth.account import views as account
from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.core.internal.httpkit import authenticated_user
from allauth.mfa.base import views as factors
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.access import factors_of, projects_that_require_a_factor

log = structlog.get_logger(__name__)


def page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Wraps one of allauth's views."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except CannotOpen as error:
            log.error("second_factor_not_readable", error=str(error))
            return render(request, "errors/second_factor.html", status=503)
        if isinstance(response, TemplateResponse):
            _complete(request, response)
        return response

    return inner


def _complete(request: HttpRequest, response: TemplateResponse) -> None:
    context: dict[str, Any] = response.context_data or {}
    asked = context.pop("js_data", None)
    if asked and asked.get("request_options", {}).get("publicKey", {}).get("allowCredentials") != []:
        context["passkey_options"] = json.dumps(asked, cls=DjangoJSONEncoder)
    if request.method == "POST":
        forms = [form for form in context.values() if isinstance(form, BaseForm) and form.errors]
        codes = {error.code for form in forms for errors in form.errors.as_data().values() for error in errors}
        if forms:
            response.status_code = 429 if codes & {"too_many_login_attempts", "rate_limited"} else 422
    response.context_data = context


class ResetPasswordForm(AllauthResetPasswordForm):
    """Mails a link, or, to an address that nobody has, that there is no account."""

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email = str(self.cleaned_data["email"])
        if self.users:
            return str(super().save(request, **kwargs))
        get_adapter(request).send_mail("account/email/unknown_account", email, {})
        return email


class PasswordResetView(account.PasswordResetView):
    """The same answer whether or not somebody has the address."""

    form_class = ResetPasswordForm

    def form_valid(self, form: Any) -> HttpResponse:
        if not settings.HAS_MAIL:
            return self.render_to_response(self.get_context_data(form=form), status=422)  # type: ignore[no-any-return]
        try:
            return super().form_valid(form)  # type: ignore[no-any-return]
        except (SMTPException, OSError) as error:
            log.error("reset_not_mailed", error=type(error).__name__)
            form.add_error(None, _("지금은 메일을 보낼 수 없습니다. 잠시 뒤에 다시 시도해 주십시오."))
            return self.form_invalid(form)  # type: ignore[no-any-return]


class FactorsView(factors.IndexView):
    """The second factors, and which projects require one."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user_id = authenticated_user(self.request).pk
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "required_by": projects_that_require_a_factor(user_id).order_by("name"),
            "has_factor": factors_of(user_id).exists(),
            "nav": "mypage",
        }


reset_password = PasswordResetView.as_view()
second_factors = FactorsView.as_view()
logout = require_POST(account.logout)
