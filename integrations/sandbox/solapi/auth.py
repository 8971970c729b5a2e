"""Who asks the stand-in SOLAPI: the HMAC of its Authorization header, its age, and that it comes only once.

Judged by the real time, not by the sandbox's clock, so that moving that clock shuts nobody out; `clock_skew_seconds`
of the settings puts the two sides apart.
"""

import hmac
import re
import time

from integrations.sandbox.solapi.book import Book, Refused
from integrations.sandbox.solapi.catalogue import Account
from integrations.sandbox.solapi.ids import from_iso

QUARTER = 15 * 60.0
HEADER = re.compile(r"HMAC-SHA256\s+(.+)", re.IGNORECASE | re.DOTALL)
PARTS = ("apikey", "date", "salt", "signature")


def signature(secret: str, date: str, salt: str) -> str:
    """The signature in lower-case hex."""
    return hmac.digest(secret.encode(), (date + salt).encode(), "sha256").hex()


def identify(book: Book, header: str | None) -> Account:
    """The account that signed the request. Raises Refused, 403."""
    found = HEADER.fullmatch((header or "").strip())
    pairs = [part.partition("=") for part in found[1].split(",")] if found else []
    given = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if set(PARTS) - given.keys():
        raise Refused(403, "InvalidAPIKey", "Authorization 헤더가 올바르지 않습니다.")
    account = book.accounts.get(given["apikey"])
    if account is None:
        raise Refused(403, "InvalidAPIKey", "유효한 API Key가 아닙니다.")
    now = time.time() + book.world.config.clock_skew_seconds
    try:
        at = from_iso(given["date"])
    except ValueError as error:
        raise Refused(403, "RequestTimeTooSkewed", "date가 ISO 8601 형식이 아닙니다.") from error
    if abs(now - at) > QUARTER:
        raise Refused(403, "RequestTimeTooSkewed", "시간 값이 서버 시간을 15분 이상 벗어났습니다.")
    salt = given["salt"]
    wanted = signature(account.secret, given["date"], salt)
    right = hmac.compare_digest(wanted.encode(), given["signature"].lower().encode())
    if not right or not 12 <= len(salt.encode()) <= 64:
        raise Refused(403, "SignatureDoesNotMatch", "생성한 Signature가 일치하지 않습니다.")
    _use_up(account, given["signature"].lower(), now)
    return account


def _use_up(account: Account, used: str, now: float) -> None:
    with account.lock:
        known = account.used_signatures
        while known:
            oldest = next(iter(known))
            if now - known[oldest] <= QUARTER:
                break
            del known[oldest]
        if used in known:
            raise Refused(403, "DuplicatedSignature", "15분 안에 동일한 signature 값이 사용되었습니다.")
        known[used] = now
