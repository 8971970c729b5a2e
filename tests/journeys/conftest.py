"""A real browser on the running console."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import browser

# Playwright keeps an event loop in this thread; the tests' own use of the database is not asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

PATIENCE_MS = 15_000
WRONG = ("Content Security Policy", "htmx:targetError", "htmx:swapError")
"""What a page may not say on the console: something was refused, or has no place to go."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. Without one the tests are left out with a word about it; where CI is set, they fail."""
    path = browser.chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(browser.MISSING)
        pytest.skip(browser.MISSING)
    from playwright.sync_api import expect, sync_playwright

    # As patient as everything else that waits for a page: what comes, comes late on a busy machine.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def browse(chromium: Any, live_server: Any, world: Any, sign_in: Any) -> Iterator[Callable[..., Any]]:
    """`browse("marketer", path)` opens a page as that person of the world. Fails at the end if a page had an error of
    its own: an exception, something that the content security policy refused, an answer that has no place."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(who: str, path: str, **options: Any) -> Any:
        context = chromium.new_context(
            locale="ko-KR", base_url=live_server.url, viewport={"width": 1440, "height": 900}, **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        session = sign_in(who).cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if any(one in said.text for one in WRONG) else None)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture
def narrow() -> dict[str, Any]:
    """Options of `browse` for a telephone."""
    return {"is_mobile": True, "has_touch": True}
