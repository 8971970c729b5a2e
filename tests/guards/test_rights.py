"""Every address × every role × own, other project's and missing objects.

The walk is over the URL table itself. A new address of a project needs nothing here but its arguments filled in
(`own_objects`); which role may do what comes from the right on its view and the one table in `access.py`. An address
outside a project has to be named in `OUTSIDE`.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from notifly_console.tenancy.access import WHO_MAY
from notifly_console.tenancy.models import Member, Role
from tests.conftest import World
from tests.guards.site import Address, every_address, objects_of, url_of

pytestmark = pytest.mark.once

ANYONE, SIGNED_IN, MACHINES = "anyone", "signed in", "machines"
OUTSIDE = {
    "home": SIGNED_IN,
    "healthz": ANYONE,
    "readyz": ANYONE,
    "": ANYONE,  # the icon that browsers ask for by themselves
    "account_login": ANYONE,
    "account_logout": ANYONE,
    "account_inactive": ANYONE,
    "account_reset_password": ANYONE,
    "account_reset_password_done": ANYONE,
    "account_reset_password_from_key": ANYONE,
    "account_reset_password_from_key_done": ANYONE,
    "account_reauthenticate": SIGNED_IN,
    "account_change_password": SIGNED_IN,
    "mfa_index": SIGNED_IN,
    "mfa_authenticate": SIGNED_IN,  # or half-way through a sign-in
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_activate_totp": SIGNED_IN,
    "mfa_deactivate_totp": SIGNED_IN,
    "mfa_view_recovery_codes": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN,
    "mfa_download_recovery_codes": SIGNED_IN,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_add_webauthn": SIGNED_IN,
    "mfa_login_webauthn": ANYONE,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "mfa_edit_webauthn": SIGNED_IN,
    "mfa_remove_webauthn": SIGNED_IN,
    "tenancy:projects": SIGNED_IN,
    "tenancy:new_project": SIGNED_IN,
    "tenancy:mypage": SIGNED_IN,
    "tenancy:change_name": SIGNED_IN,
    "tenancy:end_sessions": SIGNED_IN,
    "tenancy:language": ANYONE,
    "tenancy:join": ANYONE,
    "mixpanel_cohorts": MACHINES,
    "solapi_reports": MACHINES,
}
MISSING = {"project_id": None, "member_id": 987654321, "invitation_id": None, "source_id": 987654321,
           "profile_id": 987654321, "campaign_id": None, "picture_id": None, "run_number": 987654321,
           "recipient_id": 987654321, "opt_out_id": 987654321, "template_id": "KA01TPnobodys",
           "key_id": 987654321, "group_id": None}  # fmt: skip

EVERY_ADDRESS = list(every_address())
FOR_MACHINES = [address for address in EVERY_ADDRESS if OUTSIDE.get(address.name) == MACHINES]
ADDRESSES = [address for address in EVERY_ADDRESS if address not in FOR_MACHINES]
OF_PROJECT = [address for address in ADDRESSES if "project_id" in address.arguments]
ROLES = [role.value for role in Role]


def named(addresses: list[Address]) -> Any:
    return pytest.mark.parametrize("address", addresses, ids=lambda address: address.name or "icon")


@dataclass(frozen=True)
class Site:
    """A world with one object of each kind in its project and in the other one, and everybody signed in."""

    world: World
    own: dict[str, Any]
    others: dict[str, Any]
    sessions: dict[str, str]
    state: str


@pytest.fixture(scope="module")
def site(django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """Made once for all these tests, each of which takes back what it changed (`db`)."""
    around = transaction.atomic()
    with django_db_blocker.unblock():
        around.__enter__()
        world = World()
        own = objects_of(world.project, Member.objects.get(project=world.project, user=world.people["viewer"]), 4201)
        stranger = Member.objects.get(project=world.other_project, user=world.people["stranger"])
        others = objects_of(world.other_project, stranger, 7301)
        sessions = {}
        for name, person in world.people.items():
            client = Client()
            client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
            sessions[name] = client.cookies[settings.SESSION_COOKIE_NAME].value
        made = Site(world, own, others, sessions, state())
    yield made
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


@pytest.fixture
def world(site: Site, db: None) -> World:
    return site.world


@pytest.fixture
def own(site: Site, world: World) -> dict[str, Any]:
    return site.own


@pytest.fixture
def others(site: Site, world: World) -> dict[str, Any]:
    return site.others


@pytest.fixture
def sign_in(site: Site, world: World) -> Any:
    def make(who: str, **kwargs: Any) -> Client:
        client = Client(**kwargs)
        client.cookies[settings.SESSION_COOKIE_NAME] = site.sessions[who]
        return client

    return make


def methods_of(client: Client, url: str) -> set[str]:
    """GET, POST or both, as the address itself says."""
    allowed = client.options(url).headers.get("Allow", "GET")
    return {method.strip() for method in allowed.split(",")} & {"GET", "POST"}


def send(client: Client, method: str, url: str) -> Any:
    return client.get(url) if method == "GET" else client.post(url, {})


LEFT_OUT = {"tenancy_session", settings.CACHES["default"]["LOCATION"], "django_migrations"}
HARMLESS = re.compile(
    r"\s*(SELECT|SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\b"
    rf'|\s*(INSERT INTO|UPDATE|DELETE FROM) "?({"|".join(sorted(LEFT_OUT))})"?\s'
)
"""Statements after which `state` is what it was."""


def state() -> str:
    """A digest of everything that the database holds, but for sessions and counters."""
    held = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in sorted(set(connection.introspection.table_names(cursor)) - LEFT_OUT):
            cursor.execute(f'SELECT * FROM "{table}"')
            held.update(repr((table, sorted(map(repr, cursor.fetchall())))).encode())
    return held.hexdigest()


@contextmanager
def changing_nothing(site: Site) -> Iterator[None]:
    """Fails when the database holds something else afterwards."""
    written = []

    def note(execute: Any, statement: str, *rest: Any) -> Any:
        if not HARMLESS.match(statement):
            written.append(statement)
        return execute(statement, *rest)

    with connection.execute_wrapper(note):
        yield
    if written:
        assert state() == site.state, written


def stripped(response: Any) -> bytes:
    """The body without what differs from one answer to the next."""
    return re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": *"[^"]*"', b"", response.content)


# -- The walk ---------------------------------------------------------------------------------------------------------
@named(ADDRESSES)
def test_every_address_says_who_may(address: Address) -> None:
    if "project_id" in address.arguments:
        assert getattr(address.view, "right", None) in WHO_MAY, f"{address.name} isn't wrapped by project_view"
    else:
        assert address.name in OUTSIDE, f"say in OUTSIDE who may see {address.name}"
    assert not getattr(address.view, "csrf_exempt", False)


@pytest.mark.parametrize("role", ROLES)
@named(OF_PROJECT)
def test_a_role_may_what_the_table_says(
    address: Address, role: str, world: Any, own: dict[str, Any], sign_in: Any
) -> None:
    url = url_of(address, own)
    is_allowed = role in WHO_MAY[address.view.right]
    for method in sorted(methods_of(sign_in("owner"), url)):
        response = send(sign_in(role), method, url)
        if is_allowed:
            assert response.status_code in {200, 201, 204, 302, 303, 409, 422}, (method, response.status_code)
        else:
            assert response.status_code == 403, method
            assert "권한이 없습니다" in response.content.decode()
            assert world.project.name in response.content.decode(), "the refusal stays inside the project's shell"


@named(ADDRESSES)
def test_a_visitor_is_asked_to_sign_in(address: Address, site: Site, own: dict[str, Any], client: Client) -> None:
    url = url_of(address, own)
    if OUTSIDE.get(address.name) == ANYONE:
        assert not client.get(url).headers.get("Location", "").startswith(f"{reverse('account_login')}?next=")
        return
    with changing_nothing(site):
        for method in ("GET", "POST"):
            response = send(client, method, url)
            assert response.status_code == 302, method
            assert response.headers["Location"].startswith(reverse("account_login"))


def variants(address: Address, own: dict[str, Any], others: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For each argument that names an object: the address with another project's, and with one that isn't there."""
    for argument in (name for name in address.arguments if name in MISSING):
        missing = MISSING[argument] or uuid4()
        yield (
            argument,
            url_of(address, own | {argument: others[argument]}),
            url_of(address, own | {argument: missing}),
        )


@named(OF_PROJECT)
def test_anothers_object_is_the_same_404_as_a_missing_one(
    address: Address, site: Site, own: dict[str, Any], others: dict[str, Any], sign_in: Any
) -> None:
    client = sign_in("owner")
    methods = methods_of(client, url_of(address, own))
    with changing_nothing(site):
        for argument, foreign_url, missing_url in variants(address, own, others):
            for method in methods:
                foreign, missing = send(client, method, foreign_url), send(client, method, missing_url)
                assert (foreign.status_code, missing.status_code) == (404, 404), (argument, method)
                assert stripped(foreign) == stripped(missing), (argument, method)


@named(OF_PROJECT)
def test_a_stranger_cant_tell_a_project_from_a_missing_one(
    address: Address, site: Site, own: dict[str, Any], sign_in: Any
) -> None:
    stranger = sign_in("stranger")
    methods = methods_of(sign_in("owner"), url_of(address, own))
    with changing_nothing(site):
        for method in methods:
            foreign = send(stranger, method, url_of(address, own))
            missing = send(stranger, method, url_of(address, own | {"project_id": uuid4()}))
            assert (foreign.status_code, missing.status_code) == (404, 404), method
            assert stripped(foreign) == stripped(missing)


@named(ADDRESSES)
def test_reading_writes_nothing(address: Address, site: Site, own: dict[str, Any], sign_in: Any) -> None:
    client = sign_in("owner")
    url = url_of(address, own)
    with changing_nothing(site):
        client.get(url)
        client.head(url)
        client.options(url)
        client.get(url, headers={"HX-Request": "true"})


@named(ADDRESSES)
def test_writing_needs_the_token(address: Address, site: Site, own: dict[str, Any], sign_in: Any) -> None:
    client = sign_in("owner", enforce_csrf_checks=True)
    url = url_of(address, own)
    with changing_nothing(site):
        for method in ("post", "put", "patch", "delete"):
            response = getattr(client, method)(url)
            assert response.status_code == 403, (method, response.status_code)
        foreign = client.post(url, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


# -- What machines call -----------------------------------------------------------------------------------------------
def test_only_the_door_for_machines_is_exempt_from_the_token() -> None:
    exempt = {address.name for address in EVERY_ADDRESS if getattr(address.view, "csrf_exempt", False)}
    assert exempt == {address.name for address in FOR_MACHINES}
    for address in FOR_MACHINES:
        assert address.view.__module__ == "integrations.webhooks", address.name
        assert address.view.is_inbound, address.name


@named(FOR_MACHINES)
def test_a_machine_without_a_key_changes_nothing_whoever_is_signed_in(
    address: Address, site: Site, own: dict[str, Any], sign_in: Any, client: Client, forgetful: None
) -> None:
    callers = (client, sign_in("owner"))
    with changing_nothing(site):
        for caller in callers:
            for url in (url_of(address, own), url_of(address, own | {"inlet": own["project_id"].hex})):
                assert caller.post(url, b"{}", content_type="application/json").status_code == 401
                assert caller.get(url).status_code == 405
