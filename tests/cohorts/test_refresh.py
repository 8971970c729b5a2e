"""A refresh end to end: the stand-in Mixpanel over a socket, a real database, nothing of ours replaced."""

import pytest

from cohorts import membership
from cohorts.models import Batch, Cohort, Profile, Pull, PullState, Refresh, RefreshState, Snapshot
from cohorts.pull import refresh
from integrations.sandbox.phones import KINDS
from notifly_console.celery import app
from notifly_console.lib.leases import LEASE_SECONDS
from tests.cohorts.conftest import EVERYBODY, SOME

pytestmark = pytest.mark.django_db


def cohort_of(project, source_id=EVERYBODY):
    return Cohort.objects.select_related("current", "held").get(project=project, source_id=source_id)


def members_of(cohort):
    ids = membership.loaded(cohort.current.members) if cohort.current else []
    return set(Profile.objects.filter(pk__in=list(ids)).values_list("external_id", flat=True))


def rows_of(receipt):
    parts = ("new", "updated", "unchanged", "duplicates", "merged", "dropped")
    return sum(receipt[name] for name in parts) + sum(receipt["refused"].values())


# -- What comes in ----------------------------------------------------------------------------------------------------
def test_every_cohort_ends_up_with_its_members(refreshed, sandbox, world):
    row = refreshed()

    assert (row.state, row.failure) == (RefreshState.SUCCEEDED, "")
    listed = [one for one in sandbox.world.cohorts if one.data_group_id is None]
    cohorts = Cohort.objects.filter(project=world.project).select_related("current")
    assert {one.source_id for one in cohorts} == {one.id for one in listed}
    for cohort in cohorts:
        wanted = sandbox.world.cohorts.ids(cohort.source_id)
        assert members_of(cohort) == wanted
        assert cohort.size == len(wanted)
    receipt = row.receipt
    assert receipt["queries"] == len(listed) + 1
    assert receipt["cohorts"] == len(listed)
    assert receipt["groups_skipped"] == 1
    assert receipt["received"] == sum(len(one.members) for one in listed) == rows_of(receipt)
    assert receipt["new"] == Profile.objects.count()
    assert receipt["joined"] == receipt["received"]
    assert not Cohort.objects.get(source_id=2_700_010).is_visible


def test_phones_and_emails_come_from_the_mapped_columns(town, refreshed, connected):
    refreshed()
    crowd = town.world.crowd
    for index in range(2500):
        profile = Profile.objects.get(external_id=str(crowd.distinct_id(index)))
        assert profile.phone == crowd.e164(index)
        assert bool(profile.phone_reason) == (profile.phone is None)
    current = cohort_of(connected).current
    mobiles = sum(crowd.phone_kind(index).mobile for index in range(2500))
    assert current.reach["reachable"] == mobiles
    assert sum(current.reach["phone"].values()) == 2500 - mobiles
    assert current.reach["anonymous"] == 25
    assert current.reach["with_email"] == Profile.objects.filter(email__isnull=False).count()
    assert KINDS["legacy"].name == "legacy"
    assert Profile.objects.filter(phone_reason="legacy_mobile", phone_raw__startswith="01").exists()


def test_another_column_is_read_once_it_is_mapped(town, connect_to, refreshed, connected):
    refreshed()
    connect_to(phone_column="mobile")
    row = refreshed()
    assert row.receipt["new"] == 0
    assert row.receipt["updated"] > 0
    assert not Profile.objects.exclude(phone=None).exclude(properties__has_key="mobile").exists()
    assert refreshed().receipt["updated"] == 0


def test_hostile_values_arrive_as_text(town, refreshed, connected):
    refreshed()
    nul = Profile.objects.get(external_id="hs-00000081")
    assert nul.properties["$name"] == "널문자"
    half = Profile.objects.get(external_id="hs-00000086")
    assert half.properties["$name"] == "반쪽\ufffd"
    assert Profile.objects.filter(external_id=str(town.world.crowd.distinct_id(23))).exists()  # sent as an integer
    assert max(map(len, Profile.objects.values_list("external_id", flat=True))) == 255


# -- Again and again --------------------------------------------------------------------------------------------------
def test_an_unchanged_refresh_writes_nothing(town, refreshed, connected):
    refreshed()
    before = list(Profile.objects.order_by("pk").values_list("pk", "updated_at"))
    versions = Snapshot.objects.count()

    receipt = refreshed().receipt

    assert list(Profile.objects.order_by("pk").values_list("pk", "updated_at")) == before
    assert Snapshot.objects.count() == versions
    assert (receipt["new"], receipt["updated"], receipt["joined"], receipt["left"]) == (0, 0, 0, 0)
    assert receipt["unchanged"] == receipt["received"] == 2540
    assert not Batch.objects.exists()


def test_changes_are_told_apart(town, refreshed, connected):
    refreshed()
    first = cohort_of(connected).current
    left, joined = town.world.cohorts.move(EVERYBODY, leave=33, join=120)
    town.world.crowd.edit([7], {"$phone": "010-2222-3333"})

    receipt = refreshed().receipt

    cohort = cohort_of(connected)
    assert (cohort.number, cohort.joined_count, cohort.left_count) == (2, 120, 33)
    assert (receipt["joined"], receipt["left"], receipt["updated"]) == (120, 33, 1)
    assert members_of(cohort) == town.world.cohorts.ids(EVERYBODY)
    before, now = membership.loaded(first.members), membership.loaded(cohort.current.members)
    assert membership.loaded(cohort.current.joined) == now - before
    assert membership.loaded(cohort.current.left) == before - now
    assert Profile.objects.get(external_id="hs-00000007").phone == "+821022223333"
    assert len(left) == 33
    assert len(joined) == 120


def test_ids_are_not_burnt_by_later_refreshes(town, refreshed, connected):
    refreshed()
    refreshed()
    town.world.cohorts.move(EVERYBODY, leave=0, join=10)
    refreshed()
    ids = sorted(Profile.objects.values_list("pk", flat=True))
    assert ids == list(range(ids[0], ids[0] + 2510))


def test_renamed_vanished_and_back(town, refreshed, connected):
    refreshed()
    size = cohort_of(connected, SOME).size
    town.world.cohorts.rename(EVERYBODY, "새 이름 " + "가" * 3000)
    gone = town.world.cohorts[SOME]
    town.world.cohorts.remove(SOME)

    receipt = refreshed().receipt

    assert (receipt["vanished"], receipt["cohorts"]) == (1, 1)
    assert cohort_of(connected).name.startswith("새 이름")
    some = cohort_of(connected, SOME)
    assert some.vanished_at is not None
    assert (some.size, some.current.size) == (size, size)

    town.world.cohorts.add(gone.name, gone.members, id=SOME)
    refreshed()
    assert cohort_of(connected, SOME).vanished_at is None


# -- One cohort, and joining ------------------------------------------------------------------------------------------
def test_one_cohort_alone(town, refreshed, connected):
    refreshed()
    town.world.cohorts.move(SOME, leave=5, join=5)
    town.world.cohorts.move(EVERYBODY, leave=5, join=5)

    row = refreshed(cohort=cohort_of(connected, SOME))

    assert (row.receipt["cohorts"], row.receipt["queries"]) == (1, 2)
    assert cohort_of(connected, SOME).number == 2
    assert cohort_of(connected).number == 1


def test_a_whole_one_widens_a_single_one(town, refreshed, connected):
    refreshed()
    single = refresh.request(connected, by="a", cohort=cohort_of(connected, SOME))
    assert refresh.request(connected, by="b").pk == single.pk
    refresh.run(single.pk)
    single.refresh_from_db()
    assert (single.state, single.receipt["cohorts"]) == (RefreshState.SUCCEEDED, 2)


def test_one_widened_while_it_ends_goes_on(town, refreshed, connected, monkeypatch):
    refreshed()
    single = refresh.request(connected, by="a", cohort=cohort_of(connected, SOME))

    def widen(name):
        if name == "before_finish" and not Pull.objects.filter(refresh=single, cohort__source_id=EVERYBODY).exists():
            refresh.request(connected, by="b")

    monkeypatch.setattr(refresh, "reached", widen)
    refresh.run(single.pk)
    single.refresh_from_db()
    assert (single.state, single.receipt["cohorts"]) == (RefreshState.SUCCEEDED, 2)


def test_a_cohort_asked_for_while_all_are_read_comes_next(town, refreshed, connected):
    refreshed()
    row = refresh.request(connected, by="a")
    refresh.run(row.pk, seconds=0)  # Its turn is over before it begins.
    town.world.faults.add("rate_limited", endpoint="engage", times=1)
    refresh.run(row.pk)  # The list, then the hour is over.
    some = cohort_of(connected, SOME)
    assert refresh.request(connected, by="b", cohort=some).pk == row.pk
    waiting = Pull.objects.filter(refresh=row, state=PullState.WAITING).order_by("position")
    assert waiting.first().cohort == some


def test_a_vanished_cohort_asked_for_alone_says_so(town, refreshed, connected):
    refreshed()
    some = cohort_of(connected, SOME)
    town.world.cohorts.remove(SOME)
    row = refreshed(cohort=some)
    assert (row.state, row.failure) == (RefreshState.FAILED, "vanished")
    assert cohort_of(connected, SOME).size == 40


def test_a_turn_that_ends_is_taken_up_where_it_stopped(town, connected, monkeypatch):
    from cohorts.pull import pulls

    monkeypatch.setattr(pulls, "BATCH_PAGES", 1)
    row = refresh.request(connected, by="a")
    turns = 0
    while row.state == RefreshState.QUEUED:
        refresh.run(row.pk, seconds=0.05)
        row.refresh_from_db()
        turns += 1
    assert row.state == RefreshState.SUCCEEDED
    assert turns > 1
    assert members_of(cohort_of(connected)) == town.world.cohorts.ids(EVERYBODY)
    assert row.receipt["received"] == 2540 == rows_of(row.receipt)


def test_without_a_connection_there_is_nothing_to_ask(world):
    with pytest.raises(refresh.NotConnected):
        refresh.request(world.project, by="a")
    assert not Refresh.objects.exists()


# -- Identity ---------------------------------------------------------------------------------------------------------
def test_an_identity_column_wins_where_it_is(town, connect_to, refreshed, world):
    connect_to(identity_column="user_no")
    receipt = refreshed().receipt
    crowd = town.world.crowd
    wanted: dict[str, str] = {}
    for index in range(2500):
        distinct_id = str(crowd.distinct_id(index))
        value = crowd.properties(index).get("user_no")
        identity = str(value) if value and isinstance(value, str | int) else distinct_id
        wanted[identity] = min(wanted.get(identity, distinct_id), distinct_id)
    assert dict(Profile.objects.values_list("external_id", "distinct_id")) == wanted
    assert receipt["merged"] >= 2500 - len(wanted) > 0
    assert cohort_of(world.project).size == len(wanted)
    assert receipt["received"] == rows_of(receipt)


def test_unknown_people_can_be_dropped(town, connect_to, refreshed, connected):
    refreshed(cohort=None)
    connect_to(drop_unknown=True)
    town.world.cohorts.move(SOME, leave=0, join=4)
    town.world.cohorts.set_members(SOME, [*range(40), 2900, 2901, 2902])
    receipt = refreshed().receipt
    assert receipt["dropped"] == 3
    assert cohort_of(connected, SOME).size == 40
    assert Profile.objects.count() == 2500


def test_ids_that_no_column_holds_are_refused_and_counted(town, refreshed, connected, connect_to):
    connect_to(identity_column="memo")  # Some memos are thousands of characters long.
    receipt = refreshed().receipt
    assert receipt["refused"]["id_too_long"] > 0
    assert receipt["received"] == rows_of(receipt)


def test_ten_thousand_cohorts_are_listed_in_few_statements(world, django_assert_max_num_queries):
    from cohorts.pull import listing
    from integrations.mixpanel.schemas import ListedCohort

    def listed(size):
        return [ListedCohort(number, f"코호트 {number}", "", size, "", True, False) for number in range(1, 10_001)]

    listing.store(world.id, listed(1))
    with django_assert_max_num_queries(300):
        counts = listing.store(world.id, listed(2)[:-1])
    assert counts == {"cohorts": 9999, "new_cohorts": 0, "hidden": 0, "vanished": 1}
    assert Cohort.objects.filter(reported_size=2, vanished_at=None).count() == 9999


def test_whoever_died_is_followed_within_ninety_seconds():
    """A lease and a sweep; the worker that is woken takes it up at once."""
    swept = app.conf.beat_schedule["take up refreshes that are due or whose worker died"]
    assert swept["task"] == "cohorts.sweep_refreshes"
    assert LEASE_SECONDS + swept["schedule"] <= 90 - 10
