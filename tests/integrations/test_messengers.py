"""Every messenger against its provider's stand-in, over a real socket (`messengers.py`)."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from integrations.messaging import (
    Button,
    Fallback,
    Kind,
    Message,
    Messenger,
    NotTaken,
    Outcome,
    Recalled,
    SendError,
    Stopped,
    Unclear,
)
from integrations.solapi import client as solapi_client
from tests.integrations.messengers import ENDPOINTS, RIGS, SENDER, Rig, SolapiRig, numbers_of, people

GONE, NEVER = Recalled.HAS_GONE, Recalled.NEVER_GOES


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, sandbox: Any) -> Rig:
    return RIGS[request.param](sandbox)


def cases(*groups: str) -> Any:
    """Each fault of the named groups, for every provider by the name of its fault."""
    found = [(fault, group) for group in groups for fault in getattr(SolapiRig(None), group)]
    return pytest.mark.parametrize(("fault", "group"), found)


def hand_over(messenger: Messenger, messages: list[Message]) -> str:
    handle = messenger.open("batch")
    messenger.load(handle, messages)
    messenger.dispatch(handle)
    return handle


# -- All is well ------------------------------------------------------------------------------------------------------
def test_each_person_gets_it_once(rig: Rig) -> None:
    messages = people(300)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        assert 0 < len(handle) <= 64
        loaded = messenger.load(handle, messages)
        assert not rig.received()
        messenger.dispatch(handle)
    assert loaded.message_ids.keys() == {message.reference for message in messages}
    assert len(set(loaded.message_ids.values())) == 300
    assert rig.received() == numbers_of(messages)


def test_sending_again_is_done_already(rig: Rig) -> None:
    messages = people(3)
    with rig.messenger() as messenger:
        handle = hand_over(messenger, messages)
        messenger.dispatch(handle)
        assert messenger.recall(handle) == GONE
    assert rig.received() == numbers_of(messages)


def test_a_group_is_filled_in_more_than_one_load(rig: Rig) -> None:
    messages = people(30)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        for start in (0, 10, 20):
            messenger.load(handle, messages[start : start + 10])
        messenger.dispatch(handle)
    assert rig.received() == numbers_of(messages)


def test_a_load_of_the_largest_size(rig: Rig) -> None:
    with rig.messenger() as messenger:
        messages = people(messenger.capabilities.most_at_once)
        hand_over(messenger, messages)
    assert rig.received() == numbers_of(messages)


def test_who_is_refused_is_named_and_gets_nothing(rig: Rig) -> None:
    good, again = people(1) * 2
    opted_out = replace(good, to="+821041000004", reference="out")
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        loaded = messenger.load(handle, [good, opted_out, replace(again, reference="again")])
        messenger.dispatch(handle)
        reports = {report.reference: report for report in messenger.reports(handle)}
    assert loaded.message_ids.keys() == {good.reference}
    refused = {refusal.reference: refusal.verdict for refusal in loaded.refused}
    assert refused["out"].is_opt_out
    assert refused["again"].outcome == Outcome.FAILED
    assert {reference: report.verdict for reference, report in reports.items() if reference in refused} == refused
    assert rig.received() == {good.to: 1}


def test_nobody_left_to_send_to(rig: Rig) -> None:
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, [replace(people(1)[0], to="+821041000004")])
        with pytest.raises(NotTaken):
            messenger.dispatch(handle)
        assert messenger.recall(handle) == NEVER


@pytest.mark.parametrize("step", ENDPOINTS)
@cases("harmless")
def test_oddities_that_leave_no_doubt(rig: Rig, step: str, fault: str, group: str) -> None:
    messages = people(5)
    rig.break_next(step, fault, times=None, seconds=0.05)
    with rig.messenger() as messenger:
        handle = hand_over(messenger, messages)
        assert len(list(messenger.reports(handle))) == 5
        assert messenger.recall(handle) == GONE
        assert messenger.recall(messenger.open("batch")) == NEVER
    assert rig.received() == numbers_of(messages)


# -- Giving up --------------------------------------------------------------------------------------------------------
def test_a_group_that_is_given_up_never_goes(rig: Rig) -> None:
    with rig.messenger() as messenger:
        empty, full = messenger.open("empty"), messenger.open("full")
        messenger.load(full, people(3))
        for handle in (empty, full, full):
            assert messenger.recall(handle) == NEVER
        with pytest.raises(NotTaken):
            messenger.dispatch(full)
        with pytest.raises(NotTaken):
            messenger.load(full, people(3))
    assert not rig.received()


# -- Breaking before anything goes ------------------------------------------------------------------------------------
@cases("done", "undone", "said_no")
def test_a_broken_open_costs_nothing(rig: Rig, fault: str, group: str) -> None:
    rig.break_next("open", fault)
    with rig.messenger() as messenger:
        with pytest.raises(NotTaken):
            messenger.open("batch")
        messages = people(2)
        hand_over(messenger, messages)
    assert rig.received() == numbers_of(messages)


@pytest.mark.parametrize("step", ["load", "check"])
@cases("done", "undone", "said_no")
def test_a_broken_load_is_abandoned_and_done_again(rig: Rig, step: str, fault: str, group: str) -> None:
    messages = people(20)
    rig.break_next(step, fault, times=None)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        with pytest.raises(NotTaken):
            messenger.load(handle, messages)
        rig.mend()
        assert messenger.recall(handle) == NEVER
        hand_over(messenger, messages)
        with pytest.raises(NotTaken):
            messenger.dispatch(handle)
    assert rig.received() == numbers_of(messages)


def test_a_load_that_was_half_done_is_noticed(rig: Rig) -> None:
    messages = people(20)
    rig.break_next("load", "half_done_then_cut")
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        with pytest.raises(NotTaken):
            messenger.load(handle, messages)
        with pytest.raises(SendError):  # Whoever forgets to abandon it is told by the counts, too.
            messenger.load(handle, messages[10:])
        assert messenger.recall(handle) == NEVER
    assert not rig.received()


# -- Breaking at the send ---------------------------------------------------------------------------------------------
@cases("done", "undone", "said_no")
def test_a_broken_send_is_settled_and_nobody_is_sent_to_twice_or_forgotten(rig: Rig, fault: str, group: str) -> None:
    messages = people(20)
    rig.break_next("dispatch", fault)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, messages)
        with pytest.raises(NotTaken if group == "said_no" else Unclear):
            messenger.dispatch(handle)
        settled = messenger.recall(handle)
        assert settled == (GONE if group == "done" else NEVER)
        if settled == NEVER:
            with pytest.raises(NotTaken):
                messenger.dispatch(handle)
            hand_over(messenger, messages)
    assert rig.received() == numbers_of(messages)


@cases("said_no")
def test_what_was_not_taken_may_be_sent_again(rig: Rig, fault: str, group: str) -> None:
    messages = people(5)
    rig.break_next("dispatch", fault, retry_after=7)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, messages)
        with pytest.raises(NotTaken) as caught:
            messenger.dispatch(handle)
        assert caught.value.retry_after == 7.0
        messenger.dispatch(handle)
    assert rig.received() == numbers_of(messages)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls have half a second rather than thirty."""
    monkeypatch.setattr(solapi_client.Deadline.__init__, "__defaults__", (0.5,))


def test_a_send_that_is_done_after_we_stopped_listening(rig: Rig, hurried: None) -> None:
    """The worst of them: the request lies in a queue, is unsettled when we ask, and is carried out afterwards."""
    messages = people(5)
    rig.break_next("dispatch", "slow_before", seconds=1.5)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, messages)
        with pytest.raises(Unclear):
            messenger.dispatch(handle)
        assert messenger.recall(handle) == NEVER
    rig.wait_for("dispatch")
    assert not rig.received()


def test_a_send_whose_answer_is_slow(rig: Rig, hurried: None) -> None:
    rig.break_next("dispatch", "slow", seconds=2.0)
    messages = people(5)
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, messages)
        with pytest.raises(Unclear):
            messenger.dispatch(handle)
        assert messenger.recall(handle) == GONE
    assert rig.received() == numbers_of(messages)


@cases("done", "undone", "said_no")
def test_a_broken_recall_is_settled_by_the_next(rig: Rig, fault: str, group: str) -> None:
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, people(3))
        rig.break_next("delete", fault, times=2)
        try:
            assert messenger.recall(handle) == NEVER
        except (Unclear, NotTaken):
            assert messenger.recall(handle) == NEVER
        with pytest.raises(NotTaken):
            messenger.dispatch(handle)
    assert not rig.received()


@cases("done", "undone", "said_no")
def test_a_recall_that_gets_no_answer_says_so(rig: Rig, fault: str, group: str) -> None:
    messages = people(3)
    with rig.messenger() as messenger:
        handle = hand_over(messenger, messages)
        rig.break_next("ask", fault, times=None)
        with pytest.raises((Unclear, NotTaken)):
            messenger.recall(handle)
        rig.mend()
        assert messenger.recall(handle) == GONE


def test_sending_and_recalling_at_once_agree(rig: Rig) -> None:
    """A worker that was taken for dead sends while another one gives the group up: one of the two wins, whole."""
    for turn in range(15):
        messages = people(3, 50_000_100 + 100 * turn)
        with rig.messenger() as first, rig.messenger() as second:
            handle = first.open("batch")
            first.load(handle, messages)
            start = threading.Barrier(2)
            said: dict[str, Any] = {}

            def send(start: Any = start, said: Any = said, handle: str = handle, first: Any = first) -> None:
                start.wait()
                try:
                    first.dispatch(handle)
                    said["sent"] = True
                except (NotTaken, Unclear):
                    said["sent"] = False

            thread = threading.Thread(target=send)
            thread.start()
            start.wait()
            settled = second.recall(handle)
            thread.join()
        got = sum(rig.received()[message.to] for message in messages)
        assert got == (3 if settled == GONE else 0)
        assert said["sent"] == (settled == GONE)


# -- The set-up -------------------------------------------------------------------------------------------------------
def test_without_money_nothing_goes(rig: Rig) -> None:
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, people(3))
        rig.broke()
        with pytest.raises(Stopped, match="out_of_balance"):
            messenger.dispatch(handle)
        assert messenger.recall(handle) == NEVER
    assert not rig.received()


def test_an_unregistered_sender_stops_before_anybody_is_given_up(rig: Rig) -> None:
    with rig.messenger() as messenger:
        handle = messenger.open("batch")
        with pytest.raises(Stopped, match="sender_unregistered"):
            messenger.load(handle, people(3, sender="0299998888"))
        assert messenger.recall(handle) == NEVER


# -- What became of them ----------------------------------------------------------------------------------------------
def test_reports_of_more_than_a_page(rig: Rig) -> None:
    messages = people(1_200)
    with rig.messenger() as messenger:
        reports = list(messenger.reports(hand_over(messenger, messages)))
    assert len(reports) == 1_200
    assert {report.reference for report in reports} == {message.reference for message in messages}
    assert all(report.verdict.outcome in (Outcome.DELIVERED, Outcome.FAILED) for report in reports)
    assert all(report.at for report in reports)


def test_who_is_still_waited_for(rig: Rig) -> None:
    with rig.messenger() as messenger:
        (report,) = messenger.reports(hand_over(messenger, [replace(people(1)[0], to="+821040000003")]))
    assert report.verdict.outcome == Outcome.WAITING


@cases("undone", "said_no")
def test_reports_that_break(rig: Rig, fault: str, group: str) -> None:
    with rig.messenger() as messenger:
        handle = hand_over(messenger, people(2))
        rig.break_next("report", fault, times=None)
        with pytest.raises(NotTaken):
            list(messenger.reports(handle))
        rig.mend()
        assert len(list(messenger.reports(handle))) == 2


# -- Each kind of message ---------------------------------------------------------------------------------------------
JPEG = b"\xff\xd8\xff\xe0" + b"0" * 1_000


def example(rig: Any, kind: Kind) -> Message:
    message = Message(reference="one", to="+821040000001", kind=kind, sender=SENDER, text="오늘만 할인")
    if kind in (Kind.LMS, Kind.MMS):
        message = replace(message, subject="하루식탁")
    if kind == Kind.MMS:
        with rig.catalogue() as catalogue:
            message = replace(message, image=catalogue.upload(JPEG, name="a.jpg", kind=kind))
    if kind in (Kind.ALIMTALK, Kind.FRIENDTALK):
        with rig.catalogue() as catalogue:
            profile = catalogue.profiles()[0].id
        message = replace(message, profile=profile)
    if kind == Kind.FRIENDTALK:
        with rig.catalogue() as catalogue:
            picture = catalogue.upload(JPEG, name="b.jpg", kind=kind)
        buttons = (Button("보러 가기", "https://m.harutable.example/1", "https://harutable.example/1"),)
        message = replace(message, is_ad=True, image=picture, buttons=buttons)
    if kind == Kind.ALIMTALK:
        with rig.catalogue() as catalogue:
            template = next(one for one in catalogue.templates() if one.is_sendable and one.profile_id == profile)
        values = {name: f"값{n}" for n, name in enumerate(template.variables)}
        message = replace(message, text="", template=template.id, variables=values)
    return message


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_taken_and_arrives(rig: Rig, kind: Kind) -> None:
    message = example(rig, kind)
    with rig.messenger() as messenger:
        (report,) = messenger.reports(hand_over(messenger, [message]))
    assert report.verdict.outcome == Outcome.DELIVERED
    assert (report.reference, report.was_replaced) == ("one", False)
    said = rig.text_to(message.to)
    assert "값0" in said if kind == Kind.ALIMTALK else said == message.text


def test_a_text_follows_an_alimtalk_that_cannot_arrive(rig: Rig) -> None:
    message = replace(example(rig, Kind.ALIMTALK), to="+821040000002")
    with rig.messenger() as messenger:
        assert Kind.ALIMTALK in messenger.capabilities.native_fallback
        with_text = replace(message, fallback=Fallback(Kind.LMS, "카카오톡 대신 보냅니다.", "하루식탁"))
        (replaced,) = messenger.reports(hand_over(messenger, [with_text]))
        (failed,) = messenger.reports(hand_over(messenger, [message]))
    assert (replaced.verdict.outcome, replaced.was_replaced) == (Outcome.DELIVERED, True)
    assert (failed.verdict.outcome, failed.was_replaced) == (Outcome.FAILED, False)


def test_no_text_follows_a_brand_message_by_itself(rig: Rig) -> None:
    """SOLAPI's own sources differ on whether one would: so it is told not to, and the rooms above send theirs."""
    message = replace(example(rig, Kind.FRIENDTALK), to="+821040000002", fallback=Fallback(Kind.SMS, "대신"))
    with rig.messenger() as messenger:
        assert Kind.FRIENDTALK not in messenger.capabilities.native_fallback
        (report,) = messenger.reports(hand_over(messenger, [message]))
    assert (report.verdict.outcome, report.was_replaced) == (Outcome.FAILED, False)


def test_a_value_that_looks_like_a_variable_stays_as_it_is(rig: Rig) -> None:
    message = example(rig, Kind.ALIMTALK)
    names = list(message.variables)
    message = replace(message, variables={**message.variables, names[0]: f"#{{{names[1]}}}"})
    with rig.messenger() as messenger:
        hand_over(messenger, [message])
    assert f"#{{{names[1]}}}" in rig.text_to(message.to)
