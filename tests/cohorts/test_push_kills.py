"""What Mixpanel was told is here stays here, whoever dies: workers at every named point of a push, web processes and
the database in the middle of a stream."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from cohorts import membership
from cohorts.models import Cohort, Profile, PushRoad, PushSession, PushState, Snapshot
from cohorts.push import push
from notifly_console.lib import checkpoints
from notifly_console.tenancy.models import Project
from tests import factories
from tests.integrations.pushing import COHORT, Pusher
from tests.integrations.streams import Stream, Web, free_port, go_on, wait_for

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


# -- Workers ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def start(db: None, monkeypatch: Any) -> Iterator[Any]:
    """`start(project, "after_place")` starts a worker process that dies there."""
    if connection.vendor != "postgresql":
        pytest.skip("what kills show needs PostgreSQL: set TEST_DATABASE_URL")
    parts = connection.settings_dict
    place = f"{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}"
    monkeypatch.setenv("DATABASE_URL", f"postgres://{place}/{parts['NAME']}")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.cohorts.worker"])
    started = []

    def begin(project: Project, checkpoint: str) -> Any:
        from tests.cohorts.worker import take_pushed

        process = context.Process(target=take_pushed, args=(project.hex, COHORT, checkpoint))
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(10)


def pushed(project: Project) -> Pusher:
    """A project with a cohort of four, and the pages of the next two syncs waiting."""
    pusher = Pusher(project.id, factories.api_key(project))
    pusher.sync([1, 2, 3, 4], session="a")
    for number in (1, 2, 3):
        pusher.push([number * 10], session="b", action="add_members", number=number, of=3)
    pusher.push([4], session="b", action="remove_members")
    return pusher


def described(project: Project) -> dict[str, Any]:
    """All that a push leaves behind, without ids and times."""
    cohort = Cohort.objects.select_related("current").get(project=project)
    names = dict(Profile.objects.filter(project=project).values_list("pk", "external_id"))
    assert cohort.current is not None
    return {
        "members": {names[pk] for pk in membership.loaded(cohort.current.members)},
        "profiles": set(names.values()),
        "version": (cohort.number, cohort.size, cohort.current.reach),
        "versions": list(Snapshot.objects.filter(cohort=cohort).order_by("number").values_list("size", flat=True)),
        "states": sorted(PushSession.objects.filter(cohort=cohort).values_list("session_id", "action", "state")),
    }


@pytest.mark.django_db(transaction=True)
def test_killed_anywhere_the_result_is_that_of_an_undisturbed_worker(start: Any, subtests: Any) -> None:
    undisturbed = Project.objects.create(name="ungestört")
    pushed(undisturbed).work()
    wanted = described(undisturbed)
    assert wanted["members"] == {"user-1", "user-2", "user-3", "user-10", "user-20", "user-30"}
    for checkpoint in (*checkpoints.PUSH, "after_claim", "after_read:3", "in_read_after_profiles:2", "before_apply:2"):
        with subtests.test(checkpoint):
            project = Project.objects.create(name=checkpoint)
            pusher = pushed(project)
            process = start(project, checkpoint)
            process.join(30)
            assert process.exitcode == -signal.SIGKILL, "the checkpoint was not reached"
            size = Cohort.objects.get(project=project).size
            assert size in (4, 7, 6), "the state before, between the two parts of the sync, or after it"
            PushRoad.objects.filter(cohort__project=project).update(lease_until="2020-01-01T00:00Z")
            assert push.sweep() >= 0
            pusher.work()
            assert described(project) == wanted


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_slept_through_its_lease_writes_nothing(start: Any) -> None:
    project = Project.objects.create(name="verschlafen")
    pusher = pushed(project)
    process = start(project, "stop:after_read")
    until = time.monotonic() + 20
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)
    PushRoad.objects.filter(cohort__project=project).update(lease_until="2020-01-01T00:00Z")
    pusher.work()
    done = described(project)
    os.kill(process.pid, signal.SIGCONT)
    process.join(20)
    assert process.exitcode == 0
    assert described(project) == done
    assert {state for *_rest, state in done["states"]} == {PushState.APPLIED}


# -- Web processes and the database -----------------------------------------------------------------------------------
class Cluster:
    """A PostgreSQL of its own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.data, self.port = folder / "data", free_port()
        self.folder = folder
        # PostgreSQL doesn't run as root: there, as the user that was made for it.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c shared_buffers=32MB"
        log = str(self.folder / "log")
        until = time.monotonic() + 60
        while True:
            try:
                self._run("pg_ctl", "-D", str(self.data), "-o", options, "-l", log, "-w", "-t", "60", "start")
            except subprocess.CalledProcessError:
                # The dead one's children let go of its memory a moment later.
                assert time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        """As a power cut does."""
        postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url, connect_timeout=2).close()
                time.sleep(0.05)
                continue
            return

    def stop(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, user=self.user, cwd=self.folder, capture_output=True, timeout=90)


@pytest.fixture
def cluster(tmp_path_factory: Any) -> Iterator[Cluster]:
    if connection.vendor != "postgresql":
        pytest.skip("the pass on PostgreSQL shows it")
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("there is no PostgreSQL to start: put initdb and pg_ctl on the PATH")
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"cluster-{os.getpid()}"
    folder.mkdir()
    try:
        made = Cluster(folder)
        made.start()
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_every_page_that_was_acknowledged_is_there_after_kills(cluster: Cluster, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "SECRET_KEY"}}
    environment = kept | {
        "CREDENTIALS_KEYS": os.environ["CREDENTIALS_KEYS"],
        "DATABASE_URL": cluster.url,
        "VAR_DIR": str(tmp_path),
        "LOG_LEVEL": "CRITICAL",
    }

    def manage(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR, env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    manage("migrate", "-v0")
    project = manage("bootstrap", "--email", "a@b.example", "--password", "a long enough secret", "--project", "P")
    pair = json.loads(manage("issue_key", "--project", project))
    web = Web(environment)
    web.start()
    streams = [Stream(web.port, project, (pair["access_key"], pair["secret_key"]), name) for name in range(1, 4)]
    try:
        for _ in range(3):
            go_on(streams)
            cluster.kill()
            wait_for(lambda: all(503 in one.statuses for one in streams), "a 503 while the database is away")
            cluster.start()
            go_on(streams)
            web.kill()
            web.start()
        go_on(streams)
    finally:
        for one in streams:
            one.stop.set()
        for one in streams:
            one.thread.join(20)
        web.kill()
    acknowledged = {session for one in streams for session, _person in one.acknowledged}
    with psycopg.connect(cluster.url) as database:
        rows = database.execute("SELECT envelope->>'session' FROM integrations_inboundpage").fetchall()
    assert acknowledged <= {session for (session,) in rows}
    assert len(acknowledged) > 50
    assert set().union(*(one.statuses for one in streams)) <= {0, 200, 503}
    _take_all(environment, project)
    with psycopg.connect(cluster.url) as database:
        people = database.execute("SELECT external_id FROM cohorts_profile").fetchall()
        size = database.execute("SELECT size FROM cohorts_cohort").fetchone()
    wanted = {f"user-{person}" for one in streams for _session, person in one.acknowledged}
    assert wanted <= {name for (name,) in people}
    assert size == (len(people),)


def _take_all(environment: dict[str, str], project: str) -> None:
    script = (
        "import django; django.setup()\n"
        "from cohorts.push import push\n"
        f"push.take('{project}', {COHORT}); push.take('{project}', {COHORT})\n"
    )
    environment = environment | {"DJANGO_SETTINGS_MODULE": "notifly_console.settings"}
    subprocess.run([sys.executable, "-c", script], cwd=settings.BASE_DIR, env=environment, check=True)
