"""Clients that other people wrote, against the sandbox: so that it isn't merely the mirror image of ours."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
from integrations.sandbox.cohorts import EVERYBODY

from .conftest import PEOPLE, Asker

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
CLIENTS = Path(__file__).parent / "clients"
COHORT = 2_791_361


def run(script: str, *arguments: str, home: Path, **env: str) -> Any:
    """What a client's script found out."""
    if not PYTHON.exists():
        reason = "LEFT OUT: the independent Mixpanel clients aren't installed; tools/clients.sh does that."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Nothing of this person's own settings may reach the clients, and nothing of theirs may stay.
    alone = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [str(PYTHON), str(CLIENTS / script), *arguments],
        cwd=home,
        env={**alone, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def names(mixpanel: Asker) -> dict[str, str]:
    return {str(cohort.id): cohort.name for cohort in mixpanel.world.cohorts}


def once(found: list[str]) -> set[str]:
    """The ids, of which none came twice."""
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("totals_on_every_page", [True, False])
@pytest.mark.parametrize("cohort", [COHORT, EVERYBODY])
def test_mixpanel_utils(mixpanel: Asker, tmp_path: Path, cohort: int, totals_on_every_page: bool) -> None:
    mixpanel.world.config.total_on_every_page = totals_on_every_page
    found = run(
        "with_mixpanel_utils.py",
        f"{mixpanel.url}/us/api",
        str(PROJECT),
        USERNAME,
        SECRET,
        str(cohort),
        str(tmp_path),
        home=tmp_path,
    )
    truth = mixpanel.world.cohorts.ids(cohort)
    assert found["cohorts"] == names(mixpanel)
    assert once(found["pulled"]) == once(found["exported"]) == truth
    # Not told to leave them out, it gets those without a profile too.
    assert len(once(found["everyone"])) == mixpanel.world.cohorts[cohort].count > len(truth)
    crowd = mixpanel.world.crowd
    members = mixpanel.world.cohorts[cohort].members
    assert found["phones"] == {str(crowd.distinct_id(i)): crowd.properties(i).get("$phone") for i in members}
    assert {entry.status for entry in mixpanel.world.log} == {200}


@pytest.mark.parametrize("cohort", [COHORT, EVERYBODY])
def test_mixpanel_headless(mixpanel: Asker, tmp_path: Path, cohort: int) -> None:
    found = run(
        "with_mixpanel_headless.py",
        str(cohort),
        home=tmp_path,
        MP_STORAGE_DIR=str(tmp_path / "storage"),
        MP_CONFIG_PATH=str(tmp_path / "config.toml"),
        MP_API_BASE_URL=mixpanel.url,
        MP_USERNAME=USERNAME,
        MP_SECRET=SECRET,
        MP_PROJECT_ID=str(PROJECT),
        MP_REGION="us",
    )
    truth = mixpanel.world.cohorts.ids(cohort)
    assert found["me"] == {"projects": {str(PROJECT): "하루식탁"}, "email": USERNAME}
    assert found["cohorts"] == names(mixpanel)
    assert once(found["at_once"]) == once(found["in_turn"]) == once(found["streamed"]) == truth
    crowd = mixpanel.world.crowd
    members = mixpanel.world.cohorts[cohort].members
    assert found["count"] == len(truth)
    assert found["with_phone"] == sum(crowd.properties(i).get("$phone") is not None for i in members)
    assert {entry.status for entry in mixpanel.world.log} == {200}
    assert len(truth) <= PEOPLE
