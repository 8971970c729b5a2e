"""The webhook for Mixpanel's cohorts, by what it answers and what it keeps."""

import json
import re
import statistics
import time
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from integrations import inbox, webhooks
from integrations.models import InboundPage, InboundState, Inlet
from integrations.rotate import forget, keys_in_use, reseal, wrong_keys
from notifly_console.audit.models import Entry
from notifly_console.lib.crypto import CannotOpen, KeyRing
from notifly_console.tenancy import keys
from notifly_console.tenancy.models import ApiKey
from tests import factories
from tests.integrations.pushing import COHORT, PROJECT, Pusher, basic, member, members, page

ENVELOPE = b'{"action":"members","parameters":{"mixpanel_project_id":"1","mixpanel_cohort_id":"2",%s}}'


def reason(answer: Any) -> str:
    """The reason in Mixpanel's shape."""
    said = answer.json()
    assert said["status"] == "failure"
    assert said["error"]["code"] == answer.status_code
    assert answer.headers["Content-Type"] == "application/json"
    return str(said["error"]["message"])


def kept() -> int:
    return InboundPage.objects.count()


# -- What is taken ----------------------------------------------------------------------------------------------------
def test_a_page_is_kept_as_it_came_and_answered_in_mixpanels_shape(pusher: Pusher, world: Any) -> None:
    body = json.dumps(page(range(3))).encode()
    answer = pusher.send(body)
    assert (answer.status_code, answer.json()) == (200, {"action": "members", "status": "success"})
    row = InboundPage.objects.get()
    assert (row.project_id, row.subject, row.state) == (world.id, COHORT, InboundState.NEW)
    assert inbox.body_of(row) == body
    assert row.envelope["count"] == 3
    assert b"person1" not in bytes(row.body)
    assert b"person1" not in zlib.compress(body), "compression alone would hide it, too: the seal is what counts"


@pytest.mark.parametrize(
    "said",
    [
        page([1], of=None),
        page([1], session=None),
        page([1], cohort=7001, project=PROJECT, of="2", number="1"),
        page([1], mixpanel_project_id=PROJECT, mixpanel_cohort_id=COHORT, mixpanel_integration_id="0"),
        page([], action="add_members"),
        page([], action="remove_members", of=None),
        {"action": "members", "members": members([1]), "parameters": {**page()["parameters"], "members": None}},
        page([{"$distinct_id": "a", "$phone": "+821020000001", "$os": "iOS", "요금제": "골드"}]),
        page([7, None, {}, "x", [], {"email": "a@b.example"}], number=0),
        page([1], number=8, of=7),
        page([{"mixpanel_distinct_id": 12345678901234567890}]),
    ],
    ids=[
        *("no page_info", "no session", "counts as strings", "ids as numbers", "empty add", "empty remove"),
        *("members beside parameters", "raw names", "odd members", "page 8 of 7", "an id beyond 64 bits"),
    ],
)
def test_what_mixpanel_sends_in_the_wild_is_taken(pusher: Pusher, said: Any) -> None:
    answer = pusher.send(said)
    assert answer.status_code == 200, answer.content
    assert kept() == 1


def test_a_repeat_succeeds_and_is_kept_once(pusher: Pusher) -> None:
    said = page(range(3))
    pusher.send(said)
    turned = [dict(reversed(one.items())) for one in said["parameters"]["members"]]
    reordered = {"parameters": {**said["parameters"], "members": turned}, "action": "members"}
    assert pusher.send(reordered).status_code == 200
    assert (kept(), InboundPage.objects.get().repeats) == (1, 1)
    pusher.push(range(4))
    assert kept() == 2


def test_a_page_that_was_dropped_is_new_again_when_it_is_repeated(pusher: Pusher) -> None:
    pusher.push([1])
    inbox.settle(InboundPage.objects.all(), InboundState.DROPPED, "abandoned")
    pusher.push([1])
    row = InboundPage.objects.get()
    assert (row.state, row.settled_at) == (InboundState.NEW, None)
    inbox.settle(InboundPage.objects.all(), InboundState.APPLIED)
    pusher.push([1])
    assert InboundPage.objects.get().state == InboundState.APPLIED


def test_the_key_notes_its_use(pusher: Pusher) -> None:
    pusher.push([1], mixpanel_integration_id="42")
    key = ApiKey.objects.get()
    assert key.last_used_at is not None
    assert (key.last_used_from, key.last_used_for) == ("127.0.0.1", f"mixpanel {PROJECT}/42")


# -- Who calls --------------------------------------------------------------------------------------------------------
def test_whatever_is_wrong_with_the_key_the_answer_is_the_same(pusher: Pusher, world: Any) -> None:
    access_key, secret = pusher.pair
    others = factories.api_key(world.other_project)
    answers = []
    for inlet, pair in (
        (world.id.hex, (access_key, "wrong")),
        (world.id.hex, ("0" * 32, secret)),
        (world.id.hex, others),
        ("0" * 32, (access_key, secret)),
        ("no-such-id", (access_key, secret)),
        (world.id.hex, ("a\0b", "c")),
        (world.id.hex, ("", "")),
    ):
        answers.append(Pusher(inlet, pair).send(page([1])))
    bare = Client().post(pusher.url, b"{}", content_type="application/json")
    odd = [
        pusher.send(page([1]), headers={"Authorization": value}) for value in ("Bearer x", "Basic %%%", "Basic", "")
    ][:2]
    for answer in (*answers, bare, *odd):
        assert answer.status_code == 401
        assert answer.content == answers[0].content
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert not kept()


def test_a_revoked_key_is_refused_at_once_and_the_other_goes_on(pusher: Pusher, world: Any) -> None:
    second = factories.api_key(world.project)
    pusher.push([1])
    keys.revoke(ApiKey.objects.get(access_key=pusher.pair[0]), actor=world.people["admin"])
    assert pusher.send(page([2])).status_code == 401
    assert pusher.send(page([3]), pair=second).status_code == 200


def test_failed_attempts_are_throttled_before_the_database_and_never_with_a_4xx_that_pauses(
    pusher: Pusher, world: Any, django_assert_num_queries: Any
) -> None:
    for _ in range(10):
        assert pusher.send(page([1]), pair=(pusher.pair[0], "wrong")).status_code == 401
    with django_assert_num_queries(1):
        answers = [pusher.send(page([1]), pair=(pusher.pair[0], f"wrong {number}")) for number in range(20)]
    assert {answer.status_code for answer in answers} == {429}
    assert int(answers[0].headers["Retry-After"]) > 0
    assert pusher.send(page([2])).status_code == 200, "a right key is let in from there, though it never called before"
    keys.revoke(ApiKey.objects.get(access_key=pusher.pair[0]), actor=world.people["admin"])
    assert pusher.send(page([3])).status_code == 401, "one that was revoked isn't"


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="times on SQLite say nothing")
def test_a_wrong_secret_takes_as_long_as_an_unknown_key(pusher: Pusher, monkeypatch: Any) -> None:
    monkeypatch.setattr(webhooks.FAILURES, "wait", lambda key: 0.0)
    known, unknown = (pusher.pair[0], "wrong"), ("0" * 32, "wrong")
    times: dict[tuple[str, str], list[float]] = {known: [], unknown: []}
    for pair in [known, unknown] * 300:
        began = time.perf_counter()
        keys.check(None, *pair)
        times[pair].append(time.perf_counter() - began)
    gap = abs(statistics.median(times[known]) - statistics.median(times[unknown]))
    assert gap < statistics.median(times[known]), "nothing of another order, such as a slow hash for known keys alone"


def test_another_mixpanel_projects_pages_are_refused_and_recorded(pusher: Pusher, world: Any) -> None:
    pusher.push([1])
    assert Inlet.objects.get().mixpanel_project_id == PROJECT
    for _ in range(3):
        answer = pusher.send(page([2], project=99))
        assert answer.status_code == 403
        assert "99" in reason(answer)
    assert kept() == 1
    entry = Entry.objects.get(action="inbound_refused")
    assert (entry.project_id, entry.target) == (world.id, "99")


def test_a_connected_project_takes_the_pages_of_that_mixpanel_project(pusher: Pusher, world: Any) -> None:
    factories.connection(world.project, project_id=55)
    assert pusher.send(page([1])).status_code == 403
    assert pusher.send(page([1], project=55)).status_code == 200


# -- What is refused --------------------------------------------------------------------------------------------------
DEEP = b"[" * 40 + b"]" * 40
REFUSED = {
    "nothing": (b"", "empty"),
    "no JSON": (b"hello", "not JSON"),
    "cut off": (b'{"action":"members","parameters":', "not JSON"),
    "a list": (b"[]", "object"),
    "no action": (b"{}", "action"),
    "another action": (b'{"action":"delete","parameters":{}}', "action"),
    "no parameters": (b'{"action":"members"}', "parameters"),
    "no project": (b'{"action":"members","parameters":{"mixpanel_cohort_id":"2"}}', "mixpanel_project_id"),
    "a cohort id of words": (
        b'{"action":"members","parameters":{"mixpanel_project_id":"1","mixpanel_cohort_id":"x"}}',
        "mixpanel_cohort_id",
    ),
    "a negative id": (
        b'{"action":"members","parameters":{"mixpanel_project_id":"1","mixpanel_cohort_id":-2}}',
        "mixpanel_cohort_id",
    ),
    "members no list": (ENVELOPE % b'"members":{}', "list"),
    "a page of 10^30": (ENVELOPE % (b'"page_info":{"page_count":1' + b"0" * 30 + b',"total_pages":1}'), "page_count"),
    "deeply nested": (ENVELOPE % b'"x":%s' % DEEP, "nested"),
    "very deeply nested": (b"[" * 1_000_000, "more values|nested"),
    "nested in objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "more values|nested"),
    "a number of 5,000 digits with an exponent": (ENVELOPE % (b'"x":' + b"9" * 5_000 + b"e9"), "not JSON"),
    "1e400": (ENVELOPE % b'"x":1e400', "not JSON"),
    "NaN": (ENVELOPE % b'"x":NaN', "not JSON"),
    "Infinity": (ENVELOPE % b'"x":-Infinity', "not JSON"),
    "NaN beside a huge number": (ENVELOPE % b'"x":NaN,"y":123456789012345678901234567890', "not JSON"),
    "a name twice": (b'{"action":"members","action":"remove_members","parameters":{}}', "twice"),
    "a name twice, once with space after it": (ENVELOPE % b'"members":[{"a" \n:1,"a":2,"b":3}]', "twice"),
    "a name twice beside a text like one": (ENVELOPE % b'"members":[{"a":1,"a":2,"b":":"}]', "twice"),
    "a member's name twice": (ENVELOPE % b'"members":[{"a":1,"a":2}]', "twice"),
    "a byte order mark": (b"\xef\xbb\xbf" + ENVELOPE % b'"members":[]', "byte order mark"),
    "UTF-16": ((ENVELOPE % b'"members":[]').decode().encode("utf-16"), "UTF-8"),
    "UTF-32": ((ENVELOPE % b'"members":[]').decode().encode("utf-32-le"), "not JSON"),
    "Latin-1": (ENVELOPE % b'"x":"caf\xe9"', "UTF-8"),
    "a surrogate in UTF-8": (ENVELOPE % b'"x":"\xed\xa0\x80"', "UTF-8"),
    "millions of values": (ENVELOPE % (b'"members":[' + b"[]," * 2_000_000 + b"[]]"), "more values"),
    "millions of strings": (ENVELOPE % (b'"members":[' + b'"ab",' * 2_000_000 + b'""]'), "more values"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_body_that_is_no_page_is_refused_with_the_reason(pusher: Pusher, what: str) -> None:
    body, words = REFUSED[what]
    answer = pusher.send(body)
    assert answer.status_code == 400, answer.content
    assert re.search(words, reason(answer)), reason(answer)
    assert not kept()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"headers": {"Content-Encoding": "gzip"}}, "Content-Encoding"),
        ({"content_type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"content_type": "application/json; charset=utf-16"}, "UTF-8"),
    ],
)
def test_a_body_of_another_kind_is_refused(pusher: Pusher, extra: dict[str, Any], words: str) -> None:
    answer = pusher.send(page([1]), **extra)
    assert answer.status_code == 400
    assert words in reason(answer)


def test_the_answer_to_a_bad_page_echoes_its_action(pusher: Pusher) -> None:
    assert pusher.send(b'{"action": "add_members", "parameters": {"x": NaN}}').json()["action"] == "add_members"


def test_halves_of_surrogate_pairs_and_nuls_fail_no_page(pusher: Pusher) -> None:
    said = json.dumps(page([member(1), member(2, first_name="\ud800"), member(3, last_name="a\0b")])).encode()
    assert rb"\ud800" in said
    assert pusher.send(said).status_code == 200
    escaped = json.dumps(page([member(1, first_name="\\ud800 \\u0000 \U0001f600")], session="2")).encode()
    assert pusher.send(escaped).status_code == 200


def test_other_methods_get_the_shape_too(pusher: Pusher) -> None:
    for method in ("get", "put", "delete", "patch"):
        answer = getattr(pusher.client, method)(pusher.url)
        assert answer.status_code == 405
        assert "POST" in reason(answer)


def test_an_address_that_was_pasted_wrong_says_so_where_mixpanel_shows_it(pusher: Pusher) -> None:
    answer = pusher.client.post(f"{pusher.url}/", b"{}", content_type="application/json")
    assert answer.status_code == 404
    assert "without a slash at its end" in reason(answer)


def test_a_large_page_of_large_members_is_taken(pusher: Pusher) -> None:
    people = [member(number, note="가" * 10_000) for number in range(1000)]
    body = json.dumps(page(people), ensure_ascii=False).encode()
    assert 30_000_000 < len(body) < webhooks.MOST_BYTES
    assert pusher.send(body).status_code == 200
    assert inbox.body_of(InboundPage.objects.get()) == body


def test_a_body_over_the_limit_is_refused_by_its_declared_length(pusher: Pusher) -> None:
    class Unread:
        def read(self, *_args: Any) -> bytes:
            raise AssertionError("it must not be read")

        readline = read

    for declared in ("33554433", "1000000000", "9" * 40, "-1", "x"):
        answer = pusher.client.generic(
            "POST",
            pusher.url,
            b"{}",
            content_type="application/json",
            headers={"Authorization": basic(pusher.pair)},
            CONTENT_LENGTH=declared,
            **{"wsgi.input": Unread()},
        )
        assert answer.status_code == 413, declared
        assert "32 MiB" in reason(answer)


class Broken:
    """A body that ends early, or whose sender is gone."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        self.data, self.error = data, error

    def read(self, size: int = -1) -> bytes:
        if not self.data and self.error:
            raise self.error
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    readline = read


@pytest.mark.parametrize("source", [Broken(b'{"action"'), Broken(b'{"action"', ConnectionResetError())])
def test_a_body_that_breaks_off_is_to_be_sent_again(pusher: Pusher, source: Broken) -> None:
    answer = pusher.client.generic(
        "POST",
        pusher.url,
        b"",
        content_type="application/json",
        headers={"Authorization": basic(pusher.pair)},
        CONTENT_LENGTH="5000",
        **{"wsgi.input": source},
    )
    assert answer.status_code == 503
    assert not kept()


def test_a_body_in_chunks_is_read_up_to_the_limit(pusher: Pusher) -> None:
    def send(data: bytes) -> Any:
        return pusher.client.generic(
            "POST",
            pusher.url,
            b"",
            content_type="application/json",
            headers={"Authorization": basic(pusher.pair)},
            **{"wsgi.input": Broken(data), "HTTP_TRANSFER_ENCODING": "chunked"},
        )

    assert send(json.dumps(page([1])).encode()).status_code == 200
    assert send(b" " * (webhooks.MOST_BYTES + 1)).status_code == 413


# -- Our own faults ---------------------------------------------------------------------------------------------------
def test_a_database_that_is_away_is_a_503(pusher: Pusher) -> None:
    def refuse(*_args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(refuse):
        answer = pusher.send(page([1]))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "send it again" in reason(answer)


def test_a_bug_of_ours_is_a_503(pusher: Pusher, monkeypatch: Any) -> None:
    monkeypatch.setattr(inbox, "keep", lambda *args, **kwargs: 1 / 0)
    assert pusher.send(page([1])).status_code == 503
    assert not kept()


@pytest.mark.parametrize("how", ["old", "many"])
def test_more_than_can_be_digested_is_to_be_sent_again_later(pusher: Pusher, monkeypatch: Any, how: str) -> None:
    pusher.push([1])
    if how == "old":
        InboundPage.objects.update(received_at=timezone.now() - timedelta(minutes=16))
    else:
        monkeypatch.setattr(inbox, "MOST_WAITING", 0)
    inbox._waiting.clear()
    answer = pusher.send(page([2]))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    inbox.settle(InboundPage.objects.all(), InboundState.APPLIED)
    inbox._waiting.clear()
    assert pusher.send(page([2])).status_code == 200


def test_nothing_but_the_key_the_inlet_and_the_page_is_asked_of_the_database(
    pusher: Pusher, django_assert_max_num_queries: Any, sign_in: Any
) -> None:
    pusher.push([1])
    pusher.client = sign_in("owner", enforce_csrf_checks=True)
    with django_assert_max_num_queries(12) as asked:
        pusher.push([2])
    tables = set(
        re.findall(r"\b(?:FROM|INTO|UPDATE) \"?(\w+)", " ".join(query["sql"] for query in asked.captured_queries))
    )
    assert tables <= {"tenancy_apikey", "integrations_connection", "integrations_inlet", "integrations_inboundpage"}


def test_a_language_and_a_session_leave_no_trace_in_the_answer(pusher: Pusher, sign_in: Any) -> None:
    pusher.client = sign_in("owner", enforce_csrf_checks=True)
    answer = pusher.push([1])
    assert not answer.cookies
    assert "no-store" in answer.headers["Cache-Control"]


# -- Keys at rest -----------------------------------------------------------------------------------------------------
def test_a_kept_page_is_sealed_anew_with_the_newest_key_and_opens_for_its_project_only(
    pusher: Pusher, world: Any, settings: Any
) -> None:
    body = json.dumps(page([1])).encode()
    pusher.send(body)
    old = settings.CREDENTIALS_KEYS
    settings.CREDENTIALS_KEYS = KeyRing({"k9": b"9" * 32, **old.keys})
    assert keys_in_use()["k1"] == 1
    assert [one.problem for one in reseal()] == [""]
    assert keys_in_use() == {"k9": 1}
    row = InboundPage.objects.get()
    assert inbox.body_of(row) == body
    row.project_id = world.other_project.pk
    with pytest.raises(CannotOpen):
        inbox.body_of(row)
    settings.CREDENTIALS_KEYS = KeyRing({"k9": b"8" * 32})
    assert wrong_keys() == ["k9"]
    settings.CREDENTIALS_KEYS = old
    with pytest.raises(CannotOpen):
        inbox.body_of(InboundPage.objects.get())
    forget("k9")
    assert not kept()


# -- Forgetting -------------------------------------------------------------------------------------------------------
def test_pages_go_a_week_after_they_were_settled(pusher: Pusher) -> None:
    for number in range(3):
        pusher.push([number], session=str(number))
    old, young, _open = InboundPage.objects.order_by("pk")
    inbox.settle(InboundPage.objects.filter(pk__in=[old.pk, young.pk]), InboundState.APPLIED)
    InboundPage.objects.filter(pk=old.pk).update(settled_at=timezone.now() - timedelta(days=7, minutes=1))
    assert inbox.prune() == 1
    assert not InboundPage.objects.filter(pk=old.pk).exists()
    assert kept() == 2


# -- Rotation ---------------------------------------------------------------------------------------------------------
def test_a_key_is_rotated_in_a_stream_without_a_refusal(pusher: Pusher, world: Any, sign_in: Any) -> None:
    admin, old = sign_in("admin"), pusher.pair
    statuses = []
    for number in range(1_000):
        if number == 300:
            admin.post(f"/projects/{world.id.hex}/settings/keys/new/")
            new = factories.api_key(world.project)
        if number == 500:
            pusher.pair = new  # entered in Mixpanel
        if number == 700:
            key = ApiKey.objects.get(access_key=old[0])
            admin.post(f"/projects/{world.id.hex}/settings/keys/{key.pk}/revoke/")
        statuses.append(pusher.send(page([number], session=str(number))).status_code)
    assert set(statuses) == {200}
    assert pusher.send(page([1]), pair=old).status_code == 401
