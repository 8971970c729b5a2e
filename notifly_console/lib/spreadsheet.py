"""Tables as CSV, line by line: streamed, so that a million rows need no memory, and safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator

BOM = "\ufeff"
"""Without it Excel reads UTF-8 as the old Korean encoding."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


class _Line:
    """What csv writes to: gives each line back."""

    def write(self, text: str) -> str:
        return text


def safe_cell(text: str) -> str:
    """`text` with a leading apostrophe where a spreadsheet would take it for a formula (OWASP ASVS 5.0, 1.2.10)."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table: the column names, then the rows."""
    writer = csv.writer(_Line())
    yield BOM + writer.writerow(names)
    for row in rows:
        yield writer.writerow([safe_cell(cell) for cell in row])
