"""Tables as CSV: streamed, so that a million rows need no memory, and safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator

BOM = "\ufeff"
"""Without it Excel reads UTF-8 as the old Korean encoding."""
PIECE = 32_768
"""Characters that are sent at once."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def safe_cell(text: str) -> str:
    """`text` with a leading apostrophe where a spreadsheet would take it for a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table piece by piece: the column names, then the rows, some hundred lines at a time."""
    written = io.StringIO()
    writer = csv.writer(written)
    written.write(BOM)
    writer.writerow(names)
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        if written.tell() >= PIECE:
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()
