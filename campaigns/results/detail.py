"""The page of a campaign: which of its runs is looked at, and everything that is shown of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest

from campaigns.models import RUN_LIVE, Campaign, CampaignEvent, CampaignState, Recipient, Run, RunKind, RunState, Watch
from campaigns.results import find, sent
from campaigns.results.queries import CHANNEL_ICONS, STATE_COLOURS, totals_of
from campaigns.results.report import Happening, Report, happenings, report_of, stop_of
from campaigns.sending import schedule
from campaigns.sending.schedule import Timing, When, period, timing_of, upcoming
from campaigns.sending.tally import Tally, tallies
from integrations.messaging import Channel
from notifly_console.lib.ui_tags import exact
from notifly_console.tenancy.access import Access

RUNS_SHOWN = 8
RUNS_OF_A_PAGE = 50
UPCOMING_SHOWN = 3
SHOWN = ("cohort", "group", "upload")


def fetch(access: Access, campaign_id: Any) -> Campaign:
    """The project's campaign with what its audience is. Raises Http404."""
    queryset = Campaign.objects.select_related(*SHOWN).defer(
        "kept", "upload__rows", "upload__digits", "upload__refused_rows"
    )
    one = access.fetch(queryset, pk=campaign_id)
    one.project = access.project
    return one


def fetch_run(access: Access, campaign: Campaign, number: int) -> Run:
    """A run of the campaign. Raises Http404."""
    run = access.fetch(Run.objects.defer("chosen"), campaign_id=campaign.pk, number=number)
    run.campaign, run.project = campaign, access.project
    return run


def run_to_show(access: Access, campaign: Campaign, asked: str) -> Run | None:
    """The run that the address asks for; without one the run that is going, else the newest real one, else the newest;
    None where there is none. Raises Http404 for a number that there isn't."""
    if asked:
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
            raise Http404
        return fetch_run(access, campaign, int(asked))
    runs = Run.objects.filter(campaign=campaign)
    real = runs.exclude(kind=RunKind.TEST)
    newest = real.exclude(state=RunState.SKIPPED).order_by("-number").values_list("number", flat=True)
    number = newest.filter(state__in=RUN_LIVE).first() or newest.first()
    number = number or runs.order_by("-number").values_list("number", flat=True).first()
    return fetch_run(access, campaign, number) if number else None


@dataclass(frozen=True)
class RunLine:
    """A run in the list of runs."""

    run: Run
    tally: Tally


def run_lines(campaign: Campaign) -> tuple[list[RunLine], bool]:
    """The last runs of the campaign, the newest first; and whether there are more."""
    runs = Run.objects.filter(campaign=campaign).defer("chosen", "joined", "message", "funnel").order_by("-number")
    found = list(runs[: RUNS_SHOWN + 1])
    counted = tallies(found[:RUNS_SHOWN])
    lines = [RunLine(run, counted[run.pk]) for run in found[:RUNS_SHOWN]]
    return lines, len(found) > RUNS_SHOWN


@dataclass(frozen=True)
class RunQuery:
    """What the list of all runs is asked for."""

    before: int | None = None
    """Runs below this number, the newest first."""
    after: int | None = None
    """Runs above it, those next to it."""
    until: date | None = None
    """Runs that were due on this day or before."""
    only_sent: bool = False
    """Without those that sent to nobody."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "RunQuery":
        """Reads an address; what can't be read isn't asked for."""
        until = parse_day(given.get("until", ""))
        return cls(_number(given.get("before", "")), _number(given.get("after", "")), until, given.get("sent") == "1")

    @property
    def rest(self) -> str:
        """What other pages of the same list have in their address."""
        asked = {"until": self.until.isoformat() if self.until else "", "sent": "1" if self.only_sent else ""}
        return urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True)
class RunPage:
    """A page of the list of all runs; what the pages beside it begin with."""

    lines: list[RunLine]
    newer: int | None
    older: int | None
    count: int
    """How many runs there are in all."""


def run_page(access: Access, campaign: Campaign, query: RunQuery) -> RunPage:
    """Five statements, however long the history is: each page begins at a number."""
    every = Run.objects.filter(campaign=campaign).defer("chosen", "joined", "message", "funnel")
    runs = every.exclude(state=RunState.SKIPPED) if query.only_sent else every
    if query.until:
        midnight = datetime.combine(query.until + timedelta(days=1), time(), access.project.zone)
        runs = runs.filter(due_at__lt=midnight)
    if query.after is not None:
        found = list(runs.filter(number__gt=query.after).order_by("number")[:RUNS_OF_A_PAGE])[::-1]
    else:
        below = runs.filter(number__lt=query.before) if query.before is not None else runs
        found = list(below.order_by("-number")[:RUNS_OF_A_PAGE])
    counted = tallies(found)
    newer = found[0].number if found and runs.filter(number__gt=found[0].number).exists() else None
    older = found[-1].number if found and runs.filter(number__lt=found[-1].number).exists() else None
    return RunPage([RunLine(run, counted[run.pk]) for run in found], newer, older, every.count())


def parse_day(text: str) -> date | None:
    """A day as a date field sends it; None for anything else."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 9000 else None


def seen(campaign: Campaign) -> str:
    """How the campaign stands: what an act was decided on."""
    return f"{campaign.state}.{campaign.version}.{campaign.brake}"


def context_of(request: HttpRequest, access: Access, campaign: Campaign, run: Run | None = None) -> dict[str, Any]:
    """Everything that moves on the page. `run`: which is looked at; else the one that the address asks for."""
    run = run or run_to_show(access, campaign, request.GET.get("run", ""))
    told = happenings(campaign)
    report = report_of(campaign, run) if run is not None else None
    timing = timing_of(campaign.timing)
    lines, older = run_lines(campaign)
    return {
        "nav": "campaigns",
        "campaign": campaign,
        "timing": timing,
        "colour": STATE_COLOURS.get(CampaignState(campaign.state), ""),
        "channel_icon": CHANNEL_ICONS[Channel(campaign.channel)] if campaign.channel else "",
        "run": run,
        "report": report,
        "lines": lines,
        "older": older,
        "happenings": told,
        "stop": stop_of(campaign, [one.event for one in told]),
        "seen": seen(campaign),
        "token": token(campaign, report, told),
        "coming": coming(access, campaign, timing),
        "live": live_of(campaign, timing),
        "totals": totals_of([campaign])[0][campaign.pk] if timing.is_live and lines else None,
        "every": _every(campaign, report),
        "standing": standing(campaign, report),
        "when": str(When(timing.kind).label) if timing.kind else "",
        "when_words": when_words(access, campaign, timing),
    }


def standing(campaign: Campaign, report: Report | None) -> str:
    """How things stand in a word for each: when it changes it is said aloud."""
    if report is None:
        return campaign.state
    awaits = ".awaits" if report.awaits_fallback else ""
    return f"{campaign.state}.{report.run.state}.{report.run.waiting_for}{awaits}"


def when_words(access: Access, campaign: Campaign, timing: Timing) -> str:
    """When it goes out, in a line."""
    if timing.kind == When.NOW:
        return exact(campaign.launched_at) if campaign.launched_at else ""
    launched = campaign.launched_at.astimezone(access.project.zone) if campaign.launched_at else None
    span = period(timing, launched) if timing.repeats or timing.is_live else ""
    return " · ".join(part for part in (schedule.words(timing, access.project.time_zone), span) if part)


def coming(access: Access, campaign: Campaign, timing: Timing) -> list[Any]:
    """The next moments that an active campaign goes out at."""
    if campaign.state != CampaignState.ACTIVE or campaign.next_run_at is None:
        return []
    later = upcoming(timing, campaign.next_run_at, access.project.zone, UPCOMING_SHOWN - 1) if timing.repeats else []
    return [campaign.next_run_at, *later]


def live_of(campaign: Campaign, timing: Timing) -> dict[str, list[Watch]] | None:
    """How far 이벤트 기반 발송 that is going, or is over, has looked at each cohort; None for any other."""
    if not timing.is_live or campaign.state not in (CampaignState.ACTIVE, CampaignState.ENDED):
        return None
    watches = Watch.objects.filter(campaign=campaign).select_related("cohort").defer("cohort__description")
    return {"watches": list(watches.order_by("cohort__name", "pk"))}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _every(campaign: Campaign, report: Report | None) -> int:
    """Seconds until the page looks again by itself; 0 where nothing can change by itself."""
    if report is not None and report.is_live and not (report.is_stopped or report.awaits_fallback):
        return 2
    if report is not None and report.is_moving:
        return 5
    return 15 if campaign.state in (CampaignState.ACTIVE, CampaignState.INACTIVE) else 0


def token(campaign: Campaign, report: Report | None, told: list[Happening]) -> str:
    """Differs as soon as the page would."""
    # (The next look of a live one moves all the time.)
    planned = None if timing_of(campaign.timing).is_live else campaign.next_run_at
    parts: list[Any] = [seen(campaign), planned, told[0].event.pk if told else 0]
    if report is not None:
        run = report.run
        parts += [run.number, run.state, run.size, run.waiting_for, run.not_before, report.tally.lines]
        parts += [report.pace and round(report.pace.per_second), report.unknown, report.written]
    return sha256(repr(parts).encode()).hexdigest()[:16]


def who_context(run: Run | None, who: str, reason: str, after: str) -> dict[str, Any]:
    """The panel of recipients: those behind a number, where one is asked for."""
    if run is None or who not in find.WHO:
        return {}
    return {"people": find.people(run, who, reason[:32], after)}


def phone_context(run: Run | None, campaign: Campaign) -> dict[str, Any]:
    """The message on a phone: as the run's first recipient got it, else as it is written."""
    if run is not None:
        return sent.as_sent(run)
    return sent.as_written(campaign) if campaign.channel else {}


def last_word(campaign: Campaign) -> CampaignEvent | None:
    """What happened to the campaign last."""
    return campaign.events.order_by("-pk").first()


def fetch_recipient(run: Run, recipient_id: int) -> Recipient:
    """A recipient of the run. Raises Http404."""
    one = Recipient.objects.select_related("batch").filter(run=run, pk=recipient_id).first()
    if one is None:
        raise Http404
    one.run = run
    return one
