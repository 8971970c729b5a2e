"""Workers that are killed several times a second while a campaign goes out, that wake up after their lease, and a
provider that takes messages without saying so. Real workers, a real broker, real sockets: PostgreSQL and Redis only.

The full storm (20,000 people) is `python -m benchmarks.kill_send`; this one shows the same in less time, and that it
would notice."""

import os
from types import MappingProxyType

import pytest
from django.db import connection

from benchmarks.storm import Storm
from campaigns.models import Run
from integrations import senders
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from tests.campaigns import sending

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres, pytest.mark.processes]

PEOPLE = 2_000
AMBIGUOUS = {"done_then_cut": 0.03, "done_then_500": 0.02, "done_then_reset": 0.02, "reset_before": 0.02}


@pytest.fixture
def run(world, sandbox):
    if connection.vendor != "postgresql" or not os.environ.get("TEST_REDIS_URL"):
        pytest.skip("killing workers needs PostgreSQL and Redis: set TEST_DATABASE_URL and TEST_REDIS_URL")
    senders.register(world.project, senders.SolapiSettings(api_key=SOLAPI_API_KEY), SOLAPI_API_SECRET)
    campaign = sending.campaign(world.project, message=sending.TEXT | {"sender": "15881234"})
    # (To numbers that end in 0001 to 0005 the stand-in gives fates of their own.)
    return sending.run(campaign, people=PEOPLE, first=10)


@pytest.fixture
def storm(run, sandbox, tmp_path):
    """`storm(share)` rages; that share of the groups that are told to go is treated in each ambiguous way."""

    def rage(times=1, variables=MappingProxyType({}), **more):
        for kind, share in AMBIGUOUS.items():
            sandbox.world.faults.add(kind, vendor="solapi", endpoint="groups/send", times=None, share=share * times)
        # However fast the machine is, the campaign lasts for as many kills as are asked for.
        sandbox.world.faults.add("slow", vendor="solapi", endpoint="groups/send", times=None, seconds=0.4)
        parts = connection.settings_dict
        url = f"postgres://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "SOLAPI_API_URL": sandbox.solapi_url,
            "LOG_LEVEL": "WARNING",
            "SENDING_BATCH": "20",
            **variables,
        }
        return Storm(environment, url, run.pk, tmp_path, every=0.25, **more).rage()

    return rage


def test_nobody_gets_it_twice_and_nobody_is_lost(storm, run, sandbox):
    outcome = storm(most=40, limit_seconds=180)
    ledger = sandbox.world.solapi.ledger
    assert outcome.kills >= 20
    assert ledger.repeated() == {}
    assert outcome.states == {"delivered": PEOPLE}, outcome
    assert len(ledger) == PEOPLE
    assert Run.objects.get(pk=run.pk).size == PEOPLE


def test_the_storm_notices_a_retry_on_timeout(storm, run, sandbox):
    repeated = sandbox.world.solapi.ledger.repeated
    storm(times=4, variables={"PLANTED_BUG": "retry_on_timeout"}, until=lambda: bool(repeated()), limit_seconds=60)
    assert repeated()
