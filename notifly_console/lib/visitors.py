"""Where a request came from."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """The visitor's address: the peer's, or the one that the outermost of `TRUSTED_PROXIES` proxies wrote into
    X-Forwarded-For. What stands further left in that header is the visitor's own claim, so it isn't read."""
    text = request.META.get("REMOTE_ADDR", "")
    if hops := settings.TRUSTED_PROXIES:
        chain = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        if len(chain) >= hops:
            text = chain[-hops]
    try:
        return str(ip_address(text))
    except ValueError:
        return None
