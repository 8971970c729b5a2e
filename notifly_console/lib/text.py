"""Text from outside, made fit for a column."""

from typing import Any

import orjson


def stored(value: Any, length: int) -> str:
    """`value` as text that both databases take: no NUL, no half of a surrogate pair, at most `length` characters.
    What isn't text is written as JSON."""
    if type(value) is str:
        text = value
    elif isinstance(value, bytes):
        text = value.decode(errors="replace")
    else:
        try:
            text = orjson.dumps(value, default=str).decode()
        except TypeError:  # orjson.JSONEncodeError: an integer beyond 64 bits, half a pair inside, too deep
            text = str(value)
    if len(text) > length:
        text = text[:length]
    if text.isascii():
        return text if "\x00" not in text else text.replace("\x00", "")
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
