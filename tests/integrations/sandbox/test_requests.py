"""How one may ask: paths, methods, encodings, credentials."""

import base64

import pytest
import requests

from integrations.sandbox import accounts
from integrations.sandbox.accounts import PROJECT, SECRET, USERNAME

from .conftest import Asker

COHORT = 2_791_361


@pytest.mark.parametrize("prefix", ["/us/api", "/api"])
@pytest.mark.parametrize("family", ["query", "2.0"])
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_spelling_of_a_path_lists_the_cohorts(
    mixpanel: Asker, prefix: str, family: str, slash: str, method: str
) -> None:
    url = f"{mixpanel.url}{prefix}/{family}/cohorts/list{slash}"
    reply = mixpanel.http.request(method, url, params={"project_id": PROJECT, "query_origin": "somewhere"}, timeout=30)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/json"
    rows = reply.json()
    assert len(rows) == 23
    assert set(rows[0]) == {
        "id", "name", "description", "count", "created", "is_visible", "project_id", "data_group_id",
    }  # fmt: skip


@pytest.mark.parametrize("cohort", ['{"id": 2791361}', '{"id": "2791361"}'])
@pytest.mark.parametrize("way", ["query", "form", "json", "json_text"])
def test_parameters_come_in_the_query_a_form_or_json(mixpanel: Asker, way: str, cohort: str) -> None:
    url = f"{mixpanel.url}/us/api/query/engage"
    wanted = {"filter_by_cohort": cohort, "include_all_users": "false", "page_size": "7", "unheard_of": "x"}
    if way == "query":
        reply = mixpanel.http.get(url, params={"project_id": PROJECT, **wanted}, timeout=30)
    elif way == "form":
        reply = mixpanel.http.post(url, data={"project_id": PROJECT, **wanted}, timeout=30)
    elif way == "json":
        body = {**wanted, "project_id": PROJECT, "include_all_users": False, "page_size": 7}
        reply = mixpanel.http.post(url, json=body, timeout=30)
    else:
        reply = mixpanel.http.post(url, params={"project_id": PROJECT}, json=wanted, timeout=30)
    assert reply.status_code == 200
    assert reply.json()["page_size"] == 7
    assert reply.json()["total"] == len(mixpanel.world.cohorts[COHORT].members)


@pytest.mark.parametrize(
    "header",
    [
        "Basic " + base64.b64encode(f"{USERNAME}:{SECRET}".encode()).decode(),
        f"Basic {USERNAME}:{SECRET}",
        "basic " + base64.b64encode(f"{USERNAME}:{SECRET}".encode()).decode(),
    ],
)
def test_service_account_headers_that_are_accepted(mixpanel: Asker, header: str) -> None:
    url = f"{mixpanel.url}/us/api/query/cohorts/list?project_id={PROJECT}"
    assert requests.post(url, headers={"Authorization": header}, timeout=30).status_code == 200


@pytest.mark.parametrize("colon", ["", ":"])
def test_a_project_secret_needs_no_project_id_and_no_colon(mixpanel: Asker, colon: str) -> None:
    header = "Basic " + base64.b64encode((accounts.PROJECT_SECRET + colon).encode()).decode()
    url = f"{mixpanel.url}/api/2.0/cohorts/list"
    reply = requests.get(url, headers={"Authorization": header}, timeout=30)
    assert reply.status_code == 200
    assert {row["project_id"] for row in reply.json()} == {PROJECT}


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic %%%", "Basic " + base64.b64encode(b"nobody:x").decode(), "Bearer abc", "Basic gA=="],
)
def test_credentials_that_are_refused(mixpanel: Asker, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    target = f"/us/api/query/cohorts/list?project_id={PROJECT}"
    reply = requests.post(mixpanel.url + target, headers=headers, timeout=30)
    assert reply.status_code == 401
    assert reply.json()["request"] == target.removeprefix("/us")
    app = requests.get(f"{mixpanel.url}/us/api/app/me", headers=headers, timeout=30)
    assert app.status_code == 401
    assert app.json()["status"] == "error"


@pytest.mark.parametrize(
    ("username", "project", "status"),
    [
        (accounts.CONSUMER, PROJECT, 403),
        (accounts.OUTSIDER, PROJECT, 401),
        (accounts.EXPIRED, PROJECT, 401),
        (accounts.FREE_USERNAME, accounts.FREE_PROJECT, 402),
        (accounts.EU_USERNAME, accounts.EU_PROJECT, 401),
        (accounts.USERNAME, 999, 401),
        (accounts.USERNAME, None, 400),
    ],
)
def test_who_may_not_query(mixpanel: Asker, username: str, project: int | None, status: int) -> None:
    mixpanel.http.auth = (username, SECRET)
    assert mixpanel.query("cohorts/list", project).status_code == status
    assert mixpanel.query("engage", project).status_code == status
    assert mixpanel.world.meter(project or 0).answered == 0


def test_the_status_for_a_foreign_project_can_be_chosen(mixpanel: Asker) -> None:
    mixpanel.world.config.foreign_project_status = 403
    assert mixpanel.query("cohorts/list", 999).status_code == 403


def test_an_account_lives_in_one_region(mixpanel: Asker) -> None:
    mixpanel.http.auth = (accounts.EU_USERNAME, SECRET)
    statuses = [mixpanel.get(f"/{region}/api/app/me").status_code for region in ("us", "eu", "in")]
    assert statuses == [401, 200, 401]
    assert mixpanel.get("/eu/api/app/me").json()["results"]["projects"]["3100777"]["domain"] == "eu.mixpanel.com"


def test_me_lists_the_projects_and_roles(mixpanel: Asker) -> None:
    results = mixpanel.get("/us/api/app/me").json()["results"]
    assert {key: (one["name"], one["role"]) for key, one in results["projects"].items()} == {
        "2855235": ("하루식탁", "analyst")
    }
    mixpanel.http.auth = (accounts.UNSCOPED, SECRET)
    assert mixpanel.get("/us/api/app/me").status_code == 403
    assert mixpanel.query("cohorts/list").status_code == 200


def test_service_accounts_of_a_project(mixpanel: Asker) -> None:
    path = f"/us/api/app/projects/{PROJECT}/service-accounts"
    rows = {row["username"]: row for row in mixpanel.get(path).json()["results"]}
    assert rows[USERNAME]["role"] == "analyst"
    assert rows[accounts.CONSUMER]["hasSensitiveAccess"] is False
    assert rows[accounts.EXPIRED]["expires"] == "2026-01-31"
    mixpanel.http.auth = (accounts.CONSUMER, SECRET)
    assert mixpanel.get(path).status_code == 403


def test_a_new_project_has_no_cohorts_to_see(mixpanel: Asker) -> None:
    mixpanel.http.auth = (accounts.NEW_USERNAME, SECRET)
    assert mixpanel.query("cohorts/list", accounts.NEW_PROJECT).json() == []


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"page_size": "many"}, "page_size"),
        ({"page": "-1"}, "page"),
        ({"filter_by_cohort": "{"}, "filter_by_cohort"),
        ({"filter_by_cohort": '{"id": true}'}, "filter_by_cohort"),
        ({"filter_by_cohort": '{"id": 99}'}, "99"),
        ({"filter_by_cohort": "2791361", "include_all_users": "perhaps"}, "include_all_users"),
        ({"output_properties": '"$email"'}, "output_properties"),
        ({"where": "1 ="}, "expression"),
    ],
)
def test_what_makes_no_sense_is_400_in_the_query_api_s_shape(mixpanel: Asker, form: dict[str, str], says: str) -> None:
    reply = mixpanel.query("engage", **form)
    assert reply.status_code == 400
    assert says in reply.json()["error"]
    assert reply.json()["request"] == f"/api/query/engage?project_id={PROJECT}"


def test_broken_json_unknown_paths_and_methods(mixpanel: Asker) -> None:
    url = f"{mixpanel.url}/us/api/query/engage?project_id={PROJECT}"
    assert mixpanel.http.post(url, data=b'{"page": ', timeout=30).status_code == 400
    assert mixpanel.http.post(url, json=[1], timeout=30).status_code == 400
    assert mixpanel.get("/us/api/query/nothing").status_code == 404
    assert mixpanel.get("/us/api/app/nothing").json()["status"] == "error"
    assert mixpanel.get("/").status_code == 404
    assert mixpanel.http.put(url, timeout=30).status_code == 405


def test_the_log_holds_no_secret(mixpanel: Asker) -> None:
    mixpanel.page(COHORT)
    (entry,) = mixpanel.world.requests("engage")
    assert (entry.method, entry.status, entry.cohort, entry.page, entry.project) == ("POST", 200, COHORT, 0, PROJECT)
    assert entry.username == USERNAME
    assert SECRET not in repr(list(mixpanel.world.log))
