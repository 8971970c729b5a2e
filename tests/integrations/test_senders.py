"""A project's sender: registered, opened, listed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from integrations import senders
from integrations.messaging import (
    Balance,
    Button,
    Channel,
    KakaoProfile,
    Kind,
    SenderNumber,
    Stopped,
    Template,
    TemplateStatus,
)
from integrations.models import Connection, SenderListing
from integrations.register import Changed, SecretNeeded, version_of
from integrations.senders import Listing, SolapiSettings
from notifly_console.audit.models import Entry
from tests import factories

SECRET = "API-SECRET-OF-THE-SHOP-0000000001"
PROFILE = KakaoProfile("KA01PF1", "@하루식탁", "0269001234")
NUMBER = SenderNumber("0269001234", "", True)
TEMPLATE = Template(
    "KA01TP1",
    "KA01PF1",
    "주문",
    "#{이름}님",
    ("이름",),
    (Button("보기", "https://m.example"),),
    TemplateStatus.REJECTED,
    other_buttons=("채널 추가",),
    comments=("왜",),
)


def listed(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "account": "12925149",
        "balance": Balance(Decimal("10.5"), Decimal(2)),
        "profiles": [PROFILE],
        "numbers": [NUMBER],
        "templates": [TEMPLATE],
        "prices": {Kind.SMS: Decimal(12)},
    }
    return senders.as_data(**{**found, **changes})


@pytest.fixture
def row(world: Any) -> Connection:
    return senders.register(world.project, SolapiSettings("NCS-KEY-1"), SECRET, actor=world.people["owner"])[0]


def test_without_a_sender(world: Any) -> None:
    assert not senders.is_connected(world.project)
    assert senders.listing(world.project).problem == "not_connected"
    assert senders.refresh_listing(world.project).problem == "not_connected"
    assert senders.registered_channels(world.project) == set()
    with pytest.raises(Stopped, match="not_connected"), senders.messenger_of(world.project):
        pass
    with pytest.raises(Stopped, match="not_connected"):
        senders.catalogue_of(world.project)


def test_a_secret_whose_key_is_gone_is_said(world: Any, row: Connection) -> None:
    Connection.objects.filter(pk=row.pk).update(sealed_secret="v1.lost.AAAA")
    for call in (lambda: senders.messenger_of(world.project).__enter__(), lambda: senders.catalogue_of(world.project)):
        with pytest.raises(Stopped, match="cannot_open"):
            call()
    assert senders.refresh_listing(world.project).problem == "cannot_open"


def test_registering_again_changes_nothing_and_another_secret_does(world: Any, row: Connection) -> None:
    again, written = senders.register(world.project, SolapiSettings("NCS-KEY-1"), SECRET)
    assert (again.pk, written) == (row.pk, False)
    senders.keep_listing(row, listed())
    assert senders.register(world.project, SolapiSettings("NCS-KEY-2"), SECRET)[1]
    assert not SenderListing.objects.exists()
    assert [entry.action for entry in Entry.objects.order_by("id")] == ["connection_registered", "connection_changed"]
    with pytest.raises(Changed):
        senders.register(world.project, SolapiSettings("NCS-KEY-3"), SECRET, only_new=True)


def test_another_key_needs_its_secret(world: Any, row: Connection) -> None:
    owner = world.people["owner"]
    with pytest.raises(SecretNeeded):
        senders.change(row, seen=version_of(row), actor=owner, api_key="NCS-KEY-2")
    changed = senders.change(row, seen=version_of(row), secret="other-secret-0001", actor=owner, api_key="NCS-KEY-2")
    assert senders.account_on(changed).api_key == "NCS-KEY-2"
    assert senders.account_on(changed).secret.reveal() == "other-secret-0001"
    with pytest.raises(Changed):
        senders.change(row, seen=version_of(row), secret="x" * 20, actor=owner)


def test_it_stands_beside_mixpanel(world: Any, row: Connection) -> None:
    from integrations.connect import mixpanel_of
    from integrations.connect import row_of as mixpanel_row

    factories.connection(world.project)
    senders.disconnect(row, actor=world.people["owner"])
    assert mixpanel_row(world.project)
    assert mixpanel_of(world.project)
    assert not senders.is_connected(world.project)
    assert Entry.objects.latest("id").details == {"api_key": "NCS-KEY-1"}
    assert Entry.objects.latest("id").target == "solapi"


def test_a_listing_comes_back_as_it_was_found(world: Any, row: Connection) -> None:
    assert senders.listing(world.project) == Listing()
    senders.keep_listing(row, listed())
    found = senders.listing(world.project)
    assert (found.profiles, found.numbers, found.templates) == ((PROFILE,), (NUMBER,), (TEMPLATE,))
    assert (found.balance, found.prices) == (Balance(Decimal("10.5"), Decimal(2)), {Kind.SMS: Decimal(12)})
    assert found.fetched_at
    assert senders.account_id(row) == "12925149"
    assert senders.registered_channels(world.project) == set(Channel)
    assert found.template("KA01TP1") == TEMPLATE
    assert found.template("other") is None


def test_what_was_there_stays_beside_the_problem(world: Any, row: Connection) -> None:
    senders.keep_listing(row, listed())
    found = senders.keep_listing(row, None, problem="provider_down")
    assert (found.problem, found.profiles) == ("provider_down", (PROFILE,))
    assert senders.listing(world.project) == found


def test_what_another_account_offered_is_dropped(world: Any, row: Connection) -> None:
    senders.change(row, seen=version_of(row), secret="other-secret-0001", actor=world.people["owner"])
    senders.keep_listing(row, listed())  # `row` is as it was before.
    assert not SenderListing.objects.exists()


@pytest.mark.parametrize(
    ("changes", "channels"),
    [
        ({"profiles": []}, {Channel.TEXT}),
        ({"numbers": []}, {Channel.ALIMTALK, Channel.FRIENDTALK}),
        ({"numbers": [replace(NUMBER, is_active=False)]}, {Channel.ALIMTALK, Channel.FRIENDTALK}),
        ({"numbers": [], "profiles": []}, set()),
    ],
)
def test_channels_are_those_of_what_is_registered(world: Any, row: Connection, changes: Any, channels: Any) -> None:
    senders.keep_listing(row, listed(**changes))
    assert senders.registered_channels(world.project) == channels
