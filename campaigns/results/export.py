"""A run's people as CSV."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from django import forms
from django.db.models import Max, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Recipient, RecipientState, Run
from campaigns.results.find import WHO
from campaigns.sending.tally import Tally
from cohorts.people.lookup import national
from integrations.messaging import Kind
from notifly_console.lib.masking import mask_contacts, mask_phone
from notifly_console.lib.spreadsheet import csv_lines

KEYS_AT_ONCE = 5_000
SETS = (
    ("all", gettext_lazy("수신자 전체")),
    ("delivered", gettext_lazy("도달")),
    ("failed", gettext_lazy("실패")),
    ("retriable", gettext_lazy("다시 보낼 수 있는 실패")),
    ("not_handed", gettext_lazy("아직 넘기지 않음")),
    ("awaited", gettext_lazy("결과를 기다림")),
    ("unknown", gettext_lazy("결과 모름")),
    ("skipped", gettext_lazy("제외")),
)
_COUNTS = {
    "all": lambda counted: counted.size,
    "delivered": lambda counted: counted.delivered,
    "failed": lambda counted: counted.failed,
    "retriable": lambda counted: counted.retriable,
    "not_handed": lambda counted: counted.not_handed,
    "awaited": lambda counted: counted.awaited,
    "unknown": lambda counted: counted.unknown,
    "skipped": lambda counted: counted.skipped,
}


class ExportForm(forms.Form):
    """A download of a run's people. The reason is kept with the record of the download."""

    who = forms.ChoiceField(label=gettext_lazy("받을 목록"), choices=SETS)
    reason = forms.CharField(
        label=gettext_lazy("받는 이유"),
        min_length=2,
        max_length=200,
        error_messages={
            "required": gettext_lazy("받는 이유를 입력해 주세요. 누가 왜 받았는지 기록으로 남습니다."),
            "min_length": gettext_lazy("받는 이유를 조금 더 자세히 입력해 주세요."),
        },
    )


def size_of(counted: Tally, who: str) -> int:
    """How many people a set has."""
    return int(_COUNTS[who](counted))


def lines(run: Run, who: str, *, whole_contacts: bool) -> Iterator[str]:
    """The CSV of `who` (one of SETS), piece by piece, in the order of their rows. Contacts are masked unless
    `whole_contacts`; times are the project's."""
    zone = f"{timezone.localtime():%Z}"
    names = [
        _("사용자 ID"), _("전화번호"), _("상태"), _("이유"), _("발송 플랫폼 코드"), _("메시지 종류"), _("대체 문자"),
        _("넘긴 시각 (%(zone)s)") % {"zone": zone}, _("결과 시각 (%(zone)s)") % {"zone": zone}, _("메시지 ID"),
    ]  # fmt: skip
    # The lines are read after the view has ended, and with it its zone.
    cells = _Cells(whole_contacts, timezone.get_current_timezone())
    return csv_lines(names, (cells.of(row) for row in _recipients(run, who)))


_COLUMNS = (
    "external_id", "phone", "state", "reason", "code", "kind", "was_replaced", "handed_at", "settled_at", "message_id",
)  # fmt: skip


def _recipients(run: Run, who: str) -> Iterator[tuple[Any, ...]]:
    """By ranges of keys: everybody once, also while people move from state to state; no cursor is held and nothing
    sorts the whole run."""
    wanted = Recipient.objects.filter(Q() if who == "all" else WHO[who].condition, run=run).order_by("pk")
    ends = Recipient.objects.filter(run=run).aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for start in range(ends["first"], ends["last"] + 1, KEYS_AT_ONCE):
        some = wanted.filter(pk__range=(start, min(start + KEYS_AT_ONCE - 1, ends["last"])))
        yield from some.values_list(*_COLUMNS)


class _Cells:
    """Makes rows of text out of rows of the database. Words and times repeat a lot: each is made once."""

    def __init__(self, whole: bool, tz: tzinfo) -> None:
        self._whole = whole
        self._tz = tz
        self._yes = _("예")
        self._states = {value: str(label) for value, label in RecipientState.choices}
        self._kinds = {value: str(label) for value, label in Kind.choices}
        self._reasons: dict[str, str] = {}

    def of(self, row: tuple[Any, ...]) -> list[str]:
        external_id, number, state, reason, code, kind, was_replaced, handed_at, settled_at, message_id = row
        if reason not in self._reasons:
            self._reasons[reason] = str(Recipient(reason=reason).state_reason)
        shown = national(number)
        return [
            external_id if self._whole else mask_contacts(external_id),
            shown if self._whole else mask_phone(shown),
            self._states.get(state, state),
            self._reasons[reason],
            code,
            self._kinds.get(kind, kind),
            self._yes if was_replaced else "",
            self._time(handed_at),
            self._time(settled_at),
            message_id,
        ]

    def _time(self, moment: datetime | None) -> str:
        return moment.astimezone(self._tz).isoformat(" ", "seconds")[:19] if moment else ""
