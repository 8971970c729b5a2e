"""What went wrong, for people: every error code as one sentence, and what to do about it.

The codes are those of `integrations/http.py` and `integrations/mixpanel/errors.py`, those of the connection test, and
those that a refresh stores; `sending` has those of a sender (`integrations/messaging.py: SendError`), some of which
have the same name. A test holds the lists against the error classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.http import CutOff, TimedOut, Unreachable, VendorError
from integrations.mixpanel.errors import HourlyBudgetSpent, MixpanelDown
from integrations.send_failures import SENTENCES as SENDING


@dataclass(frozen=True)
class Failure:
    """A failure in the reader's language: `title` is one sentence of what is wrong, `remedy` what to do."""

    code: str
    title: str
    remedy: str


REGION_NAMES = {"us": "US", "eu": "EU", "in": "India"}

# code → title, remedy. `%(until)s`, `%(region)s`, `%(project)s`, `%(projects)s`, `%(column)s`, `%(host)s` are filled
# in where the caller knows them; a code with `:bare` is taken where it doesn't, one with `:reason` where that is known.
_SENTENCES: dict[str, tuple[Promise, Promise]] = {
    # -- The credentials --
    "wrong_secret": (
        _("사용자 이름 또는 비밀번호가 맞지 않습니다"),
        _(
            "세 리전 모두 이 서비스 계정을 받아들이지 않았습니다. Mixpanel의 Organization Settings → Service "
            "Accounts에서 이름과 만료일을 확인하고, 비밀번호를 다시 입력하세요."
        ),
    ),
    "wrong_credentials": (
        _("Mixpanel이 서비스 계정을 받아들이지 않았습니다"),
        _(
            "프로젝트 번호(%(project)s), 비밀번호, 만료일, 리전 중 하나가 맞지 않습니다. 설정에서 연결 테스트를 누르면 "
            "무엇이 문제인지 알려 줍니다."
        ),
    ),
    "wrong_credentials:bare": (
        _("Mixpanel이 서비스 계정을 받아들이지 않았습니다"),
        _("설정에서 연결 테스트를 눌러 프로젝트 번호, 비밀번호, 만료일, 리전 중 무엇이 문제인지 확인하세요."),
    ),
    "perhaps_elsewhere": (
        _("이 리전은 서비스 계정을 받아들이지 않았고, 일부 리전에 물어보지 못했습니다"),
        _("잠시 뒤 다시 테스트하세요. 계속되면 사용자 이름, 비밀번호, 만료일, 리전을 확인하세요."),
    ),
    "other_region": (
        _("이 계정은 다른 리전에 있습니다: %(region)s"),
        _("지금 설정된 리전이 아닌 %(region)s 리전에서 찾았습니다. 리전을 바꾸면 바로 연결됩니다."),
    ),
    "other_region:bare": (
        _("이 계정은 다른 리전에 있습니다"),
        _("설정에서 연결 테스트를 누르면 어느 리전인지 찾아 줍니다."),
    ),
    "not_a_member": (
        _("서비스 계정이 프로젝트 %(project)s에 속해 있지 않습니다"),
        _(
            "이 계정이 볼 수 있는 프로젝트: %(projects)s. project_id를 바꾸거나, Mixpanel의 Project Settings → "
            "Service Accounts에서 이 계정을 프로젝트에 추가하세요."
        ),
    ),
    "not_a_member:bare": (
        _("서비스 계정이 이 프로젝트에 속해 있지 않습니다"),
        _("Mixpanel의 Project Settings → Service Accounts에서 이 계정을 프로젝트에 Analyst 역할로 추가하세요."),
    ),
    "plan_without_api": (
        _("Mixpanel 요금제에 API 사용이 포함되어 있지 않습니다"),
        _("계정 정보는 맞습니다. Mixpanel에서 요금제를 Growth 이상으로 바꾼 뒤 다시 시도하세요."),
    ),
    "not_permitted": (
        _("서비스 계정이 프로젝트 %(project)s의 코호트를 읽을 수 없습니다"),
        _(
            "프로젝트 번호(%(project)s)가 맞는지 확인하세요. 맞다면 Mixpanel의 Project Settings → Service Accounts에서 "
            "이 계정을 프로젝트에 Analyst 이상의 역할로 추가하세요."
        ),
    ),
    "not_permitted:bare": (
        _("서비스 계정의 역할이 낮아 코호트를 읽을 수 없습니다"),
        _("Mixpanel의 Project Settings → Service Accounts에서 이 계정의 역할을 Analyst 이상으로 바꾸세요."),
    ),
    "cannot_open": (
        _("저장된 비밀번호를 열 수 없습니다"),
        _("암호화 키가 바뀌었거나 없습니다. 운영자에게 키 복구를 요청하거나, 설정에서 비밀번호를 다시 입력하세요."),
    ),
    "not_connected": (
        _("Mixpanel이 연결되어 있지 않습니다"),
        _("설정의 믹스패널 연동 정보에서 서비스 계정을 등록하세요."),
    ),
    # -- The budget --
    "hourly_budget_spent": (
        _("Mixpanel의 시간당 요청 한도를 모두 썼습니다"),
        _("계정 정보의 문제는 아닙니다. %(until)s부터 다시 요청할 수 있습니다."),
    ),
    "hourly_budget_spent:bare": (
        _("Mixpanel의 시간당 요청 한도를 모두 썼습니다"),
        _("계정 정보의 문제는 아닙니다. 한 시간 안에 여유가 생기며, 진행 중인 리프레시는 그때 이어집니다."),
    ),
    "too_many_at_once": (
        _("이 프로젝트에서 동시에 실행 중인 Mixpanel 요청이 너무 많습니다"),
        _("잠시 뒤 다시 시도하세요. 계속되면 같은 Mixpanel 프로젝트를 조회하는 다른 도구가 있는지 확인하세요."),
    ),
    # -- Mixpanel and the way there --
    "unreachable": (
        _("Mixpanel에 연결할 수 없습니다: %(host)s"),
        _("서버의 인터넷 연결과 방화벽이 %(host)s의 443 포트를 허용하는지 운영자에게 확인하세요. (%(reason)s)"),
    ),
    "unreachable:bare": (
        _("Mixpanel에 연결할 수 없습니다"),
        _("서버의 인터넷 연결과 방화벽을 운영자에게 확인하세요. 연결되면 다시 시도하세요."),
    ),
    "timed_out": (
        _("Mixpanel이 제시간에 답하지 않았습니다"),
        _("잠시 뒤 다시 시도하세요. 계속되면 status.mixpanel.com에서 장애 여부를 확인하세요."),
    ),
    "cut_off": (
        _("Mixpanel과의 연결이 도중에 끊겼습니다"),
        _("잠시 뒤 다시 시도하세요. 계속되면 서버의 네트워크를 운영자에게 확인하세요."),
    ),
    "mixpanel_down": (
        _("Mixpanel이 오류로 응답하고 있습니다"),
        _("여러 번 시도했지만 실패했습니다. 잠시 뒤 다시 시도하고, 계속되면 status.mixpanel.com을 확인하세요."),
    ),
    "bad_answer": (
        _("Mixpanel의 응답을 이해할 수 없습니다"),
        _("잠시 뒤 다시 시도하세요. 계속되면 서버와 Mixpanel 사이의 프록시가 응답을 바꾸는지 운영자에게 확인하세요."),
    ),
    "too_large": (
        _("Mixpanel의 응답이 너무 커서 받지 않았습니다"),
        _("프로필 하나에 아주 큰 속성이 있는지 Mixpanel에서 확인하세요."),
    ),
    "forbidden_destination": (
        _("허용되지 않은 주소라서 요청을 보내지 않았습니다"),
        _("운영자에게 MIXPANEL_API_URL 설정을 확인해 달라고 요청하세요."),
    ),
    "bad_parameters": (
        _("Mixpanel이 요청을 이해하지 못했습니다"),
        _("프로젝트 번호(%(project)s)가 맞는지 확인하고 연결 테스트를 실행하세요."),
    ),
    "bad_parameters:bare": (
        _("Mixpanel이 요청을 이해하지 못했습니다"),
        _("project_id가 맞는지 확인하고 연결 테스트를 실행하세요."),
    ),
    "not_found": (
        _("Mixpanel에서 찾을 수 없습니다"),
        _(
            "Mixpanel에서 지워졌을 수 있습니다. 프로젝트 번호(%(project)s)가 맞는지 확인하고, 코호트 목록을 "
            "리프레시하세요."
        ),
    ),
    "not_found:bare": (
        _("Mixpanel에서 찾을 수 없습니다"),
        _("Mixpanel에서 지워졌을 수 있습니다. 코호트 목록을 리프레시하고, project_id가 맞는지 확인하세요."),
    ),
    "session_lost": (
        _("받는 도중에 Mixpanel의 조회 세션이 끊겼습니다"),
        _("다음 리프레시에서 처음부터 다시 받습니다. 지금 다시 리프레시해도 됩니다."),
    ),
    "halted": (
        _("작업이 중단되었습니다"),
        _("다시 시도하세요."),
    ),
    # -- What the connection test finds --
    "no_cohorts": (
        _("연결되었지만 볼 수 있는 코호트가 없습니다"),
        _(
            "새 코호트는 공유하기 전까지 만든 사람에게만 보입니다. Mixpanel의 Lexicon → Cohorts에서 코호트를 "
            "프로젝트에 공유하거나 새로 저장한 뒤 다시 테스트하세요."
        ),
    ),
    "phone_column_empty": (
        _("%(column)s 열에 휴대전화 번호가 있는 프로필이 없습니다"),
        _("실제 프로필에서 찾은 열을 고르거나, Mixpanel 프로필에 휴대전화 번호를 담는 속성의 이름을 입력하세요."),
    ),
    "phone_column_empty:bare": (
        _("전화번호 열에 휴대전화 번호가 있는 프로필이 없습니다"),
        _("설정에서 전화번호 열을 다른 열로 바꾸세요."),
    ),
    "email_column_empty:bare": (
        _("이메일 열에 이메일이 있는 프로필이 없습니다"),
        _("설정에서 이메일 열을 다른 열로 바꾸세요."),
    ),
    "email_column_empty": (
        _("%(column)s 열에 이메일이 있는 프로필이 없습니다"),
        _("실제 프로필에서 찾은 열을 고르거나, Mixpanel 프로필에 이메일을 담는 속성의 이름을 입력하세요."),
    ),
    "role_low": (
        _("서비스 계정의 역할이 Consumer입니다"),
        _("지금은 읽을 수 있지만 Mixpanel이 막을 수 있습니다. 역할을 Analyst로 바꾸는 것을 권합니다."),
    ),
    "expires_soon": (
        _("서비스 계정이 곧 만료됩니다: %(until)s"),
        _("그 전에 Mixpanel에서 만료일을 늘리거나 새 서비스 계정을 만들어 이름과 비밀번호를 바꾸세요."),
    ),
    "expires_soon:bare": (
        _("서비스 계정이 곧 만료됩니다"),
        _("Mixpanel에서 만료일을 늘리거나 새 서비스 계정을 만들어 이름과 비밀번호를 바꾸세요."),
    ),
    "classified_hidden": (
        _("서비스 계정이 민감 정보로 분류된 속성을 볼 수 없습니다"),
        _("전화번호와 이메일이 빠질 수 있습니다. Mixpanel에서 이 계정의 역할에 분류된 데이터 접근을 허용하세요."),
    ),
    # -- What a refresh may end with --
    "refresh_crashed": (
        _("리프레시가 예기치 않게 멈췄습니다"),
        _("이전 버전은 그대로 사용됩니다. 다시 리프레시하고, 계속되면 운영자에게 로그를 확인해 달라고 요청하세요."),
    ),
    "worker_lost": (
        _("리프레시를 맡은 작업자가 응답하지 않습니다"),
        _("다른 작업자가 자동으로 이어받습니다. 계속되면 운영자에게 작업자 상태를 확인해 달라고 요청하세요."),
    ),
    "broker_unreachable": (
        _("작업 대기열에 연결할 수 없습니다"),
        _("요청은 저장되었고, 대기열이 돌아오면 자동으로 시작됩니다."),
    ),
    "too_many_restarts": (
        _("받는 도중에 Mixpanel의 조회 세션이 여러 번 끊겼습니다"),
        _("이전 버전은 그대로 사용됩니다. 잠시 뒤 이 코호트만 다시 리프레시하세요."),
    ),
    "incomplete": (
        _("Mixpanel이 알려 준 수보다 적은 유저를 받았습니다"),
        _("이전 버전은 그대로 사용됩니다. 잠시 뒤 이 코호트만 다시 리프레시하세요."),
    ),
    "phones_would_go": (
        _("이대로 읽으면 전화번호가 있는 유저가 한 명도 남지 않습니다"),
        _(
            "전화번호 열에 번호가 있는 유저가 없어서 아무것도 바꾸지 않고 멈췄습니다. 설정에서 phone_number_column이 "
            "맞는지 확인하고 다시 리프레시하세요. 정말 전화번호가 없어졌다면 ‘전화번호 없이 읽기’를 누르세요."
        ),
    ),
    "vanished": (
        _("Mixpanel에서 이 코호트가 사라졌습니다"),
        _("지워졌거나 공유가 해제되었습니다. 마지막 버전은 그대로 보관됩니다."),
    ),
}
_SENTENCES["vendor_error"] = _SENTENCES["refused"] = _SENTENCES["mixpanel_refused"] = (
    _("Mixpanel이 요청을 거절했습니다"),
    _("설정에서 연결 테스트를 눌러 원인을 확인하세요."),
)
# Who said nothing, or was cut off, didn't answer with an error.
for _reason in (TimedOut.code, CutOff.code):
    _SENTENCES[f"{MixpanelDown.code}:{_reason}"] = _SENTENCES[_reason]
_UNKNOWN = (
    _("알 수 없는 오류가 발생했습니다: %(code)s"),
    _("다시 시도하고, 계속되면 이 코드를 운영자에게 알려 주세요."),
)
_REASONS = {
    "name": _("호스트 이름을 찾을 수 없음"),
    "refused": _("연결이 거부됨"),
    "no_answer": _("응답 없음"),
    "tls": _("인증서를 확인할 수 없음"),
    "private_address": _("내부 주소로 연결됨"),
    "network": _("네트워크 오류"),
}


def sentence(
    code: str,
    *,
    until: datetime | str | None = None,
    region: str = "",
    project: int | str = "",
    projects: Sequence[str] = (),
    column: str = "",
    host: str = "",
    reason: str = "",
) -> Failure:
    """The failure `code` in the reader's language. The values are those that its sentence may name; `until` is aware
    or ISO 8601. A code that nobody knows gets a sentence as well, which shows it."""
    values: dict[str, Any] = {
        "until": _time(until),
        "region": REGION_NAMES.get(region, region),
        "project": str(project),
        "projects": ", ".join(projects),
        "column": column,
        "host": host,
        "reason": _REASONS.get(reason, reason),
    }
    pattern = _SENTENCES.get(f"{code}:{reason}") or _SENTENCES.get(code, _UNKNOWN)
    if bare := _SENTENCES.get(f"{code}:bare"):
        wanted = [name for name in values if any(f"%({name})s" in str(part) for part in pattern)]
        pattern = pattern if all(values[name] for name in wanted) else bare
    values["code"] = code[:64]
    title, remedy = pattern
    return Failure(code, str(title) % values, str(remedy) % values)


def sending(code: str, *, minutes: int = 0) -> Failure:
    """The failure `code` of a sender, in the reader's language; `minutes`: how far a clock is off. A code that nobody
    knows gets a sentence as well."""
    bare = SENDING.get(f"{code}:bare")
    title, remedy = bare if bare and not minutes else SENDING.get(code, _UNKNOWN)
    values = {"code": code[:64], "minutes": minutes}
    return Failure(code, str(title) % values, str(remedy) % values)


def known_codes() -> frozenset[str]:
    """Every code that has a sentence of its own."""
    return frozenset(code for code in _SENTENCES if ":" not in code)


def values_of(error: VendorError) -> dict[str, Any]:
    """What of an error its sentence may name, fit for JSON: `sentence(error.code, **values_of(error))`."""
    if isinstance(error, HourlyBudgetSpent):
        return {"until": error.until.isoformat()}
    if isinstance(error, Unreachable):
        return {"host": error.host, "reason": error.reason}
    if isinstance(error, MixpanelDown):
        return {"reason": error.reason}
    return {}


def _time(moment: datetime | str | None) -> str:
    """14:31 KST, with the day where it isn't today."""
    if not moment:
        return ""
    local = timezone.localtime(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)
    today = local.date() == timezone.localtime().date()
    return local.strftime("%H:%M %Z" if today else "%Y-%m-%d %H:%M %Z")
