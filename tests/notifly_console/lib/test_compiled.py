"""A query that is compiled once gives what the queryset itself would give, whoever asks it with whatever values."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.db.models import BigIntegerField, Count, UUIDField, Value
from django.test.utils import CaptureQueriesContext

from cohorts.models import Cohort
from notifly_console.lib.compiled import Compiled, Slot
from notifly_console.tenancy.models import Member, Role
from tests import factories

MEMBERS: Compiled[Member] = Compiled(
    lambda: (
        Member.objects.select_related("project", "user").filter(project_id=Slot("project", UUIDField())).order_by("pk")
    )
)
BY_NUMBER: Compiled[Cohort] = Compiled(
    lambda: (
        Cohort.objects.select_related("held")
        .only("source_id", "name", "held__size")
        .filter(project_id=Slot("project", UUIDField()), source_id=Slot("number", BigIntegerField()))
    )
)
COUNTED: Compiled[int] = Compiled(
    lambda: (
        Cohort.objects.filter(project_id=Slot("project", UUIDField()))
        .values(one=Value(1))
        .annotate(number=Count("*"))
        .values_list("number", flat=True)
    )
)


def test_the_rows_are_those_of_the_queryset(world: Any) -> None:
    expected = list(Member.objects.select_related("project", "user").filter(project=world.project).order_by("pk"))
    with CaptureQueriesContext(connection) as captured:
        found = MEMBERS.rows(project=world.project.id)
        names = [(one.project.name, one.user.email, one.role) for one in found]
    assert len(captured) == 1, "related rows come along"
    assert found == expected
    assert names == [(one.project.name, one.user.email, one.role) for one in expected]
    assert {one.role for one in found} == set(Role)


def test_each_call_has_its_own_values(world: Any) -> None:
    assert [one.user for one in MEMBERS.rows(project=world.other_project.id)] == [world.people["stranger"]]
    assert len(MEMBERS.rows(project=world.project.id)) == 4
    assert [one.user for one in MEMBERS.rows(project=world.other_project.id)] == [world.people["stranger"]]


def test_columns_left_out_and_related_rows_that_arent_there(world: Any) -> None:
    cohort = factories.cohort(world.project, 71, "이름")
    found = BY_NUMBER.first(project=world.project.id, number=71)
    assert found is not None
    assert (found.pk, found.name, found.held) == (cohort.pk, "이름", None)
    assert "description" in found.get_deferred_fields()
    assert BY_NUMBER.first(project=world.other_project.id, number=71) is None
    assert BY_NUMBER.first(project=world.project.id, number=None) is None, "nothing equals nothing"


def test_plain_values(world: Any) -> None:
    factories.cohort(world.project, 71)
    factories.cohort(world.project, 72)
    assert (COUNTED.rows(project=world.project.id), COUNTED.rows(project=world.other_project.id)) == ([2], [0])


def test_values_that_no_column_holds(world: Any) -> None:
    with pytest.raises(OverflowError):
        BY_NUMBER.first(project=world.project.id, number=2**63)
    with pytest.raises(ValueError, match="abc"):
        BY_NUMBER.first(project=world.project.id, number="abc")
    with pytest.raises(KeyError):
        BY_NUMBER.first(project=world.project.id)


@pytest.mark.django_db(transaction=True)
def test_threads_that_ask_at_once_get_their_own_answers(world: Any) -> None:
    wrong: list[Any] = []

    def ask(project: Any, expected: int) -> None:
        try:
            for _ in range(60):
                if (number := len(MEMBERS.rows(project=project.id))) != expected:
                    wrong.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=pair) for pair in [(world.project, 4), (world.other_project, 1)] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_kept_connection_that_the_server_closed_is_opened_anew(world: Any) -> None:
    """As Django's own check of a kept connection would see to, without a statement of its own."""
    if connection.vendor != "postgresql":
        pytest.skip("a connection over a network needs PostgreSQL: set TEST_DATABASE_URL")
    kept: Any = connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    end_backend(backend)
    kept.health_check_enabled, kept.health_check_done = True, False
    try:
        assert len(MEMBERS.rows(project=world.project.id)) == 4
    finally:
        kept.health_check_enabled = False


def end_backend(backend: int) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    finally:
        other.close()
