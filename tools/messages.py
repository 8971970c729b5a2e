"""`make messages`: brings the catalogues up to date with the Korean sentences of code and templates.

New sentences are added with an empty translation, those that nobody says any more are removed; a guard test fails
until every sentence is translated. Needs no gettext on the machine.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
from babel.messages.extract import extract
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "notifly_console" / "locale"
LANGUAGES = ("en", "ja")
FOLDERS = ("campaigns", "cohorts", "integrations", "notifly_console", "templates")
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
Message = tuple[str | None, str, str | None]
"""Context, sentence, plural."""


def sentences() -> dict[Message, list[str]]:
    """Each sentence of the product, with the files that say it."""
    found: dict[Message, list[str]] = {}
    for path in _files():
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".py":
            # What is left of a template's indentation means nothing, and is no Python.
            text = "\n".join(line.strip() for line in templatize(text, origin=str(path)).splitlines())
        for _line, message, _comments, context in extract("python", io.BytesIO(text.encode()), KEYWORDS):
            single, plural = (message[0], message[-1]) if isinstance(message, tuple) else (message, None)
            if single:
                places = found.setdefault((context, single, plural), [])
                if (place := str(path.relative_to(ROOT))) not in places:
                    places.append(place)
    _refuse_both(found)
    return found


def _refuse_both(found: dict[Message, list[str]]) -> None:
    """A catalogue holds a sentence with a plural or without one, not both. Raises SystemExit with where it is said."""
    for (context, single, plural), places in found.items():
        if plural is not None and (without := found.get((context, single, None))):
            raise SystemExit(f"{single!r} has a plural in {', '.join(places)} and none in {', '.join(without)}.")


def _files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if (
                path.suffix in (".py", ".html", ".txt")
                and "migrations" not in path.parts
                and "locale" not in path.parts
            ):
                yield path


def catalogue(language: str) -> Path:
    """Where a language's sentences are kept."""
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def update(language: str) -> int:
    """Writes the catalogue of one language anew; returns how many sentences have no translation yet."""
    path = catalogue(language)
    known = {}
    if path.exists():
        known = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(path))}
    fresh = polib.POFile(wrapwidth=120)
    fresh.metadata = {
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=2; plural=(n != 1);" if language == "en" else "nplurals=1; plural=0;",
    }
    plurals = 2 if language == "en" else 1
    for (context, single, plural), places in sorted(sentences().items(), key=lambda item: (item[1][0], item[0][1])):
        before = known.get((context, single))
        entry = polib.POEntry(msgctxt=context, msgid=single, occurrences=[(place, "") for place in places])
        if plural is None:
            entry.msgstr = before.msgstr if before else ""
        else:
            entry.msgid_plural = plural
            kept = before.msgstr_plural if before else {}
            entry.msgstr_plural = {number: kept.get(number, "") for number in range(plurals)}
        if "%(" in single or "%s" in single:
            entry.flags.append("python-format")
        fresh.append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.save(str(path))
    return len(fresh.untranslated_entries())


def main() -> None:
    for language in LANGUAGES:
        print(f"{language}: {update(language)} sentences have no translation.", file=sys.stderr)


if __name__ == "__main__":
    main()
