"""The time zones that a project may be in, and who wants to know when one moves to another."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

from notifly_console.tenancy.models import Project

Follower = Callable[[Project, tzinfo], int]
"""Takes the project as it is now and the zone that it was in; how many appointments it moved."""
_followers: list[Follower] = []


def on_move(follower: Follower) -> Follower:
    """Says who has appointments in a project's zone. It is called in the transaction that changes the zone."""
    if follower not in _followers:
        _followers.append(follower)
    return follower


def moved(project: Project, before: tzinfo) -> int:
    """Lets appointments follow; how many did. In the transaction of the change."""
    return sum(follower(project, before) for follower in _followers)


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
