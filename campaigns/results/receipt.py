"""What became of one recipient, step by step, and what the same person was sent by the campaign's other runs."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from campaigns.models import BatchState, CampaignEvent, Recipient, RecipientState, RunKind
from campaigns.results.find import RecipientRow, row_of
from campaigns.results.report import reason_words
from integrations.messaging import Kind, Reason

R = RecipientState
OTHERS_SHOWN = 20


@dataclass(frozen=True)
class Stepped:
    """A step of a recipient's way."""

    at: datetime | None
    dot: str
    words: str
    more: str = ""


def steps_of(one: Recipient) -> list[Stepped]:
    """From the freeze to the result, the newest first."""
    steps = [_frozen(one)]
    if one.handed_at is not None:
        steps.append(_handed(one))
    if one.was_replaced:
        more = _("카카오 메시지를 전달할 수 없어 문자가 나갔습니다")
        steps.append(Stepped(None, "wait", _("대체 문자로 보냄"), " · ".join(filter(None, (_kind(one.kind), more)))))
    steps.append(_now(one))
    return list(reversed(steps))


def _frozen(one: Recipient) -> Stepped:
    run = one.run
    event = CampaignEvent.objects.filter(run=run, what__in=["frozen", "retried", "tested"]).order_by("pk").first()
    more = run.title
    if run.snapshot_number:
        more += " · " + _("코호트 버전 %(version)s") % {"version": run.snapshot_number}
    words = {
        RunKind.TEST: _("테스트 번호로 넣음"),
        RunKind.RETRY: _("재발송 대상에 넣음"),
    }.get(RunKind(run.kind), _("발송 대상으로 확정"))
    return Stepped(event.at if event else run.started_at or run.created_at, "", words, more)


def _handed(one: Recipient) -> Stepped:
    # Where the provider sends the text instead, what we handed over was the Kakao message.
    handed = one.run.channel if one.was_replaced and not one.run.sends_fallback else one.kind
    facts = [_kind(handed)] if handed else []
    if one.batch is not None and one.batch.handle:
        facts.append(_("그룹 %(group)s") % {"group": one.batch.handle})
    if one.message_id:
        facts.append(_("메시지 %(message)s") % {"message": one.message_id})
    return Stepped(one.handed_at, "main", _("발송 플랫폼에 넘김"), " · ".join(facts))


def _kind(kind: str) -> str:
    """In words; "" for none."""
    return str(Kind(kind).label) if kind in Kind.values else ""


def _now(one: Recipient) -> Stepped:
    code = _("발송 플랫폼 코드 %(code)s") % {"code": one.code} if one.code else ""
    if one.state == R.DELIVERED:
        return Stepped(one.settled_at, "ok", _("도달"), code)
    if one.state in (R.FAILED, R.REFUSED):
        words = _("실패: %(reason)s") if one.state == R.FAILED else _("발송 플랫폼이 받지 않음: %(reason)s")
        again = _("잠시 뒤 다시 보내면 도달할 수 있습니다") if one.is_transient else ""
        more = " · ".join(part for part in (code, again) if part)
        return Stepped(one.settled_at, "bad", words % {"reason": reason_words(one.reason)}, more)
    if one.state == R.SKIPPED:
        return Stepped(one.settled_at, "", _("보내지 않음: %(reason)s") % {"reason": one.state_reason})
    if one.state == R.UNKNOWN:
        return Stepped(one.settled_at, "unknown", _("결과 모름"), _unknown_words(one))
    if one.state == R.ACCEPTED:
        return Stepped(None, "wait", _("결과를 기다림"))
    return Stepped(None, "wait", _("넘기는 중") if one.state == R.CLAIMED else _("아직 넘기지 않음"))


def _unknown_words(one: Recipient) -> str:
    if one.reason == Reason.NO_REPORT:
        return _("나흘 동안 결과가 오지 않았습니다. 두 번 받는 일이 없도록 다시 보내지 않습니다.")
    if one.batch is not None and one.batch.state == BatchState.UNKNOWN:
        return _("발송 플랫폼의 응답이 끊겼습니다. 다시 보내지 않고 결과를 조회합니다.")
    return _("받았는지 알 수 없습니다. 두 번 받는 일이 없도록 다시 보내지 않습니다.")


def others_of(one: Recipient) -> list[RecipientRow]:
    """The same number in other runs of the campaign, the newest first."""
    runs = one.run.campaign.runs.exclude(pk=one.run_id).order_by("-pk").values_list("pk", flat=True)[:1_000]
    found = Recipient.objects.filter(run__in=list(runs), phone=one.phone).select_related("run").order_by("-pk")
    return [row_of(other) for other in found[:OTHERS_SHOWN]]
