"""What happens to a person's own account, written to the audit log.

A sign-in belongs to a person and not to a project, so each such entry is written once for every project that the
person belongs to at that moment: its admins see it, those of a project joined later don't. Somebody in no project,
and an address that nobody has, leave one entry with no project, which only an operator can read.
"""

from typing import Any
from uuid import UUID

from allauth.account import signals as account_signals
from allauth.mfa import signals as factor_signals
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.tenancy.models import Member, User
from notifly_console.tenancy.sessions import end_other_sessions


def record_of_person(action: Action, user: User | None, request: HttpRequest, **details: Any) -> None:
    """Adds one entry to each project of the person, or one without a project where there is none."""
    projects: list[UUID | None] = (
        list(Member.objects.filter(user=user).values_list("project_id", flat=True)) if user else []
    )
    for project_id in projects or [None]:
        record(action, project_id=project_id, actor=user, request=request, **details)


def signed_in(request: HttpRequest, user: User) -> None:
    """How the person proved who they are: `password`, `totp`, `webauthn`, …"""
    proofs = request.session.get("account_authentication_methods", [])
    means = [proof.get("type") or proof.get("method") for proof in proofs if isinstance(proof, dict)]
    record_of_person(Action.SIGNED_IN, user, request, means=means)


def sign_in_failed(request: HttpRequest, user: User | None, step: str) -> None:
    """`step`: password, second_factor or confirmation. What was typed is kept nowhere."""
    record_of_person(Action.SIGN_IN_FAILED, user, request, step=step)


@receiver(user_logged_out)
def _signed_out(request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record_of_person(Action.SIGNED_OUT, user, request, reason=getattr(request, "sign_out_reason", "asked"))


@receiver(account_signals.password_changed)
def _password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    end_other_sessions(user, request.session.session_key)
    record_of_person(Action.PASSWORD_CHANGED, user, request, means=["password"])


@receiver(account_signals.password_reset)
def _password_reset(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    # Somebody signed in here with the old password is signed out all the same: their session's proof no longer fits.
    end_other_sessions(user, request.session.session_key)
    record_of_person(Action.PASSWORD_CHANGED, user, request, means=["mail"])


@receiver(factor_signals.authenticator_added)
@receiver(factor_signals.authenticator_reset)
def _factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    record_of_person(Action.SECOND_FACTOR_ADDED, user, request, factor=str(authenticator.type))


@receiver(factor_signals.authenticator_removed)
def _factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    record_of_person(Action.SECOND_FACTOR_REMOVED, user, request, factor=str(authenticator.type))


@receiver(factor_signals.authentication_failed)
def _factor_failed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    sign_in_failed(request, user, "second_factor")
