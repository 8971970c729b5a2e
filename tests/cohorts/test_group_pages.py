"""유저 그룹 관리: build with buttons alone, save, load, duplicate, delete; and what is refused."""

import re
from typing import Any

import pytest

from cohorts.models import UserGroup
from cohorts.people import facets
from notifly_console.audit.models import Entry
from tests import factories


@pytest.fixture
def cohort(world: Any) -> Any:
    ids = factories.profiles(world.project, 5)
    factories.profile(world.project, "no_phone", properties={"total_orders": 9})
    facets.rebuild(world.id)
    return factories.cohort_with(world.project, 1, ids[:3], name="VIP <b>고객</b>")


def url(world: Any, name: str = "") -> str:
    return f"/projects/{world.id.hex}/groups/{name}"


def fields_of(html: str) -> dict[str, Any]:
    """What a browser would send of the form, had nobody touched it."""
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] not in ("find", "csrfmiddlewaretoken"):
            found.setdefault(name[1], []).append(value[1] if value else "")
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        assert chosen is not None
        found[name] = [chosen[1].replace("&gt;", ">").replace("&lt;", "<")]
    return found


def press(client: Any, world: Any, html: str, do: str, **typed: str) -> str:
    data = fields_of(html) | {name: [value] for name, value in typed.items()} | {"do": [do]}
    response = client.post(url(world, "compose"), data)
    assert response.status_code == 200
    return str(response.content.decode())


def test_a_group_is_built_with_buttons_alone_and_saved(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = client.get(url(world, "new")).content.decode()
    html = press(client, world, html, "add:segments-0:cohort")
    assert "VIP &lt;b&gt;고객&lt;/b&gt;" in html, "the picker offers cohorts at once"
    html = press(client, world, html, f"pick:segments-0-0:{cohort.pk}")
    html = press(client, world, html, "add:segments-0:property")
    typed = {"segments-0-1-name": "total_orders", "segments-0-1-value": "1"}
    html = press(client, world, html, "", **typed, **{"segments-0-1-type": "number"})
    html = press(client, world, html, "", **{"segments-0-1-operator": ">="})
    html = press(client, world, html, "segment")
    html = press(client, world, html, "add:segments-1:contact")
    html = press(client, world, html, "", **{"segments-1-0-has": "0"})
    html = press(client, world, html, "add:filters:contact")
    html = press(client, world, html, "remove:filters-0")
    data = fields_of(html) | {"name": ["단골"]}
    counted = client.post(url(world, "size"), data, headers={"HX-Request": "true"}).content.decode()
    assert re.search(r"3\s*<small>명", counted)
    response = client.post(url(world, "new"), data)
    group = UserGroup.objects.get()
    assert response.headers["Location"] == url(world, f"{group.pk.hex}/")
    assert group.definition == {
        "segments": [
            [
                {"kind": "cohort", "cohort": cohort.pk, "is_in": True},
                {"kind": "property", "name": "total_orders", "operator": ">=", "type": "number", "value": "1"},
            ],
            [{"kind": "contact", "what": "phone", "has": False}],
        ],
        "filters": [],
    }
    page = client.get(url(world, f"{group.pk.hex}/")).content.decode()
    assert "total_orders 1 이상" in page
    numbers = client.get(url(world, f"{group.pk.hex}/numbers"), headers={"HX-Request": "true"}).content.decode()
    assert "겹치는 코호트" in numbers
    assert Entry.objects.filter(action="group_saved", target="단골").exists()


def test_enter_takes_the_first_that_was_found(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    factories.cohort_with(world.project, 2, [], name="휴면 고객")
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:cohort")
    html = press(client, world, html, "", find="휴면")
    assert "group-pick" in html, "what was chosen elsewhere in the form closes nothing"
    html = press(client, world, html, "enter", find="없는 이름")
    assert "찾는 코호트가 없습니다" in html
    assert 'value="없는 이름"' in html
    html = press(client, world, html, "enter", find="휴면")
    assert "group-pick" not in html
    assert ">휴면 고객</span>" in html


@pytest.mark.parametrize(
    ("presses", "focused"),
    [
        (["add:segments-0:cohort"], "find-segments-0-0"),
        (["add:segments-0:cohort", "pick:segments-0-0:{cohort}"], "choose-segments-0-0"),
        (["add:segments-0:property"], "segments-0-0-name"),
        (["add:filters:consent"], "filters-0-what"),
        (["add:segments-0:contact", "remove:segments-0-0"], "add-segments-0-cohort"),
        (["segment"], "add-segments-1-cohort"),
        (["segment", "drop:segments-1"], "add-segment"),
        (["add:segments-0:contact", ""], None),
    ],
)
def test_the_keyboard_goes_on_where_a_button_led(
    world: Any, cohort: Any, sign_in: Any, presses: list[str], focused: str | None
) -> None:
    client = sign_in("marketer")
    html = client.get(url(world, "new")).content.decode()
    for do in presses:
        html = press(client, world, html, do.format(cohort=cohort.pk))
    tags = re.findall(r"<(?:input|select|button)[^>]* autofocus[^>]*>", html)
    assert [re.findall(r' id="([^"]*)"', tag)[0] for tag in tags] == ([focused] if focused else [])


def test_a_group_has_the_size_of_what_was_saved_last(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:cohort")
    html = press(client, world, html, f"pick:segments-0-0:{cohort.pk}")
    client.post(url(world, "new"), fields_of(html) | {"name": ["VIP"]})
    group = UserGroup.objects.get()
    assert group.size == 3
    edit = url(world, f"{group.pk.hex}/edit")
    html = press(client, world, client.get(edit).content.decode(), "add:filters:contact")
    html = press(client, world, html, "", **{"segments-0-0-is_in": "0", "filters-0-has": "0"})
    assert client.post(edit, fields_of(html)).status_code == 302
    group.refresh_from_db()
    assert group.size == 1
    client.post(url(world, f"{group.pk.hex}/duplicate"))
    assert UserGroup.objects.exclude(pk=group.pk).get().size == 1


def test_a_size_that_cant_be_counted_isnt_that_of_before(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    unread = factories.cohort(world.project, 9)
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:cohort")
    html = press(client, world, html, f"pick:segments-0-0:{cohort.pk}")
    client.post(url(world, "new"), fields_of(html) | {"name": ["VIP"]})
    group = UserGroup.objects.get()
    edit = url(world, f"{group.pk.hex}/edit")
    html = press(client, world, client.get(edit).content.decode(), "", **{"segments-0-0-cohort": str(unread.pk)})
    assert client.post(edit, fields_of(html)).status_code == 302
    group.refresh_from_db()
    assert group.size is None


def test_a_property_that_nobody_seems_to_have_is_said_to_be(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:property")
    assert "이 속성이 있는 사람이 없습니다" not in html
    for name, is_unseen in (("total_ordres", True), ("total_orders", False)):
        html = press(client, world, html, "", **{"segments-0-0-name": name, "segments-0-0-value": "9"})
        assert ('id="unseen-segments-0-0"' in html) is is_unseen


def test_deleting_asks_first(world: Any, cohort: Any, sign_in: Any) -> None:
    group = factories.group(world.project)
    html = sign_in("marketer").get(url(world, f"{group.pk.hex}/")).content.decode()
    before, asked = html.split('id="confirm-delete" popover', 1)
    address = url(world, f"{group.pk.hex}/delete")
    assert address not in before
    assert address in asked
    assert "이 유저 그룹을 삭제할까요?" in asked


def test_what_is_missing_is_said_where_it_stands_and_nothing_is_lost(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:property")
    response = client.post(url(world, "new"), fields_of(html) | {"segments-0-0-value": ["VIP"]})
    assert response.status_code == 422
    html = response.content.decode()
    assert "유저 그룹 이름을 넣으세요." in html
    assert 'id="problem-segments-0-0"' in html
    assert 'value="VIP"' in html
    assert not UserGroup.objects.exists()


def test_two_people_who_edit_the_same_group(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    group = factories.group(world.project)
    html = client.get(url(world, f"{group.pk.hex}/edit")).content.decode()
    mine = fields_of(html) | {"name": ["내 이름"]}
    assert client.post(url(world, f"{group.pk.hex}/edit"), fields_of(html)).status_code == 302
    response = client.post(url(world, f"{group.pk.hex}/edit"), mine)
    assert response.status_code == 409
    assert "내 이름" in response.content.decode()
    group.refresh_from_db()
    assert group.name == "단골"


def test_a_partners_group_is_loaded_but_not_edited(world: Any, cohort: Any, sign_in: Any) -> None:
    from cohorts.groups import groups

    client = sign_in("marketer")
    group = groups.of_pushed(cohort)
    assert client.get(url(world, f"{group.pk.hex}/edit")).status_code == 302
    assert client.post(url(world, f"{group.pk.hex}/delete")).status_code == 302
    assert UserGroup.objects.filter(pk=group.pk).exists()
    assert "Partner - Mixpanel" in client.get(url(world)).content.decode()
    html = client.get(url(world, f"new?from={group.pk.hex}")).content.decode()
    assert f'value="{group.pk.hex}"' in html, "유저 그룹 불러오기: it is the first condition"
    client.post(url(world, f"{group.pk.hex}/duplicate"))
    assert UserGroup.objects.exclude(pk=group.pk).get().partner_cohort is None


def test_a_partners_group_is_as_large_as_its_cohort(world: Any, cohort: Any, sign_in: Any) -> None:
    from cohorts.groups import groups

    groups.of_pushed(cohort)
    factories.snapshot(cohort, factories.profiles(world.project, 40, start=100))
    html = sign_in("viewer").get(url(world)).content.decode()
    assert "<b>40</b>" in html, "a pull changed it, and no push since"


def test_a_partners_group_is_drawn_against_others_than_itself(world: Any, cohort: Any, sign_in: Any) -> None:
    from cohorts.groups import groups

    factories.cohort_with(world.project, 2, factories.profiles(world.project, 1, start=90), name="휴면 고객")
    group = groups.of_pushed(cohort)
    address = url(world, f"{group.pk.hex}/numbers")
    html = sign_in("viewer").get(address, headers={"HX-Request": "true"}).content.decode()
    rows = re.findall(r'<th scope="row"><span class="breaks">([^<]*)</span>', html)
    assert rows == ["VIP &lt;b&gt;고객&lt;/b&gt; (Mixpanel)", "휴면 고객"]


def test_a_group_in_use_stays(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    inner = factories.group(world.project)
    html = client.get(url(world, f"new?from={inner.pk.hex}")).content.decode()
    client.post(url(world, "new"), fields_of(html) | {"name": ["바깥"]})
    response = client.post(url(world, f"{inner.pk.hex}/delete"), follow=True)
    assert "쓰고 있어 지울 수 없습니다" in response.content.decode()
    assert "바깥" in client.get(url(world, f"{inner.pk.hex}/")).content.decode()
    assert UserGroup.objects.filter(pk=inner.pk).exists()


def test_where_one_goes_after_saving_is_in_this_console(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    html = client.get(url(world, "new")).content.decode()
    html = press(client, world, html, "add:segments-0:contact")
    for address in ("//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"):
        response = client.post(url(world, "new"), fields_of(html) | {"name": ["가"], "next": [address]})
        assert response.headers["Location"].startswith(url(world)), address
    response = client.post(url(world, "new"), fields_of(html) | {"name": ["나"], "next": ["/projects/x/?a=1"]})
    assert response.headers["Location"].startswith("/projects/x/?a=1&group=")


def test_another_projects_cohort_is_neither_offered_nor_taken(world: Any, cohort: Any, sign_in: Any) -> None:
    client = sign_in("marketer")
    another = factories.cohort_with(world.other_project, 77, [], name="남의 코호트")
    html = press(client, world, client.get(url(world, "new")).content.decode(), "add:segments-0:cohort")
    assert "남의 코호트" not in html
    html = press(client, world, html, f"pick:segments-0-0:{another.pk}")
    response = client.post(url(world, "new"), fields_of(html) | {"name": ["가"]})
    assert response.status_code == 422
    assert "남의 코호트" not in response.content.decode()


@pytest.mark.parametrize("size", [1, 60])
def test_the_list_takes_few_statements(
    world: Any, cohort: Any, sign_in: Any, size: int, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("viewer")
    for n in range(size):
        factories.group(world.project, f"그룹 {n}")
    client.get(url(world))
    with django_assert_max_num_queries(12):
        client.get(url(world))
