"""What people choose about recurring refreshes and about keeping versions."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from cohorts.models import CohortRhythm, CohortRules, Every
from cohorts.pull.rhythm import Choice

INHERIT = "inherit"


class _Rhythm(forms.ModelForm):  # type: ignore[type-arg]
    """How often, without saying whose."""

    hours = forms.IntegerField(
        label=_("시간 간격"),
        min_value=1,
        max_value=168,
        required=False,
        error_messages={
            "invalid": _("1에서 168 사이의 시간을 숫자로 입력해 주세요."),
            "min_value": _("1시간보다 자주 리프레시할 수 없습니다."),
            "max_value": _("168시간(7일)까지 입력할 수 있습니다."),
        },
    )
    daily_at = forms.TimeField(
        label=_("매일 시각"),
        required=False,
        error_messages={"invalid": _("시각을 09:30처럼 입력해 주세요.")},
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M"),
    )

    def clean(self) -> dict[str, Any]:
        """What the choice needs is there; what it doesn't need is left as it was."""
        cleaned = super().clean() or self.cleaned_data
        every = cleaned.get("every")
        if every == Every.DAILY and not cleaned.get("daily_at") and "daily_at" not in self.errors:
            self.add_error("daily_at", _("매일 리프레시할 시각을 입력해 주세요."))
        if not cleaned.get("hours"):
            if every == Every.HOURS and "hours" not in self.errors:
                self.add_error("hours", _("몇 시간마다 리프레시할지 입력해 주세요."))
            cleaned["hours"] = self.instance.hours
        return cleaned


class RulesForm(_Rhythm):
    """A project's rules for its cohorts."""

    keep_versions = forms.IntegerField(
        label=_("버전 보관 개수"),
        min_value=5,
        max_value=100,
        error_messages={
            "required": _("5에서 100 사이의 개수를 입력해 주세요."),
            "invalid": _("5에서 100 사이의 개수를 입력해 주세요."),
            "min_value": _("5개보다 적게 보관할 수 없습니다."),
            "max_value": _("100개까지 보관할 수 있습니다."),
        },
    )
    keep_all_days = forms.IntegerField(
        label=_("모두 보관할 일수"),
        min_value=0,
        max_value=31,
        error_messages={
            "required": _("0에서 31 사이의 일수를 입력해 주세요."),
            "invalid": _("0에서 31 사이의 일수를 입력해 주세요."),
            "min_value": _("0에서 31 사이의 일수를 입력해 주세요."),
            "max_value": _("31일까지 입력할 수 있습니다."),
        },
    )
    keep_days = forms.IntegerField(
        label=_("버전 보관 일수"),
        min_value=1,
        max_value=1000,
        required=False,
        error_messages={
            "invalid": _("일수를 숫자로 입력하거나 비워 주세요."),
            "min_value": _("1일 이상을 입력하거나 비워 주세요."),
            "max_value": _("1000일까지 입력할 수 있습니다."),
        },
    )

    class Meta:
        model = CohortRules
        fields = (
            *("every", "hours", "daily_at", "before_campaign", "heals_daily"),
            *("keep_versions", "keep_all_days", "keep_days"),
        )


class RhythmForm(_Rhythm):
    """One cohort's own choice, or the project's."""

    every = forms.ChoiceField(
        label=_("자동 리프레시"), choices=[(INHERIT, _("프로젝트 기본값")), *Every.choices], required=True
    )

    inherits = False
    """Whether nothing of its own was chosen; known once it is valid."""

    class Meta:
        model = CohortRhythm
        fields = ("every", "hours", "daily_at", "before_campaign")

    @classmethod
    def showing(cls, choice: Choice) -> "RhythmForm":
        """The form with what holds by now."""
        every = choice.every if choice.is_own else INHERIT
        at = choice.daily_at
        return cls(
            initial={"every": every, "hours": choice.hours, "daily_at": at, "before_campaign": choice.before_campaign}
        )

    def clean(self) -> dict[str, Any]:
        """As above; to inherit is to keep nothing."""
        cleaned = super().clean()
        self.inherits = cleaned.get("every") == INHERIT
        if self.inherits:
            cleaned["every"] = Every.OFF
        return cleaned
