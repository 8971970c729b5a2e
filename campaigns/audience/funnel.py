"""The way from an audience to those whom a message is sent: step by step, with why each of the others was left out.

A step's drops are those whom it leaves out: its count is the count of the step before it less its drops, always.
Counts and slugs are stored (`Run.funnel`); words are those of whoever reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from pyroaring import BitMap64

from campaigns.models import AudienceKind, Campaign
from notifly_console.lib import phone

SOURCES = ("cohort", "group", "csv", "joined")
"""Keys of a first step: the audience's kind, or those who came in."""
STEPS = ("once", "has_phone", "reachable", "one_per_number", "consent", "not_opted_out", "has_values", "sent")
"""Keys of the steps after it, in order. A funnel leaves out those that don't concern its message."""
NO_VALUE = "no_value:"
"""What the reason begins with, before the name of the variable, of those who have no value for it."""


@dataclass(frozen=True)
class Drop:
    """Those whom a step leaves out for one reason."""

    reason: str
    label: str
    count: int


@dataclass(frozen=True)
class Step:
    """How many are still there after this step, and whom it left out, the most frequent reason first."""

    key: str
    label: str
    count: int
    drops: tuple[Drop, ...] = ()

    @property
    def dropped(self) -> int:
        """How many it left out in all."""
        return sum(drop.count for drop in self.drops)


@dataclass(frozen=True)
class Funnel:
    """The steps from the audience (the first) to who is sent to (the last)."""

    steps: tuple[Step, ...]

    @property
    def audience(self) -> int:
        """How many there are before anybody is left out."""
        return self.steps[0].count if self.steps else 0

    @property
    def size(self) -> int:
        """How many are sent to."""
        return self.steps[-1].count if self.steps else 0

    def step(self, key: str) -> Step | None:
        """The step of this key, if the funnel has it."""
        return next((step for step in self.steps if step.key == key), None)

    def as_json(self) -> list[dict[str, Any]]:
        """As a run keeps it."""
        return [
            {"key": step.key, "count": step.count, "drops": [[drop.reason, drop.count] for drop in step.drops]}
            for step in self.steps
        ]

    @classmethod
    def from_json(cls, kept: Sequence[Mapping[str, Any]]) -> "Funnel":
        """What `as_json` gave, in the reader's language."""
        return cls(tuple(step_of(one["key"], one["count"], dict(one["drops"])) for one in kept))


@dataclass(frozen=True)
class Plan:
    """Whom a message would be sent, and the way there. `chosen` holds profile ids; of a file, places of its rows."""

    project_id: UUID
    kind: AudienceKind
    chosen: BitMap64
    funnel: Funnel
    is_ad: bool
    at: datetime | None = None
    snapshot_id: int | None = None
    """The version of the cohort that was asked."""
    snapshot_number: int | None = None
    upload_id: UUID | None = None
    without_night_consent: int = 0
    """Of an advertisement: how many of the chosen the night would hold."""
    at_step: Mapping[str, BitMap64] = field(default_factory=dict)
    """Who is still there after each step."""
    left_out: Mapping[tuple[str, str], BitMap64] = field(default_factory=dict)
    """Whom (step, reason) leaves out."""


class Walk:
    """Goes from step to step, and remembers whom each left out. `unusable`: how many belong to the audience of whom
    nothing is known but the reason (rows of a file without a number). `first`: its first step's key, if not `kind`."""

    def __init__(self, kind: str, everybody: BitMap64, *, unusable: int = 0, first: str = "") -> None:
        self.kind = AudienceKind(kind)
        self.left = everybody
        self._unusable = unusable
        self._steps = [step_of(first or kind, len(everybody) + unusable, {})]
        self._at_step = {first or kind: everybody}
        self._left_out: dict[tuple[str, str], BitMap64] = {}

    def step(
        self, key: str, drops: Mapping[str, BitMap64] | None = None, *, unusable: Mapping[str, int] | None = None
    ) -> None:
        """The next step, leaving out those of `drops` by reason, and so many of the unusable. Who fits several reasons
        is left out for the first."""
        counts = dict(unusable or {})
        self._unusable -= sum(counts.values())
        for reason, those in (drops or {}).items():
            gone = self.left & those
            if gone:
                self._left_out[key, reason] = gone
                self.left = self.left - gone
                counts[reason] = len(gone)
        self._steps.append(step_of(key, len(self.left) + self._unusable, counts))
        self._at_step[key] = self.left

    def plan(self, campaign: Campaign, *, is_ad: bool, at: datetime | None, by_night: BitMap64) -> Plan:
        """What has come of it. `by_night`: who of those left consented to advertising at night."""
        return Plan(
            project_id=campaign.project_id,
            kind=self.kind,
            chosen=self.left,
            funnel=Funnel(tuple(self._steps)),
            is_ad=is_ad,
            at=at,
            without_night_consent=len(self.left) - len(by_night) if is_ad else 0,
            at_step=self._at_step,
            left_out=self._left_out,
        )


def step_of(key: str, count: int, drops: Mapping[str, int]) -> Step:
    """A step in the reader's language; reasons that nobody has are left out."""
    ordered = sorted(drops.items(), key=lambda pair: (-pair[1], pair[0]))
    return Step(key, label_of(key), count, tuple(Drop(name, reason_of(name), n) for name, n in ordered if n))


def label_of(key: str) -> str:
    """What a step is called."""
    labels = {
        "cohort": _("코호트 인원"),
        "group": _("그룹 인원"),
        "csv": _("파일 인원"),
        "joined": _("들어온 사람"),
        "once": _("처음 보내는 사람"),
        "has_phone": _("전화번호 있음"),
        "reachable": _("유효한 휴대전화"),
        "one_per_number": _("번호당 한 명"),
        "consent": _("광고 수신 동의"),
        "not_opted_out": _("수신거부 아님"),
        "has_values": _("변수 값 있음"),
        "sent": _("발송 예정"),
    }
    return labels.get(key, key)


def reason_of(reason: str) -> str:
    """Why somebody was left out, in words."""
    if reason.startswith(NO_VALUE):
        return _("%(field)s 값 없음") % {"field": reason.removeprefix(NO_VALUE)}
    labels = {
        "shifted": _("열 이름보다 칸이 많은 행"),
        "deleted": _("삭제된 유저"),
        "anonymous": _("익명 유저"),
        "same_number": _("같은 번호를 쓰는 다른 유저"),
        "no_consent": _("광고 수신 동의 없음"),
        "own": _("직접 등록한 수신거부"),
        "import": _("파일로 등록한 수신거부"),
        "provider": _("080 수신거부"),
        "left_again": _("그사이 다시 나간 유저"),
        "not_in_group": _("그룹의 조건에 맞지 않는 유저"),
        "already": _("이 캠페인이 이미 보낸 유저나 번호"),
        "changed": _("확정하는 사이 바뀐 유저"),
    }
    return str(labels.get(reason) or phone.REASONS.get(reason, reason))
