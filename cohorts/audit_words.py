"""What the audit log calls the facts of cohorts and their people."""

from django.utils.translation import gettext_lazy as _

from cohorts.pages.forms import ExportForm
from notifly_console.audit.words import say

say(
    labels={
        "cohort": _("코호트"),
        "cohorts": _("코호트"),
        "version": _("버전"),
        "snapshot": _("버전"),
        "undone": _("되돌린 버전"),
        "restored": _("되살린 버전"),
        "by": _("찾은 방법"),
        "found": _("결과 수"),
        "whole_contacts": _("연락처 전체"),
        "people": _("인원"),
        "joined": _("진행 중인 것에 합류"),
        "without_phones": _("전화번호 없이 읽기"),
        "copied_from": _("복사한 원본"),
        "every": _("자동 리프레시"),
        "hours": _("시간 간격"),
        "daily_at": _("매일 시각"),
        "keep_versions": _("버전 보관 개수"),
        "keep_all_days": _("모두 보관할 일수"),
        "keep_days": _("버전 보관 일수"),
    },
    hidden=("refresh", "group"),
    by={
        "id": _("사용자 ID"),
        "phone": _("전화번호"),
        "email": _("이메일"),
        "last_digits": _("전화번호 뒤 네 자리"),
    },
    what={**dict(ExportForm.SETS), "webhook": _("웹훅")},
)
