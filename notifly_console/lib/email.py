"""E-mail addresses as they are kept: trimmed and in lower case, or the reason why there is none.

Mail isn't sent yet; what is asked here is only whether the value has the shape of an address. In theory the part
before the @ has capitals that matter (RFC 5321 §2.4); in practice nobody's has, and people type them as they like.
"""

import re
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from notifly_console.lib.text import stored

LENGTH = 254
"""RFC 5321 §4.5.3.1.3: a path has 256 octets, two of them angle brackets."""
RAW_LENGTH = 255

REASONS = {
    "missing": _("이메일 없음"),
    "several": _("이메일이 여러 개"),
    "too_long": _("너무 긴 이메일"),
    "invalid": _("이메일 형식이 아님"),
}
"""Why a value is no e-mail address."""


class Email(NamedTuple):
    """An e-mail value as it came (`raw`, cut to what a column holds) and the address, or a `reason`."""

    address: str | None
    raw: str
    reason: str


_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"([\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}})@((?:{_LABEL}\.)+{_LABEL})").fullmatch
_PLAIN = re.compile(r"[a-z0-9_+-]{1,64}@(?:[a-z0-9]{1,63}\.){1,8}[a-z]{2,63}").fullmatch
"""Most addresses there are; whatever fits here fits the pattern above as it stands."""


def normalise(value: Any) -> Email:
    """What a JSON value of an e-mail column means. Never raises. A list of one value is taken for that value."""
    if type(value) is str:
        if _PLAIN(value) and len(value) <= LENGTH:
            return Email(value, value, "")
        return _look_closer(value)
    if value is None:
        return Email(None, "", "missing")
    if isinstance(value, list):
        given = [item for item in value if item not in (None, "")]
        if len(given) == 1 and not isinstance(given[0], list):
            return normalise(given[0])
        return Email(None, stored(value, RAW_LENGTH), "several" if given else "missing")
    return Email(None, stored(value, RAW_LENGTH), "invalid")


def _look_closer(text: str) -> Email:
    raw = stored(text, RAW_LENGTH)
    address = text.strip()
    if not address:
        return Email(None, raw, "missing")
    if len(address) > LENGTH:
        return Email(None, raw, "too_long")
    found = _ADDRESS(address)
    if found is None or found[1].startswith(".") or found[1].endswith(".") or ".." in found[1]:
        return Email(None, raw, "invalid")
    return Email(address.lower(), raw, "")
