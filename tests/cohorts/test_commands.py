"""`manage.py refresh` and `cohort_profiles`: exit codes, and lines that other programs read."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from cohorts.models import Refresh
from cohorts.pull import refresh
from tests.cohorts.conftest import SOME

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(monkeypatch):
    """A worker that takes refreshes up while the command waits."""

    def work(_seconds):
        for row in Refresh.objects.filter(state="queued"):
            refresh.run(row.pk)

    monkeypatch.setattr("cohorts.management.commands.refresh.time.sleep", work)


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    return code, out.getvalue().splitlines(), err.getvalue()


def test_waiting_prints_the_receipt_last(town, connected, worker):
    code, lines, _ = run("refresh", "--project", connected.hex, "--wait")
    receipt = json.loads(lines[-1])
    assert code == 0
    assert receipt["state"] == "succeeded"
    wanted = {
        *("cohorts", "received", "new", "updated", "unchanged", "joined", "left", "unreachable", "queries", "seconds")
    }
    assert wanted <= receipt.keys()
    assert (receipt["cohorts"], receipt["received"], receipt["queries"]) == (2, 2540, 3)
    assert sum(receipt["unreachable"].values()) + receipt["reachable"] == 2540

    code, lines, _ = run("refresh", "--project", connected.hex, "--cohort", f"mixpanel_{SOME}", "--wait")
    assert (code, json.loads(lines[-1])["cohorts"]) == (0, 1)


def test_a_failed_one_exits_otherwise_and_says_why(town, connect_to, connected, worker):
    connect_to(secret="no")
    code, lines, said = run("refresh", "--project", connected.hex, "--wait")
    assert code == 1
    assert json.loads(lines[-1])["state"] == "failed"
    assert said.strip()


def test_without_waiting_it_returns_at_once(town, connected):
    code, lines, _ = run("refresh", "--project", connected.hex)
    assert (code, lines) == (0, [Refresh.objects.get().pk.hex])


@pytest.mark.parametrize(
    "arguments",
    [
        ("refresh", "--project", "0" * 32),
        ("refresh", "--project", "nonsense"),
        ("refresh", "--project", "{project}"),
        ("refresh", "--project", "{connected}", "--cohort", "mixpanel_1"),
        ("refresh", "--project", "{connected}", "--cohort", "2785620"),
        ("cohort_profiles", "--project", "{connected}", "--cohort", "mixpanel_1"),
    ],
    ids=str,
)
def test_what_there_is_not_is_one_clear_sentence(world, connected, arguments):
    names = {"project": world.other_project.hex, "connected": connected.hex}
    with pytest.raises(CommandError) as refusal:
        call_command(*(one.format(**names) for one in arguments))
    assert len(str(refusal.value)) > 20


def test_profiles_are_one_line_each(town, connected, worker):
    run("refresh", "--project", connected.hex, "--wait")
    _, lines, _ = run("cohort_profiles", "--project", connected.hex, "--cohort", f"mixpanel_{SOME}")
    people = [json.loads(line) for line in lines]
    crowd = town.world.crowd
    assert {one["external_id"] for one in people} == {str(crowd.distinct_id(index)) for index in range(40)}
    wanted = {str(crowd.distinct_id(index)): crowd.e164(index) for index in range(40)}
    for one in people:
        assert set(one) == {"external_id", "phone", "email", "reachable", "reason"}
        assert one["phone"] == wanted[one["external_id"]]
        assert one["reachable"] == (one["phone"] is not None) == (one["reason"] is None)
