"""The signature, against SOLAPI's own test vector."""

from datetime import UTC, datetime, timedelta

from integrations.authorise import Signed, signature
from notifly_console.lib.crypto import Secret

SECRET = Secret("testSecret")


def test_the_vector_of_the_vendor() -> None:
    made = signature(SECRET, "2025-09-14T12:34:56Z", "Abc123XYZ789abcdEFGHijklMNOPqr")
    assert made == "69607016f2059c0bcb97954551ec3a03323ada290e6c98ed1d15b0f34d51b1a1"


def parts(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    assert scheme == "HMAC-SHA256"
    return dict(part.split("=", 1) for part in rest.split(", "))


def test_each_request_has_its_own_salt_and_the_time_of_now() -> None:
    signed = Signed("testKey", SECRET)
    first, second = parts(signed.header()), parts(signed.header())
    assert first["salt"] != second["salt"]
    assert 12 <= len(first["salt"]) <= 64
    assert first["signature"] == signature(SECRET, first["date"], first["salt"])
    assert first["apiKey"] == "testKey"
    assert datetime.now(UTC) - datetime.fromisoformat(first["date"]) < timedelta(minutes=1)
    assert SECRET.reveal() not in signed.header() + repr(signed)


def test_an_echo_of_the_secret_is_blanked() -> None:
    assert Signed("testKey", SECRET).hide("you sent testSecret") == "you sent ••••"
