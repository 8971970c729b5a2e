"""The time zones that a project may be in."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone


@dataclass(frozen=True)
class Zone:
    """A zone by its name (IANA), and how far it is from UTC now: `+09:00`."""

    name: str
    offset: str


@cache
def names() -> tuple[str, ...]:
    """Every zone's name, in alphabetical order."""
    # Without what this machine is in, which is another one elsewhere.
    return tuple(sorted(name for name in available_timezones() if "/" in name or name in ("UTC", "GMT")))


def offered() -> list[Zone]:
    """The zones to choose from."""
    now = timezone.now()
    return [zone_of(name, now) for name in names()]


def zone_of(name: str, now: datetime | None = None) -> Zone:
    """The zone of that name as it stands now."""
    digits = (now or timezone.now()).astimezone(ZoneInfo(name)).strftime("%z")
    return Zone(name, f"{digits[:3]}:{digits[3:5]}")
