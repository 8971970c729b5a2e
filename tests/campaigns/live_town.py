"""A town for tests of 이벤트 기반 발송."""

from django.db import transaction
from pyroaring import BitMap64

from campaigns.models import Campaign, CampaignState, Run, RunState
from campaigns.sending import freeze, launch
from cohorts import membership
from cohorts.people import facets
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import sending

LIVE = {"kind": "live", "forever": True}


class Town:
    """A cohort of people numbered from 0, a campaign that watches it, and who was sent to."""

    def __init__(self, project, account):
        self.project, self.account = project, account
        self.ids = factories.profiles(project, 12)
        facets.rebuild(project.pk)
        self.cohort = factories.cohort_with(project, 1, self.ids[:3])

    def begin(self, **fields):
        fields.setdefault("timing", LIVE)
        self.draft = sending.campaign(self.project, CampaignState.DRAFT, cohort=self.cohort, **fields)
        self.campaign = launch.launch(self.draft, by=User.objects.first(), seen_version=0)
        return self.campaign

    def publish(self, *places):
        with transaction.atomic():
            membership.publish(self.cohort.pk, BitMap64([self.ids[n] for n in places]), {})

    def look(self):
        """What the clock does, as if the next look were due."""
        Campaign.objects.filter(next_run_at__isnull=False).update(next_run_at=sending.long_ago())
        return launch.tick()

    def work(self):
        self.look()
        for run in Run.objects.filter(state__in=["queued", "freezing", "sending"]).order_by("number"):
            freeze.prepare(run.pk)
            run.refresh_from_db()
            if run.state == RunState.SENDING:
                sending.send(run)
                sending.settle(run)

    @property
    def got(self):
        """The places of those who got it, each as often as they did."""
        return sorted(int(message.to[-8:]) - 20_000_000 for message in self.account.ledger)
