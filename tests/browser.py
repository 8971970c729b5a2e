"""Which browser the tests drive."""

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The one without windows first: it takes a fifth less time for the same journeys."""
MISSING = "no Chromium found (Debian: apt install chromium-headless-shell fonts-noto-cjk; or set CHROMIUM to yours)."


def chromium() -> str | None:
    """The path of the browser that CHROMIUM names, else of the first there is; None where there is none."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else NAMES
    return next((path for name in names if (path := shutil.which(name))), None)
