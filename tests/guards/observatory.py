"""The rules by which MDN's HTTP Observatory scores a site's headers, as far as a console without third parties meets
them. Starts at 100; bonuses count from 90 on."""

from http.cookies import SimpleCookie

from django.http import HttpResponseBase

YEAR = 31_536_000


def directives(policy: str) -> dict[str, list[str]]:
    """A Content-Security-Policy as {directive: sources}."""
    parts = [part.split() for part in policy.split(";") if part.strip()]
    return {part[0].lower(): part[1:] for part in parts}


def modifiers(response: HttpResponseBase) -> dict[str, int]:
    """Each rule's gain or loss for this answer."""
    headers = response.headers
    found = _policy(directives(headers.get("Content-Security-Policy", "")), headers.get("X-Frame-Options", ""))
    if headers.get("X-Content-Type-Options") != "nosniff":
        found["sniffing"] = -5
    found |= _referrer(headers.get("Referrer-Policy", ""))
    if headers.get("Cross-Origin-Resource-Policy") in ("same-origin", "same-site"):
        found["corp"] = 10
    found |= _transport(headers.get("Strict-Transport-Security", ""))
    found |= _cookies(response.cookies)
    if headers.get("Access-Control-Allow-Origin") == "*":
        found["cors-open"] = -50
    return found


def _policy(csp: dict[str, list[str]], frame_options: str) -> dict[str, int]:
    if not csp:
        return {"csp-missing": -25}
    found: dict[str, int] = {}
    if any("unsafe" in source or source in ("*", "data:", "https:") for sources in csp.values() for source in sources):
        found["csp-unsafe"] = -20
    elif csp.get("default-src") == ["'none'"] and "form-action" in csp:
        found["csp-default-none"] = 10
    else:
        found["csp-no-unsafe"] = 5
    if csp.get("frame-ancestors") == ["'none'"]:
        found["framing-by-csp"] = 5
    elif frame_options.upper() not in ("DENY", "SAMEORIGIN"):
        found["framing-open"] = -20
    return found


def _referrer(policy: str) -> dict[str, int]:
    if policy in ("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"):
        return {"referrer-private": 5}
    return {"referrer-leaks": -5} if policy else {}


def _transport(value: str) -> dict[str, int]:
    parts = [part.strip().lower() for part in value.split(";")]
    age = next((int(part[8:]) for part in parts if part.startswith("max-age=")), 0)
    if age < YEAR / 2:
        return {"hsts-missing-or-short": -20}
    return {"hsts-preload": 5} if "preload" in parts and "includesubdomains" in parts else {}


def _cookies(cookies: SimpleCookie) -> dict[str, int]:
    for cookie in cookies.values():
        if not cookie["secure"] or not cookie["httponly"] or not cookie["samesite"]:
            return {f"cookie-{cookie.key}-open": -20}
    return {"cookies": 5}


def score(response: HttpResponseBase) -> int:
    """The Observatory's score of one answer."""
    found = modifiers(response)
    losses = 100 + sum(change for change in found.values() if change < 0)
    return losses + sum(change for change in found.values() if change > 0) if losses >= 90 else losses
