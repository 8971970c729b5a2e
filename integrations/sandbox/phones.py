"""How a Korean mobile number gets written in real customer data, and what else sits in a phone column.

`SPREAD` has a thousand places, so a kind's weight is its share in thousandths. The numbers are arbitrary 010 numbers;
the sandbox never sends anything anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MISSING: Any = object()
"""The profile has no such property (as opposed to null)."""

FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
LEGACY = ("011", "016", "017", "018", "019")
AREAS = ("031", "032", "042", "051", "053", "062", "064")
GARBAGE = ("없음", "확인필요", "010-****-5678", "1.0123E+10", "전화 주세요 010", "-", "x")


@dataclass(frozen=True, slots=True)
class PhoneKind:
    """One way of filling a phone column.

    `mobile` says whether it stands for an 010 number of 11 digits, however it is spelt. `write` makes the value from
    the eight digits that follow 010.
    """

    name: str
    mobile: bool
    write: Callable[[str], Any]


def legacy(digits: str) -> str:
    """An 011-019 number of ten digits, from a service that ended in 2021."""
    return f"{LEGACY[int(digits[7]) % 5]}-{digits[1:4]}-{digits[4:]}"


def regional(digits: str) -> str:
    """A landline outside Seoul."""
    return f"{AREAS[int(digits[7]) % 7]}-{digits[1:4]}-{digits[4:]}"


WEIGHTED: tuple[tuple[int, PhoneKind], ...] = (
    # -- Stands for an 010 number: 890 of 1,000 -----------------------------------------------------------------------
    (446, PhoneKind("hyphens", True, lambda d: f"010-{d[:4]}-{d[4:]}")),
    (240, PhoneKind("plain", True, lambda d: f"010{d}")),
    (60, PhoneKind("international_spaced", True, lambda d: f"+82 10-{d[:4]}-{d[4:]}")),
    (45, PhoneKind("e164", True, lambda d: f"+8210{d}")),
    (25, PhoneKind("no_plus", True, lambda d: f"8210{d}")),
    (10, PhoneKind("kept_zero", True, lambda d: f"+82010{d}")),
    (20, PhoneKind("number", True, lambda d: int(f"10{d}"))),
    (8, PhoneKind("full_width", True, lambda d: f"010-{d[:4]}-{d[4:]}".translate(FULL_WIDTH))),
    (10, PhoneKind("dots", True, lambda d: f"010.{d[:4]}.{d[4:]}")),
    (6, PhoneKind("brackets", True, lambda d: f"(010) {d[:4]}-{d[4:]}")),
    (10, PhoneKind("spaces", True, lambda d: f" 010 {d[:4]} {d[4:]} ")),
    (5, PhoneKind("lost_zero", True, lambda d: f"10-{d[:4]}-{d[4:]}")),
    (3, PhoneKind("spreadsheet_float", True, lambda d: f"10{d}.0")),
    (2, PhoneKind("double_zero_prefix", True, lambda d: f"0082-10-{d[:4]}-{d[4:]}")),
    # -- Doesn't: 110 of 1,000 ----------------------------------------------------------------------------------------
    (29, PhoneKind("missing", False, lambda d: MISSING)),
    (12, PhoneKind("null", False, lambda d: None)),
    (12, PhoneKind("empty", False, lambda d: "")),
    (12, PhoneKind("legacy", False, legacy)),
    (8, PhoneKind("seoul_landline", False, lambda d: f"02-{d[:4]}-{d[4:]}")),
    (5, PhoneKind("regional_landline", False, regional)),
    (4, PhoneKind("internet", False, lambda d: f"070-{d[:4]}-{d[4:]}")),
    (3, PhoneKind("representative", False, lambda d: f"1588-{d[4:]}")),
    (2, PhoneKind("personal", False, lambda d: f"0505-{d[1:4]}-{d[4:]}")),
    (3, PhoneKind("american", False, lambda d: f"+1 415 555 {d[4:]}")),
    (3, PhoneKind("japanese", False, lambda d: f"+81 90-{d[:4]}-{d[4:]}")),
    (5, PhoneKind("garbage", False, lambda d: GARBAGE[int(d[7]) % len(GARBAGE)])),
    (5, PhoneKind("short", False, lambda d: f"010{d[:6]}")),
    (3, PhoneKind("unassigned", False, lambda d: f"010-{int(d[7]) % 2}{d[1:4]}-{d[4:]}")),
    (4, PhoneKind("list", False, lambda d: [f"010-{d[:4]}-{d[4:]}", f"02-{d[:4]}-{d[4:]}"])),
)

SPREAD: tuple[PhoneKind, ...] = tuple(kind for weight, kind in WEIGHTED for _ in range(weight))
KINDS: dict[str, PhoneKind] = {kind.name: kind for _, kind in WEIGHTED}
