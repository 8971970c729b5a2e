"""What fits into a text message: bytes as Korean carriers count them, and characters that they can't carry.

Carriers bill and cut by CP949: a syllable is 2 bytes, a line break 1. Python's `euc_kr` codec is no use here, it spells
syllables outside KS X 1001 (뷁, 똠) with 8 bytes. Text must be NFC first: what comes from a Mac may be split into jamo,
which CP949 lacks. Measured with CPython's codecs; channels-kr §2.6.
"""

import re
import unicodedata
from typing import NamedTuple

UNKNOWN_BYTES = 2
"""What a character counts that CP949 lacks, until it is replaced."""


class Odd(NamedTuple):
    """A character (or one emoji of several code points) that needs a look. `position` counts characters of the tidy
    text from 0; `replacement` is what could stand there instead ("" to leave it out), None where only the author can
    tell."""

    position: int
    character: str
    replacement: str | None


_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def tidy(text: str) -> str:
    """`text` as it is stored and counted: NFC, line breaks as `\\n`, a tab as a space, no other control character and
    no half of a surrogate pair."""
    if not text.isprintable():
        text = _BREAKS.sub("\n", text).replace("\t", " ")
        text = _CONTROLS.sub("", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def byte_length(text: str) -> int:
    """Bytes that carriers count for `text`. A character that they can't carry counts 2, so that a counter has a number
    while the author still types; `unencodable` names it."""
    text = tidy(text)
    try:
        return len(text.encode("cp949"))
    except UnicodeEncodeError:
        return sum(_bytes_of(character) for character in text)


def _bytes_of(character: str) -> int:
    return len(character.encode("cp949")) if _fits(character) else UNKNOWN_BYTES


def _fits(text: str) -> bool:
    try:
        text.encode("cp949")
    except UnicodeEncodeError:
        return False
    return True


def character_length(text: str) -> int:
    """Characters as Kakao's side counts them: an emoji beyond the basic plane is two, as in JavaScript and Java."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "replace")) // 2


# -- What carriers can't carry ----------------------------------------------------------------------------------------
_PAIRS = (
    "«《 »》 ‹〈 ›〉 •· ‧· ・· ∙· ▪■ ▫□ ₩￦ ¥￥ £￡ ¢￠ ¬￢ ¯￣ ¦| ©(c) ⁄/ 〜~ ⓪(0) ❗! ❓? ➕+ "
    "❤♥ ⭐★ 🌟★ ✓√ ✔√ ✅√ ✕× ✖× ❌× ➜→ ➡→ ⬅← ⬆↑ ⬇↓"
)
_REPLACEMENTS = {
    **{pair[0]: pair[1:] for pair in _PAIRS.split()},
    **dict.fromkeys("‐‑‒–—−﹘﹣", "-"),
    **dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f", " "),
    **dict.fromkeys("„‟″〝〞", '"'),
    **dict.fromkeys("‚‛´`ʼʻ", "'"),
}
"""What may stand for a character that CP949 lacks. (₩ has a full-width twin there, ￦, which reads the same.)"""

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]")
_EMOJI = re.compile(
    "(?:[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
    "[\u200d\u20e3\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*)+|"
    "[\u200d\u20e3\ufe00-\ufe0f\U000e0020-\U000e007f]+"
)


def unencodable(text: str) -> list[Odd]:
    """What in `text` can't go out as a text message, with what could stand there instead."""
    text = tidy(text)
    if _fits(text):
        return []
    odd: list[Odd] = []
    at = 0
    while at < len(text):
        if _fits(text[at]):
            at += 1
            continue
        emoji = _EMOJI.match(text, at)
        run = _unfit_run(emoji[0]) if emoji else text[at]
        odd.append(Odd(at, run, _replacement(run)))
        at += len(run)
    return odd


def _unfit_run(emoji: str) -> str:
    """The beginning of `emoji` up to a character that carriers know (☎ and ★ look like emoji to a pattern)."""
    end = next((at for at, character in enumerate(emoji) if _fits(character)), len(emoji))
    return emoji[:end]


def _replacement(odd: str) -> str | None:
    if known := _REPLACEMENTS.get(odd[0]):
        return known
    if _EMOJI.fullmatch(odd) or _INVISIBLE.fullmatch(odd):
        return ""
    plain = "".join(part for part in unicodedata.normalize("NFKD", odd) if not unicodedata.combining(part))
    plain = unicodedata.normalize("NFC", plain)
    return plain if plain and plain != odd and _fits(plain) else None


def mended(text: str) -> str:
    """`text` with each unencodable character replaced by what `unencodable` offers; those without an offer stay."""
    text = tidy(text)
    for odd in reversed(unencodable(text)):
        if odd.replacement is not None:
            text = text[: odd.position] + odd.replacement + text[odd.position + len(odd.character) :]
    return text


def rare(text: str) -> list[Odd]:
    """Syllables and signs that CP949 has and KS X 1001 lacks (뷁, 똠, 펲). They count 2 bytes, yet an older network may
    refuse them (SOLAPI 1029): worth a warning."""
    text = tidy(text)
    return [
        Odd(at, character, None) for at, character in enumerate(text) if not character.isascii() and _rare(character)
    ]


def _rare(character: str) -> bool:
    try:
        code = character.encode("cp949")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and (code[0] < 0xA1 or code[1] < 0xA1)
