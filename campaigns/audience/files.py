"""A table that somebody's spreadsheet wrote, as rows of text: encodings, delimiters, line ends, and what is wrong."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, BinaryIO

from django.utils.translation import gettext_lazy as _

from notifly_console.lib import phone
from notifly_console.lib.masking import mask_contacts, mask_phone

PHONE_COLUMN = "phone_number"
MOST_BYTES = 30_000_000
MOST_ROWS = 1_000_000
MOST_COLUMNS = 100
LONGEST_NAME = 255
DELIMITERS = ",;\t"
READ_AT_ONCE = 1 << 20
HEAD_BYTES = 1 << 16


SENTENCES = {
    "empty": _("파일에 내용이 없습니다. 첫 줄에 열 이름, 그 아래에 한 사람씩 적어 주세요."),
    "no_rows": _("열 이름 아래에 행이 없습니다. 한 사람을 한 행에 적어 주세요."),
    "too_large": _("파일이 %(most)s MB를 넘습니다. 나누어 올려 주세요."),
    "too_many_rows": _("행이 %(most)s개를 넘습니다. 나누어 올려 주세요."),
    "too_many_columns": _("열이 %(most)s개를 넘습니다. 쓰지 않는 열을 지워 주세요."),
    "spreadsheet": _("엑셀 통합 문서입니다. 엑셀에서 ‘CSV UTF-8(쉼표로 분리)’ 형식으로 저장해 올려 주세요."),
    "binary": _("CSV 파일이 아닙니다. 엑셀이라면 ‘CSV UTF-8(쉼표로 분리)’ 형식으로 저장해 올려 주세요."),
    "encoding": _(
        "글자를 읽을 수 없습니다. UTF-8이나 CP949(한국어 엑셀의 CSV)로 저장해 주세요."
        " 엑셀이라면 ‘CSV UTF-8(쉼표로 분리)’을 고르면 됩니다."
    ),
    "quotes": _("%(row)s행의 따옴표가 맞지 않아 그 뒤를 읽을 수 없습니다. 그 행의 큰따옴표를 고쳐 주세요."),
    "long_cell": _("%(row)s행에 지나치게 긴 칸이 있습니다. 닫지 않은 큰따옴표가 없는지 보세요."),
    "no_phone_column": _(
        "전화번호 열이 없습니다. 전화번호가 있는 열의 이름을 %(wanted)s(으)로 적어 주세요. 파일의 열: %(columns)s"
    ),
    "near_phone_column": _(
        "전화번호 열이 없습니다. 전화번호가 있는 열의 이름을 %(wanted)s(으)로 적어 주세요. 혹시 이 열인가요? %(near)s"
    ),
    "same_column": _("이름이 같은 열이 있습니다: %(name)s. 하나만 남기거나 다른 이름을 주세요."),
    "long_column": _("열 이름이 255자를 넘습니다: %(name)s…"),
}


class BadFile(Exception):
    """Nothing of the file can be used. `code` is one of SENTENCES, `values` what its sentence is about, as text or as
    a list of texts; `str()` is the sentence."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    def __str__(self) -> str:
        shown = {name: ", ".join(one) if isinstance(one, list) else one for name, one in self.values.items()}
        return str(SENTENCES[self.code]) % shown


class Rows:
    """The rows of a table, one list of cells each, the blank ones left out. `number` is the row that was read last, as
    a spreadsheet numbers it (the first is 1). Takes the file over, and raises BadFile at once or while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0
        encoding = _encoding(file)
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=encoding, newline="")
        self._reader = csv.reader(text, delimiter=_delimiter(text), strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for cells in self._reader:
                self.number += 1
                if self.number > MOST_ROWS + 1:
                    raise BadFile("too_many_rows", most=f"{MOST_ROWS:,}")
                if any(cells):
                    yield cells
        except csv.Error as error:
            code = "long_cell" if "limit" in str(error) else "quotes"
            raise BadFile(code, row=str(self.number + 1)) from None
        if not self.number:
            raise BadFile("empty")


def _encoding(file: BinaryIO) -> str:
    """Which of those that spreadsheets write it is. Reads all of it once, and keeps none."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not head.strip():
        raise BadFile("empty")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadFile("spreadsheet")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif b"\0" in head:
        raise BadFile("binary")
    else:
        candidates = ["utf-8-sig", "cp949"]
    for encoding in candidates:
        if _decodes(file, encoding):
            return encoding
    raise BadFile("encoding")


def _decodes(file: BinaryIO, encoding: str) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    size = 0
    try:
        while data := file.read(READ_AT_ONCE):
            size += len(data)
            if size > MOST_BYTES:
                raise BadFile("too_large", most=str(MOST_BYTES // 1_000_000))
            if "\0" in decoder.decode(data):
                raise BadFile("binary")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: io.TextIOWrapper) -> str:
    """What separates cells: by what the first line says (`sep=;`, as Excel writes it), else by what it has most of
    outside quotation marks. Leaves the text after a line that only said so, else at its beginning."""
    first = text.readline(HEAD_BYTES)
    said = first.strip()
    if said[:4].lower() == "sep=" and len(said) == 5:
        return said[4]
    text.seek(0)
    outside = "".join(first.split('"')[::2])
    return max(DELIMITERS, key=lambda one: (outside.count(one), one == ","))


# -- Columns ----------------------------------------------------------------------------------------------------------
_CALLED_PHONE = {
    "phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "cellphone",
    "전화번호", "휴대폰", "휴대폰번호", "휴대전화", "휴대전화번호", "핸드폰", "핸드폰번호", "연락처", "수신번호",
}  # fmt: skip
"""What a column with numbers is plainly called."""
_SOUNDS_LIKE_PHONE = re.compile(r"phone|mobile|cell|\btel|\bhp\b|전화|휴대|핸드폰|연락처|번호", re.IGNORECASE)
_MANY_DIGITS = re.compile(r"[0-9](?:\D?[0-9]){4}").search


def column_names(cells: Sequence[str]) -> list[str]:
    """The names of the columns, "" for those without (a spreadsheet's empty columns)."""
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise BadFile("too_many_columns", most=str(MOST_COLUMNS))
    for name, count in Counter(names).items():
        if len(name) > LONGEST_NAME:
            raise BadFile("long_column", name=name[:40])
        if name and count > 1:
            raise BadFile("same_column", name=name)
    return names


def phone_place(names: Sequence[str], wanted: str, rows: Iterator[list[str]]) -> int:
    """Which column holds the numbers: the one that is called so, or, where nobody has named another one, the only one
    that is plainly called a phone's. Raises BadFile, with the names of those that might be meant."""
    plain = [_plain(name) for name in names]
    if names and _plain(wanted) in plain:
        return plain.index(_plain(wanted))
    called = [place for place, name in enumerate(plain) if name in _CALLED_PHONE]
    if wanted == PHONE_COLUMN and len(called) == 1:
        return called[0]
    sample = list(islice(rows, 50))
    filled = [sum(len(row) > place and phone.normalise(row[place]).e164 is not None for row in sample)
              for place in range(len(names))]  # fmt: skip
    near = [name for name, count in zip(names, filled, strict=True) if name and count * 2 > len(sample)]
    near += [name for name in names if _SOUNDS_LIKE_PHONE.search(name)]
    near = list(dict.fromkeys([*near, *get_close_matches(wanted, names, n=3)]))[:3]
    if near:
        raise BadFile("near_phone_column", wanted=wanted, near=near)
    raise BadFile("no_phone_column", wanted=wanted, columns=[name for name in names if name][:10])


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).casefold()


def masked_cell(text: str) -> str:
    """What stood in a cell, as everybody may see it."""
    text = " ".join(text.split())[:40]
    return mask_phone(text) if _MANY_DIGITS(text) else mask_contacts(text)
