"""An account at a provider in this process, for tests of sending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.models import Campaign, OptOut, OptOutSource, Rules
from cohorts.people.facets import rebuild
from tests import factories as make
from tests.campaigns import provider
from tests.campaigns.test_drafts import FORM


@pytest.fixture
def own_folder(settings: Any, tmp_path: Any) -> None:
    """What is kept beside the database is kept in a folder of the test's own."""
    settings.REDIS_URL, settings.VAR_DIR = "", str(tmp_path)


@pytest.fixture
def account(monkeypatch: Any, settings: Any, own_folder: None) -> provider.Provider:
    """Every project's sender; batches are of ten. Whom it would wake is noted, and nobody is woken."""
    from notifly_console.lib import nudge

    settings.SENDING_BATCH = 10
    made = provider.Provider()
    provider.connect(made, monkeypatch)
    monkeypatch.setattr(nudge, "_enqueue", lambda task, ids: made.nudged.append((task.task, ids)))
    return made


@pytest.fixture
def day(monkeypatch: Any) -> Any:
    """Noon in Seoul; `day(hour, minute)` sets another time of that day."""
    from django.utils import timezone

    def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
        moment = datetime(2026, 7, 1, hour, minute, second, tzinfo=UTC) - timedelta(hours=9)
        monkeypatch.setattr(timezone, "now", lambda: moment)
        return moment

    at(12)
    return at


@pytest.fixture
def town(world: Any) -> Any:
    """A project with a sender, its rules, and a cohort of twelve: nine reachable, of whom two don't consent to ads, one
    has another's number and one refused."""
    make.sender_with_lists(world.project)
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0808701234")
    names = ["김서연", "이도현", "박지원", "최민준", "정하은", "알렉산드라 페트로바", "한지민", "오세훈", "남궁민수"]
    people = [
        make.profile(
            world.project,
            f"user_{n}",
            phone=f"+82102000000{n if n != 8 else 7}",
            properties={"$name": name, "name": name, "grade": "VIP"},
            marketing_consent=n not in (1, 2),
        )
        for n, name in enumerate(names)
    ]
    people += [make.profile(world.project, f"lost_{n}") for n in range(2)]
    people.append(make.profile(world.project, "home", phone_raw="02-123-4567", phone_reason="landline"))
    OptOut.objects.create(project=world.project, phone="+821020000003", source=OptOutSource.OWN)
    rebuild(world.project.pk)
    world.cohort = make.cohort_with(world.project, 2785620, [one.pk for one in people], "VIP 재구매 유도")
    world.made = lambda **form: _made(world, **form)
    return world


def _made(world: Any, **form: Any) -> Campaign:
    """A draft as the form makes it."""
    from django.test import Client

    client = Client()
    client.force_login(world.people["marketer"], backend="allauth.account.auth_backends.AuthenticationBackend")
    known = set(Campaign.objects.values_list("pk", flat=True))
    data = FORM | {"audience": "cohort", "cohort": "2785620", "text.sender": "16600412"} | form
    client.post(f"/projects/{world.project.hex}/campaigns/new", data)
    return Campaign.objects.exclude(pk__in=known).get()
