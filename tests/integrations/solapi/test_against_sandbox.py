"""The catalogue against the stand-in SOLAPI, and its reports at our webhook, over real sockets."""

from decimal import Decimal
from typing import Any

import pytest

from integrations import hooks, inbox, senders
from integrations.messaging import Kind, NotTaken, SendError, Stopped, TemplateStatus
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from integrations.sandbox.solapi.catalogue import CHANNEL, DELIVERY_CHANNEL
from integrations.senders import SolapiSettings
from integrations.solapi import client as solapi_client
from integrations.solapi.catalogue import SolapiCatalogue
from integrations.solapi.client import Account, SolapiClient
from notifly_console.lib.crypto import Secret
from tests.integrations.messengers import people

ORDER_DONE = "KA01TP260112021000001OrderDone01"


@pytest.fixture
def catalogue(sandbox: Any) -> SolapiCatalogue:
    return SolapiCatalogue(SolapiClient(Account(SOLAPI_API_KEY, Secret(SOLAPI_API_SECRET))))


def test_what_the_shop_has(catalogue: SolapiCatalogue) -> None:
    with catalogue:
        assert [(p.id, p.name) for p in catalogue.profiles()] == [
            (CHANNEL, "@하루식탁"),
            (DELIVERY_CHANNEL, "@하루식탁배송"),
        ]
        assert {number.number for number in catalogue.numbers()} == {"0269001234", "01090001234", "15881234"}
        assert catalogue.account() == (senders.Balance(Decimal(30_000_000)), "26010500000001")
        assert catalogue.prices() == {
            Kind.SMS: 12, Kind.LMS: 39, Kind.MMS: 90, Kind.ALIMTALK: 10, Kind.FRIENDTALK: 25,
        }  # fmt: skip


def test_templates_and_where_they_stand(catalogue: SolapiCatalogue, sandbox: Any) -> None:
    sandbox.world.solapi.account().templates[ORDER_DONE].blocked = True
    found = {template.name: template for template in catalogue.templates()}
    assert {name: template.status for name, template in found.items()} == {
        "주문 완료 안내": TemplateStatus.BLOCKED,
        "배송 출발 안내": TemplateStatus.APPROVED,
        "정기배송 결제 예정 안내": TemplateStatus.APPROVED,
        "고객센터 운영시간 안내": TemplateStatus.APPROVED,
        "회원 등급 변경 안내": TemplateStatus.PENDING,
        "후기 요청": TemplateStatus.REJECTED,
        "매장 픽업 준비 완료": TemplateStatus.DORMANT,
    }
    assert found["배송 출발 안내"].variables == ("고객명", "상품명", "도착예정", "주문번호")
    assert catalogue.template(ORDER_DONE).status == TemplateStatus.BLOCKED
    assert catalogue.template(found["배송 출발 안내"].id) == found["배송 출발 안내"]
    assert catalogue.template("KA01TPgone") is None


def test_a_provider_without_a_list_of_what_is_sendable(catalogue: SolapiCatalogue, sandbox: Any) -> None:
    sandbox.world.faults.add("not_found", endpoint="templates/sendable", times=None, vendor="solapi")
    assert catalogue.template(ORDER_DONE).is_sendable


def test_long_lists_come_whole(catalogue: SolapiCatalogue, sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solapi_client, "PAGE", 2)
    assert len(catalogue.templates()) == 7
    account = sandbox.world.solapi.account()
    account.opted_out.clear()
    account.opted_out.update(f"010555500{n:02d}" for n in range(5))
    assert sorted(catalogue.opt_outs()) == [f"+8210555500{n:02d}" for n in range(5)]


def test_pictures(catalogue: SolapiCatalogue) -> None:
    jpeg = b"\xff\xd8\xff\xe0" + b"0" * 100
    first, second = (catalogue.upload(jpeg, name="a.jpg", kind=kind) for kind in (Kind.MMS, Kind.FRIENDTALK))
    assert first != second
    for picture in (b"GIF89a", jpeg + b"0" * 300_000):
        with pytest.raises(Stopped, match="image"):
            catalogue.upload(picture, name="a.gif", kind=Kind.MMS)


@pytest.mark.parametrize("fault", ["html_503", "html_200", "html_429", "cut", "empty_200", "nonsense", "malformed"])
def test_what_cannot_be_had_now(catalogue: SolapiCatalogue, sandbox: Any, fault: str) -> None:
    sandbox.world.faults.add(fault, times=None, vendor="solapi")
    asked = [
        catalogue.profiles,
        catalogue.numbers,
        catalogue.templates,
        lambda: catalogue.template(ORDER_DONE),
        catalogue.balance,
        catalogue.prices,
        lambda: list(catalogue.opt_outs()),
    ]
    for ask in asked:
        with pytest.raises(NotTaken):
            ask()


def test_a_stranger(sandbox: Any) -> None:
    for account in (Account("NCSNOBODY0000001", Secret("x" * 32)), Account(SOLAPI_API_KEY, Secret("wrong"))):
        with pytest.raises(SendError, match="wrong_key"):
            SolapiCatalogue(SolapiClient(account)).profiles()


# -- Reports ----------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", ["wrapped", "flat", "mixed"])
@pytest.mark.parametrize("order", ["forward", "backward", "stale_last"])
def test_the_stand_ins_reports_name_our_handle(
    world: Any, sandbox: Any, live_server: Any, monkeypatch: pytest.MonkeyPatch, shape: str, order: str
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(inbox, "_hints", {"solapi": lambda project, handles: heard.extend(handles)})
    row, _ = senders.register(world.project, SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    secret = hooks.make_secret(row, actor=None).reveal()
    book = sandbox.world.solapi
    sandbox.world.configure(report_shape=shape, report_order=order, report_copies=2, report_batch=3)
    book.reports.add(f"{live_server.url}/solapi/projects/{world.project.hex}/reports", secret=secret)
    with senders.messenger_of(world.project) as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, people(8))
        messenger.dispatch(handle)
    book.reports.flush()
    assert {delivery.status for delivery in book.reports.deliveries} == {200}
    assert set(heard) == {handle, handle.partition("@")[0]}


@pytest.mark.django_db(transaction=True)
def test_with_another_secret_nobody_is_told(world: Any, sandbox: Any, live_server: Any, monkeypatch: Any) -> None:
    heard: list[str] = []
    monkeypatch.setattr(inbox, "_hints", {"solapi": lambda project, handles: heard.extend(handles)})
    row, _ = senders.register(world.project, SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    hooks.make_secret(row, actor=None)
    book = sandbox.world.solapi
    book.reports.add(f"{live_server.url}/solapi/projects/{world.project.hex}/reports", secret="another")
    with senders.messenger_of(world.project) as messenger:
        handle = messenger.open("batch")
        messenger.load(handle, people(2))
        messenger.dispatch(handle)
    sandbox.world.configure(report_retry_seconds=0.01)
    book.reports.flush()
    assert {delivery.status for delivery in book.reports.deliveries} == {401}
    assert heard == []
