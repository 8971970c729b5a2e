"""The last connection test of a connection, as the settings page shows it, in the reader's language."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations.columns import Offer
from integrations.connect import MixpanelSettings
from integrations.failures import REGION_NAMES, Failure, sentence
from integrations.models import Connection


@dataclass(frozen=True)
class Rung:
    """One check: ok, warn, bad or skipped, and its result in a few words."""

    name: str
    state: str
    label: str
    result: str


@dataclass(frozen=True)
class Health:
    """A finished test. `failure` is None when everything that matters is well."""

    at: datetime
    by: str
    rungs: list[Rung]
    failure: Failure | None
    warnings: list[Failure]
    found_region: str
    found_region_name: str
    sampled: int
    offers: dict[str, list[Offer]]

    @property
    def state(self) -> str:
        """ok, warn or bad."""
        return "bad" if self.failure else "warn" if self.warnings else "ok"

    def share_of(self, field: str, column: str) -> Offer | None:
        """What the test found of a column; None when it wasn't looked at."""
        return _share(self.offers, field, column)


def health_of(row: Connection) -> Health | None:
    """The last test; None when there was none since the account was changed."""
    kept = row.health
    if not kept.get("at"):
        return None
    offers = {
        field: [Offer(column, filled, kept["sampled"]) for column, filled in found]
        for field, found in kept["offers"].items()
    }
    region = kept["found_region"]
    return Health(
        at=datetime.fromisoformat(kept["at"]),
        by=kept["by"],
        rungs=[_rung(row, offers, name, state, said) for name, state, said in kept["rungs"]],
        failure=sentence(kept["code"], **kept["values"]) if kept["code"] else None,
        warnings=[*(sentence(code, **values) for code, values in kept["warnings"]), *_empty_columns(row, offers)],
        found_region=region,
        found_region_name=REGION_NAMES.get(region, ""),
        sampled=kept["sampled"],
        offers=offers,
    )


# The columns are judged by what is set now: choosing another one of those that the test found needs no other test.
def _share(offers: dict[str, list[Offer]], field: str, column: str) -> Offer | None:
    return next((offer for offer in offers.get(field, []) if offer.column == column), None)


def _columns(row: Connection, offers: dict[str, list[Offer]]) -> list[tuple[str, str, Offer | None]]:
    """Code of the warning, column, share: for the phone column and the e-mail column."""
    kept = MixpanelSettings.of(row)
    return [
        ("phone_column_empty", kept.phone_column, _share(offers, "phone_number_column", kept.phone_column)),
        ("email_column_empty", kept.email_column, _share(offers, "email_column", kept.email_column)),
    ]


def _empty_columns(row: Connection, offers: dict[str, list[Offer]]) -> list[Failure]:
    return [
        sentence(code, column=column) for code, column, share in _columns(row, offers) if share and not share.filled
    ]


def _column_rung(row: Connection, offers: dict[str, list[Offer]], label: str) -> Rung:
    phone, email = (share for _code, _column, share in _columns(row, offers))
    if phone is None or email is None:
        return Rung("columns", "skipped", label, _("열이 바뀜 · 다시 테스트하세요"))
    result = _("휴대전화 %(phone)d%% · 이메일 %(email)d%%") % {"phone": phone.percent, "email": email.percent}
    return Rung("columns", "ok" if phone.filled and email.filled else "warn", label, result)


def _rung(row: Connection, offers: dict[str, list[Offer]], name: str, state: str, said: dict[str, Any]) -> Rung:
    number = row.settings["project_id"]
    label = {
        "reach": _("Mixpanel에 닿음"),
        "account": _("서비스 계정 확인"),
        "project": _("프로젝트 %(number)s 접근") % {"number": number},
        "budget": _("시간당 요청 여유"),
        "cohorts": _("코호트 읽기"),
        "columns": _("전화번호와 이메일 열"),
    }[name]
    if state == "skipped":
        return Rung(name, state, label, _("프로필 없음") if said.get("empty") else _("건너뜀"))
    if name == "columns" and state == "ok":
        return _column_rung(row, offers, label)
    return Rung(name, state, label, _("실패") if state == "bad" else _result(name, said))


def _result(name: str, said: dict[str, Any]) -> str:
    if name == "reach":
        return f"{REGION_NAMES[said['region']]} · {said['ms']:,} ms"
    if name == "account":
        return str(said.get("role", "")).capitalize()
    if name == "project":
        return str(said.get("name", ""))
    if name == "budget":
        return f"{said['used']}/{said['limit']}"
    count = said["count"]
    return ngettext("%(n)s개", "%(n)s개", count) % {"n": f"{count:,}"}
