"""An account at a provider in this process, for tests of sending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.campaigns import provider


@pytest.fixture
def account(monkeypatch: Any, settings: Any) -> provider.Provider:
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
