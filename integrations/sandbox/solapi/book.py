"""All groups of the stand-in SOLAPI, the rules by which they move on, and the ledger of what reached phones.

world.solapi.ledger.repeated()          # numbers that got more than one message, with how many: must be empty
world.solapi.account().balance = 0      # nothing can be sent any more
"""

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from integrations.sandbox.accounts import SOLAPI_API_KEY
from integrations.sandbox.solapi.catalogue import OPTED_OUT_EVERY, Account, accounts
from integrations.sandbox.solapi.codes import TEXTS
from integrations.sandbox.solapi.groups import (
    COMPLETE,
    DELETED,
    FAILED,
    GROUP_LIMIT,
    PENDING,
    SCHEDULED,
    SENDING,
    Group,
)
from integrations.sandbox.solapi.ids import Keys, as_iso, place_in_group
from integrations.sandbox.solapi.ledger import Ledger
from integrations.sandbox.solapi.outcomes import kakao_is_closed
from integrations.sandbox.solapi.reports import Reports
from integrations.sandbox.solapi.text_checks import Rules

if TYPE_CHECKING:
    from integrations.sandbox.world import World

RECIPIENTS_AT_ONCE = 10_000
HALF_A_YEAR = 183 * 86_400.0


class Refused(Exception):
    """An answer other than 200: its status, `errorCode` and `errorMessage`."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class Book:
    """The state of the stand-in SOLAPI."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.lock = threading.RLock()
        self.accounts = accounts(_opted_out(world))
        self.groups: dict[str, Group] = {}
        self.ledger = Ledger(self.settle_all)
        self.reports = Reports(self)
        self.outcomes: dict[int, int] = {}
        """Final codes of numbers (packed), before what their last digits say."""
        self._keys = Keys()
        self._by_key: dict[str, Group] = {}
        self._going: dict[str, Group] = {}
        self._scheduled: dict[str, Group] = {}

    def account(self, api_key: str = SOLAPI_API_KEY) -> Account:
        """The account with this key."""
        return self.accounts[api_key]

    @property
    def now(self) -> float:
        """The sandbox's time."""
        return self.world.clock.now()

    # -- Finding ------------------------------------------------------------------------------------------------------
    def group(self, account: Account, group_id: str) -> Group:
        """This account's group. Raises Refused, 404."""
        group = self.groups.get(group_id)
        if group is None or group.account is not account:
            raise Refused(404, "ResourceNotFound", "해당 그룹아이디가 존재하지 않습니다.")
        return group

    def place_of(self, account: Account, message_id: str) -> tuple[Group, int] | None:
        """Where this account's message is."""
        found = place_in_group(message_id)
        group = self._by_key.get(found[0]) if found else None
        if found is None or group is None or group.account is not account or found[1] >= len(group):
            return None
        return group, found[1]

    def groups_of(self, account: Account) -> list[Group]:
        """The account's groups, the newest first."""
        with self.lock:
            return [group for group in reversed(self.groups.values()) if group.account is account]

    # -- Time passes --------------------------------------------------------------------------------------------------
    def settle_all(self) -> None:
        """Send what is due, and work out what became of what was sent."""
        self.send_due()
        for group in list(self._going.values()):
            self.settle(group)

    def send_due(self) -> None:
        """Send the groups whose time has come."""
        now = self.now
        for group in list(self._scheduled.values()):
            if group.scheduled is not None and group.scheduled <= now:
                self._fire(group)

    def settle(self, group: Group) -> None:
        """Bring one group up to date."""
        with group.lock:
            back = group.settle(self.now, self.outcomes)
            if group.status != SENDING or group.settled == len(group):
                self._going.pop(group.id, None)
        if back:
            with group.account.lock:
                group.account.balance += back

    # -- What may be done with a group --------------------------------------------------------------------------------
    def create(self, account: Account, options: dict[str, Any]) -> Group:
        """A new, empty group."""
        fields = options.get("customFields")
        if fields is not None and not isinstance(fields, dict):
            raise Refused(400, "ValidationError", "customFields 의 데이터 타입은 객체여야 됩니다.")
        now = self.now
        with self.lock:
            group = Group(self._keys.next(), account, now, options)
            self.groups[group.id] = self._by_key[group.key] = group
        group.log.append({"message": "메시지 그룹이 생성되었습니다.", "createAt": as_iso(now)})
        return group

    def add(self, group: Group, messages: Any) -> tuple[int, list[dict[str, Any]]]:
        """Put messages in. Returns how many were refused, and the result of each."""
        expanded = _expanded(messages)
        config = self.world.config
        rules = Rules(
            group.account,
            rare_syllables=config.rare_syllables,
            broke=config.short_of_money == "add" and group.account.balance <= 0,
        )
        with group.lock:
            if group.status != PENDING:
                raise Refused(400, "InvalidGroupStatus", "처리가 가능한 그룹이 아닙니다.")
            if len(group) + len(expanded) > GROUP_LIMIT:
                raise Refused(413, "MessagesTooMany", f"하나의 그룹에는 최대 {GROUP_LIMIT}건까지 담을 수 있습니다.")
            refused = group.refused
            start = group.add(expanded, rules, self.now)
            refused = group.refused - refused
            results = self._results(group, start, expanded)
            taken = len(expanded) - refused
            text = f"국가코드(82)의 메시지 {taken} 건이 추가되었습니다."
            group.log.append({"message": text, "createAt": as_iso(group.updated)})
        return refused, results

    def _results(self, group: Group, start: int, messages: list[Any]) -> list[dict[str, Any]]:
        account_id = group.account.id
        results = []
        for place, message in enumerate(messages, start=start):
            code = group.registered_code(place)
            if type(message) is not dict:
                message = {}
            results.append(
                {
                    "to": message.get("to"),
                    "from": message.get("from"),
                    "type": group.kind(place) or message.get("type"),
                    "country": "82",
                    "messageId": group.message_id(place),
                    "statusCode": str(code),
                    "statusMessage": TEXTS[code],
                    "accountId": account_id,
                }
            )
        return results

    def remove(self, group: Group, message_ids: list[Any]) -> list[dict[str, Any]]:
        """Take messages out of a group that wasn't sent."""
        with group.lock:
            if group.status != PENDING:
                raise Refused(400, "InvalidGroupStatus", "처리가 가능한 그룹이 아닙니다.")
            results = []
            for message_id in message_ids:
                found = self.place_of(group.account, str(message_id))
                done = found is not None and found[0] is group and group.remove(found[1], self.now)
                results.append({"messageId": message_id, "resultCode": "Success" if done else "ResourceNotFound"})
        return results

    def send(self, group: Group) -> None:
        """Send a group. Raises Refused as the documentation of `send` has it: a second time is a 409."""
        with group.lock:
            self.settle(group)
            refusals = {
                SENDING: (409, "GroupInProcessing", "이미 발송 요청된 그룹입니다."),
                SCHEDULED: (409, "ScheduledGroup", "발송 예약된 그룹이므로 발송이 불가능합니다."),
                COMPLETE: (409, "AlreadySent", "이미 발송이 완료된 그룹입니다."),
                DELETED: (400, "DeletedGroup", "삭제 처리된 그룹으로는 발송이 안됩니다."),
                FAILED: (400, "FailedGroup", "그룹 생성에 실패했던 그룹입니다."),
            }
            if group.status in refusals:
                raise Refused(*refusals[group.status])
            if not group.registered:
                raise Refused(400, "MessagesNotFound", "발송 가능한 메시지가 없습니다.")
            self._go(group)

    def _go(self, group: Group) -> None:
        """Take the money and send. Raises Refused, 402."""
        config, now, cost = self.world.config, self.now, group.cost()
        with group.account.lock:
            before = group.account.balance
            if before < cost:
                raise Refused(402, "NotEnoughBalance", "현재보유 잔액이 부족합니다.")
            group.account.balance = before - cost
        group.charged = cost
        group.begin(
            now,
            after=config.report_seconds,
            apart=1 / config.reports_per_second if config.reports_per_second else 0.0,
            failure_share=config.failure_share,
            night=config.kakao_night and kakao_is_closed(now),
            fallback=config.brand_fallback,
        )
        group.log.append(
            {
                "createAt": as_iso(now),
                "message": "메시지를 발송했습니다.",
                "oldBalance": before,
                "newBalance": before - cost,
                "oldPoint": 0,
                "newPoint": 0,
                "totalPrice": cost,
            }
        )
        with self.lock:
            self._going[group.id] = group
            self.ledger.enter(group)

    def schedule(self, group: Group, moment: float) -> None:
        """Send it later."""
        with group.lock:
            if group.status != PENDING:
                raise Refused(400, "InvalidStatus", "'PENDING' 상태의 그룹만 예약 가능합니다.")
            if moment <= self.now:
                raise Refused(400, "InvalidScheduledDate", "예약시간은 현재시간보다 늦게 설정 가능합니다.")
            if moment > self.now + HALF_A_YEAR:
                text = "발송 예정일이 6개월을 초과하여 발송 예약에 실패하였습니다."
                raise Refused(400, "InvalidScheduledDate", text)
            group.status, group.scheduled, group.updated = SCHEDULED, moment, self.now
            group.log.append({"createAt": as_iso(self.now), "message": "메시지 예약이 성공적으로 접수됐습니다."})
        with self.lock:
            self._scheduled[group.id] = group

    def unschedule(self, group: Group) -> None:
        """Don't send it later after all."""
        with group.lock:
            if group.status != SCHEDULED:
                raise Refused(400, "InvalidStatus", "'SCHEDULED' 상태의 그룹만 취소가 가능합니다.")
            group.status, group.scheduled, group.updated = PENDING, None, self.now
            group.log.append({"createAt": as_iso(self.now), "message": "메시지 예약이 취소되었습니다."})
            self._scheduled.pop(group.id, None)

    def _fire(self, group: Group) -> None:
        with group.lock:
            self._scheduled.pop(group.id, None)
            if group.status != SCHEDULED:
                return
            try:
                self._go(group)
            except Refused as error:
                group.status, group.updated = FAILED, self.now
                group.log.append({"createAt": as_iso(self.now), "message": str(error)})

    def delete(self, group: Group) -> None:
        """Give a group up that wasn't sent."""
        with group.lock:
            if group.status != PENDING:
                text = f"PENDING 상태의 그룹만 삭제할 수 있습니다. 현재 상태는 {group.status} 입니다."
                raise Refused(400, "NotOperationalStatus", text)
            group.status, group.updated = DELETED, self.now
            group.log.append({"createAt": as_iso(self.now), "message": "메시지 그룹이 삭제되었습니다."})


def _expanded(messages: Any) -> list[Any]:
    """One message a recipient: `to` may be a list. Raises Refused."""
    if not isinstance(messages, list):
        raise Refused(400, "ValidationError", "messages 의 데이터 타입은 배열이어야 됩니다.")
    if any(type(message) is dict and type(message.get("to")) is list for message in messages):
        messages = list(_one_each(messages))
    given: list[Any] = messages
    if len(given) > RECIPIENTS_AT_ONCE:
        text = f"한 번에 추가할 수 있는 수신번호는 최대 {RECIPIENTS_AT_ONCE}건 입니다."
        raise Refused(413, "RecipientsTooMany", text)
    if not given:
        raise Refused(400, "ValidationError", "messages 는 1개 이상이어야 됩니다.")
    return given


def _one_each(messages: Iterable[Any]) -> Iterator[Any]:
    for message in messages:
        if type(message) is dict and type(message.get("to")) is list:
            yield from ({**message, "to": to} for to in message["to"])
        else:
            yield message


def _opted_out(world: "World") -> set[str]:
    """Some people of the crowd who refused ads."""
    numbers = (world.crowd.e164(person) for person in range(OPTED_OUT_EVERY - 1, world.crowd.people, OPTED_OUT_EVERY))
    return {f"0{number[3:]}" for number in numbers if number}
