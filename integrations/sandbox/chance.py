"""Chance that is the same every time: which requests a fault strikes, which numbers a message doesn't reach."""

MASK = 0xFFFF_FFFF_FFFF_FFFF


def scattered(number: int) -> float:
    """A number from 0 to 1 (1 not included) that belongs to `number`, unlike those of its neighbours."""
    mixed = number * 0x9E37_79B9_7F4A_7C15 & MASK
    mixed = (mixed ^ mixed >> 32) * 0xBF58_476D_1CE4_E5B9 & MASK
    return (mixed >> 40) / 0x100_0000
