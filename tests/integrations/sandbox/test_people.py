"""The crowd: the same every time, and as untidy as the real world."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from integrations.sandbox.people import Crowd
from integrations.sandbox.phones import KINDS

from .conftest import PEOPLE, Asker, ids


def rows(crowd: Crowd, count: int) -> list[dict[str, Any]]:
    return json.loads(b"[" + crowd.rows(range(count)) + b"]")


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import sys; from integrations.sandbox.people import Crowd; "
        "sys.stdout.buffer.write(Crowd(500, 7).rows(range(500)))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert elsewhere == Crowd(500, 7).rows(range(500))
    assert elsewhere != Crowd(500, 8).rows(range(500))


def test_the_person_doesn_t_depend_on_the_size_of_the_crowd() -> None:
    assert Crowd(1_000_000, 3).rows([999]) == Crowd(1_000, 3).rows([999])


def test_ids_are_unique_and_found_again() -> None:
    crowd = Crowd(5_000, 1)
    distinct = [crowd.distinct_id(i) for i in range(5_000)]
    assert len({str(one) for one in distinct}) == 5_000
    assert [crowd.find(str(one)) for one in distinct] == list(range(5_000))
    assert crowd.find("hs-1") is None
    assert crowd.find("nobody") is None
    assert len(str(distinct[17])) == 255
    assert isinstance(distinct[23], int)
    assert str(distinct[42]).startswith("$device:")


def test_every_kind_of_phone_occurs_and_seven_of_eight_can_be_reached() -> None:
    crowd = Crowd(20_000, 1)
    kinds = Counter(crowd.phone_kind(i).name for i in range(20_000))
    assert set(kinds) == set(KINDS)
    reachable = sum(crowd.e164(i) is not None for i in range(20_000))
    assert 0.86 < reachable / 20_000 < 0.90


def test_e164_is_the_number_that_the_column_says() -> None:
    crowd = Crowd(3_000, 1)
    for index in range(3_000):
        phone, e164 = crowd.properties(index).get("$phone"), crowd.e164(index)
        if e164 is not None:
            digits = "".join(str(int(c)) for c in str(phone).removesuffix(".0") if c.isdigit())
            assert digits.endswith(e164.removeprefix("+82")), phone
            assert len(e164) == 13
            assert e164[5] not in "01"


def test_some_share_a_phone_an_address_or_a_user_number() -> None:
    crowd = Crowd(PEOPLE, 1)
    people = [crowd.properties(i) for i in range(PEOPLE)]
    shared = [i for i in range(1, PEOPLE) if crowd.e164(i) and crowd.e164(i) == crowd.e164(i - 1)]
    assert 20 < len(shared) < 60
    for column in ("$email", "user_no"):
        values = Counter(str(person[column]) for person in people if person.get(column))
        assert sum(1 for times in values.values() if times == 2) > 5
    assert 0.9 < sum("user_no" in person for person in people) / PEOPLE < 0.97


@pytest.mark.parametrize(("phone", "mobile", "better"), [(1.0, 0.35, "$phone"), (0.3, 0.97, "mobile")])
def test_which_phone_column_is_better_filled(phone: float, mobile: float, better: str) -> None:
    crowd = Crowd(2_000, 1, phone_share=phone, mobile_share=mobile)
    filled = Counter(name for i in range(2_000) for name in crowd.properties(i) if name in ("$phone", "mobile"))
    assert filled.most_common(1)[0][0] == better


def test_hostile_values_cross_the_wire(mixpanel: Asker) -> None:
    page = mixpanel.page(page_size=200)
    assert b"\\u0000" in page.content
    assert b"\\ud800" in page.content
    names = [row["$properties"].get("$name") for row in page.json()["results"]]
    types = {type(name) for name in names}
    assert {str, int, list, type(None)} <= types
    assert any(isinstance(name, str) and "<script>" in name for name in names)
    assert any(len(str(row["$properties"].get("memo", ""))) == 10_000 for row in page.json()["results"])


def test_rows_are_of_ordinary_size() -> None:
    rendered = Crowd(2_000, 1).rows(range(1_000, 1_060))
    assert 300 * 60 < len(rendered) < 600 * 60


def test_people_change(mixpanel: Asker) -> None:
    before = mixpanel.pull()
    crowd = mixpanel.world.crowd
    crowd.edit([1, 5], {"plan": "골드", "$phone": "010-2222-3333"})
    crowd.edit(range(100, 200), {"wave": 2}, unset=["$email"])
    after = mixpanel.pull()
    assert ids(before) == ids(after)
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == [1, 5, *range(100, 200)]
    assert after[5]["$properties"]["$phone"] == "010-2222-3333"
    assert all("$email" not in after[i]["$properties"] for i in range(100, 200))
    mixpanel.world.reset()
    assert mixpanel.pull() == before
