"""Projects and accounts that the sandbox knows, at both vendors.

The secrets are public: they open nothing but a sandbox.
"""

import base64
import binascii
from dataclasses import dataclass

PROJECT = 2_855_235
FREE_PROJECT = 2_855_236
NEW_PROJECT = 2_855_237
EU_PROJECT = 3_100_777
OTHER_COMPANY_PROJECT = 2_900_001

SECRET = "sandbox-secret"  # noqa: S105 - see the module's docstring
USERNAME = "notifly-demo.1a2b3c.mp-service-account"
CONSUMER = "notifly-consumer.2b3c4d.mp-service-account"
ADMIN = "notifly-admin.3c4d5e.mp-service-account"
EXPIRED = "notifly-expired.4d5e6f.mp-service-account"
OUTSIDER = "notifly-outsider.5e6f7a.mp-service-account"
UNSCOPED = "notifly-unscoped.6f7a8b.mp-service-account"
FREE_USERNAME = "notifly-free.7a8b9c.mp-service-account"
NEW_USERNAME = "notifly-new.8b9c0d.mp-service-account"
EU_USERNAME = "notifly-eu.9c0d1e.mp-service-account"
PROJECT_SECRET = "5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"  # noqa: S105
"""The older kind of credential: belongs to one project, sent as user name with an empty password."""

SOLAPI_API_KEY = "NCSANDBOXHARU001"
SOLAPI_API_SECRET = "SANDBOXSECRETOFHARUTABLE00000001"  # noqa: S105 - see the module's docstring
SOLAPI_OTHER_API_KEY = "NCSANDBOXOTHER02"
SOLAPI_OTHER_API_SECRET = "SANDBOXSECRETOFOTHERSHOP00000002"  # noqa: S105
"""Another company's: no Kakao channel, one sender number, next to no money."""

MARKETING_CONSENT = "marketing_agreed"
NIGHT_CONSENT = "night_agreed"
"""Properties of the crowd's profiles."""

DOMAINS = {"us": "mixpanel.com", "eu": "eu.mixpanel.com", "in": "in.mixpanel.com"}


@dataclass(frozen=True)
class Project:
    """A Mixpanel project. `api_access` is False on a plan without the Query API (402)."""

    id: int
    name: str
    region: str = "us"
    api_access: bool = True
    timezone: str = "Asia/Seoul"
    secret: str | None = None


@dataclass(frozen=True)
class Account:
    """A service account of one region. `roles`: project id to owner, admin, analyst or consumer."""

    username: str
    roles: tuple[tuple[int, str], ...]
    region: str = "us"
    secret: str = SECRET
    expired: bool = False
    expires: str | None = None
    sees_me: bool = True
    sees_classified: bool = True

    def role_in(self, project_id: int | None) -> str | None:
        """The role in that project; None for a stranger to it."""
        return dict(self.roles).get(project_id) if project_id is not None else None


PROJECTS = (
    Project(PROJECT, "하루식탁", secret=PROJECT_SECRET),
    Project(FREE_PROJECT, "하루식탁 (무료 플랜)", api_access=False),
    Project(NEW_PROJECT, "하루식탁 새 프로젝트"),
    Project(EU_PROJECT, "하루식탁 유럽", region="eu", timezone="Europe/Berlin"),
    Project(OTHER_COMPANY_PROJECT, "다른 회사"),
)
ACCOUNTS = (
    Account(USERNAME, ((PROJECT, "analyst"),)),
    Account(CONSUMER, ((PROJECT, "consumer"),), sees_classified=False),
    Account(ADMIN, ((PROJECT, "admin"), (FREE_PROJECT, "admin"), (NEW_PROJECT, "admin")), expires="2027-06-30"),
    Account(EXPIRED, ((PROJECT, "analyst"),), expired=True, expires="2026-01-31"),
    Account(OUTSIDER, ((OTHER_COMPANY_PROJECT, "analyst"),)),
    Account(UNSCOPED, ((PROJECT, "analyst"),), sees_me=False),
    Account(FREE_USERNAME, ((FREE_PROJECT, "analyst"),)),
    Account(NEW_USERNAME, ((NEW_PROJECT, "analyst"),)),
    Account(EU_USERNAME, ((EU_PROJECT, "analyst"),), region="eu"),
)


def credentials(header: str | None) -> tuple[str, str] | None:
    """User name and password of an Authorization header; None when there is nothing to read.

    Base64 with and without the colon, and, as Mixpanel documents, also `username:secret` in the clear.
    """
    scheme, _, value = (header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "basic" or not value:
        return None
    if ":" not in value:
        try:
            value = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
    username, _, secret = value.partition(":")
    return username, secret
