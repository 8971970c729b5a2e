"""Where a request came from."""

from ipaddress import ip_address
from urllib.parse import urlsplit

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


def page_of(request: HttpRequest) -> str:
    """The address to lead a person back to: the one asked for, or for what isn't an address to look at (a form that was
    sent) the page of this console that it was sent from; else the home page."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("Referer", ""))
    if came_from.netloc != request.get_host() or not came_from.path.startswith("/"):
        return "/"
    path = f"/{came_from.path.lstrip('/')}"
    return f"{path}?{came_from.query}" if came_from.query else path
