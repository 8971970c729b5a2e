"""수신거부: who refused, from wherever we know it."""

from typing import Any

import pytest

from campaigns import optouts
from campaigns.models import OptOut, OptOutSource
from campaigns.optouts import BadNumber
from notifly_console.audit.models import Entry


@pytest.mark.django_db
def test_a_number_is_added_once_in_any_spelling_and_the_log_keeps_no_number(world: Any) -> None:
    actor = world.people["marketer"]
    first, is_new = optouts.add(world.project, "010-2222-3333", note="전화로 요청", actor=actor)
    again, is_new_again = optouts.add(world.project, "+82 10 2222 3333", actor=actor)
    assert (first.phone, first.source, first.added_by) == ("+821022223333", "own", actor.email)
    assert (is_new, is_new_again, again.pk) == (True, False, first.pk)
    optouts.remove(first, actor=actor)
    optouts.remove(first, actor=actor)
    entries = list(Entry.objects.order_by("pk").values_list("action", "actor", "details"))
    assert [entry[0] for entry in entries] == ["opt_out_added", "opt_out_removed"]
    assert "2222" not in str(entries)
    assert not OptOut.objects.exists()


@pytest.mark.parametrize(("given", "said"), [("02-123-4567", "유선 전화"), ("", "전화번호 없음"), ("홍길동", "아님")])
def test_what_is_no_mobile_number_is_refused_with_the_reason(world: Any, given: str, said: str) -> None:
    with pytest.raises(BadNumber, match=said):
        optouts.add(world.project, given)


def test_asking_takes_any_number_of_phones_and_keeps_projects_apart(world: Any) -> None:
    phones = [f"+8210{22220000 + n}" for n in range(2_500)]
    assert optouts.keep(world.project, phones[::2], OptOutSource.PROVIDER) == (1_250, 1_250)
    assert optouts.keep(world.project, phones[:100], OptOutSource.IMPORT, by="x") == (100, 50)
    optouts.record_refusal(world.other_project, phones[101])
    assert optouts.numbers(world.project.pk, phones) == {*phones[::2], *phones[:100]}
    assert optouts.numbers(world.other_project.pk, phones) == {phones[101]}


def test_a_refusal_that_we_know_keeps_its_source(world: Any) -> None:
    optouts.add(world.project, "01022223333")
    optouts.record_refusal(world.project, "+821022223333")
    assert OptOut.objects.get().source == "own"
