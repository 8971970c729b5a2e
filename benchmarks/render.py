"""A message rendered for 100,000 people, measured in the carriers' bytes, against Django's template engine filling the
same text. The peer has no rules: it fills in and measures once, the 알림톡 with its link and fallback as one text."""

import os
import time
from collections.abc import Callable, Iterator
from statistics import median
from types import SimpleNamespace
from typing import Any

import django

from benchmarks.report import Line

RULES = SimpleNamespace(sender_name="하루식탁", opt_out_number="0808701234")
FAMILY, GIVEN = "김이박최정강조윤장임", "서연민준하은지우도윤예은시우수아"
ITEMS = ("겨울 제철 박스 (2인)", "김장 키트", "아침 샐러드 7일", "제주 감귤 5kg")


def people(count: int) -> list[tuple[int, dict[str, Any], int]]:
    """Rows of `worst`: id, values, how many."""
    return [
        (
            n,
            {
                "name": FAMILY[n % 10] + GIVEN[n % 15 : n % 15 + 2],
                "item": ITEMS[n % 4],
                "tracking_no": 640_211_880_000 + n,
                "arrives": f"11월 {n % 28 + 1}일",
            },
            1,
        )
        for n in range(count)
    ]


SMS = '{{ user["name"] | default: "고객" }}님, 찜한 {{ user["item"] }} 오늘 마감 hrtb.kr/s'
LMS = SMS + "\n" + "■ 새벽 배송 안내: 문 앞에 놓아 드립니다. 보냉 가방은 다음 배송 때 걷습니다.\n" * 20
ALIMTALK = "#{고객명}님의 정기배송이 출발했습니다.\n■ 상품: #{상품명}\n■ 도착 예정: #{도착일}\n■ 송장 번호: #{송장번호}"
VARIABLES = {"고객명": "name", "상품명": "item", "도착일": "arrives", "송장번호": "tracking_no"}


def contents() -> dict[str, Any]:
    """The messages by what they show."""
    from campaigns.message.content import content_of

    text = {"sender": "16600412", "is_ad": True}
    alimtalk = {
        "profile": "p",
        "template": "t",
        "template_text": ALIMTALK,
        "template_variables": list(VARIABLES),
        "template_buttons": [{"name": "배송 조회", "mobile_url": "https://hrtb.kr/#{송장번호}"}],
        "variables": [
            {"name": name, "text": f'{{{{ user["{field}"] }}}}', "default": "-"} for name, field in VARIABLES.items()
        ],
        "sender": "16600412",
        "fallback": {"kind": "sms", "text": '[하루식탁] {{ user["name"] }}님 배송 출발 {{ user["tracking_no"] }}'},
    }
    return {
        "an SMS of two variables": content_of("text", text | {"kind": "sms", "text": SMS}),
        "an LMS of 1,600 bytes": content_of("text", text | {"kind": "lms", "text": LMS[:1_100]}),
        "an 알림톡 of four, a link and a fallback": content_of("alimtalk", alimtalk),
    }


def peer_texts() -> dict[str, str]:
    """The same texts in the peer's language."""
    text = "{{ name|default:'고객' }}님, 찜한 {{ item }} 오늘 마감 hrtb.kr/s"
    head, tail = "(광고)하루식탁\n", "\n무료수신거부 0808701234"
    alimtalk = ALIMTALK
    for name, field in VARIABLES.items():
        alimtalk = alimtalk.replace(f"#{{{name}}}", f"{{{{ {field}|default:'-' }}}}")
    return {
        "an SMS of two variables": head + text + tail,
        "an LMS of 1,600 bytes": head + text + LMS[len(SMS) : 1_100] + tail,
        "an 알림톡 of four, a link and a fallback": alimtalk
        + "https://hrtb.kr/{{ tracking_no|default:'-' }}[하루식탁] {{ name }}님 배송 출발 {{ tracking_no }}",
    }


def worst_recipient(count: int = 100_000, rounds: int = 3) -> Iterator[Line]:
    """The longest real recipient of each message, among `count` people."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from django.template import Context, Engine

    from campaigns.message.render import worst

    engine = Engine(autoescape=False)
    rows = people(count)
    texts = peer_texts()
    for what, content in contents().items():
        template = engine.from_string(texts[what])

        def ours(content: Any = content) -> int:
            found = worst(content, RULES, iter(rows))
            if sum(found.by_kind.values()) != count:
                raise SystemExit(f"Not everybody was rendered: {found}")
            return found.longest_bytes

        def peer(template: Any = template) -> int:
            return max(len(template.render(Context(values, autoescape=False)).encode("cp949")) for _, values, _ in rows)

        mine, theirs = timed(ours, peer, rounds)
        yield Line(f"{what}, {count:,} people", mine, theirs, 0.5, note=f"{count / mine:,.0f} people/s")


def timed(ours: Callable[[], int], peer: Callable[[], int], rounds: int) -> tuple[float, float]:
    """Medians of processor seconds, turn by turn: the machine may be busy with other work."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _round in range(rounds):
        for run, kept in zip((ours, peer), seconds, strict=True):
            started = time.process_time()
            run()
            kept.append(time.process_time() - started)
    return median(seconds[0]), median(seconds[1])


if __name__ == "__main__":
    for line in worst_recipient():
        print(line, flush=True)
