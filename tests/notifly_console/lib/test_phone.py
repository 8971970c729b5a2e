"""Phone numbers in the spellings of real customer data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.sandbox.phones import KINDS, MISSING
from notifly_console.lib import email, phone
from notifly_console.lib.phone import by_library, normalise

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PHONE_LIKE = st.text("0123456789 +-.()/x*,０１８　－", max_size=24)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("digits", ["22345678", "98765430"])
def test_every_spelling_of_the_crowd_is_understood(kind, digits):
    value = kind.write(digits)
    found = normalise(None if value is MISSING else value)
    assert found.e164 == (f"+8210{digits}" if kind.mobile else None)
    assert (found.reason == "") == kind.mobile


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "missing"),
        ([], "missing"),
        ([None, ""], "missing"),
        (["01022223333", "01033334444"], "several"),
        ("01000000000", "unassigned"),
        ("010-1234-XXXX", "not_a_number"),  # letters on the keys would make this 010-1234-9999
        ("010-****-5678", "not_a_number"),
        ("010-1234-5678(엄마)", "not_a_number"),
        ("010-2222-3333, 010-3333-4444", "not_a_number"),
        ("1.0123E+10", "spreadsheet"),
        ("0101234567", "too_short"),
        ("+82 10 2222 33333", "too_long"),
        ("016-234-5678", "legacy_mobile"),
        ("02-345-6789", "landline"),
        ("+82 31 234 5678", "landline"),
        ("070-1234-5678", "internet_phone"),
        ("0507-1234-5678", "virtual_number"),
        ("15881234", "representative"),
        ("+82 1588-1234", "representative"),
        ("080-123-4567", "toll_free"),
        ("060-123-4567", "paid_service"),
        ("114", "short_code"),
        ("+1 415 555 0100", "foreign"),
        ("0081 90 1234 5678", "foreign"),
        (True, "not_a_number"),
        (-1022223333, "not_a_number"),
        (1.5, "not_a_number"),
        ({"number": "01022223333"}, "not_a_number"),
    ],
    ids=str,
)
def test_what_reaches_nobody_says_why(value, reason):
    assert normalise(value)[::2] == (None, reason)


@pytest.mark.parametrize(
    "value",
    [
        ["010-2222-3333"], 1022223333, 821022223333.0, "tel:+82-10-2222-3333", "0082 10 2222 3333",
        "001-82-10-2222-3333", "+82 (0)10-2222-3333", "\u202a010-2222-3333\u202c", "01022223333.0",
    ],
    ids=repr,
)  # fmt: skip
def test_rarer_spellings_of_a_mobile_number(value):
    assert normalise(value).e164 == "+821022223333"


@given(JSON)
def test_no_value_breaks_it_and_reasons_are_known(value):
    found = normalise(value)
    assert (found.e164 is None) == (found.reason in phone.REASONS)
    assert len(found.raw) <= 255
    found.raw.encode()
    assert "\x00" not in found.raw
    address = email.normalise(value)
    assert (address.address is None) == (address.reason in email.REASONS)
    address.raw.encode()


@given(PHONE_LIKE)
def test_the_fast_path_and_the_library_agree(text):
    found = normalise(text)
    if found.e164 is not None and "tel:" not in text and not text.strip().endswith(".0"):
        assert by_library(text) == (found.e164, "")
    if by_library(text)[0] is not None and found.e164 is None:
        # The library forgives what nobody should be called for: a second number, a mask, an extension.
        assert any(char in text for char in "x*,/") or found.reason in {"not_a_number", "short_code"}


@pytest.mark.parametrize(
    ("value", "address", "reason"),
    [
        ("guest1@mail.example", "guest1@mail.example", ""),
        ("  Guest1@Mail.Example ", "guest1@mail.example", ""),
        (["one@mail.example"], "one@mail.example", ""),
        (["one@mail.example", "two@mail.example"], None, "several"),
        ("없음", None, "invalid"),
        ("a..b@mail.example", None, "invalid"),
        ("a@b", None, "invalid"),
        (7, None, "invalid"),
        ("", None, "missing"),
        ("a" * 250 + "@mail.example", None, "too_long"),
    ],
    ids=str,
)
def test_email_addresses(value, address, reason):
    assert email.normalise(value)[::2] == (address, reason)
