"""When a campaign goes out: once or again and again, in the project's zone; and when nobody may be written to.

A period runs from 00:00 of its first day to the end of its last. Every N weeks counts calendar weeks from Monday,
beginning with the week of the first day. A wall-clock time that a change of clocks skips is taken as much later as the
clocks jump; one that comes twice means the first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from campaigns.message.content import Reader
from campaigns.message.validate import Problem
from integrations.messaging import Kind


class When(TextChoices):
    """발송 주기"""

    NOW = "now", gettext_lazy("즉시 발송")
    ONCE = "once", gettext_lazy("1회 예약 발송")
    DAILY = "daily", gettext_lazy("1일 1회 발송")
    WEEKLY = "weekly", gettext_lazy("매주 정해진 요일에 발송")
    LIVE = "live", gettext_lazy("이벤트 기반 발송")


PLANNED = tuple((one.value, one.label) for one in When if one != When.LIVE)
"""What 예약 발송 offers."""
REPEATING = (When.DAILY, When.WEEKLY)
WEEKS = range(1, 53)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a campaign goes out. Days and times are wall-clock ones of the project's zone."""

    kind: str = ""
    """A `When`; "" while nothing is chosen."""
    day: date | None = None
    """Of 1회 예약 발송."""
    start: date | None = None
    """The first day of a period."""
    end: date | None = None
    """Its last day, included."""
    is_endless: bool = False
    """무기한 발송: `end` doesn't count."""
    at: time | None = None
    """Time of day."""
    weekdays: tuple[int, ...] = ()
    """Monday is 0."""
    every_weeks: int = 1

    @property
    def repeats(self) -> bool:
        """Whether there may be more than one run."""
        return self.kind in REPEATING

    @property
    def is_live(self) -> bool:
        """Whether it goes to each person once, when they come in: from `start` on, else from the launch."""
        return self.kind == When.LIVE

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "kind": str(self.kind),
            "date": self.day.isoformat() if self.day else "",
            "start": self.start.isoformat() if self.start else "",
            "end": self.end.isoformat() if self.end else "",
            "forever": self.is_endless,
            "time": self.at.isoformat("minutes") if self.at else "",
            "weekdays": list(self.weekdays),
            "every_weeks": self.every_weeks,
        }


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::00)?")


def timing_of(json: Any) -> Timing:
    """From stored or posted JSON, whatever that holds: what has the wrong type counts as not chosen, which `check`
    then says."""
    reader = Reader(json)
    return Timing(
        kind=reader.choice("kind", tuple(When.values)),
        day=_date(reader, "date"),
        start=_date(reader, "start"),
        end=_date(reader, "end"),
        is_endless=reader.flag("forever") is True,
        at=_time(reader),
        weekdays=_weekdays(reader),
        every_weeks=_weeks(reader),
    )


def _date(reader: Reader, name: str) -> date | None:
    text = reader.line(name)
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _time(reader: Reader) -> time | None:
    digits = _TIME.fullmatch(reader.line("time"))
    return time(int(digits[1]), int(digits[2])) if digits else None


def _weekdays(reader: Reader) -> tuple[int, ...]:
    days = reader.json.get("weekdays")
    if not isinstance(days, list) or not all(type(day) is int and 0 <= day <= 6 for day in days):
        return ()
    return tuple(sorted(set(days)))


def _weeks(reader: Reader) -> int:
    weeks = reader.json.get("every_weeks", 1)
    return weeks if type(weeks) is int else 0


# -- Runs -------------------------------------------------------------------------------------------------------------
def next_run(timing: Timing, after: datetime, tz: tzinfo) -> datetime | None:
    """The first run later than `after`, in UTC; None when there is none to come. 즉시 발송 has none: its launch is its
    run. Of 이벤트 기반 발송 it is the next look at who came in."""
    if timing.is_live:
        opening, closing = opens(timing, tz), closes(timing, tz)
        moment = opening if opening is not None and opening > after else after
        return moment if closing is None or moment < closing else None
    return next(_runs(timing, after, tz), None)


def opens(timing: Timing, tz: tzinfo) -> datetime | None:
    """From when on those who come in are sent to, in UTC; None: from the launch."""
    if timing.start is None:
        return None
    return datetime.combine(timing.start, timing.at or time(), tz).astimezone(UTC)


def closes(timing: Timing, tz: tzinfo) -> datetime | None:
    """From when on nobody who comes in is sent to any more, in UTC: the end of the last day; None: never."""
    if timing.is_endless or timing.end is None or timing.end == date.max:
        return None
    return datetime.combine(timing.end + timedelta(days=1), time(), tz).astimezone(UTC)


def upcoming(timing: Timing, after: datetime, tz: tzinfo, n: int) -> list[datetime]:
    """The next `n` runs later than `after`, in UTC; of 이벤트 기반 발송 when it begins, if that is still to come."""
    if timing.is_live:
        opening = opens(timing, tz)
        return [opening] if opening is not None and opening > after else []
    return [moment for _n, moment in zip(range(n), _runs(timing, after, tz), strict=False)]


def _runs(timing: Timing, after: datetime, tz: tzinfo) -> Iterator[datetime]:
    if timing.at is None:
        return
    for day in _days(timing, after, tz):
        try:
            # fold=0: of a time that comes twice the first; one that is skipped moves on by as much as the clocks do.
            moment = datetime.combine(day, timing.at, tz).astimezone(UTC)
        except OverflowError:
            return
        if moment > after:
            after = moment
            yield moment


def _days(timing: Timing, after: datetime, tz: tzinfo) -> Iterator[date]:
    if timing.kind == When.ONCE and timing.day:
        yield timing.day
    if not timing.repeats or timing.start is None:
        return
    last = date.max if timing.is_endless else timing.end or date.min
    day = max(timing.start, _day_before(after, tz))
    week_of_start = timing.start.toordinal() - timing.start.weekday()
    while day <= last:
        ordinal = day.toordinal()
        weeks = (ordinal - day.weekday() - week_of_start) // 7
        if timing.kind == When.WEEKLY and (not timing.weekdays or timing.every_weeks not in WEEKS):
            return
        if timing.kind == When.DAILY or (day.weekday() in timing.weekdays and weeks % timing.every_weeks == 0):
            yield day
        if ordinal == date.max.toordinal():
            return
        day = date.fromordinal(ordinal + 1)


def _day_before(moment: datetime, tz: tzinfo) -> date:
    """The local day before `moment`: no run of an earlier day can come after it."""
    try:
        return moment.astimezone(tz).date() - timedelta(days=1)
    except OverflowError:
        return moment.date()


def check(timing: Timing, now: datetime, tz: tzinfo) -> list[Problem]:
    """Whatever keeps a campaign with this timing from being launched. Fields are named as in the builder's form."""
    if not timing.kind:
        return [Problem("timing", "required", _("발송 시점을 골라 주세요."))]
    if timing.kind == When.NOW:
        return []
    found = list(_missing(timing))
    has_period = timing.repeats or timing.is_live
    if has_period:
        found += _bad_period(timing)
    if not found and next_run(timing, now, tz) is None:
        text = (
            _("남은 발송이 없습니다. 종료일이나 요일을 바꿔 주세요.")
            if has_period
            else _("이미 지난 시각입니다. 지금보다 늦은 시각을 골라 주세요.")
        )
        found.append(Problem("end" if has_period else "time", "past", text))
    return found


def _missing(timing: Timing) -> Iterator[Problem]:
    if timing.repeats and timing.start is None:
        yield Problem("start", "required", _("시작일을 골라 주세요."))
    if timing.kind == When.ONCE and timing.day is None:
        yield Problem("date", "required", _("발송일을 골라 주세요."))
    if timing.at is None and (not timing.is_live or timing.start is not None):
        yield Problem("time", "required", _("발송 시간을 골라 주세요."))
    if (timing.repeats or timing.is_live) and timing.end is None and not timing.is_endless:
        yield Problem("end", "required", _("종료일을 고르거나 무기한 발송을 선택해 주세요."))


def _bad_period(timing: Timing) -> Iterator[Problem]:
    if timing.start and timing.end and not timing.is_endless and timing.end < timing.start:
        yield Problem("end", "end_before_start", _("종료일이 시작일보다 빠릅니다."))
    if timing.kind == When.WEEKLY and not timing.weekdays:
        yield Problem("weekday", "required", _("발송 요일을 하나 이상 골라 주세요."))
    if timing.kind == When.WEEKLY and timing.every_weeks not in WEEKS:
        yield Problem("every", "out_of_range", _("주기는 1주에서 52주 사이로 써 주세요."))


# -- In words ---------------------------------------------------------------------------------------------------------
WEEKDAYS = (
    pgettext_lazy("weekday", "월"),
    pgettext_lazy("weekday", "화"),
    pgettext_lazy("weekday", "수"),
    pgettext_lazy("weekday", "목"),
    pgettext_lazy("weekday", "금"),
    pgettext_lazy("weekday", "토"),
    pgettext_lazy("weekday", "일"),
)


def words(timing: Timing, zone: str) -> str:
    """When it goes out, in a line: `매주 월·수 10:00 (Asia/Seoul)`. `zone` is the zone's name."""
    if timing.kind == When.NOW:
        return str(When.NOW.label)
    if timing.is_live:
        return _("코호트에 들어온 사람에게 한 번씩 (%(zone)s)") % {"zone": zone}
    at = timing.at.isoformat("minutes") if timing.at else "–"
    if timing.kind == When.ONCE:
        return f"{timing.day or '–'} {at} ({zone})"
    if timing.kind == When.DAILY:
        return _("매일 %(time)s (%(zone)s)") % {"time": at, "zone": zone}
    if timing.kind != When.WEEKLY:
        return ""
    days = "·".join(str(WEEKDAYS[day]) for day in timing.weekdays) or "–"
    if timing.every_weeks == 1:
        return _("매주 %(days)s %(time)s (%(zone)s)") % {"days": days, "time": at, "zone": zone}
    return _("%(n)d주마다 %(days)s %(time)s (%(zone)s)") % {
        "n": timing.every_weeks,
        "days": days,
        "time": at,
        "zone": zone,
    }


def period(timing: Timing, launched: datetime | None = None) -> str:
    """From when until when: `2026-11-20`, `2026-11-20 ~ 2026-12-20`, `2026-11-20 ~ 무기한`; "" where there is none.
    `launched`: when it was, in the zone of its times: what begins with its launch began then."""
    if timing.kind == When.ONCE and timing.day:
        return timing.day.isoformat()
    end = _("무기한") if timing.is_endless else (timing.end.isoformat() if timing.end else "–")
    if timing.is_live:
        at = f" {timing.at:%H:%M}" if timing.start and timing.at else ""
        start = timing.start or (launched.date() if launched else None)
        if start is None:
            return f"~ {end}" if timing.is_endless or timing.end else ""
        return f"{start.isoformat()}{at} ~ {end}"
    if not timing.repeats or timing.start is None:
        return ""
    return f"{timing.start.isoformat()} ~ {end}"


# -- The night --------------------------------------------------------------------------------------------------------
SEOUL = ZoneInfo("Asia/Seoul")
"""The law's clock, whatever the project's zone is."""


@dataclass(frozen=True, slots=True)
class Night:
    """Hours of Seoul in which nothing of a kind goes out: `begins` is inside, `ends` outside."""

    begins: time
    claims_end: time
    """From here on nobody is claimed any more: what is under way needs time to leave before `begins`."""
    ends: time = time(8)


AD_NIGHT = Night(begins=time(21), claims_end=time(20, 55))
"""Advertising without a separate consent to the night (정보통신망법 제50조 ③; e-mail alone is exempt)."""
KAKAO_AD_NIGHT = Night(begins=time(20, 50), claims_end=time(20, 45))
"""Kakao refuses 친구톡 (brand messages) in these hours, whoever has consented to what."""


def night_of(kind: str, *, is_ad: bool, night_consent: bool) -> Night | None:
    """The night that holds for a message; None where there is none. Information may always go; the fallback of an ad is
    an ad and asks by its own kind."""
    if kind == Kind.FRIENDTALK:
        return KAKAO_AD_NIGHT
    if kind == Kind.ALIMTALK or not is_ad or night_consent:
        return None
    return AD_NIGHT


def closed_until(
    kind: str, is_ad: bool, night_consent: bool, at: datetime, *, for_claim: bool = False
) -> datetime | None:
    """Until when a message may not go out that would go at `at`: the coming 08:00 of Seoul, in UTC; None when it may
    go. `for_claim`: whether people may still be claimed for it, which ends some minutes earlier."""
    night = night_of(kind, is_ad=is_ad, night_consent=night_consent)
    if night is None:
        return None
    local = at.astimezone(SEOUL)
    begins = night.claims_end if for_claim else night.begins
    if night.ends <= local.time() < begins:
        return None
    day = local.date() if local.time() < night.ends else local.date() + timedelta(days=1)
    return datetime.combine(day, night.ends, SEOUL).astimezone(UTC)
