"""이벤트 기반 발송: whoever comes into the cohort gets the message once, whatever repeats; and nobody else does."""

import multiprocessing
import signal
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from campaigns.audience import keep_versions, needs
from campaigns.models import Campaign, CampaignState, Recipient, Rules, Run, Watch
from campaigns.sending import freeze, launch, live
from campaigns.sending.readiness import readiness_of
from cohorts import membership
from cohorts.models import Cohort, Profile, PushSession, Refresh, Snapshot
from cohorts.people import facets, identity
from cohorts.people.profiles import Mapping
from cohorts.versions import undo
from integrations import senders
from integrations.mixpanel.schemas import Row
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.lib import nudge
from notifly_console.tenancy.models import User
from tests import factories
from tests.campaigns import sending
from tests.campaigns.live_town import LIVE, Town
from tests.cohorts import worker
from tests.integrations.pushing import COHORT, Pusher

pytestmark = pytest.mark.django_db
FORM = {"occasion": "event", "forever": "1", "text.is_ad": "no", "timing": "", "date": "", "time": ""}


@pytest.fixture
def town(world, account, monkeypatch):
    monkeypatch.setattr(live, "APART", timedelta(0))
    return Town(world.project, account)


# -- Who gets it ------------------------------------------------------------------------------------------------------
def test_those_who_come_in_get_it_and_those_who_were_in_do_not(town, django_capture_on_commit_callbacks):
    town.begin()
    town.work()
    assert not Run.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        town.publish(0, 1, 2, 3, 4)
    assert ("campaigns.look", {}) in town.account.nudged
    town.work()
    assert town.got == [3, 4]
    run = Run.objects.get()
    assert [(step["key"], step["count"]) for step in run.funnel][:2] == [("joined", 2), ("once", 2)]
    assert Campaign.objects.get().state == CampaignState.ACTIVE


def test_somebody_who_leaves_and_comes_back_gets_it_once(town):
    town.begin()
    for members in ((0, 1, 2, 3), (0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 4)):
        town.publish(*members)
        town.work()
    assert town.got == [3, 4]


def test_somebody_who_was_in_leaves_and_is_added_gets_it(town):
    town.begin()
    town.publish(0, 1)
    town.work()
    town.publish(0, 1, 2)
    town.work()
    assert town.got == [2]


def test_all_versions_between_two_looks_count_and_who_is_out_again_does_not(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.publish(0, 1, 2, 3, 4)
    town.publish(0, 1, 2, 4, 5)
    town.work()
    assert town.got == [4, 5]
    assert Run.objects.count() == 1


def test_an_undoing_brings_nobody_in(town):
    town.begin()
    town.publish(0, 1)
    town.work()
    cohort = Cohort.objects.get()
    undo.undo_last(cohort, seen=cohort.current_id, by="소유자")
    town.work()
    assert town.got == []
    town.publish(0, 1, 2, 3)
    town.work()
    assert town.got == [3]


def test_a_result_that_is_held_brings_somebody_in_once_it_is_accepted(town):
    town.begin()
    town.publish(5)
    town.work()
    assert town.got == []
    membership.accept_held(Cohort.objects.get(), by="소유자")
    town.work()
    assert town.got == [5]


def test_one_number_under_two_profiles_gets_it_once(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.work()
    Profile.objects.filter(pk=town.ids[4]).update(phone="+821020000003")
    facets.rebuild(town.project.pk)
    town.publish(0, 1, 2, 3, 4, 5)
    town.work()
    assert town.got == [3, 5]
    last = Run.objects.order_by("-number").first()
    assert last.funnel[1]["drops"] == [["already", 1]]


def test_somebody_with_another_number_is_the_same_person(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.work()
    Profile.objects.filter(pk=town.ids[3]).update(phone="+821020000099")
    facets.rebuild(town.project.pk)
    for members in ((0, 1, 2), (0, 1, 2, 3)):
        town.publish(*members)
        town.work()
    assert town.got == [3]


def test_two_profiles_that_become_one_are_one_person(town):
    one = Profile.objects.create(
        project=town.project, external_id="d1", distinct_id="d1", phone="+821020000050", updated_at=timezone.now()
    )
    town.ids.append(one.pk)
    facets.rebuild(town.project.pk)
    town.begin()
    town.publish(0, 1, 2, 3)
    town.work()
    town.publish(0, 1, 2, 3, 12)
    who = Profile.objects.get(pk=town.ids[3]).external_id
    mapping = Mapping(phone_column="$phone", email_column="$email", identity_column="uid")
    assert identity.settle(town.project.pk, [Row("d1", {"uid": who})], mapping).merged == 1
    town.work()
    assert town.got == [3]


def test_the_database_has_the_last_word(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.work()
    first = Recipient.objects.get()
    other = sending.run(town.campaign, number=2, due_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Recipient.objects.create(run=other, once_of=town.campaign, phone=first.phone)
    Run.objects.create(campaign=town.campaign, project=town.project, number=3, due_at=sending.long_ago(), joined=b"")
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(campaign=town.campaign, project=town.project, number=4, due_at=timezone.now(), joined=b"")


steps = st.lists(st.one_of(st.sets(st.integers(0, 8)), st.just("work"), st.just("undo"), st.just("tick")), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_happens_nobody_gets_it_twice_and_who_is_added_and_stays_gets_it(town, steps):
    with transaction.atomic():
        town.account.ledger.clear()
        town.begin()
        added, entered = set(), {}
        for step in steps:
            members = {town.ids.index(one) for one in membership.loaded(Cohort.objects.get().current.members)}
            if step == "work":
                town.work()
            elif step == "tick":
                town.look()
            elif step == "undo":
                try:
                    cohort = Cohort.objects.get()
                    undo.undo_last(cohort, seen=cohort.current_id, by="소유자")
                except (undo.NothingBefore, membership.DecisionFirst, membership.Conflict):
                    pass
            else:
                town.publish(*step)
                now = {town.ids.index(one) for one in membership.loaded(Cohort.objects.get().current.members)}
                added |= now - members
            now = {town.ids.index(one) for one in membership.loaded(Cohort.objects.get().current.members)}
            entered |= dict.fromkeys(now - members, step)
        town.work()
        town.work()
        now = {town.ids.index(one) for one in membership.loaded(Cohort.objects.get().current.members)}
        assert len(town.got) == len(set(town.got))
        assert set(town.got) <= added
        assert {one for one in now if entered.get(one, "undo") != "undo"} <= set(town.got)
        transaction.set_rollback(True)


# -- When -------------------------------------------------------------------------------------------------------------
def test_a_thousand_small_syncs_are_a_few_runs(town, monkeypatch):
    monkeypatch.setattr(live, "APART", timedelta(seconds=10))
    town.begin()
    for n in range(3, 12):
        town.publish(*range(n + 1))
        town.work()
    assert Run.objects.count() == 1
    assert Campaign.objects.get().next_run_at > timezone.now()
    Run.objects.update(due_at=sending.long_ago())
    town.work()
    assert town.got == list(range(3, 12))
    assert Run.objects.count() == 2


def test_who_comes_in_before_it_begins_is_not_sent_to_however_late_the_clock_is(town):
    town.begin(timing=LIVE | {"start": "2027-01-20", "time": "09:00"})
    campaign = Campaign.objects.get()
    assert campaign.next_run_at.isoformat() == "2027-01-20T00:00:00+00:00"
    assert not Watch.objects.exists()
    opening = timezone.now() - timedelta(hours=1)
    town.publish(0, 1, 2, 3)
    town.publish(0, 1, 2, 3, 4)
    Snapshot.objects.filter(number__lt=3).update(created_at=opening - timedelta(minutes=1))
    local = opening.astimezone(campaign.project.zone)
    # (Its start is a whole minute.)
    timing = LIVE | {"start": local.date().isoformat(), "time": f"{local:%H:%M}"}
    Snapshot.objects.filter(number=2).update(created_at=opening - timedelta(minutes=2))
    Campaign.objects.update(timing=timing)
    town.work()
    assert town.got == [4]


def test_it_ends_when_its_last_day_is_over(town):
    town.begin(timing={"kind": "live", "end": "2099-01-01"})
    town.publish(0, 1, 2, 3)
    town.work()
    Campaign.objects.update(timing={"kind": "live", "end": "2020-01-01"})
    town.publish(0, 1, 2, 3, 4)
    town.work()
    assert town.got == [3]
    assert Campaign.objects.get().state == CampaignState.ENDED


@pytest.mark.parametrize("road", ["push", "refresh"])
def test_what_was_under_way_at_the_end_still_counts(town, road, monkeypatch):
    town.begin(timing={"kind": "live", "end": "2099-01-01"})
    town.work()
    closing = timezone.now() - timedelta(minutes=5)
    monkeypatch.setattr(live, "closes", lambda timing, zone: closing)
    before = closing - timedelta(minutes=1)
    session = refresh = None
    if road == "push":
        session = PushSession.objects.create(
            cohort=town.cohort, session_id="a", action="add_members", pages=2, first_seq=1, began_at=before,
            last_page_at=before,
        )  # fmt: skip
    else:
        refresh = factories.refresh(town.project, cohort=town.cohort)
        Refresh.objects.update(requested_at=before)
    Campaign.objects.update(timing={"kind": "live", "end": "2020-01-01"})
    town.work()
    assert Campaign.objects.get().state == CampaignState.ACTIVE
    town.publish(0, 1, 2, 3)
    Snapshot.objects.filter(number=2).update(session=session, refresh=refresh)
    PushSession.objects.update(state="applied", finished_at=timezone.now())
    Refresh.objects.update(state="succeeded", finished_at=timezone.now())
    town.publish(0, 1, 2, 3, 4)
    town.work()
    assert town.got == [3]
    assert Campaign.objects.get().state == CampaignState.ENDED


def test_a_refresh_is_asked_for_before_the_last_day_is_over(town):
    town.begin(timing={"kind": "live", "end": "2099-01-01"})
    now = timezone.now()
    assert live.closings(now) == {}
    local = now.astimezone(town.campaign.project.zone)
    Campaign.objects.update(timing={"kind": "live", "end": local.date().isoformat()})
    found = live.closings(now)
    assert set(found) == {town.campaign.pk}
    assert needs.tell(found) == 1
    assert Cohort.objects.get().needed_at == found[town.campaign.pk]
    assert needs.tell() == 0


def test_who_comes_in_while_a_person_paused_it_is_not_sent_to(town):
    town.begin()
    launch.pause(town.campaign, by=User.objects.first())
    town.publish(0, 1, 2, 3)
    launch.resume(town.campaign, by=User.objects.first())
    town.publish(0, 1, 2, 3, 4)
    town.work()
    assert town.got == [4]


def test_who_comes_in_while_it_had_stopped_by_itself_is_sent_to_after(town):
    town.begin()
    Campaign.objects.update(state=CampaignState.INACTIVE, brake="out_of_balance", next_run_at=None)
    town.publish(0, 1, 2, 3)
    launch.resume(town.campaign, by=User.objects.first())
    town.work()
    assert town.got == [3]


def test_after_a_restored_backup_nobody_is_guessed_at(town):
    town.begin()
    Campaign.objects.update(state=CampaignState.INACTIVE, brake="restored", next_run_at=None)
    town.publish(0, 1, 2, 3)
    launch.resume(town.campaign, by=User.objects.first())
    town.work()
    assert town.got == []


def test_an_advertisement_to_who_comes_in_at_night_waits_for_the_morning(town, day):
    Rules.objects.create(project=town.project, sender_name="하루식탁", opt_out_number="0808701234")
    Profile.objects.update(marketing_consent=True)
    Profile.objects.filter(pk=town.ids[5]).update(night_consent=True)
    facets.rebuild(town.project.pk)
    town.begin(message=sending.AD)
    day(22)
    town.publish(0, 1, 2, 3)
    town.work()
    day(23)
    town.publish(0, 1, 2, 3, 4, 5)
    town.work()
    assert town.got == [5]
    assert [run.waiting_for for run in Run.objects.order_by("number")] == ["night", "night"]
    day(9)
    for run in Run.objects.all():
        sending.settle(run)
    assert town.got == [3, 4, 5]


def test_an_edited_message_goes_to_those_alone_who_had_come_in(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.look()
    freeze.prepare(Run.objects.get().pk)
    assert Recipient.objects.count() == 1
    launch.pause(town.campaign, by=User.objects.first())
    Campaign.objects.update(message=sending.TEXT | {"text": "고친 안내입니다."})
    launch.resume(town.campaign, by=User.objects.first())
    town.work()
    assert town.got == [3]
    assert Run.objects.order_by("-number").first().message["text"] == "고친 안내입니다."


def test_versions_that_it_has_not_looked_at_are_kept_and_no_refresh_is_asked_for(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    assert Snapshot.objects.get(number=2).kept_until > timezone.now()
    Snapshot.objects.update(kept_until=None)
    keep_versions.tell()
    assert not Snapshot.objects.filter(kept_until=None).exists()
    assert needs.tell() == 0


@pytest.mark.parametrize("kind", ["group", "csv"])
def test_a_group_without_a_cohort_and_a_file_are_refused_with_a_sentence(town, kind):
    group = factories.group(town.project)
    one = sending.campaign(town.project, CampaignState.DRAFT, timing=LIVE, audience_kind=kind, group=group, cohort=None)
    assert "not_live" in [problem.code for problem in readiness_of(one).problems]


def test_who_came_in_before_the_cohort_vanished_gets_it(town):
    town.begin()
    town.publish(0, 1, 2, 3)
    town.look()
    Cohort.objects.update(vanished_at=timezone.now())
    town.work()
    assert town.got == [3]


# -- Through the pages, the webhook and the stand-in ------------------------------------------------------------------
def test_from_the_builder_through_the_webhook_to_the_phones(world, sandbox, sign_in, monkeypatch, own_folder):
    monkeypatch.setattr(nudge, "_enqueue", lambda task, ids: None)
    monkeypatch.setattr(live, "APART", timedelta(0))
    senders.register(world.project, senders.SolapiSettings(api_key=SOLAPI_API_KEY), SOLAPI_API_SECRET)
    assert not senders.refresh_listing(world.project).problem
    pusher = Pusher(world.project.id, factories.api_key(world.project))
    pusher.sync([11, 12], session="a")
    client, root = sign_in("owner"), f"/projects/{world.project.hex}/campaigns/"
    form = {"name": "환영", "channel": "text", "message_of": "text", "text.kind": "sms", "text.text": "어서 오세요"}
    form |= FORM | {"audience": "cohort", "cohort": str(COHORT), "text.sender": "15881234"}
    client.post(f"{root}new", form)
    one = Campaign.objects.get()
    assert one.timing["kind"] == "live"
    review = client.get(f"{root}{one.pk.hex}/review").content.decode()
    assert "지금은 2명" in review
    assert "앞으로 들어오는 사람에게 보냅니다" in review
    client.post(f"{root}{one.pk.hex}/launch", {"version": one.version, "size": "2"})
    one.refresh_from_db()
    assert one.state == CampaignState.ACTIVE
    pusher.sync([21, 22, 23], session="b", action="add_members")
    pusher.sync([21], session="c", action="remove_members")
    pusher.sync([21, 24], session="d", action="add_members")
    launch.tick()
    run = Run.objects.get()
    freeze.prepare(run.pk)
    sending.settle(run)
    ledger = sandbox.world.solapi.ledger
    assert len(ledger) == 4
    assert ledger.repeated() == {}
    page = client.get(f"{root}{one.pk.hex}/").content.decode()
    assert "이벤트 기반" in page
    assert "모두 1회 · 발송 대상 4" in page
    assert "이벤트 기반" in client.get(root).content.decode()


# -- Races ------------------------------------------------------------------------------------------------------------
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_clocks_and_many_publications_at_once(town):
    if connection.vendor != "postgresql":
        pytest.skip("races need PostgreSQL: set TEST_DATABASE_URL")
    town.begin()
    failures = []

    def work(n):
        try:
            for _ in range(6):
                if n < 2:
                    with transaction.atomic():
                        Cohort.objects.select_for_update().get()
                        now = membership.loaded(Cohort.objects.get().current.members)
                        nobody = [one for one in town.ids if one not in now][:1]
                        membership.publish(town.cohort.pk, now | BitMap64(nobody), {})
                else:
                    town.look()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    for _ in range(3):
        town.work()
    assert town.got == list(range(3, 12))


# -- Killed between the publication and the run -----------------------------------------------------------------------
def kill_at(point, monkeypatch, planted=""):
    """A worker of its own that looks who came in, killed there."""
    parts = connection.settings_dict
    place = f"{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}"
    monkeypatch.setenv("DATABASE_URL", f"postgres://{place}/{parts['NAME']}")
    process = multiprocessing.get_context("spawn").Process(target=worker.look, args=(point, planted))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["in_look", "after_look"])
@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_at_a_look_loses_nobody_and_doubles_nobody(town, monkeypatch, point):
    if connection.vendor != "postgresql":
        pytest.skip("what kills show needs PostgreSQL: set TEST_DATABASE_URL")
    town.begin()
    town.publish(0, 1, 2, 3)
    kill_at(point, monkeypatch)
    assert Run.objects.count() == (point == "after_look")
    for _ in range(2):
        town.work()
    assert town.got == [3]
    assert Run.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_planted_look_in_pieces_is_noticed_by_the_kill(town, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("what kills show needs PostgreSQL: set TEST_DATABASE_URL")
    town.begin()
    town.publish(0, 1, 2, 3)
    kill_at("in_look", monkeypatch, planted="in_pieces")
    for _ in range(2):
        town.work()
    assert town.got == [], "who came in is lost, as the test above would see"
