"""The eight digits after 010 of many numbers, as they are stored: four bytes each, the low one first."""

import sys
from array import array


def as_bytes(digits: array) -> bytes:
    """An array of type "I" as it is stored."""
    return _turned(digits).tobytes()


def from_bytes(stored: bytes | memoryview) -> array:
    """The array that was stored."""
    digits = array("I")
    digits.frombytes(stored)
    return _turned(digits)


def _turned(digits: array) -> array:
    if sys.byteorder == "little":
        return digits
    swapped = array("I", digits)
    swapped.byteswap()
    return swapped
