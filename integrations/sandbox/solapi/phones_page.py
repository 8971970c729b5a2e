"""`/_sandbox/phones`: what arrived on the phones of those whom the console wrote to, the newest first.

Whatever a message holds is shown as text. The page has no script, and reloads itself every few seconds.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from integrations.sandbox.solapi.catalogue import VARIABLE
from integrations.sandbox.solapi.codes import TEXTS
from integrations.sandbox.solapi.groups import Fate, Group
from integrations.sandbox.solapi.ids import KST
from integrations.sandbox.solapi.outcomes import DELIVERED, ON_ITS_WAY, unpacked
from integrations.sandbox.wire import HTML, Answer
from integrations.sandbox.world import World

CSS = "text/css; charset=utf-8"
STYLESHEET = Path(__file__).with_name("phones.css")
ON_A_PAGE = 30
EVERY_SECONDS = 4
KINDS = {"SMS": "SMS", "LMS": "LMS", "MMS": "MMS", "ATA": "알림톡", "BMS_FREE": "친구톡"}
GUARDED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
JPEG = b"\xff\xd8\xff"


def phones(world: World, params: dict[str, Any]) -> Answer:
    """The page. `to`: only this number; `page`: counted from 1; `still`: don't reload."""
    ledger = world.solapi.ledger
    to = "".join(letter for letter in str(params.get("to", "")) if letter in "0123456789")[:17]
    given = str(params.get("page", "1"))
    page = max(int(given), 1) if given.isascii() and given.isdecimal() and len(given) < 7 else 1
    start = (page - 1) * ON_A_PAGE
    places = list(islice(ledger.places(to=to or None, newest_first=True), start, start + ON_A_PAGE + 1))
    body = "".join(_message(group, place) for group, place in places[:ON_A_PAGE])
    if not body:
        text = (
            "이 번호로 도착한 메시지가 없습니다."
            if to
            else "아직 도착한 메시지가 없습니다. 콘솔에서 캠페인을 보내 보세요."
        )
        body = f'<p class="nothing">{text}</p>'
    still = bool(params.get("still")) or page > 1
    html = _page(_head(world, to, still), f'<main class="phones">{body}</main>', _pager(to, page, len(places)), still)
    return Answer(200, html.encode("utf-8", "replace"), HTML, dict(GUARDED))


def stylesheet(world: World, params: dict[str, Any]) -> Answer:
    """Its stylesheet."""
    return Answer(200, STYLESHEET.read_bytes(), CSS, dict(GUARDED))


def picture(world: World, params: dict[str, Any]) -> Answer:
    """A picture that was uploaded; `id` is its fileId."""
    for account in world.solapi.accounts.values():
        file = account.files.get(str(params.get("id")))
        if file is not None and file["type"] != "DOCUMENT":
            kind = "image/jpeg" if file["content"].startswith(JPEG) else "image/png"
            return Answer(200, file["content"], kind, dict(GUARDED))
    return Answer(404, b"", "text/plain; charset=utf-8", dict(GUARDED))


PAGES: dict[str, Callable[[World, dict[str, Any]], Answer]] = {
    "phones": phones,
    "phones.css": stylesheet,
    "phones/picture": picture,
}


# -- The page around the messages -------------------------------------------------------------------------------------
def _page(head: str, body: str, pager: str, still: bool) -> str:
    reload = "" if still else f'<meta http-equiv="refresh" content="{EVERY_SECONDS}">'
    return (
        '<!DOCTYPE html><html lang="ko"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{reload}<title>휴대폰에 도착한 메시지</title>"
        f'<link rel="stylesheet" href="/_sandbox/phones.css"></head><body>{head}{body}{pager}</body></html>'
    )


def _head(world: World, to: str, still: bool) -> str:
    ledger = world.solapi.ledger
    repeated = len(ledger.repeated())
    note = f"(두 건 이상 받은 번호 {repeated:,}개)" if repeated else ""
    toggle = _link({"to": to}, "자동 새로고침") if still else _link({"to": to, "still": "1"}, "새로고침 멈춤")
    everyone = _link({}, "모든 번호") if to else ""
    return (
        f"<header><h1>휴대폰에 도착한 메시지</h1><p>연습용 발송 플랫폼이 보낸 메시지 {len(ledger):,}건 {note} · "
        f"실제로 발송되지는 않습니다.</p>"
        '<form action="/_sandbox/phones" method="get"><label for="to">수신 번호</label>'
        f'<input id="to" name="to" inputmode="numeric" value="{escape(to)}" placeholder="01012345678">'
        f"<button>찾기</button> {everyone} {toggle}</form></header>"
    )


def _pager(to: str, page: int, found: int) -> str:
    newer = _link({"to": to, "page": str(page - 1)}, "← 더 최근") if page > 1 else ""
    older = _link({"to": to, "page": str(page + 1)}, "더 이전 →") if found > ON_A_PAGE else ""
    return f'<nav aria-label="쪽">{newer} {older}</nav>' if newer or older else ""


def _link(query: dict[str, str], text: str) -> str:
    given = urlencode({name: value for name, value in query.items() if value})
    return f'<a href="/_sandbox/phones?{escape(given)}">{escape(text)}</a>'


# -- A message --------------------------------------------------------------------------------------------------------
def _message(group: Group, place: int) -> str:
    with group.lock:
        message, fate, kind = group.message(place), group.fate(place), group.kind(place) or ""
        number, sent = unpacked(group.number(place)), group.sent or 0.0
        if fate.replacement:
            text, subject, _ = group.replacement(place)
            bubble = _text_bubble(text, subject, None)
            sender = str(message.get("from") or "")
        elif kind in ("ATA", "BMS_FREE"):
            bubble, sender = _kakao_bubble(group, message, kind, group.rendered(place)), _channel(group, message)
        else:
            bubble = _text_bubble(group.rendered(place), message.get("subject"), message.get("imageId"))
            sender = str(message.get("from") or "")
    at = datetime.fromtimestamp(sent, KST).strftime("%m월 %d일 %H:%M:%S")
    shown = fate.replacement or kind
    arrived = "" if fate.code == DELIVERED else " phone--failed"
    look = "kakao" if shown in ("ATA", "BMS_FREE") else "sms"
    return (
        f'<article class="phone phone--{look}{arrived}"><div class="bar">{_link({"to": number}, _spaced(number))}'
        f'<span class="kind">{escape(KINDS.get(shown, shown))}</span></div>'
        f'<div class="from">{escape(sender)}</div>{bubble}'
        f"<footer><time>{at} KST</time> {_status(fate)}</footer></article>"
    )


def _status(fate: Fate) -> str:
    text = {DELIVERED: "도착", ON_ITS_WAY: "가는 중"}.get(fate.code, f"실패 {fate.code} {TEXTS.get(fate.code, '')}")
    if fate.replacement and fate.first_code:
        text += f" · 대체 문자 (카카오 {fate.first_code} {TEXTS.get(fate.first_code, '')})"
    look = {DELIVERED: "ok", ON_ITS_WAY: "wait"}.get(fate.code, "bad")
    return f'<span class="status status--{look}">{escape(text)}</span>'


def _spaced(number: str) -> str:
    return f"{number[:3]}-{number[3:-4]}-{number[-4:]}" if len(number) > 9 else number


def _channel(group: Group, message: dict[str, Any]) -> str:
    channel = message["kakaoOptions"].get("pfId")
    return next((own.name for own in group.account.channels if own.id == channel), str(channel))


def _text_bubble(text: str, subject: Any, image: Any) -> str:
    title = f"<h2>{escape(str(subject))}</h2>" if subject else ""
    return f'<div class="bubble">{_picture(image)}{title}<p>{escape(text)}</p></div>'


def _kakao_bubble(group: Group, message: dict[str, Any], kind: str, text: str) -> str:
    options = message["kakaoOptions"]
    if kind == "ATA":
        template = group.template(options)
        registered = template.buttons if template else ()
        variables = options.get("variables") or {}
        links = ((button["buttonName"], button.get("linkMo")) for button in options.get("buttons") or registered)
        buttons = [
            (name, VARIABLE.sub(lambda found: str(variables.get(found[0], found[0])), str(link or "")))
            for name, link in links
        ]
        return f'<div class="bubble"><div class="label">알림톡 도착</div><p>{escape(text)}</p>{_buttons(buttons)}</div>'
    brand = options["bms"]
    links = (
        (button.get("name") or "채널 추가", button.get("linkMobile") or "") for button in brand.get("buttons") or ()
    )
    return (
        f'<div class="bubble"><div class="label label--ad">(광고) {escape(_channel(group, message))}</div>'
        f"{_picture(brand.get('imageId'))}<p>{escape(text)}</p>{_buttons(links)}</div>"
    )


def _picture(image: Any) -> str:
    if not image:
        return ""
    return f'<img src="/_sandbox/phones/picture?{escape(urlencode({"id": str(image)}))}" alt="메시지의 그림">'


def _buttons(buttons: Iterable[tuple[Any, Any]]) -> str:
    shown = [
        f'<a class="button" href="{escape(str(link))}" rel="noreferrer noopener">{escape(str(name))}</a>'
        if str(link).lower().startswith(("http://", "https://"))
        else f'<span class="button">{escape(str(name))}</span>'
        for name, link in buttons
    ]
    return f'<div class="buttons">{"".join(shown)}</div>' if shown else ""
