"""Signatures at the stand-in SOLAPI: right, wrong, old, and used twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.sandbox.accounts import SOLAPI_API_KEY
from integrations.sandbox.solapi.auth import signature

from .solapi_asker import SolapiAsker


def test_the_signature_of_the_vendors_own_test() -> None:
    assert signature("testSecret", "2025-09-14T12:34:56Z", "Abc123XYZ789abcdEFGHijklMNOPqr") == (
        "69607016f2059c0bcb97954551ec3a03323ada290e6c98ed1d15b0f34d51b1a1"
    )


def refusal(reply: Any) -> tuple[int, str]:
    assert set(reply.json()) == {"errorCode", "errorMessage"}
    return reply.status_code, reply.json()["errorCode"]


def minutes_from_now(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def test_good_signatures(solapi: SolapiAsker) -> None:
    now = datetime.now(UTC)
    for date in (
        now.isoformat(),
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        (now - timedelta(minutes=14, seconds=50)).isoformat(),
        now.astimezone().isoformat(),
    ):
        assert solapi.ask("GET", "cash/v1/balance", header=solapi.header(date=date)).status_code == 200
    spelt = solapi.header().replace("apiKey", "ApiKey").replace("date=", "Date=").replace("HMAC", "hmac")
    assert solapi.ask("GET", "cash/v1/balance", header=spelt).status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer x", "InvalidAPIKey"),
        ("HMAC-SHA256 apiKey=x", "InvalidAPIKey"),
        (lambda asker: asker.header().replace(SOLAPI_API_KEY, "NCSNOBODY"), "InvalidAPIKey"),
        (lambda asker: asker.header(secret="wrong"), "SignatureDoesNotMatch"),
        (lambda asker: asker.header()[:-1] + "x", "SignatureDoesNotMatch"),
        (lambda asker: asker.header(salt="short"), "SignatureDoesNotMatch"),
        (lambda asker: asker.header(salt="s" * 65), "SignatureDoesNotMatch"),
        (lambda asker: asker.header(date=minutes_from_now(-16)), "RequestTimeTooSkewed"),
        (lambda asker: asker.header(date=minutes_from_now(16)), "RequestTimeTooSkewed"),
        (lambda asker: asker.header(date="yesterday"), "RequestTimeTooSkewed"),
    ],
)
def test_bad_signatures(solapi: SolapiAsker, header: Any, code: str) -> None:
    given = header if isinstance(header, str) else header(solapi)
    assert refusal(solapi.ask("GET", "cash/v1/balance", header=given)) == (403, code)


def test_a_signature_counts_once(solapi: SolapiAsker) -> None:
    header = solapi.header()
    assert solapi.ask("GET", "cash/v1/balance", header=header).status_code == 200
    assert refusal(solapi.ask("GET", "cash/v1/balance", header=header)) == (403, "DuplicatedSignature")
    assert refusal(solapi.ask("POST", "messages/v4/groups", {}, header=header)) == (403, "DuplicatedSignature")


def test_a_clock_that_is_wrong(solapi: SolapiAsker) -> None:
    solapi.world.config.clock_skew_seconds = 1_000
    assert refusal(solapi.ask("GET", "cash/v1/balance")) == (403, "RequestTimeTooSkewed")
    solapi.world.config.clock_skew_seconds = 0
    solapi.world.clock.advance(7_200)  # the sandbox's own clock shuts nobody out
    assert solapi.ask("GET", "cash/v1/balance").status_code == 200


def test_the_public_price_list_wants_no_signature(solapi: SolapiAsker) -> None:
    reply = solapi.http.get(f"{solapi.sandbox.solapi_url}/pricing/v1/messaging/default")
    assert reply.json()["sms"] > solapi.get("pricing/v1/messaging")["sms"]
    assert solapi.http.get(f"{solapi.sandbox.solapi_url}/pricing/v1/messaging").status_code == 403


def test_nothing_secret_is_in_the_log(solapi: SolapiAsker) -> None:
    solapi.get("cash/v1/balance")
    entry = solapi.world.requests("balance")[0]
    assert (entry.vendor, entry.username, entry.status) == ("solapi", SOLAPI_API_KEY, 200)
    assert "signature" not in repr(entry)
