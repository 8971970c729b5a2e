"""The people, the project and the connections of a first look. They are made once and never changed back: whatever
somebody made of them since is theirs."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import reverse

from campaigns.models import Rules
from integrations import hooks, senders
from integrations.connect import MixpanelSettings, row_of
from integrations.mixpanel.schemas import Region
from integrations.register import register
from integrations.sandbox import accounts
from integrations.senders import SolapiSettings
from notifly_console.tenancy.bootstrap import bootstrap
from notifly_console.tenancy.models import Project, Role, User

EMAIL = "demo@notifly.example"
PROJECT_NAME = "하루식탁"
OPT_OUT_NUMBER = "0808701234"


@dataclass(frozen=True)
class Demo:
    """How to sign in to the demo. No password: its owner has changed it."""

    email: str
    password: str | None
    hook_path: str = ""
    """Of the webhook that the stand-in SOLAPI reports to; "" where it isn't the project's sender, or somebody made
    another secret since."""
    hook_secret_file: Path | None = None


def make_demo(var_dir: Path, *, connect: bool) -> Demo:
    """The owner and the project, made where there is no owner yet. `connect`: to the stand-in vendors, where the
    project has no connection of its own."""
    password = _kept_password(var_dir / "demo_password.txt")
    owner = User.objects.filter(email=EMAIL).first()
    if owner is None:
        project: Project | None = bootstrap(email=EMAIL, password=password, project_name=PROJECT_NAME)
    else:
        project = Project.objects.filter(members__user=owner, members__role=Role.OWNER, name=PROJECT_NAME).first()
    if connect and project is not None and row_of(project) is None:
        settings = MixpanelSettings(
            accounts.PROJECT,
            accounts.USERNAME,
            Region.US,
            marketing_consent_column=accounts.MARKETING_CONSENT,
            night_consent_column=accounts.NIGHT_CONSENT,
        )
        register(project, settings, accounts.SECRET)
    if connect and project is not None and not senders.is_connected(project):
        # What it offers is listed by the first sweep, once the stand-in answers.
        senders.register(project, SolapiSettings(accounts.SOLAPI_API_KEY), accounts.SOLAPI_API_SECRET)
        # Without them an advertisement can't be sent.
        Rules.objects.get_or_create(
            project=project, defaults={"sender_name": PROJECT_NAME, "opt_out_number": OPT_OUT_NUMBER}
        )
    hook: dict[str, Any] = _hook(project, var_dir / "demo_hook_secret.txt") if connect and project else {}
    return Demo(EMAIL, password if owner is None or owner.check_password(password) else None, **hook)


def _kept_password(path: Path) -> str:
    """The password of the demo's owner."""
    return _kept(path, "-".join(secrets.token_hex(2) for _ in range(4)))


def _hook(project: Project, path: Path) -> dict[str, Any]:
    """Where the stand-in SOLAPI reports to, and its secret: what somebody pastes into SOLAPI from 설정 → 발신 정보."""
    row = senders.row_of(project)
    if row is None or SolapiSettings.of(row).api_key != accounts.SOLAPI_API_KEY:
        return {}
    secret = _kept(path, secrets.token_urlsafe(24))
    if row.hook_set_at is None:
        hooks.set_secret(row, secret, actor=None)
    if hooks.caller(project.pk, hooks.sent_by(secret)) is None:
        return {}
    return {"hook_path": reverse("solapi_reports", args=[project.hex]), "hook_secret_file": path}


def _kept(path: Path, new: str) -> str:
    """A secret: `new` the first time, kept in a file for this account only."""
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 600
        with os.fdopen(handle, "w") as file:
            file.write(new + "\n")
        os.replace(draft, path)
    return path.read_text().strip()
