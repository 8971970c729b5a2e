"""Our words for sending: what is handed to a provider, what became of it, and the protocol that a provider fulfils.

Nothing here talks to anybody. A provider is a folder beside this file (`solapi/`) with a `Messenger` and a `Catalogue`;
the rooms above know only these names.

A hand-over has three steps, since only one of them can't be taken back:

1. `open` makes an empty group at the provider and returns its handle, which the caller commits before going on;
2. `load` puts messages in. Nothing is sent; what the provider refuses at once is named. It may be abandoned at will;
3. `dispatch` sends the group: the irreversible step. When its answer doesn't come, `recall` settles it: afterwards the
   group either never goes, or has gone.

A provider without groups keeps the messages in memory until `dispatch` and answers `recall` by our reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Channel(TextChoices):
    """What a campaign is sent over."""

    ALIMTALK = "alimtalk", _("카카오 알림톡")
    FRIENDTALK = "friendtalk", _("카카오 친구톡")
    TEXT = "text", _("문자")


class Kind(TextChoices):
    """What one message is, which is also what it is priced by."""

    ALIMTALK = "alimtalk", _("알림톡")
    FRIENDTALK = "friendtalk", _("친구톡")
    SMS = "sms", "SMS"
    LMS = "lms", "LMS"
    MMS = "mms", "MMS"


class Reason(TextChoices):
    """Why somebody didn't get a message, in our own words; a provider's folder translates its codes into these."""

    # The number or the phone
    NUMBER_INVALID = "number_invalid", _("번호 형식 오류")
    NO_SUCH_NUMBER = "no_such_number", _("없는 번호")
    PHONE_OFF = "phone_off", _("전원 꺼짐")
    PHONE_BUSY = "phone_busy", _("단말기 일시 오류")
    NOT_REACHED = "not_reached", _("음영 지역")
    PHONE_FULL = "phone_full", _("메시지 저장 개수 초과")
    BLOCKED_BY_RECIPIENT = "blocked_by_recipient", _("수신자 차단")
    OPTED_OUT = "opted_out", _("080 수신거부")
    # Kakao
    NOT_A_FRIEND = "not_a_friend", _("채널 친구 아님")
    NOT_ON_KAKAO = "not_on_kakao", _("카카오톡 미사용자")
    KAKAO_INACTIVE = "kakao_inactive", _("카카오톡 미접속 또는 알림톡 차단")
    KAKAO_DAILY_LIMIT = "kakao_daily_limit", _("수신자 하루 한도 초과")
    OUTSIDE_HOURS = "outside_hours", _("발송 가능 시간 아님")
    # What was sent
    TEMPLATE_MISMATCH = "template_mismatch", _("템플릿과 내용이 다름")
    TEMPLATE_UNUSABLE = "template_unusable", _("쓸 수 없는 템플릿")
    CONTENT_REFUSED = "content_refused", _("메시지 내용 거부")
    TOO_LONG = "too_long", _("길이 초과")
    CHARACTERS = "characters", _("보낼 수 없는 문자")
    IMAGE = "image", _("이미지 오류")
    BUTTON = "button", _("버튼 오류")
    DUPLICATE = "duplicate", _("같은 번호 중복")
    SPAM = "spam", _("스팸으로 차단됨")
    # Who sends
    SENDER_UNREGISTERED = "sender_unregistered", _("등록되지 않은 발신 번호")
    SENDER_BLOCKED = "sender_blocked", _("차단된 발신 번호")
    PROFILE_UNUSABLE = "profile_unusable", _("쓸 수 없는 발신 프로필")
    OUT_OF_BALANCE = "out_of_balance", _("잔액 부족")
    # On the way
    CARRIER = "carrier", _("통신사 일시 오류")
    NO_REPORT = "no_report", _("결과가 오지 않음")
    OTHER = "other", _("기타 오류")


class Outcome(StrEnum):
    """What a provider says of one message."""

    WAITING = "waiting"
    """Taken; the report is still to come."""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """The provider itself can't tell (Kakao 3005); it may still arrive, so no fallback is sent for it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a provider's code means to us."""

    outcome: Outcome
    reason: Reason | None = None
    is_transient: bool = False
    """Whether a new attempt later makes sense for an information message."""
    stops_campaign: bool = False
    """Not this person but the set-up is at fault: everybody else would fail likewise."""
    is_opt_out: bool = False
    """The person refused advertising: our own list must know."""


# -- What is sent -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Button:
    """A web-link button of a Kakao message."""

    name: str
    mobile_url: str
    pc_url: str = ""


@dataclass(frozen=True, slots=True)
class Fallback:
    """The text message that goes out instead where a Kakao message can't be delivered; SMS or LMS."""

    kind: Kind
    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person, everything filled in."""

    reference: str
    """Ours; comes back with refusals and reports. At most 100 characters."""
    to: str
    """E.164."""
    kind: Kind
    sender: str
    """A registered number, digits only; of a Kakao message the sender of its fallback ("" for none)."""
    text: str = ""
    """Of an 알림톡 the text that the template gives; the provider gets the template and the variables."""
    subject: str = ""
    image: str = ""
    """The provider's id of an uploaded picture."""
    is_ad: bool = False
    profile: str = ""
    """The Kakao channel's id at the provider."""
    template: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of an 알림톡, by name without `#{}`."""
    buttons: Sequence[Button] = ()
    fallback: Fallback | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that the provider would not take; it is not sent and not charged."""

    reference: str
    code: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of `load`: message ids by our reference, and what was refused."""

    message_ids: Mapping[str, str]
    refused: Sequence[Refusal] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one message."""

    reference: str
    """Ours; "" where the provider lost it: then `message_id` tells."""
    message_id: str
    code: str
    verdict: Verdict
    at: datetime | None = None
    was_replaced: bool = False
    """The fallback text went out instead."""
    replaced_by: Kind | None = None
    """As what; None where the provider doesn't say."""


class Recalled(StrEnum):
    """How an unclear dispatch was settled."""

    NEVER_GOES = "never_goes"
    """Not sent, and the provider will refuse to send it from now on."""
    HAS_GONE = "has_gone"


# -- What can go wrong ------------------------------------------------------------------------------------------------
class SendError(Exception):
    """A step of a hand-over wasn't done. `code` is a stable slug; `failures.sending(code)` has its
    sentence."""

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after
        """Seconds, where the provider said so."""


class NotTaken(SendError):
    """Provably nothing was taken (no connection, 429, a documented "not now"): the same may be tried again later."""


class Stopped(SendError):
    """The set-up is at fault (keys, clock, balance, profile, sender): nothing was taken, and nothing will be until a
    person mends it."""


class Unclear(SendError):
    """No telling whether it was taken: the answer didn't come, or makes no sense. Never to be tried again blindly."""


# -- The protocol -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do; the rooms above decide by this, never by the provider's name."""

    channels: frozenset[Channel]
    native_fallback: frozenset[Kind]
    """Kinds whose fallback the provider sends by itself; for others we send it when the failure is reported."""
    most_at_once: int
    """Messages of one group in one `load`."""
    requests_per_second: float
    """Of one account, over all workers."""
    can_recall: bool
    """Whether `recall` gives a certain answer."""
    has_reports_by_group: bool = True
    history_days: int = 180


class Messenger(Protocol):
    """A provider's account, ready to send. For `with`. Each call is one or a few requests with a total deadline of 30
    seconds, is never repeated by itself, and raises only the errors above."""

    provider: str
    capabilities: Capabilities

    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...

    def open(self, reference: str) -> str:
        """A new empty group named by our `reference`; its handle. An orphan costs nothing. Raises NotTaken, Stopped;
        where the answer didn't come, NotTaken too: an empty group is as good as none."""

    def load(self, handle: str, messages: Sequence[Message]) -> Loaded:
        """Puts messages into the group. Raises NotTaken (also when it is unclear what got in: nothing goes before
        `dispatch`, so abandon the group with `recall`) and Stopped."""

    def dispatch(self, handle: str) -> None:
        """Sends the group. Returns only when the provider has taken it (also when it had taken it before). Raises
        NotTaken and Stopped (provably not begun) and Unclear."""

    def recall(self, handle: str) -> Recalled:
        """Settles a group whose dispatch is unclear, or that is to be abandoned. Raises Unclear or NotTaken when it
        can't be told now."""

    def reports(self, handle: str) -> Iterator[Report]:
        """What became of the group's messages, in pages behind the scenes; also of those that were refused at `load`.
        Raises NotTaken when it can't be had now."""


# -- What a provider's account has ------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class KakaoProfile:
    """A registered Kakao channel (발신 프로필)."""

    id: str
    name: str
    """Its search id, as people know it: `@하루식탁`."""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class SenderNumber:
    """A registered sender number (발신 번호)."""

    number: str
    """Digits."""
    name: str = ""
    is_active: bool = True


class TemplateStatus(TextChoices):
    """Where a template stands with Kakao's review."""

    PENDING = "pending", _("대기")
    IN_REVIEW = "in_review", _("검수 중")
    APPROVED = "approved", _("승인")
    REJECTED = "rejected", _("반려")
    DORMANT = "dormant", _("휴면")
    BLOCKED = "blocked", _("차단")


@dataclass(frozen=True, slots=True)
class Template:
    """An 알림톡 template. Only an approved one may be sent."""

    id: str
    profile_id: str
    name: str
    content: str
    variables: tuple[str, ...]
    """Names without `#{}`, in order of first use, those of buttons' links included."""
    buttons: tuple[Button, ...]
    """Web links; others are listed in `other_buttons` and sent as they are approved."""
    status: TemplateStatus
    other_buttons: tuple[str, ...] = ()
    emphasis: str = ""
    code: str = ""
    comments: tuple[str, ...] = ()
    updated_at: str = ""

    @property
    def is_sendable(self) -> bool:
        """Whether Kakao lets it go out."""
        return self.status == TemplateStatus.APPROVED


@dataclass(frozen=True, slots=True)
class Balance:
    """Prepaid money in won."""

    cash: Decimal
    points: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """What can be spent."""
        return self.cash + self.points


class Catalogue(Protocol):
    """What a provider's account offers, asked afresh. Raises NotTaken, Stopped."""

    def profiles(self) -> list[KakaoProfile]: ...
    def numbers(self) -> list[SenderNumber]: ...
    def templates(self) -> list[Template]: ...
    def template(self, template_id: str) -> Template | None:
        """One template as it stands now; None when it is gone."""

    def balance(self) -> Balance: ...
    def prices(self) -> Mapping[Kind, Decimal]:
        """Won for one message, VAT as the provider states it."""

    def opt_outs(self) -> Iterator[str]:
        """Numbers (E.164) that refused advertising at the provider's 080 service."""

    def upload(self, picture: bytes, *, name: str, kind: Kind) -> str:
        """The provider's id of the picture. Raises Stopped("image") when it is refused."""
