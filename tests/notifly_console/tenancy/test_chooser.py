"""The project chooser at the top of every page, and the sidebar below it."""

import re
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifly_console.tenancy.access import PROJECTS_OFFERED
from notifly_console.tenancy.models import Member, Project, Role


def chooser_of(client: Any, url: str) -> tuple[str, list[str]]:
    """The name on the button, and the names in the menu."""
    html = client.get(url).content.decode()
    button = re.search(r'class="chooser"[^>]*><b>([^<]*)</b>', html)
    assert button is not None
    return button[1], re.findall(r'class="menu__item"[^>]*><span>([^<]*)</span>', html)


def join(world: Any, who: str, name: str, role: Role = Role.VIEWER) -> Project:
    project = Project.objects.create(name=name)
    Member.objects.create(project=project, user=world.people[who], role=role)
    return project


def test_it_offers_ones_own_projects_by_name(world: Any, sign_in: Any) -> None:
    join(world, "marketer", "가나다")
    url = f"/projects/{world.project.hex}/members/"
    assert chooser_of(sign_in("marketer"), url) == ("하루식탁", ["가나다", "하루식탁"])
    assert chooser_of(sign_in("viewer"), url) == ("하루식탁", ["하루식탁"])


def test_it_costs_no_statement_of_its_own(world: Any, sign_in: Any) -> None:
    join(world, "marketer", "가나다")
    client = sign_in("marketer")
    client.get("/me/")
    with CaptureQueriesContext(connection) as captured:
        client.get(f"/projects/{world.project.hex}/members/")
    asked = [query["sql"] for query in captured if 'FROM "tenancy_member"' in query["sql"]]
    assert len([sql for sql in asked if '"tenancy_project"' in sql]) == 1, asked


def test_a_project_beyond_those_offered_is_there_all_the_same(world: Any, sign_in: Any) -> None:
    for number in range(PROJECTS_OFFERED):
        join(world, "marketer", f"가 {number:02d}")
    client = sign_in("marketer")
    url = f"/projects/{world.project.hex}/members/"
    name, offered = chooser_of(client, url)
    assert (name, len(offered), "하루식탁" in offered) == ("하루식탁", PROJECTS_OFFERED, False)
    assert client.get(f"/projects/{world.other_project.hex}/members/").status_code == 404


def test_a_page_of_no_project_leads_back_to_where_one_was(world: Any, sign_in: Any) -> None:
    assert chooser_of(sign_in("viewer"), "/me/")[0] == "하루식탁", "the only one"
    other = join(world, "viewer", "둘째")
    client = sign_in("viewer")
    assert chooser_of(client, "/me/")[0] == "프로젝트 선택", "nobody knows yet which"
    assert client.get("/").headers["Location"] == "/projects/"
    client.get(f"/projects/{other.hex}/members/")
    assert chooser_of(client, "/me/")[0] == "둘째"
    assert f"/projects/{other.hex}/cohorts/" in client.get("/me/").content.decode()
    assert client.get("/").headers["Location"] == f"/projects/{other.hex}/cohorts/"
    assert chooser_of(client, "/projects/")[0] == "프로젝트 선택"
    Member.objects.filter(user=world.people["viewer"], project=other).delete()
    assert chooser_of(client, "/me/")[0] == "하루식탁", "a cookie opens nothing"


def test_a_person_who_was_just_removed_is_out(world: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    url = f"/projects/{world.project.hex}/members/"
    assert client.get(url).status_code == 200
    Member.objects.filter(user=world.people["viewer"]).delete()
    assert client.get(url).status_code == 404


def test_the_sidebar_is_each_projects_and_each_pages_and_each_languages(world: Any, sign_in: Any) -> None:
    """It is drawn once and kept: what it shows must hang on nothing else."""
    other = join(world, "owner", "둘째", Role.OWNER)
    client = sign_in("owner")
    for project in (world.project, other):
        for page, current in (("members", "구성원 관리"), ("cohorts", "유저 코호트 관리")):
            html = client.get(f"/projects/{project.hex}/{page}/").content.decode()
            sidebar = html[html.index('<nav class="sidebar"') : html.index("</nav>")]
            assert set(re.findall(r"/projects/([0-9a-f]{32})/", sidebar)) == {project.hex}
            (link,) = re.findall(r'aria-current="page"[^>]*>(?:<svg.*?</svg>)?([^<]+)', sidebar, re.DOTALL)
            assert link == current
    client.post("/language", {"language": "en", "next": "/"})
    assert "Members" in client.get(f"/projects/{other.hex}/members/").content.decode()
