"""docs/rights.md says what the table in code says."""

import re
from pathlib import Path

from django.conf import settings

from notifly_console.tenancy.access import WHO_MAY
from notifly_console.tenancy.models import Role

PAGE = Path(settings.BASE_DIR) / "docs" / "rights.md"


def test_the_page_of_rights_is_the_table_in_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|(.+)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    written = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    meant = {right.value: ["yes" if role in WHO_MAY[right] else "–" for role in Role] for right in WHO_MAY}
    assert written == meant
