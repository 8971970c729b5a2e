"""Members: who may change whom, and that a project never loses its last owner."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from notifly_console.audit.models import Entry
from notifly_console.tenancy.models import Member, Role, User


def of(world: Any, who: str) -> Member:
    return Member.objects.get(project=world.project, user=world.people[who])


def post(client: Client, world: Any, what: str, **data: str) -> Any:
    return client.post(f"/projects/{world.project.hex}/members/{what}/", data)


def add(world: Any, name: str, role: Role) -> Member:
    return Member.objects.create(project=world.project, user=User.objects.create_user(f"{name}@x.example"), role=role)


def test_the_list_tells_role_second_factor_and_last_sign_in(world: Any, sign_in: Any) -> None:
    page = sign_in("viewer").get(f"/projects/{world.project.hex}/members/").content.decode()
    for words in (
        "구성원 관리",
        "소유자",
        "관리자",
        "마케터",
        "뷰어",
        "미사용",
        "아직 없음",
        "marketer@harutable.example",
    ):
        assert words in page
    assert "구성원 초대" not in page
    assert "stranger@elsewhere.example" not in page


@pytest.mark.parametrize(
    ("actor", "target", "role", "status"),
    [
        ("owner", "viewer", "owner", 302),
        ("owner", "admin", "viewer", 302),
        ("owner", "owner", "admin", 422),  # the last one
        ("admin", "viewer", "marketer", 302),
        ("admin", "admin", "viewer", 302),
        ("admin", "viewer", "owner", 422),
        ("admin", "admin", "owner", 422),
        ("admin", "owner", "viewer", 422),
        ("admin", "viewer", "god", 422),
        ("admin", "viewer", "", 422),
        ("marketer", "marketer", "admin", 403),
        ("viewer", "viewer", "owner", 403),
    ],
)
def test_who_may_give_which_role(world: Any, sign_in: Any, actor: str, target: str, role: str, status: int) -> None:
    before = of(world, target).role
    response = post(sign_in(actor), world, f"{of(world, target).pk}/role", role=role)
    assert response.status_code == status
    assert of(world, target).role == (role if status == 302 else before)
    assert Entry.objects.filter(action="member_role_changed").count() == (1 if status == 302 else 0)


def test_an_owner_steps_down_once_there_is_another(world: Any, sign_in: Any) -> None:
    add(world, "second", Role.OWNER)
    assert post(sign_in("owner"), world, f"{of(world, 'owner').pk}/role", role="viewer").status_code == 302


def test_the_last_owner_cant_be_removed_and_an_admin_cant_touch_one(world: Any, sign_in: Any) -> None:
    owner = of(world, "owner").pk
    refused = post(sign_in("owner"), world, f"{owner}/remove")
    assert refused.status_code == 422
    assert "마지막 소유자" in refused.content.decode()
    add(world, "second", Role.OWNER)
    assert post(sign_in("admin"), world, f"{owner}/remove").status_code == 422
    assert post(sign_in("owner"), world, f"{owner}/remove").headers["Location"] == "/projects/"
    assert not Member.objects.filter(pk=owner).exists()


def test_a_removed_member_is_out_at_once(world: Any, sign_in: Any) -> None:
    marketer = sign_in("marketer")
    page = f"/projects/{world.project.hex}/members/"
    assert marketer.get(page).status_code == 200
    post(sign_in("owner"), world, f"{of(world, 'marketer').pk}/remove")
    assert marketer.get(page).status_code == 404
    home = marketer.get("/", follow=True).content.decode()
    assert "들어갈 수 있는 프로젝트가 없습니다" in home
    entry = Entry.objects.get(action="member_removed")
    assert (entry.actor, entry.target) == ("owner@harutable.example", "marketer@harutable.example")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one(world: Any, sign_in: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time: nothing races there")
    second = add(world, "second", Role.OWNER)
    world.people["second"] = second.user
    clients = {of(world, "owner").pk: sign_in("second"), second.pk: sign_in("owner")}

    def remove(pair: tuple[int, Client]) -> int:
        try:
            return int(post(pair[1], world, f"{pair[0]}/remove").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(remove, clients.items()))
    assert statuses in ([302, 404], [302, 422], [302, 403])
    assert Member.objects.filter(project=world.project, role=Role.OWNER).count() == 1


# -- Projects ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("who", "status"), [("owner", 302), ("admin", 302), ("marketer", 403), ("viewer", 403)])
def test_who_runs_a_project_may_open_another(world: Any, sign_in: Any, who: str, status: int) -> None:
    client = sign_in(who)
    assert client.post("/projects/new/", {"name": "하루식탁 글로벌"}).status_code == status
    mine = Member.objects.filter(user=world.people[who], role=Role.OWNER, project__name="하루식탁 글로벌")
    assert mine.exists() == (status == 302)
    assert ("프로젝트 만들기" in client.get("/projects/").content.decode()) == (status == 302)


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "a\nb", "\u202eevil"])
def test_a_bad_project_name_is_said_at_the_field(world: Any, sign_in: Any, name: str) -> None:
    response = sign_in("owner").post("/projects/new/", {"name": name})
    assert response.status_code == 422
    assert "field__error" in response.content.decode()


def test_the_chooser_lists_ones_own_projects_only(world: Any, sign_in: Any) -> None:
    Member.objects.create(project=world.other_project, user=world.people["viewer"], role=Role.VIEWER)
    page = sign_in("viewer").get("/projects/").content.decode()
    assert world.project.name in page
    assert world.other_project.name in page
    assert world.other_project.name not in sign_in("owner").get("/projects/").content.decode()


def test_name_and_language_are_kept(world: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    assert client.post("/me/name/", {"name": "박지원"}).status_code == 302
    assert client.post("/me/name/", {"name": " "}).status_code == 422
    client.post("/language", {"language": "ja", "next": "/me/"})
    viewer = User.objects.get(pk=world.people["viewer"].pk)
    assert (viewer.name, viewer.language) == ("박지원", "ja")
    assert client.get("/me/").headers["Content-Language"] == "ja"
