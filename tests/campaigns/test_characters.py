"""Bytes as carriers count them, and what they can't carry (channels-kr §2.6)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.message.characters import byte_length, character_length, mended, rare, tidy, unencodable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("abc", 3),
        ("가", 2),
        ("뷁똠펲", 6),
        ("“”…·①㈜™€★♥☎", 22),
        ("￦", 2),
        ("a\nb", 3),
        ("a\r\nb\rc", 5),
        ("\u1112\u1161\u11ab", 2),  # 한, as a Mac writes it
        ("—", 2),
        ("🌸", 2),
        ("똠방각하 펲시", 13),
    ],
)
def test_bytes(text, expected):
    assert byte_length(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("abc", 3), ("가나", 2), ("🌸", 2), ("a🌸", 3), ("👨‍👩‍👧", 8)])
def test_characters_as_kakao_counts_them(text, expected):
    assert character_length(text) == expected


ODD = [
    ("가 — 나", [(2, "—", "-")]),
    ("₩5,000", [(0, "₩", "￦")]),
    ("가\u00a0나", [(1, "\u00a0", " ")]),
    ("가\u200b나", [(1, "\u200b", "")]),
    ("„인용‟", [(0, "„", '"'), (3, "‟", '"')]),
    ("José", [(3, "é", "e")]),
    ("🌸봄🌸🌸", [(0, "🌸", ""), (2, "🌸🌸", "")]),
    ("👨‍👩‍👧!", [(0, "👨‍👩‍👧", "")]),
    ("❤️", [(0, "❤️", "♥")]),
    ("1️⃣", [(1, "️⃣", "")]),
    ("☎🌸", [(1, "🌸", "")]),
    ("々", [(0, "々", None)]),
    ("가\r\n—", [(2, "—", "-")]),
    ("⓪①", [(0, "⓪", "(0)")]),
    ("ﬁ𝐀", [(0, "ﬁ", "fi"), (1, "𝐀", "A")]),
    ("가나다 abc “ ” ‘ ’ … 뷁", []),
]


@pytest.mark.parametrize(("text", "expected"), ODD)
def test_what_carriers_cant_carry_is_named_with_its_place_and_a_replacement(text, expected):
    assert [tuple(odd) for odd in unencodable(text)] == expected


def test_every_replacement_can_be_carried():
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        for odd in unencodable(chr(code)):
            if odd.replacement is not None:
                odd.replacement.encode("cp949")


@given(st.text())
def test_positions_are_those_of_the_tidy_text(text):
    clean = tidy(text)
    for odd in unencodable(text):
        assert clean[odd.position : odd.position + len(odd.character)] == odd.character
        with pytest.raises(UnicodeEncodeError):
            odd.character.encode("cp949")


@given(st.text())
def test_what_is_mended_lacks_only_what_has_no_replacement(text):
    assert all(odd.replacement is None for odd in unencodable(mended(text)))


@given(st.text())
def test_tidying_twice_changes_nothing_more(text):
    clean = tidy(text)
    assert tidy(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert "\r" not in clean
    assert "\x00" not in clean
    clean.encode()


@given(st.text(), st.text())
def test_bytes_add_up(one, other):
    one, other = mended(one), mended(other)
    if not unencodable(one) and not unencodable(other):
        assert byte_length(one + other) == byte_length(one) + byte_length(other)


def test_rare_syllables_are_told_apart():
    assert [(odd.position, odd.character) for odd in rare("안녕 뷁 똠 펲 € ★ 가")] == [(3, "뷁"), (5, "똠"), (7, "펲")]
