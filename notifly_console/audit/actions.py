"""The closed list of what is written to the audit log."""

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Action(TextChoices):
    """A verb of the audit log, with the words that its page shows."""

    SIGNED_IN = "signed_in", _("로그인")
    SIGN_IN_FAILED = "sign_in_failed", _("로그인 실패")
    SIGNED_OUT = "signed_out", _("로그아웃")
    PASSWORD_CHANGED = "password_changed", _("비밀번호 변경")
    SECOND_FACTOR_ADDED = "second_factor_added", _("2단계 인증 추가")
    SECOND_FACTOR_REMOVED = "second_factor_removed", _("2단계 인증 제거")
    PROJECT_CREATED = "project_created", _("프로젝트 생성")
    PROJECT_CHANGED = "project_changed", _("프로젝트 설정 변경")
    MEMBER_INVITED = "member_invited", _("구성원 초대")
    INVITATION_WITHDRAWN = "invitation_withdrawn", _("초대 취소")
    MEMBER_JOINED = "member_joined", _("구성원 참여")
    MEMBER_ROLE_CHANGED = "member_role_changed", _("구성원 역할 변경")
    MEMBER_REMOVED = "member_removed", _("구성원 내보내기")
    CONNECTION_REGISTERED = "connection_registered", _("연동 정보 등록")
    CONNECTION_CHANGED = "connection_changed", _("연동 정보 변경")
    CONNECTION_SECRET_CHANGED = "connection_secret_changed", _("연동 비밀번호 변경")
    CONNECTION_TESTED = "connection_tested", _("연결 테스트")
    CONNECTION_REMOVED = "connection_removed", _("연동 해제")
    API_KEY_ISSUED = "api_key_issued", _("API 키 발급")
    API_KEY_REVOKED = "api_key_revoked", _("API 키 폐기")
    INBOUND_REFUSED = "inbound_refused", _("외부 호출 거부")
    IMPORT_CONFIRMED = "import_confirmed", _("첫 대량 가져오기 확인")
    CREDENTIALS_ROTATED = "credentials_rotated", _("암호화 키 교체")
    REFRESH_REQUESTED = "refresh_requested", _("리프레시 요청")
    SNAPSHOT_ACCEPTED = "snapshot_accepted", _("보류된 버전 적용")
    SNAPSHOT_DISCARDED = "snapshot_discarded", _("보류된 버전 버림")
    GROUP_SAVED = "group_saved", _("유저 그룹 저장")
    GROUP_DELETED = "group_deleted", _("유저 그룹 삭제")
    COHORT_RULES_CHANGED = "cohort_rules_changed", _("코호트 규칙 변경")
    REFRESH_RHYTHM_CHANGED = "refresh_rhythm_changed", _("코호트 리프레시 일정 변경")
    SNAPSHOT_UNDONE = "snapshot_undone", _("버전 되돌리기")
    PROFILES_SEARCHED = "profiles_searched", _("유저 검색")
    PROFILE_SEEN = "profile_seen", _("유저 상세 열람")
    PROFILES_EXPORTED = "profiles_exported", _("유저 목록 내보내기")
    OPT_OUT_ADDED = "opt_out_added", _("수신거부 등록")
    OPT_OUTS_IMPORTED = "opt_outs_imported", _("수신거부 파일 등록")
    OPT_OUT_REMOVED = "opt_out_removed", _("수신거부 해제")
    CAMPAIGN_LAUNCHED = "campaign_launched", _("캠페인 시작")
    CAMPAIGN_PAUSED = "campaign_paused", _("캠페인 일시 중지")
    CAMPAIGN_RESUMED = "campaign_resumed", _("캠페인 다시 시작")
    CAMPAIGN_ENDED = "campaign_ended", _("캠페인 종료")
    CAMPAIGN_DELETED = "campaign_deleted", _("캠페인 삭제")
    RUN_CANCELLED = "run_cancelled", _("발송 취소")
    RUN_RETRIED = "run_retried", _("실패 재발송")
    RECIPIENTS_EXPORTED = "recipients_exported", _("수신자 내보내기")
    SENDING_RULES_CHANGED = "sending_rules_changed", _("발송 규칙 변경")
    OPT_OUTS_PULLED = "opt_outs_pulled", _("080 수신거부 가져오기")
    TEST_SENT = "test_sent", _("테스트 발송")


def known_actions() -> list[tuple[str, Any]]:
    """The list as choices of a column. (As a function, so that a new action needs no migration.)"""
    return list(Action.choices)
