"""Pictures measured by their heads. The bytes below are those of real encoders, cut after the header."""

from struct import pack

import pytest

from campaigns.message.pictures import measure


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + b"IHDR" + pack(">II", width, height) + b"\x08\x02\x00\x00\x00"


def jpeg(width: int, height: int, frame: int = 0xC0) -> bytes:
    jfif = b"\xff\xe0" + pack(">H", 16) + b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    start = bytes((0xFF, frame)) + pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return b"\xff\xd8" + jfif + b"\xff\xff\xdb" + pack(">H", 4) + b"\x00\x00" + start


def test_a_png():
    facts = measure(png(800, 400))
    assert (facts.media_type, facts.width, facts.height, facts.size) == ("image/png", 800, 400, 29)


@pytest.mark.parametrize(("frame", "is_progressive"), [(0xC0, False), (0xC1, False), (0xC2, True)])
def test_a_jpeg(frame, is_progressive):
    facts = measure(jpeg(640, 960, frame))
    assert (facts.media_type, facts.width, facts.height) == ("image/jpeg", 640, 960)
    assert facts.is_progressive is is_progressive


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<svg/>", b"\xff\xd8", b"\xff\xd8\xff", jpeg(0, 10), png(10, 0), png(9, 9)[:20], jpeg(9, 9)[:30]],
)
def test_anything_else_is_no_picture(content):
    assert measure(content) is None


def test_a_jpeg_whose_lengths_lie_ends():
    assert measure(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1000) is None
