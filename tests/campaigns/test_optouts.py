"""수신거부: who refused, from wherever we know it."""

import io
from typing import Any

import pytest
from django.utils import timezone

from campaigns import tasks
from campaigns.audience import optouts
from campaigns.audience.files import BadFile
from campaigns.audience.optouts import BadNumber
from campaigns.models import OptOut, OptOutPull, OptOutSource
from integrations import senders
from integrations.messaging import Stopped
from integrations.sandbox import accounts
from integrations.senders import SolapiSettings
from notifly_console.audit.models import Entry
from notifly_console.lib import nudge


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


# -- Files ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "phone_number\n010-2222-0000\n01022220001\n",
        "이름,phone_number\n김,010-2222-0000\n이,01022220001\n",
        "수신거부 번호\n010-2222-0000\n1022220001\n",
        "010-2222-0000\n01022220001\n",
        "김하나,010-2222-0000\n이둘,01022220001\n",
    ],
    ids=["named", "among others", "only one", "without names", "without names, second"],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_file_of_numbers_is_taken_however_it_names_them(world: Any, text: str, encoding: str) -> None:
    done = optouts.import_file(world.project, io.BytesIO(text.encode(encoding)), actor=world.people["marketer"])
    assert (done.added, done.known, done.refused) == (2, 0, {})
    rows = OptOut.objects.order_by("phone").values_list("phone", "source", "added_by")
    who = "marketer@harutable.example"
    assert list(rows) == [("+821022220000", "import", who), ("+821022220001", "import", who)]
    entry = Entry.objects.get()
    assert (entry.action, entry.details) == ("opt_outs_imported", {"added": 2})


def test_what_a_file_repeats_or_cant_say_is_told_apart(world: Any) -> None:
    optouts.add(world.project, "01022220000")
    text = "phone_number\n01022220000\n01022220001\n01022220001\n02-222-3333\n\n홍길동\n"
    done = optouts.import_file(world.project, io.BytesIO(text.encode()))
    assert (done.added, done.known) == (1, 1)
    assert done.refused == {"landline": 1, "not_a_number": 1}
    assert done.examples == [(5, "landline", "*****3333"), (7, "not_a_number", "홍길동")]


@pytest.mark.parametrize(
    ("text", "code"), [("", "empty"), ("phone_number\n", "no_rows"), ("a,b\n1,2\n", "no_phone_column")]
)
def test_a_file_without_numbers_adds_nothing(world: Any, text: str, code: str) -> None:
    with pytest.raises(BadFile) as refused:
        optouts.import_file(world.project, io.BytesIO(text.encode()))
    assert refused.value.code == code
    assert not OptOut.objects.exists()


# -- The provider -----------------------------------------------------------------------------------------------------
def connect(project: Any) -> None:
    senders.register(project, SolapiSettings(accounts.SOLAPI_API_KEY), accounts.SOLAPI_API_SECRET)


def test_who_refused_at_the_provider_is_taken_over_and_nobody_is_ever_taken_off(world: Any, sandbox: Any) -> None:
    connect(world.project)
    with senders.catalogue_of(world.project) as catalogue:
        there = set(catalogue.opt_outs())
    assert len(there) > 5
    own = next(iter(there))
    optouts.add(world.project, own)
    optouts.add(world.project, "010-9999-9999")
    assert optouts.pull_from_provider(world.project) == (len(there), len(there) - 1)
    assert optouts.pull_from_provider(world.project) == (len(there), 0)
    assert set(OptOut.objects.values_list("phone", flat=True)) == there | {"+821099999999"}
    assert OptOut.objects.get(phone=own).source == "own"


@pytest.fixture
def woken(monkeypatch: Any, django_capture_on_commit_callbacks: Any) -> Any:
    """Lets the clock strike once; the projects that are asked."""

    def strike() -> list[str]:
        calls: list[Any] = []
        monkeypatch.setattr(nudge, "_enqueue", lambda task, ids: calls.append((task.task, ids["project_id"])))
        with django_capture_on_commit_callbacks(execute=True):
            tasks.pull_due_opt_outs()
        assert {task for task, _id in calls} <= {"campaigns.pull_opt_outs"}
        return [project_id for _task, project_id in calls]

    return strike


def test_a_project_is_asked_as_soon_as_it_has_a_sender_and_then_every_six_hours(
    world: Any, sandbox: Any, woken: Any
) -> None:
    assert woken() == []
    connect(world.project)
    assert woken() == [world.project.hex]
    tasks.pull_opt_outs(project_id=world.project.hex)
    assert OptOut.objects.filter(project=world.project, source="provider").exists()
    assert woken() == []
    OptOutPull.objects.update(tried_at=timezone.now() - optouts.KEPT_FOR)
    assert woken() == [world.project.hex]


def test_a_provider_that_doesnt_answer_is_asked_again_soon_but_not_at_once(
    world: Any, sandbox: Any, woken: Any
) -> None:
    senders.register(world.project, SolapiSettings(accounts.SOLAPI_API_KEY), "another secret")
    tasks.pull_opt_outs(project_id=world.project.hex)
    assert woken() == []
    OptOutPull.objects.update(tried_at=timezone.now() - optouts.AGAIN_AFTER)
    assert woken() == [world.project.hex]


def test_a_provider_that_doesnt_let_us_in_is_left_for_the_next_round(world: Any, sandbox: Any) -> None:
    senders.register(world.project, SolapiSettings(accounts.SOLAPI_API_KEY), "another secret")
    tasks.pull_opt_outs(project_id=world.project.hex)
    tasks.pull_opt_outs(project_id=world.other_project.hex)
    assert not OptOut.objects.exists()
    with pytest.raises(Stopped):
        optouts.pull_from_provider(world.project)
