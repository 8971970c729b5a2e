"""What each role is, in a person's words: shown wherever a role is chosen."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifly_console.tenancy.models import Role


@dataclass(frozen=True)
class RoleCard:
    """A role with what it is for."""

    role: Role
    words: Any

    @property
    def value(self) -> str:
        return self.role.value

    @property
    def label(self) -> str:
        return str(self.role.label)


WORDS: dict[Role, Any] = {
    Role.OWNER: _("프로젝트의 모든 것을 관리합니다. 다른 소유자를 지정하고 보안 규칙을 정합니다."),
    Role.ADMIN: _("구성원과 연동 정보를 관리하고 감사 로그를 봅니다. 전화번호와 이메일 전체를 볼 수 있습니다."),
    Role.MARKETER: _("코호트를 리프레시하고 유저 목록을 내보냅니다. 연락처는 일부만 보입니다."),
    Role.VIEWER: _("화면을 볼 수만 있습니다. 연락처는 일부만 보입니다."),
}


def role_cards(roles: list[Role]) -> list[RoleCard]:
    """The cards of those roles, in the order of the list."""
    return [RoleCard(role, WORDS[role]) for role in roles]
