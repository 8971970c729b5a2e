"""Hostile text in every text column adds no element, no attribute and no script to any page."""

from html.parser import HTMLParser
from typing import Any

from django.apps import apps
from django.db import models

from tests.guards.site import every_url

MARK = "x-hostile"
POLYGLOTS = [
    f"<{MARK} onload=alert(1)>",
    f"\"><{MARK}></{MARK}><script>alert('{MARK}')</script>",
    f"' {MARK}='1' onmouseover='alert(1)",
    f"</title></textarea></script><{MARK}>",
    f"{{{{7*7}}}}{{% {MARK} %}}<svg/onload=alert(1)>",
    f"javascript:alert('{MARK}')",
    f"\u202e{MARK}\u0007 -->]]><!--<{MARK}>",
]
CLOSED = ("region", "status", "cash", "points", "prices", "id")
"""Keys whose values only come from a closed list, or are checked where they are parsed (a template's id, money)."""
ADDRESSES = ("href", "src", "action", "formaction", "hx-get", "hx-post", "data-href")
HELD_BY_OTHERS = {
    "sealed_secret",
    "token_digest",
    "secret_digest",
    "fingerprint",
    "password",
    "session_key",
    "session_data",
    "language",
    "request_id",
    "time_zone",
    "address",
}

HELD_BY_THE_DATABASE = {"campaigns.Recipient.phone", "campaigns.OptOut.phone"}
"""Columns that take nothing but a number."""


class Reader(HTMLParser):
    """Notes each element and attribute that came from data rather than from a template."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag == MARK:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if MARK in name or name.startswith("on"):
                self.found.append(f"<{tag} {name}>")
            if name in ADDRESSES and (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}=javascript:>")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def poison() -> set[str]:
    """Writes a hostile string into every free text column of every row; returns the columns written."""
    written = set()
    for model in apps.get_models():
        if model._meta.app_label not in ("tenancy", "integrations", "cohorts", "campaigns"):
            continue
        texts = [
            field
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
            and not field.choices
            and not field.primary_key
            and field.name not in HELD_BY_OTHERS
            and f"{model._meta.label}.{field.name}" not in HELD_BY_THE_DATABASE
        ]
        for count, row in enumerate(model._default_manager.order_by("pk")[:10]):
            values: dict[str, Any] = {}
            for number, field in enumerate(texts):
                text = f"{count}{POLYGLOTS[(count + number) % len(POLYGLOTS)]}"
                if isinstance(field, models.JSONField):
                    values[field.name] = _poisoned(getattr(row, field.name), text)
                elif getattr(row, field.name):
                    values[field.name] = text[: field.max_length or 20_000]
                written.add(f"{model._meta.label}.{field.name}")
            if values:
                model._default_manager.filter(pk=row.pk).update(**values)
    return written


def _poisoned(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: inner if key in CLOSED else _poisoned(inner, text) for key, inner in value.items()} | (
            {text: text, "$name": text} if "$email" in value or "$name" in value else {}
        )
    if isinstance(value, list):
        return [_poisoned(inner, text) for inner in value]
    return text if isinstance(value, str) else value


def test_no_page_takes_an_element_from_data(world: Any, sign_in: Any) -> None:
    client = sign_in("owner")
    urls = every_url(world)
    before = {url: read(client.get(url).content.decode(errors="replace")).scripts for url in urls}
    written = poison()
    assert {"cohorts.Cohort.name", "cohorts.Profile.properties", "tenancy.Project.name"} <= written
    for url in urls:
        for headers in ({}, {"HX-Request": "true"}):
            response = client.get(url, headers=headers)
            page = read(response.content.decode(errors="replace"))
            assert not page.found, (url, page.found)
            assert page.scripts <= before[url] or response.status_code >= 400, url
