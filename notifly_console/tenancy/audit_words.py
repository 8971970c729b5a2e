"""What the audit log calls the facts of people and projects."""

from django.utils.translation import gettext_lazy as _

from notifly_console.audit.words import say
from notifly_console.tenancy.models import Role

MEANS = {
    "password": _("비밀번호"),
    "password_reset": _("비밀번호 재설정"),
    "mail": _("메일 링크"),
    "totp": _("인증 앱"),
    "webauthn": _("패스키"),
    "recovery_codes": _("복구 코드"),
}
say(
    labels={
        "means": _("수단"),
        "step": _("단계"),
        "factor": _("인증 수단"),
        "role": _("역할"),
        "again": _("다시 보냄"),
        "requires_second_factor": _("관리자 2단계 인증 필수"),
        "time_zone": _("시간대"),
        "rescheduled": _("다음 발송을 옮긴 캠페인"),
    },
    means=MEANS,
    factor=MEANS,
    step={
        "password": _("비밀번호 단계"),
        "second_factor": _("2단계 인증 단계"),
        "confirmation": _("본인 재확인"),
    },
    reason={
        "asked": _("직접 로그아웃"),
        "idle": _("오랫동안 사용하지 않음"),
        "too_old": _("로그인 유지 시간 초과"),
        "foreign_project": _("다른 Mixpanel 프로젝트"),
    },
    role={role.value: role.label for role in Role},
)
