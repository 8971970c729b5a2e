"""Who of the frozen people must be left out after all: asked when they are claimed, and again just before the provider
is told to send."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

from campaigns.audience import optouts
from campaigns.message.content import Content, is_ad
from campaigns.models import Night, Rules, Run, RunKind, SkipReason, Upload
from campaigns.sending import schedule
from campaigns.sending.arrows import Taken
from cohorts.models import Profile
from integrations.messaging import Channel, Kind

SPREAD_SECONDS = 600
"""Runs that the night has stopped go on within so long after 08:00, not all at that moment."""
_KIND_BY_CHANNEL = {Channel.ALIMTALK: Kind.ALIMTALK, Channel.FRIENDTALK: Kind.FRIENDTALK, Channel.TEXT: Kind.LMS}
"""What the night is asked for before anything is rendered; text messages of every kind have the same hours."""


class Recheck:
    """The questions for one run. Advertising asks for the night, for opt-outs and for consent; everything asks whether
    the profile is still there."""

    def __init__(self, run: Run, content: Content, rules: Rules) -> None:
        self._run = run
        self._is_ad = is_ad(content)
        self._kind = _KIND_BY_CHANNEL[Channel(run.channel)]
        # A file that doesn't say who consented was judged by the profiles with its numbers.
        self._asks_by_number = self._is_ad and _says_nothing_of_consent(run)
        self._drops = rules.night == Night.DROP or run.kind == RunKind.TEST

    def closed_until(self, now: datetime) -> datetime | None:
        """Until when nobody of this run may be sent to; None when somebody may. Spread over some minutes."""
        until = self._closed(night_consent=True, now=now)
        return None if until is None or self._drops else self._spread(until)

    def takes_only_night(self, now: datetime) -> datetime | None:
        """Until when only those may be sent to who agreed to advertising at night, and the others wait; None when
        there is nobody who must wait."""
        until = self._closed(night_consent=False, now=now)
        return None if until is None or self._drops else self._spread(until)

    def left_out(self, people: Sequence[Taken], now: datetime, *, at_last: bool = False) -> dict[int, SkipReason]:
        """Who of these must not be sent to now, and why. `at_last`: they were claimed before; to claim somebody ends
        some minutes before the night begins."""
        if self._run.kind == RunKind.TEST:
            return self._left_out_of_test(people, now)
        ids = [person.profile_id for person in people if person.profile_id is not None]
        left: dict[int, SkipReason] = {}
        known = {
            pk: (marketing, night)
            for pk, marketing, night in Profile.objects.filter(pk__in=ids).values_list(
                "pk", "marketing_consent", "night_consent"
            )
        }
        refused = self._refused(people)
        agreed = self._agreed([person.phone for person in people if person.profile_id is None])
        closed = {
            consent: self._closed(night_consent=consent, now=now, at_last=at_last) is not None
            for consent in (True, False)
        }
        for person in people:
            marketing, night = known.get(person.profile_id or 0, (agreed is None or person.phone in agreed, False))
            if person.profile_id is not None and person.profile_id not in known:
                left[person.id] = SkipReason.GONE
            elif person.phone in refused:
                left[person.id] = SkipReason.OPTED_OUT
            elif self._is_ad and not marketing:
                left[person.id] = SkipReason.NO_CONSENT
            elif closed[bool(night)]:
                left[person.id] = SkipReason.NIGHT
        return left

    @property
    def is_ad(self) -> bool:
        """Whether the law's rules for advertising apply."""
        return self._is_ad

    def _left_out_of_test(self, people: Sequence[Taken], now: datetime) -> dict[int, SkipReason]:
        """A test goes to colleagues' own numbers: it asks for no consent, but obeys the night and opt-outs."""
        if self._closed(night_consent=False, now=now):
            return {person.id: SkipReason.NIGHT for person in people}
        refused = self._refused(people)
        return {person.id: SkipReason.OPTED_OUT for person in people if person.phone in refused}

    def _agreed(self, phones: Sequence[str]) -> set[str] | None:
        """Which of these numbers of a file consent to advertising by the project's profiles; None where nobody is
        asked."""
        if not self._asks_by_number:
            return None
        # The project is looked at here: where the table has no statistics yet, its index would be taken instead.
        found = Profile.objects.filter(phone__in=phones, marketing_consent=True).values_list("phone", "project_id")
        return {phone for phone, project_id in found if phone and project_id == self._run.project_id}

    def _refused(self, people: Sequence[Taken]) -> set[str]:
        if not self._is_ad:
            return set()
        return optouts.numbers(self._run.project_id, [person.phone for person in people])

    def _closed(self, *, night_consent: bool, now: datetime, at_last: bool = False) -> datetime | None:
        return schedule.closed_until(self._kind, self._is_ad, night_consent, now, for_claim=not at_last)

    def _spread(self, until: datetime) -> datetime:
        return until + timedelta(seconds=crc32(str(self._run.pk).encode()) % SPREAD_SECONDS)


def _says_nothing_of_consent(run: Run) -> bool:
    return run.upload_id is not None and Upload.objects.filter(pk=run.upload_id, consented=None).exists()
