"""Clients that other people wrote, against the sandbox: so that it isn't merely the mirror image of ours."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from integrations.sandbox.accounts import PROJECT, SECRET, SOLAPI_API_KEY, SOLAPI_API_SECRET, USERNAME
from integrations.sandbox.mixpanel.cohorts import EVERYBODY
from integrations.sandbox.solapi.catalogue import CHANNEL

from .conftest import PEOPLE, Asker
from .solapi_asker import ORDER_DONE, SENDER, SolapiAsker

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
NODE = ROOT / ".venv-clients-node"
CLIENTS = Path(__file__).parent / "clients"
COHORT = 2_791_361


def run(script: str, *arguments: str, home: Path, **env: str) -> Any:
    """What a client's script found out."""
    if not PYTHON.exists():
        left_out("LEFT OUT: other people's clients aren't installed; tools/clients.sh does that.")
    return said([str(PYTHON), str(CLIENTS / script), *arguments], home, env)


def run_node(script: str, *arguments: str, home: Path) -> Any:
    """The same, of a client for Node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("LEFT OUT: SOLAPI's SDK for Node: this machine has no node.")
    if not (NODE / "node_modules").exists():
        left_out("LEFT OUT: SOLAPI's SDK for Node isn't installed; tools/clients.sh does that where there is npm.")
    return said([node, str(CLIENTS / script), str(NODE), *arguments], home, {"NODE_ENV": "test"})


def left_out(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def said(command: list[str], home: Path, env: dict[str, str]) -> Any:
    # Nothing of this person's own settings may reach the clients, and nothing of theirs may stay.
    alone = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=home, env={**alone, **env}, capture_output=True, text=True, timeout=300)
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


def test_solapi_for_python(solapi: SolapiAsker, tmp_path: Path) -> None:
    found = run(
        "with_solapi.py",
        solapi.sandbox.solapi_url,
        SOLAPI_API_KEY,
        SOLAPI_API_SECRET,
        SENDER,
        CHANNEL,
        ORDER_DONE,
        str(tmp_path),
        home=tmp_path,
    )
    assert (found["failed"], found["accepted"]) == ([["01040000004", "1061"]], 3)
    reported = [["01040001000", "4000"], ["01040001001", "4000"], ["01040000002", "4000"]]
    assert found["told"] == {"SINGLE-REPORT": reported, "GROUP-REPORT": ["COMPLETE"]}
    assert found["in_group"] == {
        "01040001000": ["SMS", "4000"],
        "01040001001": ["LMS", "4000"],
        "01040000002": ["LMS", "4000"],
        "01040000004": ["SMS", "1061"],
    }
    assert (found["status"], found["listed"], found["groups"]) == ("COMPLETE", [2, True], [found["group"]])
    assert found["before"] - found["after"] == 12 + 39 + 39  # the AlimTalk became an LMS
    assert (found["refused"], found["scheduled"], found["cancelled"]) == (["1062"], "SCHEDULED", "PENDING")
    assert (found["mms"], found["wrong_secret"]) == (1, "SignatureDoesNotMatch")
    texts = {entry.to: entry.text for entry in solapi.world.solapi.ledger.entries(group=found["group"])}
    assert texts["01040001000"] == "짧은 문자"
    assert texts["01040000002"].startswith("[하루식탁] 주문 완료 안내\n\n김하나님,")


def test_solapi_for_node(solapi: SolapiAsker, tmp_path: Path) -> None:
    found = run_node(
        "with_solapi.mjs",
        solapi.sandbox.solapi_url,
        SOLAPI_API_KEY,
        SOLAPI_API_SECRET,
        SENDER,
        CHANNEL,
        ORDER_DONE,
        str(tmp_path),
        home=tmp_path,
    )
    assert (found["failed"], found["accepted"]) == ([["01040000004", "1061"]], 6)
    assert found["inGroup"] == {
        "01040001000": ["SMS", "4000", False],
        "01040001001": ["LMS", "4000", False],
        "01040001006": ["MMS", "4000", False],
        "01040000002": ["LMS", "4000", True],
        "01040001007": ["BMS_FREE", "4000", False],
        "01040001008": ["BMS_FREE", "4000", False],
        "01040000004": ["SMS", "1061", False],
    }
    assert (found["status"], found["listed"], found["groups"]) == ("COMPLETE", [2, True], [found["group"]])
    assert [found[name] for name in ("removed", "reserved", "freed", "sent", "twice", "deleted")] == [
        "Success", "SCHEDULED", "PENDING", "SENDING", "AlreadySent", "DELETED",
    ]  # fmt: skip
    assert found["before"] - found["after"] == 12 + 39 + 90 + 39 + 25 + 25 + 12
    assert found["channels"] == ["@하루식탁", "@하루식탁배송"]
    assert (found["templates"].count("APPROVED"), len(found["templates"]), found["template"]) == (5, 7, 4)
    assert (found["blacks"], found["blockGroups"], found["blockNumbers"], found["statistics"]) == (3, 1, 1, 7)
    assert found["wrongSecret"] == "SignatureDoesNotMatch"
    assert len(solapi.world.solapi.ledger) == 7
