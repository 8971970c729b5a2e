"""What the audit log calls the facts of campaigns and of the rules for sending."""

from django.utils.translation import gettext_lazy as _

from campaigns.models import Freshness, Night, OptOutSource
from campaigns.results.export import SETS
from notifly_console.audit.words import say

say(
    labels={
        "run": _("회차"),
        "who": _("수신자"),
        "added": _("새로 등록한 수"),
        "source": _("등록 경로"),
        "sender_name": _("발송자 이름"),
        "opt_out_number": _("무료 수신거부 번호"),
        "freshness_hours": _("코호트가 오래되었다고 보는 시간"),
        "freshness": _("오래된 코호트"),
        "night": _("야간 광고"),
        "ceiling_won": _("한 회차의 비용 상한(원)"),
        "brake_percent": _("자동 중지 기준(%)"),
    },
    hidden=("campaign", "recipient", "fields"),
    who=dict(SETS),
    source=dict(OptOutSource.choices),
    freshness=dict(Freshness.choices),
    night=dict(Night.choices),
)
