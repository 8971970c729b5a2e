"""What may go wrong with a sender, as sentences: code → what is wrong, what to do about it. `failures.sending` reads
them. Every code of a `messaging.SendError` is here; a test holds the list against the code that raises them."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_LATER = _("아무것도 발송되지 않았습니다. 잠시 뒤 자동으로 다시 시도합니다.")

SENTENCES: dict[str, tuple[Promise, Promise]] = {
    # -- The set-up --
    "not_connected": (
        _("발신 정보가 등록되어 있지 않습니다"),
        _("설정의 발신 정보에서 SOLAPI API 키를 등록하세요."),
    ),
    "cannot_open": (
        _("저장된 API Secret을 열 수 없습니다"),
        _("암호화 키가 바뀌었거나 없습니다. 운영자에게 키 복구를 요청하거나, 설정에서 API Secret을 다시 입력하세요."),
    ),
    "wrong_key": (
        _("SOLAPI가 API 키를 받아들이지 않았습니다"),
        _("SOLAPI 콘솔의 API Key 관리에서 키가 살아 있는지 확인하고, API Key와 API Secret을 다시 입력하세요."),
    ),
    "clock:bare": (
        _("이 서버의 시계가 맞지 않습니다"),
        _("SOLAPI는 15분 넘게 어긋난 요청을 거절합니다. 운영자에게 서버의 시각 동기화(NTP)를 맡기세요."),
    ),
    "clock": (
        _("이 서버의 시계가 %(minutes)s분 어긋나 있습니다"),
        _("SOLAPI는 15분 넘게 어긋난 요청을 거절합니다. 운영자에게 서버의 시각 동기화(NTP)를 맡기세요."),
    ),
    "not_permitted": (
        _("이 API 키로는 할 수 없는 일입니다"),
        _("SOLAPI 콘솔에서 API 키의 권한과 허용 IP, 계정 상태를 확인하세요. 이 서버의 IP가 허용 목록에 있어야 합니다."),
    ),
    "out_of_balance": (
        _("SOLAPI 잔액이 부족합니다"),
        _("SOLAPI 콘솔에서 충전한 뒤 캠페인을 다시 시작하세요. 이미 넘긴 메시지는 그대로 발송됩니다."),
    ),
    "sender_unregistered": (
        _("등록되지 않은 발신 번호입니다"),
        _("SOLAPI 콘솔에서 발신 번호의 등록과 만료일을 확인하고, 발신 정보를 새로 고친 뒤 다른 번호를 고르세요."),
    ),
    "sender_blocked": (
        _("발신 번호 또는 계정이 차단되었습니다"),
        _("KISA 신고나 번호 도용 차단이 원인일 수 있습니다. SOLAPI 고객센터에 해제 방법을 문의하세요."),
    ),
    "profile_unusable": (
        _("카카오 채널을 쓸 수 없습니다"),
        _("카카오 채널이 SOLAPI에 연동되어 있는지, 카카오가 제재하지 않았는지 확인하세요."),
    ),
    "template_unusable": (
        _("알림톡 템플릿을 쓸 수 없습니다"),
        _("템플릿이 승인 상태인지, 휴면이나 차단은 아닌지 템플릿 조회에서 확인하고 다른 템플릿을 고르세요."),
    ),
    "image": (
        _("SOLAPI가 이미지를 받지 않았습니다"),
        _("MMS는 200 KB 이하 JPG, 친구톡은 가로 500픽셀 이상의 JPG나 PNG여야 합니다. 이미지를 바꿔 다시 올리세요."),
    ),
    "spam": (
        _("메시지가 스팸으로 차단되었습니다"),
        _("문구와 링크를 확인하고, SOLAPI 고객센터에 차단 사유를 문의하세요. 같은 문구로 다시 보내지 마세요."),
    ),
    "refused_request": (
        _("SOLAPI가 요청을 거절했습니다"),
        _("설정의 발신 정보에서 연결 테스트를 누르세요. 계속되면 운영자에게 로그를 확인해 달라고 요청하세요."),
    ),
    "forbidden_destination": (
        _("허용되지 않은 주소라서 요청을 보내지 않았습니다"),
        _("운영자에게 SOLAPI_API_URL 설정을 확인해 달라고 요청하세요."),
    ),
    # -- What the connection test finds --
    "no_balance": (
        _("SOLAPI 잔액이 없습니다"),
        _("SOLAPI 콘솔에서 충전하세요. 잔액이 모자라면 캠페인이 스스로 멈춥니다."),
    ),
    "clock_off": (
        _("이 서버의 시계가 어긋나 있습니다"),
        _("아직은 보낼 수 있지만, 15분 넘게 어긋나면 SOLAPI가 거절합니다. 운영자에게 시각 동기화(NTP)를 맡기세요."),
    ),
    "no_channels": (
        _("연동된 카카오 채널이 없습니다"),
        _("알림톡과 친구톡을 보내려면 SOLAPI 콘솔에서 카카오 채널을 연동한 뒤 새로 고치세요. 문자는 보낼 수 있습니다."),
    ),
    "no_numbers": (
        _("쓸 수 있는 발신 번호가 없습니다"),
        _("SOLAPI 콘솔에서 발신 번호를 등록하고 인증한 뒤 새로 고치세요. 문자와 대체 문자에 필요합니다."),
    ),
    "no_templates": (
        _("승인된 알림톡 템플릿이 없습니다"),
        _("SOLAPI 콘솔에서 템플릿을 등록해 검수를 받으세요. 승인까지 영업일로 이틀쯤 걸립니다."),
    ),
    # -- Not now --
    "not_yet": (_("SOLAPI에 보낼 차례를 기다리고 있습니다"), _LATER),
    "too_many_requests": (_("SOLAPI가 잠시 요청을 받지 않습니다"), _LATER),
    "provider_down": (
        _("SOLAPI가 오류로 응답하고 있습니다"),
        _("잠시 뒤 자동으로 다시 시도합니다. 계속되면 SOLAPI의 공지에서 장애 여부를 확인하세요."),
    ),
    "unreachable": (
        _("SOLAPI에 연결할 수 없습니다"),
        _("서버의 인터넷 연결과 방화벽이 api.solapi.com의 443 포트를 허용하는지 운영자에게 확인하세요."),
    ),
    "timed_out": (
        _("SOLAPI가 제시간에 답하지 않았습니다"),
        _("결과를 확인하기 전에는 다시 보내지 않습니다. 잠시 뒤 자동으로 확인합니다."),
    ),
    "cut_off": (
        _("SOLAPI와의 연결이 도중에 끊겼습니다"),
        _("결과를 확인하기 전에는 다시 보내지 않습니다. 잠시 뒤 자동으로 확인합니다."),
    ),
    "bad_answer": (
        _("SOLAPI의 응답을 이해할 수 없습니다"),
        _("결과를 확인하기 전에는 다시 보내지 않습니다. 계속되면 프록시가 응답을 바꾸는지 운영자에게 확인하세요."),
    ),
    "too_large": (
        _("SOLAPI의 응답이 너무 커서 받지 않았습니다"),
        _("잠시 뒤 자동으로 다시 시도합니다. 계속되면 운영자에게 로그를 확인해 달라고 요청하세요."),
    ),
    "halted": (_("작업이 중단되었습니다"), _LATER),
    # -- One group --
    "group_gone": (
        _("SOLAPI에서 이 묶음이 사라졌습니다"),
        _("SOLAPI 콘솔에서 지웠을 수 있습니다. 발송되지 않았으며, 새 묶음으로 다시 보냅니다."),
    ),
    "counts_differ": (
        _("SOLAPI가 받은 건수가 보낸 건수와 다릅니다"),
        _("그래서 발송하지 않았습니다. 새 묶음으로 다시 보냅니다."),
    ),
    "not_settled": (
        _("발송되었는지 아직 알 수 없습니다"),
        _("SOLAPI에 계속 확인하고 있으며, 알게 될 때까지 다시 보내지 않습니다."),
    ),
    "other_account": (
        _("이 묶음은 다른 SOLAPI 계정의 것입니다"),
        _("API 키가 다른 계정의 것으로 바뀌었습니다. 이전 계정의 키를 다시 등록하면 결과를 확인할 수 있습니다."),
    ),
}
