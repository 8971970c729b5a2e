"""What the sandbox's people are made of: names, places, dates, and the oddities of the real world.

Oddities sit at fixed places of each thousand people, all within the first 200, so that a crowd of 200 has every one.
Nobody here is real; mail domains end in `.example`.
"""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from typing import Any

SURNAMES = (
    "김",
    "이",
    "박",
    "최",
    "정",
    "강",
    "조",
    "윤",
    "장",
    "임",
    "한",
    "오",
    "서",
    "신",
    "권",
    "황",
    "안",
    "송",
    "남궁",
)
GIVEN_NAMES = tuple(
    first + second
    for first, second in product(
        ("민", "서", "지", "하", "도", "예", "현", "수", "유", "은", "시"),
        ("준", "연", "우", "윤", "원", "진", "아", "호", "은", "영", "현"),
    )
    if first != second
)
CITIES = (
    ("서울", "서울특별시"),
    ("서울", "서울특별시"),
    ("성남", "경기도"),
    ("수원", "경기도"),
    ("고양", "경기도"),
    ("인천", "인천광역시"),
    ("부산", "부산광역시"),
    ("대구", "대구광역시"),
    ("대전", "대전광역시"),
    ("광주", "광주광역시"),
    ("울산", "울산광역시"),
    ("전주", "전북특별자치도"),
    ("제주", "제주특별자치도"),
)
PLANS = ("무료", "무료", "무료", "하루패스", "하루패스", "정기배송", "정기배송 가족")
TAGS: tuple[list[str], ...] = ([], ["밀키트"], ["비건"], ["밀키트", "아이반찬"], ["선물세트", "VIP"])

TODAY = date(2026, 11, 24)
"""Fixed, so that the same seed gives the same bytes on every day."""
DAYS = tuple((TODAY - timedelta(days=back)).isoformat() for back in range(730))
CLOCK_TIMES = tuple(f"T{hour:02d}:{minute:02d}:{minute:02d}" for hour in range(24) for minute in (3, 17, 26, 41, 58))

ANONYMOUS_PLACE = 42
"""Of each hundred people: never signed in, so a `$device:` id and next to no properties."""


# -- Ids --------------------------------------------------------------------------------------------------------------
# Whatever ends in "~<index>" is found again by `Crowd.find`.
FIRST_INTEGER_ID = 700_000_000
ID_QUIRKS: dict[int, Callable[[int], str | int]] = {
    17: lambda i: ("hs-" + "긴id" * 125)[: 254 - len(str(i))] + f"~{i}",
    23: lambda i: FIRST_INTEGER_ID + i,
    24: lambda i: FIRST_INTEGER_ID + i,
    31: lambda i: f'"><script>alert(1)</script>~{i}',
    37: lambda i: f"고객/🙂 & 친구?~{i}",
    53: lambda i: f"' OR 1=1 --~{i}",
}


def distinct_id(index: int) -> str | int:
    """The id of the person with this index."""
    quirk = ID_QUIRKS.get(index % 1000)
    if quirk:
        return quirk(index)
    if index % 100 == ANONYMOUS_PLACE:
        return f"$device:{(index + 1) * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF:012x}~{index}"
    return f"hs-{index:08d}"


# -- Properties -------------------------------------------------------------------------------------------------------
QUIRKS: dict[int, Callable[[int], dict[str, Any]]] = {
    61: lambda i: {"$name": "<img src=x onerror=alert(1)>김하나"},
    66: lambda i: {"$name": "</td></tr></table><script>alert('유저')</script>"},
    71: lambda i: {"$name": "이모지 👨‍👩‍👧‍👦🧡🍱"},
    76: lambda i: {"$name": "\u202eتسويق\u202c 마케팅"},
    81: lambda i: {"$name": "널\u0000문자", "memo": "\u0000"},
    86: lambda i: {"$name": "반쪽\ud800", "memo": ["\udfff", {"\ud83d": "키"}]},
    91: lambda i: {"memo": "가나다라마바사아자차" * 1_000},
    96: lambda i: {"$name": None},
    101: lambda i: {"$name": 20_260_101},
    106: lambda i: {"$name": ["김", "둘"]},
    111: lambda i: {"cart": {"items": [{"sku": "MK-1", "qty": 2}], "total": 31_800}},
    116: lambda i: {"points": 9_007_199_254_740_993},
    121: lambda i: {"weight": 1e308, "score": -0.5},
    126: lambda i: {"<b>속성</b>": 'x" onmouseover="alert(1)', "__proto__": "x", "": "이름 없는 속성"},
    131: lambda i: {"last_order_at": "24/11/2026"},
    136: lambda i: {"last_order_at": "1790000000", "$created": 1_700_000_000},
    146: lambda i: {"$name": '=HYPERLINK("http://evil.example","클릭")'},
    151: lambda i: {"plan": True, "order_count": "열두 번"},
    156: lambda i: {"$name": "{{ user.name }} {% now 'Y' %} #{이름}"},
    161: lambda i: {"user_no": ""},
    166: lambda i: {"user_no": None},
    171: lambda i: {"user_no": ["HS1", "HS2"]},
    176: lambda i: {"가" * 85: "이름이 255바이트인 속성"},
    181: lambda i: {"marketing_agreed": "동의", "night_agreed": "미동의"},
    186: lambda i: {"marketing_agreed": "Y", "night_agreed": 1},
    191: lambda i: {"marketing_agreed": "2026-11-02", "night_agreed": None},
}
