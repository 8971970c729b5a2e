"""English and Japanese say every sentence that Korean does, with the same blanks."""

import re
import runpy
from pathlib import Path

import polib
import pytest

MESSAGES = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools" / "messages.py"))
BLANK = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
HANGUL = re.compile(r"[가-힣]")


@pytest.mark.parametrize("language", MESSAGES["LANGUAGES"])
def test_every_sentence_is_translated(language: str) -> None:
    entries = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(MESSAGES["catalogue"](language)))}
    said = {(context, single) for context, single, _plural in MESSAGES["sentences"]()}
    assert said - entries.keys() == set(), "run `make messages`, then translate"
    assert entries.keys() - said == set(), "nobody says these any more: run `make messages`"
    for entry in entries.values():
        texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        assert all(texts), entry.msgid
        assert not entry.fuzzy, entry.msgid
        for text in texts:
            wanted = set(BLANK.findall(entry.msgid)) | set(BLANK.findall(entry.msgid_plural or ""))
            assert set(BLANK.findall(text)) <= wanted, entry.msgid
            if not entry.msgid_plural:
                assert set(BLANK.findall(text)) == wanted, entry.msgid
            assert not HANGUL.search(text) or entry.msgid in KOREAN_ON_PURPOSE, (entry.msgid, text)


KOREAN_ON_PURPOSE = {"한국어"}
"""A language is named in itself."""
