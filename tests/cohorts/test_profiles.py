"""유저 리스트, the search, and a profile's page: what is shown to whom, and what is written down."""

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from cohorts.people import lookup
from notifly_console.audit.models import Entry
from notifly_console.lib.masking import mask_contacts, mask_within
from tests import factories as make

MOST_QUERIES = 12


def address(world: Any, rest: str = "") -> str:
    return f"/projects/{world.project.hex}/profiles/{rest}"


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response
    return response.content.decode()


@pytest.fixture
def sunny(world: Any) -> Any:
    world.sunny = make.profile(
        world.project,
        "sunny_0417",
        phone="+821098765432",
        email="sunny.kim@mail.example",
        properties={
            "$name": "김서연",
            "$phone": "010-9876-5432",
            "backup": {"numbers": [1098765432, "+82 10 9876 5432"], "mail": "sunny.kim@mail.example"},
            "member_no": "0093182",
            "total_orders": 7,
            "is_vip": True,
            "nothing": None,
            "story": "가" * 900,
            "<svg/onload=alert(1)>": "<script>alert(1)</script>",
        },
    )
    return world


def found(world: Any, client: Any, text: str) -> str:
    return text_of(client.post(address(world, "search"), {"q": text}))


# -- The list --------------------------------------------------------------------------------------------------------
def test_the_list_pages_by_key_through_everybody_once(world: Any, sign_in: Any) -> None:
    make.profiles(world.project, 120)
    make.profiles(world.other_project, 10, prefix="other_")
    client, seen, at = sign_in("viewer"), [], address(world)
    while at:
        html = text_of(client.get(at))
        seen += [part.split("<")[0] for part in html.split("user_")[1:] if part[:7].isdigit() and "<" in part[:9]]
        assert "other_" not in html
        at = address(world, f"?before={html.split('?before=')[1].split(chr(34))[0]}") if "?before=" in html else ""
    assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize("rest", ["?before=x", "?before=-1", "?before=99999999999999999999999"])
def test_a_nonsense_place_in_the_list_is_its_beginning(world: Any, sign_in: Any, rest: str) -> None:
    make.profiles(world.project, 2)
    assert "user_0000001" in text_of(sign_in("viewer").get(address(world, rest)))


def test_nobody_sees_a_whole_contact_in_a_list(sunny: Any, sign_in: Any) -> None:
    for who in ("owner", "viewer"):
        html = text_of(sign_in(who).get(address(sunny)))
        assert "010-****-5432" in html
        assert "s*****m@mail.example" in html
        assert "9876" not in html


def test_an_empty_project_says_what_to_do(world: Any, sign_in: Any) -> None:
    assert "아직 가져온 유저가 없습니다" in text_of(sign_in("viewer").get(address(world)))


# -- The search ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text", ["sunny_0417", "sunny", "010-9876-5432", "01098765432", "+82 10-9876-5432", "82 010 9876 5432",
             "sunny.kim@MAIL.example", " sunny_0417 "],
)  # fmt: skip
def test_a_profile_is_found_in_any_spelling(sunny: Any, sign_in: Any, text: str) -> None:
    make.profiles(sunny.project, 3)
    html = found(sunny, sign_in("marketer"), text)
    assert "sunny_0417" in html.split("<tbody>")[1]
    assert "user_" not in html.split("<tbody>")[1]


@pytest.mark.parametrize("text", ["010-9876", "0109876543", "Sunny.Kim@", "sunny.kim@mail"])
def test_part_of_a_contact_finds_it_only_for_those_who_may_see_it(sunny: Any, sign_in: Any, text: str) -> None:
    assert "맞는 유저가 없습니다" in found(sunny, sign_in("marketer"), text)
    assert "sunny_0417" in found(sunny, sign_in("admin"), text)


CONTACTS_AS_IDS = ("010-9876-5432", "01098765433", "+821098765434", "821098765435", "sunny@mail.example")


@pytest.mark.parametrize("whole", CONTACTS_AS_IDS)
def test_an_id_that_is_a_contact_is_found_by_its_beginning_only_by_those_who_may_see_it(
    world: Any, sign_in: Any, whole: str
) -> None:
    """Else each digit that is guessed would be answered, one after the other."""
    for text in CONTACTS_AS_IDS:
        make.profile(world.project, text)
    admin, viewer = sign_in("admin"), sign_in("viewer")
    for length in range(1, len(whole)):
        assert "맞는 유저가 없습니다" in found(world, viewer, whole[:length]), whole[:length]
    assert "맞는 유저가 없습니다" not in found(world, viewer, whole)
    assert "맞는 유저가 없습니다" not in found(world, admin, whole[:-1])


def test_ids_that_are_contacts_hide_no_others(world: Any, sign_in: Any) -> None:
    for number in range(60):
        make.profile(world.project, f"010{number:08d}")
    make.profile(world.project, "010-order")
    html = found(world, sign_in("viewer"), "010")
    assert html.count('class="data__link"') == 1
    assert ">010-order" in html
    assert "처음 50명입니다" not in html, "that there are more isn't told, either"


def test_a_search_is_recorded_without_its_text_and_leaves_none_in_an_address(sunny: Any, sign_in: Any) -> None:
    html = found(sunny, sign_in("marketer"), "010-9876-5432")
    entry = Entry.objects.get(action="profiles_searched")
    assert entry.details == {"by": ["id", "phone"], "found": 1}
    assert entry.actor == sunny.people["marketer"].email
    assert "9876" not in str(list(Entry.objects.values()))
    assert "9876-5432" not in "".join(part.split('"')[0] for part in html.split('href="')[1:])


@pytest.mark.parametrize(
    ("text", "index"),
    [("010-9876-5432", "profile_phone"), ("010-98", "profile_phone"), ("sunny.kim@mail.example", "profile_email"),
     ("sunny@", "profile_email"), ("sunny_04", "profile_once")],
)  # fmt: skip
def test_each_search_uses_the_index_of_what_it_looks_for(sunny: Any, sign_in: Any, text: str, index: str) -> None:
    """SQLite has no statistics to tell it that a project has a million people."""
    if database.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps statistics of its own accord")
    with CaptureQueriesContext(database) as captured:
        found(sunny, sign_in("admin"), text)
    column = {"profile_phone": "phone", "profile_email": "email", "profile_once": "external_id"}[index]
    asked = [one["sql"] for one in captured if f'"cohorts_profile"."{column}" ' in one["sql"].partition(" WHERE ")[2]]
    assert asked
    for sql in asked:
        with database.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert f"USING INDEX {index} " in plan, (sql, plan)


def test_a_search_stays_inside_the_project(sunny: Any, sign_in: Any) -> None:
    make.profile(sunny.other_project, "sunny_other", phone="+821098765432")
    assert "sunny_other" not in found(sunny, sign_in("owner"), "010-9876-5432")


@pytest.mark.parametrize("text", ["", " ", "\0", "a" * 300])
def test_a_search_for_nothing_sensible_is_422(world: Any, sign_in: Any, text: str) -> None:
    assert "field__error" in text_of(sign_in("viewer").post(address(world, "search"), {"q": text}), 422)


def test_many_that_begin_alike_are_cut_off_and_the_exact_one_comes_first(world: Any, sign_in: Any) -> None:
    make.profiles(world.project, 80)
    make.profile(world.project, "user_")
    html = found(world, sign_in("viewer"), "user_")
    assert "처음 50명입니다." in html
    assert html.split('class="data__link"')[1].split("</a>")[0].endswith(">user_")


# -- One profile -----------------------------------------------------------------------------------------------------
def test_a_profile_page_shows_properties_by_kind_and_contacts_masked(sunny: Any, sign_in: Any) -> None:
    for who in ("owner", "viewer"):
        html = text_of(sign_in(who).get(address(sunny, f"{sunny.sunny.pk}/")))
        for text in ("김서연", "member_no", "0093182", "total_orders", "예", "비어 있음", "010-****-5432"):
            assert text in html
        assert "9876" not in html
        assert "unny.kim" not in html.lower()
        assert "<script>alert" not in html
        assert "<svg/onload" not in html
    assert "연락처 보기" in text_of(sign_in("admin").get(address(sunny, f"{sunny.sunny.pk}/")))
    assert "연락처 보기" not in text_of(sign_in("marketer").get(address(sunny, f"{sunny.sunny.pk}/")))


def test_revealing_a_contact_takes_the_right_and_is_recorded(sunny: Any, sign_in: Any) -> None:
    at = address(sunny, f"{sunny.sunny.pk}/contacts")
    assert sign_in("marketer").post(at).status_code == 403
    assert sign_in("admin").get(at).status_code == 405
    assert not Entry.objects.exists()
    html = text_of(sign_in("admin").post(at))
    assert "010-9876-5432" in html
    assert "sunny.kim@mail.example" in html
    entry = Entry.objects.get()
    assert entry.action == "profile_seen"
    assert entry.target == str(sunny.sunny.pk)
    assert entry.actor == sunny.people["admin"].email
    assert "9876" not in str(entry.details)


def test_a_profile_knows_the_cohorts_that_it_is_in(sunny: Any, sign_in: Any) -> None:
    others = make.profiles(sunny.project, 5)
    make.cohort_with(sunny.project, 1, [*others, sunny.sunny.pk], "그 안에")
    left = make.cohort_with(sunny.project, 2, [sunny.sunny.pk], "떠난 곳")
    make.snapshot(left, others)
    make.cohort_with(sunny.project, 3, others, "그 밖에")
    html = text_of(sign_in("viewer").get(address(sunny, f"{sunny.sunny.pk}/")))
    belonging = html.split('id="h-cohorts"')[1].split("</section>")[0]
    assert "그 안에" in belonging
    assert "떠난 곳" not in belonging
    assert "그 밖에" not in html


def test_very_many_cohorts_are_looked_through_in_steps_that_miss_none(
    sunny: Any, sign_in: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(lookup, "COHORTS_A_STEP", 4)
    for number in range(1, 12):
        make.cohort_with(sunny.project, number, [sunny.sunny.pk], f"코호트 {number}")
    client, seen = sign_in("viewer"), 0
    at = address(sunny, f"{sunny.sunny.pk}/cohorts")
    for _step in range(5):
        html = text_of(client.get(at))
        seen += html.count("mixpanel_")
        if "?after=" not in html:
            break
        at = address(sunny, f"{sunny.sunny.pk}/cohorts?after={html.split('?after=')[1].split(chr(34))[0]}")
    assert seen == 11
    assert "모든 코호트를 확인했습니다." in html


@pytest.mark.parametrize("cohorts", [2, 300])
def test_the_number_of_queries_does_not_grow(sunny: Any, sign_in: Any, cohorts: int) -> None:
    for number in range(1, cohorts + 1):
        make.cohort_with(sunny.project, number, [sunny.sunny.pk])
    client = sign_in("admin")
    client.get(address(sunny))  # the session notes when it began
    for at in (address(sunny), address(sunny, f"{sunny.sunny.pk}/")):
        with CaptureQueriesContext(database) as captured:
            text_of(client.get(at))
        assert len(captured) <= MOST_QUERIES, "\n".join(query["sql"][:160] for query in captured)


def test_another_projects_profile_is_missing(sunny: Any, sign_in: Any) -> None:
    other = make.profile(sunny.other_project, "theirs")
    client = sign_in("owner")
    for key in (other.pk, 10**15, 10**30):
        assert client.get(address(sunny, f"{key}/")).status_code == 404
        assert client.post(address(sunny, f"{key}/contacts")).status_code == 404


# -- Masking ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("010-1234-5678", "010-****-5678"), ("01012345678", "010-****-5678"), ("+82 (0)10-1234-5678", "010-****-5678"),
        ("82-10-1234-5678", "010-****-5678"), ("０１０－１２３４－５６７８", "010-****-5678"),
        ("010.1234.5678", "010-****-5678"),
        ("02-123-4567", "*****4567"), ("$device:010-1234-5678", "$device:010-****-5678"),
        ("call 01012345678 or a.b@c.kr", "call 010-****-5678 or a*****b@c.kr"), ("ab@c.kr", "*****@c.kr"),
        ("2026-11-20 14:31:08", "2026-11-20 14:31:08"), ("user_0093182", "user_0093182"), ("12,480", "12,480"),
        ("19c2a6f0-7d41-4b8e-a0c3-5e2f91d7b664", "19c2a6f0-7d41-4b8e-a0c3-5e2f91d7b664"),
    ],
)  # fmt: skip
def test_contacts_in_any_text_are_masked_and_other_text_is_left(given: str, shown: str) -> None:
    assert mask_contacts(given) == shown


def test_masking_reaches_into_nested_values_and_lost_zeros() -> None:
    given = {"a@bc.kr": [1012345678, True, None, 1.5, 12_480, {"deep": "010 1234 5678"}]}
    assert mask_within(given) == {"*****@bc.kr": ["010-****-5678", True, None, 1.5, 12_480, {"deep": "010-****-5678"}]}
