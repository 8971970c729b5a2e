"""What a connection test finds, rung by rung, and how its row keeps it; the same for every outside system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from integrations.models import Connection
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record


@dataclass
class Rungs:
    """What a test found. `rungs`: by name, its state (ok, bad, skipped) and what there is to say about it;
    `code` and `values` are those of its sentence in `failures.py`, "" when all is well; `warnings` likewise."""

    rungs: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def ok(self, rung: str, **said: Any) -> None:
        self.rungs[rung] = ("ok", said)

    def warn(self, rung: str, code: str, **said: Any) -> None:
        self.rungs[rung] = ("warn", said)
        self.warnings.append((code, {}))

    def bad(self, rung: str, code: str, **values: Any) -> None:
        self.rungs[rung] = ("bad", {})
        self.code, self.values = code, values

    def skip(self, rung: str, **said: Any) -> None:
        self.rungs[rung] = ("skipped", said)

    def found(self, names: Sequence[str], *, by: str, now: datetime) -> dict[str, Any]:
        """As `Connection.health` keeps it; the rungs in the order of `names`."""
        return {
            "at": now.isoformat(),
            "by": by,
            "code": self.code,
            "values": self.values,
            "warnings": [list(warning) for warning in self.warnings],
            "rungs": [[name, *self.rungs.get(name, ("skipped", {}))] for name in names],
        }


def keep(row: Connection, found: Mapping[str, Any], *, actor: Any, request: HttpRequest | None = None) -> None:
    """Keeps what a test of `row` found; if the connection was changed meanwhile, that is of no more use and is
    dropped."""
    row.health = dict(found)
    with transaction.atomic():
        # Not by save(): a test is no change, and must not make one of somebody's open forms stale.
        Connection.objects.filter(pk=row.pk, updated_at=row.updated_at).update(health=row.health)
        record(
            Action.CONNECTION_TESTED,
            project_id=row.project_id,
            actor=actor,
            request=request,
            target=str(row.kind),
            result=found["code"] or "ok",
        )
