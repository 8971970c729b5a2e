"""What people enter on the pages of cohorts and profiles."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cohorts.groups.conditions import MOST_DAYS
from cohorts.versions.compare import SETS


class FindForm(forms.Form):
    """A search by id, phone or e-mail. Sent by POST: none of the three may stand in an address."""

    q = forms.CharField(
        label=_("검색"),
        max_length=255,
        error_messages={"required": _("찾을 사용자 ID, 전화번호 또는 이메일을 입력해 주세요.")},
    )


class SyncForm(forms.Form):
    """유저 리스트 by Partner Sync: who joined or left a cohort in the last days."""

    ACTIONS: tuple[tuple[str, Any], ...] = (("added", _("들어옴 (Added)")), ("removed", _("나감 (Removed)")))

    cohort = forms.CharField(
        label=_("코호트"),
        max_length=200,
        error_messages={"required": _("코호트의 이름이나 ID를 입력해 주세요. 예: mixpanel_2785620")},
    )
    action = forms.ChoiceField(label=_("변화"), choices=ACTIONS)
    days = forms.IntegerField(label=_("최근 며칠"), min_value=1, max_value=MOST_DAYS)


class ExportForm(forms.Form):
    """A download of people. The reason is kept with the record of the download."""

    SETS: tuple[tuple[str, Any], ...] = (
        ("members", _("현재 유저 전체")),
        ("joined", _("들어온 사람")),
        ("left", _("나간 사람")),
    )

    what = forms.ChoiceField(label=_("받을 목록"), choices=SETS)
    reason = forms.CharField(
        label=_("받는 이유"),
        min_length=2,
        max_length=200,
        error_messages={
            "required": _("받는 이유를 입력해 주세요. 누가 왜 받았는지 기록으로 남습니다."),
            "min_length": _("받는 이유를 조금 더 자세히 입력해 주세요."),
        },
    )


class DecisionForm(forms.Form):
    """Which held version a person decided about: the one that they saw."""

    held = forms.IntegerField(min_value=1)


class UndoForm(forms.Form):
    """Which version was the current one on the person's screen."""

    seen = forms.IntegerField(min_value=1)


class CompareForm(forms.Form):
    """Two versions, by their numbers."""

    older = forms.IntegerField(label=_("이전 버전"), min_value=1, max_value=2**31 - 1)
    newer = forms.IntegerField(label=_("새 버전"), min_value=1, max_value=2**31 - 1)


class DifferenceExportForm(ExportForm):
    """A download of what two versions differ by."""

    def __init__(self, *args: Any, sets: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["what"].choices = [(name, SETS[name]) for name in sets]  # type: ignore[attr-defined]
