"""The last connection test of a sender, as the settings page shows it, in the reader's language."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations.failures import Failure, sending
from integrations.health import Rung
from integrations.models import Connection
from integrations.sender_ladder import won_of


@dataclass(frozen=True)
class SenderHealth:
    """A finished test. `failure` is None when everything that matters is well."""

    at: datetime
    by: str
    rungs: list[Rung]
    failure: Failure | None
    warnings: list[Failure]

    @property
    def state(self) -> str:
        """ok, warn or bad."""
        return "bad" if self.failure else "warn" if self.warnings else "ok"


def sender_health_of(row: Connection) -> SenderHealth | None:
    """The last test; None when there was none since the account was changed."""
    kept = row.health
    if not kept.get("at"):
        return None
    return SenderHealth(
        at=datetime.fromisoformat(kept["at"]),
        by=kept["by"],
        rungs=[_rung(name, state, said) for name, state, said in kept["rungs"]],
        failure=sending(kept["code"], **kept["values"]) if kept["code"] else None,
        warnings=[sending(code, **values) for code, values in kept["warnings"]],
    )


def _rung(name: str, state: str, said: dict[str, Any]) -> Rung:
    label = {
        "key": _("API 키 확인"),
        "clock": _("서버 시계"),
        "balance": _("잔액"),
        "channels": _("카카오 채널"),
        "numbers": _("발신 번호"),
        "templates": _("알림톡 템플릿"),
    }[name]
    if state == "skipped":
        return Rung(name, state, label, _("건너뜀"))
    return Rung(name, state, label, _("실패") if state == "bad" else _result(name, said))


def _result(name: str, said: dict[str, Any]) -> str:
    if name == "key":
        return str(said.get("account", ""))
    if name == "clock":
        seconds = int(said["seconds"])
        return _("%(seconds)s초 차이") % {"seconds": f"{abs(seconds):,}"}
    if name == "balance":
        return _("%(won)s원") % {"won": f"{won_of(said):,.0f}"}
    if name == "templates":
        return _("승인 %(count)s개 / 전체 %(of)s개") % {"count": f"{said['count']:,}", "of": f"{said['of']:,}"}
    count = int(said["count"])
    return ngettext("%(n)s개", "%(n)s개", count) % {"n": f"{count:,}"}
