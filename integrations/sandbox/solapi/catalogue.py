"""What an account at the stand-in SOLAPI owns: channels, templates, sender numbers, money, opt-outs, files.

The names belong to the made-up food box shop of the stand-in Mixpanel. Whatever is here can be changed while the
sandbox runs: templates blocked, numbers removed, people opted out.
"""

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.accounts import (
    SOLAPI_API_KEY,
    SOLAPI_API_SECRET,
    SOLAPI_OTHER_API_KEY,
    SOLAPI_OTHER_API_SECRET,
)

LINKS = ("linkMo", "linkPc", "linkAnd", "linkIos")
VARIABLE = re.compile(r"#\{[^{}#]+\}")

PRICES = {"sms": 12.0, "lms": 39.0, "mms": 90.0, "ata": 10.0, "bms_free": 25.0}
"""KRW a message, about what a Korean console lists in 2026. Kinds that can't be sent here have a price of their own."""
OTHER_PRICES = {
    **dict.fromkeys(("cta", "bms_text", "bms_image"), 25.0),
    **dict.fromkeys(("cti", "bms_wide", "bms_wide_item_list", "bms_commerce", "bms_carousel_feed"), 35.0),
    **dict.fromkeys(("bms_carousel_commerce", "bms_premium_video"), 35.0),
    **dict.fromkeys(("nsa", "rcs_sms", "rcs_lms", "rcs_mms", "rcs_tpl", "rcs_itpl", "rcs_ltpl"), 15.0),
    **dict.fromkeys(("fax", "voice"), 50.0),
}
MARK_UP = 1.2
"""What the public price list asks of those without an account."""

CHANNEL = "KA01PF260105010000001HaruTable01"
DELIVERY_CHANNEL = "KA01PF260105010000002HaruDelivr2"

OPTED_OUT_EVERY = 173
"""Every so-many-th person of the crowd with a mobile number has refused ads by calling the shop's 080 number."""
OPT_OUT_NUMBER = "0801234567"


@dataclass(frozen=True)
class Channel:
    """A Kakao channel. `id` is what messages call pfId."""

    id: str
    search_id: str
    name: str
    phone: str


@dataclass
class Template:
    """An AlimTalk template. Only one that is approved, neither blocked nor dormant, can be sent."""

    id: str
    name: str
    channel: str
    content: str
    status: str = "APPROVED"
    buttons: tuple[dict[str, Any], ...] = ()
    comments: tuple[str, ...] = ()
    dormant: bool = False
    blocked: bool = False
    created: str = "2026-01-12T02:10:00.000Z"

    def __post_init__(self) -> None:
        links = " ".join(str(button.get(name) or "") for button in self.buttons for name in LINKS)
        self.variables = tuple(dict.fromkeys(VARIABLE.findall(f"{self.content} {links}")))
        self.wanted = frozenset(self.variables)
        self.in_content = tuple(VARIABLE.findall(self.content))
        self.fixed_length = len(VARIABLE.sub("", self.content))
        parts = [re.escape(part) for part in VARIABLE.split(self.content)]
        self.pattern = re.compile("(.*?)".join(parts), re.DOTALL)

    @property
    def sendable(self) -> bool:
        """Whether a message with it is taken."""
        return self.status == "APPROVED" and not self.dormant and not self.blocked

    def rendered(self, variables: dict[str, str]) -> str:
        """The content with its variables replaced, once: a value that looks like a variable stays as it is."""
        return VARIABLE.sub(lambda found: str(variables.get(found[0], found[0])), self.content)


@dataclass
class Account:
    """One customer of SOLAPI."""

    id: str
    api_key: str
    secret: str
    balance: float
    channels: list[Channel] = field(default_factory=list)
    templates: dict[str, Template] = field(default_factory=dict)
    former_templates: dict[str, Template] = field(default_factory=dict)
    """Deleted ones: what was sent with them still has their text."""
    numbers: dict[str, str] = field(default_factory=dict)
    """Registered sender numbers, and the day until which each may be used."""
    opted_out: set[str] = field(default_factory=set)
    blocked: dict[str, str] = field(default_factory=dict)
    """Numbers that the account itself blocks, each with a memo."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    used_signatures: dict[str, float] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def accounts(opted_out: set[str]) -> dict[str, Account]:
    """The accounts at the start, by API key. `opted_out`: numbers of the crowd."""
    shop = Account(
        id="26010500000001",
        api_key=SOLAPI_API_KEY,
        secret=SOLAPI_API_SECRET,
        balance=30_000_000.0,
        channels=[
            Channel(CHANNEL, "@하루식탁", "하루식탁", "0269000001"),
            Channel(DELIVERY_CHANNEL, "@하루식탁배송", "하루식탁 배송", "0269000001"),
        ],
        templates={template.id: template for template in _templates()},
        numbers={"0269001234": "2027-03-31", "01090001234": "2027-01-15", "15881234": "2028-06-30"},
        opted_out=opted_out,
        blocked={"01090009999": "반품 분쟁"},
    )
    other = Account(
        id="26020100000002",
        api_key=SOLAPI_OTHER_API_KEY,
        secret=SOLAPI_OTHER_API_SECRET,
        balance=500.0,
        numbers={"0313001000": "2027-02-28"},
    )
    return {account.api_key: account for account in (shop, other)}


def _web(name: str, mobile: str, desktop: str | None = None) -> dict[str, Any]:
    return {"buttonName": name, "buttonType": "WL", "linkMo": mobile, "linkPc": desktop or mobile}


def _templates() -> tuple[Template, ...]:
    orders = "https://m.harutable.example/orders/#{주문번호}"
    return (
        Template(
            "KA01TP260112021000001OrderDone01",
            "주문 완료 안내",
            CHANNEL,
            "[하루식탁] 주문 완료 안내\n\n#{고객명}님, 주문해 주셔서 감사합니다.\n\n▶ 주문번호: #{주문번호}\n"
            "▶ 상품: #{상품명}\n▶ 결제금액: #{결제금액}원\n\n정성껏 준비해 보내 드리겠습니다.",
            buttons=(_web("주문 내역 보기", orders),),
        ),
        Template(
            "KA01TP260112021000002Shipping002",
            "배송 출발 안내",
            DELIVERY_CHANNEL,
            "[하루식탁] 배송 출발 안내\n\n#{고객명}님, #{상품명} 상자가 방금 출발했습니다.\n도착 예정: #{도착예정}\n\n"
            "문 앞에 두어도 괜찮도록 보냉제를 넉넉히 담았습니다.",
            buttons=(
                _web("배송 조회", orders, "https://harutable.example/orders/#{주문번호}"),
                _web("배송지 변경", "https://m.harutable.example/address"),
            ),
        ),
        Template(
            "KA01TP260112021000003Renewal0003",
            "정기배송 결제 예정 안내",
            CHANNEL,
            "[하루식탁] 정기배송 결제 예정 안내\n\n#{고객명}님의 정기배송이 #{결제일}에 결제될 예정입니다.\n\n"
            "▶ 이용 상품: #{상품명}\n▶ 결제 예정 금액: #{결제금액}원\n\n"
            "변경이나 건너뛰기는 결제 하루 전까지 가능합니다.",
            buttons=(
                _web("이번 주 건너뛰기", "https://m.harutable.example/skip"),
                _web("상품 바꾸기", "https://m.harutable.example/plan"),
            ),
        ),
        Template(
            "KA01TP260112021000004Hours000004",
            "고객센터 운영시간 안내",
            CHANNEL,
            "[하루식탁] 고객센터 운영시간 안내\n\n평일 09:00~18:00 (점심 12:00~13:00)\n주말과 공휴일은 쉽니다.\n\n"
            "남겨 주신 문의에는 영업일 하루 안에 답해 드립니다.",
        ),
        Template(
            "KA01TP261102021000005Grade000005",
            "회원 등급 변경 안내",
            CHANNEL,
            "[하루식탁] 회원 등급 변경 안내\n\n"
            "#{고객명}님의 회원 등급이 #{등급}(으)로 바뀌었습니다.\n적용일: #{적용일}",
            status="PENDING",
            created="2026-11-02T05:40:00.000Z",
        ),
        Template(
            "KA01TP260820021000006Review00006",
            "후기 요청",
            CHANNEL,
            "[하루식탁] #{고객명}님, 맛있게 드셨나요?\n후기를 남겨 주시면 다음 주문에 쓸 수 있는 쿠폰을 드려요!",
            status="REJECTED",
            comments=("정보성 메시지로 보기 어렵습니다. 쿠폰 지급 안내는 광고에 해당합니다.",),
            created="2026-08-20T01:15:00.000Z",
        ),
        Template(
            "KA01TP250301021000007Pickup00007",
            "매장 픽업 준비 완료",
            CHANNEL,
            "[하루식탁] #{고객명}님, 주문하신 상품이 #{매장명} 매장에 준비되었습니다.",
            dormant=True,
            created="2025-03-01T03:00:00.000Z",
        ),
    )
