"""What happened to a campaign, line by line, and the words for it."""

from collections import defaultdict
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, CampaignEvent, Run
from integrations import failures, send_failures
from integrations.failures import Failure
from integrations.messaging import Reason

WORDS: dict[str, Promise] = {
    "launched": _("캠페인을 시작했습니다"),
    "waits": _("%(number)s회차가 기다립니다: %(reason)s"),
    "frozen": _("%(number)s회차 발송 대상 %(size)s명을 확정했습니다%(version)s"),
    "skipped": _("%(number)s회차를 보내지 않았습니다: %(reason)s"),
    "done": _("%(number)s회차를 모두 넘겼습니다"),
    "paused": _("일시 중지했습니다"),
    "resumed": _("다시 시작했습니다"),
    "braked": _("스스로 멈췄습니다: %(reason)s"),
    "cancelled": _("%(number)s회차 발송을 취소했습니다"),
    "renewed": _("%(number)s회차는 아무에게도 보내기 전에 메시지를 고쳐, 새 회차로 다시 시작했습니다"),
    "ended": _("캠페인을 종료했습니다"),
    "over": _("보낼 것이 더 없어 종료되었습니다"),
    "retried": _("일시적으로 실패한 %(size)s명에게 다시 보냅니다"),
    "rescheduled": _("프로젝트의 시간대가 바뀌어 다음 발송을 옮겼습니다: %(before)s → %(after)s"),
    "tested": _("%(size)s개 번호로 테스트 발송했습니다"),
    "duplicated": _("다른 캠페인을 복제해 만들었습니다"),
    "restored": _("데이터베이스가 백업에서 복원되어 멈췄습니다. 그 사이에 발송되었을 수 있는 수신자는 결과 모름입니다"),
}
"""By the code of an event."""

WAITING: dict[str, Promise] = {
    "refresh": _("코호트 리프레시를 기다립니다"),
    "night": _("야간에는 광고를 보낼 수 없어 08:00까지 기다립니다"),
    "provider": _("발송 플랫폼이 잠시 받지 않아 기다립니다"),
    "canary": _("처음 보낸 일부의 결과를 확인하고 있습니다"),
    "opt_outs": _("발송 플랫폼의 수신거부 목록을 받지 못해 기다립니다"),
}
"""By `Run.waiting_for`."""

SKIPPED: dict[str, Promise] = {
    "stale": _("코호트가 프로젝트 규칙보다 오래되었습니다"),
    "cohort_unread": _("코호트를 아직 한 번도 읽지 못했습니다"),
    "cohort_missing": _("발송 대상 코호트가 없습니다"),
    "upload_missing": _("발송 대상 파일이 없습니다"),
    "group_missing": _("발송 대상 유저 그룹이 없습니다"),
    "group_not_ready": _("발송 대상 유저 그룹이 아직 읽지 않았거나 없어진 코호트나 그룹을 조건으로 씁니다"),
    "audience_missing": _("발송 대상이 정해지지 않았습니다"),
    "held": _("리프레시 결과가 의심스러워 확인을 기다립니다. 코호트에서 적용하거나 버린 뒤 다시 시도하세요"),
    "refresh_failed": _("먼저 하기로 한 코호트 리프레시가 실패했습니다"),
    "refresh_late": _("먼저 하기로 한 코호트 리프레시가 제때 끝나지 않았습니다"),
    "vanished": _("Mixpanel에서 코호트가 사라졌습니다"),
    "nobody": _("보낼 수 있는 수신자가 없습니다"),
    "restored": _("데이터베이스가 백업에서 복원되어, 이미 보냈을 수 있습니다"),
    "still_sending": _("지난 회차가 아직 끝나지 않았습니다"),
}
"""By `Run.skipped_for`."""

STOPPED: dict[str, tuple[Promise, Promise]] = {
    "failure_rate": (
        _("실패가 너무 많아 멈췄습니다"),
        _("실패한 이유를 확인하세요. 괜찮다고 판단하면 다시 시작할 수 있고, 그때부터의 결과만 다시 셉니다."),
    ),
    "crashed": (
        _("보내는 작업이 여러 번 잇달아 중단되었습니다"),
        _("아무도 두 번 받지는 않았습니다. 운영자에게 로그를 확인해 달라고 요청한 뒤 다시 시작하세요."),
    ),
    "ceiling": (
        _("예상 비용이 프로젝트의 한도를 넘습니다"),
        _("발송 규칙에서 한도를 올리거나 발송 대상을 줄인 뒤 다시 시작하세요."),
    ),
    "time_passed": (
        _("프로젝트의 시간대가 바뀌어, 예약한 시각이 이미 지났습니다"),
        _("발송 시점을 다시 정한 뒤 다시 시작하세요."),
    ),
    "content": (
        _("메시지를 지금의 규칙으로는 보낼 수 없습니다"),
        _("메시지를 열어 표시된 문제를 고친 뒤 다시 시작하세요."),
    ),
    "group_not_ready": (
        _("발송 대상 유저 그룹에 누가 속하는지 알 수 없습니다"),
        _(
            "그룹이 조건으로 쓰는 코호트나 그룹이 없어졌는지 확인하세요. 그룹을 고치고 다시 시작하면 그동안 "
            "들어온 사람에게 보냅니다."
        ),
    ),
    "restored": (
        _("데이터베이스가 백업에서 복원되었습니다"),
        _("백업 뒤에 발송되었을 수 있는 수신자는 결과 모름으로 두고 다시 보내지 않습니다. 확인한 뒤 다시 시작하세요."),
    ),
}
"""By `Campaign.brake`; the codes of a sender have their sentences in `integrations/send_failures.py`."""


def note(campaign: Campaign, what: str, *, run: Run | None = None, by: str = "", **details: Any) -> CampaignEvent:
    """Adds a line. In the transaction of what it tells of. `by` is who did it ("" for the console itself); `details`
    are short facts in our own words, never a phone number."""
    if what not in WORDS:
        raise LookupError(f"There are no words for {what!r}.")
    if run is not None:
        details.setdefault("number", run.which)
    return CampaignEvent.objects.create(campaign=campaign, run=run, what=what, by=by[:254], details=details)


def words_of(event: CampaignEvent) -> str:
    """The line in the reader's language. An event of a later version shows its code."""
    pattern = WORDS.get(event.what)
    if pattern is None:
        return event.what
    details = event.details
    values = defaultdict(str, {name: str(value) for name, value in details.items()})
    if isinstance(details.get("size"), int):
        values["size"] = f"{details['size']:,}"
    if details.get("version"):
        values["version"] = str(_(" (코호트 버전 %(version)s)") % {"version": details["version"]})
    if code := details.get("code"):
        values["reason"] = reason_of(event.what, str(code))
    return str(pattern) % values


def reason_of(what: str, code: str) -> str:
    """Why it waits, was skipped or stopped, in the reader's language."""
    table = {"waits": WAITING, "skipped": SKIPPED}.get(what, {})
    return str(table[code]) if code in table else why_stopped(code).title


def why_stopped(code: str) -> Failure:
    """Why a campaign stopped by itself (`Campaign.brake`), and what to do about it, in the reader's language."""
    if code in STOPPED:
        title, remedy = STOPPED[code]
        return Failure(code, str(title), str(remedy))
    if code in Reason.values and code not in send_failures.SENTENCES:
        return Failure(code, str(Reason(code).label), str(_("원인을 고친 뒤 다시 시작하세요.")))
    return failures.sending(code)
