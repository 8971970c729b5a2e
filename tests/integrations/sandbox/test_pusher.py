"""The stand-in pushes cohorts by Mixpanel's rules."""

import json
from typing import Any

import pytest

from integrations.sandbox.mixpanel.pusher import PAGE, SNAPSHOT_SECONDS, Sync, over_http
from integrations.sandbox.server import SandboxConfig
from integrations.sandbox.world import World
from tests.integrations.loopback import Asked, Loopback, answer

COHORT = 7001


class Receiver:
    """Takes pages; `says` is the status of each next answer, 200 when it is used up."""

    def __init__(self) -> None:
        self.pages: list[dict[str, Any]] = []
        self.says: list[int] = []

    def __call__(self, body: bytes) -> tuple[int, bytes]:
        page = json.loads(body)
        status = self.says.pop(0) if self.says else 200
        if status == 200:
            self.pages.append(page)
            return 200, json.dumps({"action": page["action"], "status": "success"}).encode()
        said = {"action": page["action"], "status": "failure", "error": {"message": "no", "code": status}}
        return status, json.dumps(said).encode() if status else b""

    def told(self) -> list[tuple[str, list[str], int, int]]:
        """(action, distinct ids, page, of) of what came since the last call."""
        pages, self.pages = self.pages, []
        return [
            (
                one["action"],
                [member["mixpanel_distinct_id"] for member in one["parameters"]["members"]],
                one["parameters"]["page_info"]["page_count"],
                one["parameters"]["page_info"]["total_pages"],
            )
            for one in pages
        ]


@pytest.fixture
def world() -> World:
    world = World(SandboxConfig(people=3_000, seed=7))
    world.cohorts.add("밀기", range(3), id=COHORT)
    return world


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def sync(world: World, receiver: Receiver) -> Sync:
    return Sync(world, COHORT, receiver)


def ids(world: World, *indexes: int) -> list[str]:
    return [str(world.crowd.distinct_id(index)) for index in indexes]


def test_all_first_then_differences_even_empty_ones(world: World, receiver: Receiver, sync: Sync) -> None:
    assert sync.run().state == "success"
    assert receiver.told() == [("members", ids(world, 0, 1, 2), 1, 1)]
    world.cohorts.set_members(COHORT, [1, 2, 3])
    sync.run()
    assert receiver.told() == [
        ("add_members", ids(world, 3), 1, 1),
        ("remove_members", ids(world, 0), 1, 1),
    ]
    sync.run()
    assert receiver.told() == [("add_members", [], 1, 1), ("remove_members", [], 1, 1)]


def test_pages_of_a_thousand_under_one_session(world: World, receiver: Receiver, sync: Sync) -> None:
    world.cohorts.set_members(COHORT, range(2 * PAGE + 1))
    sync.run()
    assert len({page["parameters"]["mixpanel_session_id"] for page in receiver.pages}) == 1
    told = receiver.told()
    assert [(len(people), page, of) for _, people, page, of in told] == [(1000, 1, 3), (1000, 2, 3), (1, 3, 3)]


def test_a_failed_run_moves_nothing_and_starts_from_the_top(world: World, receiver: Receiver, sync: Sync) -> None:
    sync.run()
    receiver.told()
    world.cohorts.set_members(COHORT, [0, 1, 2, 3])
    receiver.says = [200, *[503] * 6]
    assert sync.run().state == "failure"
    assert [action for action, *_ in receiver.told()] == ["add_members"]
    world.cohorts.set_members(COHORT, [0, 1, 2])
    sync.run()
    assert receiver.told() == [("add_members", [], 1, 1), ("remove_members", [], 1, 1)], "the divergence nobody heals"


@pytest.mark.parametrize("status", [503, 429, 500, 0])
def test_what_passes_is_tried_again(receiver: Receiver, sync: Sync, status: int) -> None:
    waits: list[float] = []
    sync.wait = waits.append
    receiver.says = [status] * 5
    outcome = sync.run()
    assert (outcome.state, outcome.attempts) == ("success", 6)
    assert sum(waits) == pytest.approx(62)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_a_person_must_mend_pauses(receiver: Receiver, sync: Sync, status: int) -> None:
    receiver.says = [status]
    assert sync.run().state == "paused"
    assert sync.run().said == "no"
    sync.resume()
    assert sync.run().state == "success"


def test_an_old_snapshot_is_forgotten(world: World, receiver: Receiver, sync: Sync) -> None:
    sync.run()
    receiver.told()
    world.clock.advance(SNAPSHOT_SECONDS + 1)
    sync.run()
    assert receiver.told()[0][0] == "members"


def test_the_phone_comes_only_when_it_is_exported(world: World, receiver: Receiver) -> None:
    Sync(world, COHORT, receiver, properties=("$phone",)).run()
    Sync(world, COHORT, receiver).run()
    with_phone, without = (page["parameters"]["members"] for page in receiver.pages)
    assert any("$phone" in one for one in with_phone)
    assert not any("$phone" in one or "phone_number" in one for one in without)
    assert any("email" in one for one in without)


def test_it_pushes_over_a_socket_with_basic_auth() -> None:
    asked: list[Asked] = []

    def reply(one: Asked, _socket: Any) -> bytes:
        asked.append(one)
        return answer(200, {"action": "members", "status": "success"})

    with Loopback(reply) as receiver:
        status, body = over_http(f"{receiver.url}/here", "user", "word")(b"{}")
    assert (status, json.loads(body)["status"]) == (200, "success")
    assert asked[0].path == "/here"
    assert asked[0].headers["authorization"] == "Basic dXNlcjp3b3Jk"
    assert over_http(receiver.url, "u", "p", seconds=2)(b"{}") == (0, b"")
    with pytest.raises(ValueError, match="this machine"):
        over_http("https://mixpanel.com/x", "u", "p")


def test_it_is_driven_from_another_process(sandbox: Any) -> None:
    import urllib.request

    def post(body: dict[str, Any]) -> Any:
        request = urllib.request.Request(f"{sandbox.url}/_sandbox/pushes", json.dumps(body).encode())
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())

    sandbox.world.cohorts.add("밀기", range(3), id=COHORT)
    with Loopback(lambda one, _socket: answer(200, {"action": "members", "status": "success"})) as receiver:
        made = post({"do": "connect", "cohort": COHORT, "url": receiver.url, "username": "u", "password": "p"})
        assert post({"do": "run", "push": made["push"]})["state"] == "success"
    assert sandbox.world.pushes.by_number[made["push"]].runs == 1
    sandbox.world.reset()
    assert not sandbox.world.pushes.by_number
