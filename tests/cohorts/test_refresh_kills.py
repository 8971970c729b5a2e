"""Workers that die or stall at every named point of a refresh, and many people asking at once. Real processes, real
locks: PostgreSQL only."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, connections

from cohorts import membership
from cohorts.models import Cohort, Pull, Refresh, RefreshState, Snapshot
from cohorts.pull import pulls, refresh
from integrations.models import Place, Query
from notifly_console.lib import checkpoints
from tests.cohorts.conftest import EVERYBODY, SOME

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

PAGE_SIZE = 100
SECOND_TIME = ("after_batch:2", "in_batch_after_profiles:2", "in_batch_before_commit:3", "before_publish:2")


@pytest.fixture(autouse=True)
def _needs_postgresql(db):
    if connection.vendor != "postgresql":
        pytest.skip("what races and kills show needs PostgreSQL: set TEST_DATABASE_URL")


@pytest.fixture
def start(sandbox, monkeypatch):
    """`start(refresh, "after_claim")` starts a worker process that dies there."""
    parts = connection.settings_dict
    place = f"{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}"
    monkeypatch.setenv("DATABASE_URL", f"postgres://{place}/{parts['NAME']}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.cohorts.worker"])
    started = []

    def begin(row, checkpoint):
        from tests.cohorts.worker import work

        process = context.Process(target=work, args=(row.pk.hex, sandbox.url, checkpoint, PAGE_SIZE))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(10)


@pytest.fixture
def new_project(town, monkeypatch):
    """`new_project()` makes another connected project, with an hour of its own. Three pages hold its people."""
    from integrations.connect import MixpanelSettings
    from integrations.mixpanel.schemas import Region
    from integrations.register import register
    from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME
    from notifly_console.tenancy.models import Project

    town.world.configure(queries_per_hour=100_000)
    town.world.cohorts.resize(EVERYBODY, 250)
    monkeypatch.setattr(pulls, "PAGE_SIZE", PAGE_SIZE)

    def make():
        Query.objects.all().delete()
        Place.objects.all().delete()
        project = Project.objects.create(name="또 하나")
        register(project, MixpanelSettings(PROJECT, USERNAME, Region.US), SECRET)
        return project

    return make


def lease_runs_out(row):
    Refresh.objects.filter(pk=row.pk, state=RefreshState.RUNNING).update(lease_until="2020-01-01T00:00Z")


def finish(row):
    """What the sweep and a worker do with what was left."""
    for _ in range(3):
        lease_runs_out(row)
        refresh.run(row.pk)
        row.refresh_from_db()
        if not row.is_live:
            return row
    raise AssertionError(f"It is still {row}.")


def stopped(process):
    until = time.monotonic() + 20
    while time.monotonic() < until and process.is_alive():
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.01)
    raise AssertionError("It did not stop at its checkpoint.")


@pytest.mark.processes
def test_killed_anywhere_the_result_is_that_of_an_undisturbed_run(new_project, start, state_of, subtests):
    undisturbed = new_project()
    refresh.run(refresh.request(undisturbed, by="a").pk)
    wanted = state_of(undisturbed)
    assert wanted["cohorts"][EVERYBODY]["row"][2] == 250

    for checkpoint in (*checkpoints.REFRESH, *SECOND_TIME):
        with subtests.test(checkpoint):
            project = new_project()
            row = refresh.request(project, by="a")
            process = start(row, checkpoint)
            process.join(30)
            assert process.exitcode == -signal.SIGKILL, "the checkpoint was not reached"
            row.refresh_from_db()
            seen = state_of(project)["cohorts"]
            assert all(found == wanted["cohorts"][number] for number, found in seen.items())
            if row.is_live:
                refresh.run(row.pk)  # Its lease still runs: nobody else gets it.
                assert Refresh.objects.get(pk=row.pk).fence == 1
                lease_runs_out(row)
                assert refresh.sweep() == 1
            row = finish(row)
            assert row.state == RefreshState.SUCCEEDED
            assert row.receipt["queries"] == Query.objects.count(), "those of the worker that was killed count, too"
            assert state_of(project) == wanted
            assert not Pull.objects.filter(refresh=row, batches__isnull=False).exists()


@pytest.mark.processes
@pytest.mark.parametrize(
    "place",
    # The last two hold the row's lock, until the server ends their transaction.
    [
        *("after_list_asked", "before_batch", "before_publish", "before_finish"),
        *("in_batch_after_profiles", "in_finish_before_commit"),
    ],
)
def test_a_worker_that_wakes_after_its_lease_changes_nothing(new_project, start, state_of, place):
    project = new_project()
    row = refresh.request(project, by="a")
    sleeper = start(row, f"stop:{place}")
    stopped(sleeper)
    row = finish(row)
    ended = row.finished_at, state_of(project), Snapshot.objects.count()

    os.kill(sleeper.pid, signal.SIGCONT)
    sleeper.join(30)

    assert sleeper.exitcode == 0
    row.refresh_from_db()
    assert (row.finished_at, state_of(project), Snapshot.objects.count()) == ended
    assert row.fence == 2


def test_a_cohort_that_kills_every_worker_is_given_up(new_project, town, monkeypatch):
    """Each claim is counted before its work; the sixth leaves the cohort out and reads the others."""
    project = new_project()
    row = refresh.request(project, by="a")

    class Killed(BaseException):
        pass

    def die(_turn, pull, *_rest):
        if pull.cohort.source_id == EVERYBODY:
            raise Killed

    keep = pulls._keep
    monkeypatch.setattr(pulls, "_keep", lambda *args: die(*args) or keep(*args))
    for _ in range(refresh.MOST_ATTEMPTS + 1):
        lease_runs_out(row)
        with pytest.raises(Killed):
            refresh.run(row.pk)
    row = finish(row)
    assert (row.state, row.receipt["failed"]) == (RefreshState.PARTIAL, 1)
    assert Cohort.objects.get(project=project, source_id=EVERYBODY).failure == "refresh_crashed"
    assert Cohort.objects.get(project=project, source_id=SOME).size == 40


def test_twenty_clicks_at_once_are_one_refresh(new_project):
    project = new_project()
    together = threading.Barrier(20)
    found = []

    def click():
        try:
            together.wait()
            found.append(refresh.request(project, by="a").pk)
        finally:
            connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(20)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert len(found) == 20
    assert len(set(found)) == 1 == Refresh.objects.filter(project=project).count()


def test_two_workers_woken_for_one_refresh_are_one_run(new_project, town):
    project = new_project()
    row = refresh.request(project, by="a")
    together = threading.Barrier(4)

    def work():
        try:
            together.wait()
            refresh.run(row.pk)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    row.refresh_from_db()
    assert (row.state, row.fence) == (RefreshState.SUCCEEDED, 1)
    assert row.receipt["queries"] == 3


def test_readers_never_see_half_a_version(new_project, town):
    project = new_project()
    refresh.run(refresh.request(project, by="a").pk)
    over = threading.Event()
    seen = set()

    def read():
        try:
            while not over.is_set():
                cohort = Cohort.objects.select_related("current").get(project=project, source_id=EVERYBODY)
                held = len(membership.loaded(cohort.current.members))
                seen.add((cohort.size, cohort.current.size, held, cohort.number == cohort.current.number))
        finally:
            connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    for size in (200, 250, 150, 240, 130, 300):
        town.world.cohorts.resize(EVERYBODY, size)
        refresh.run(refresh.request(project, by="a").pk)
    over.set()
    reader.join()
    assert {one[0] for one in seen} <= {250, 200, 150, 240, 130, 300}
    assert all(size == current == held and same for size, current, held, same in seen)
