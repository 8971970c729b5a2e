"""What a picture is, read from its first bytes: nothing is decoded, so nothing of it is run."""

from struct import unpack

from campaigns.message.validate import PictureFacts

_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


def measure(content: bytes) -> PictureFacts | None:
    """Type, size in pixels and bytes of a JPEG or PNG; None for anything else, or for one whose head is broken."""
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) >= 24:
        width, height = unpack(">II", content[16:24])
        return _facts("image/png", width, height, content)
    if content.startswith(b"\xff\xd8"):
        return _jpeg(content)
    return None


def _jpeg(content: bytes) -> PictureFacts | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _START_OF_FRAME:
            height, width = unpack(">HH", content[at + 5 : at + 9])
            return _facts("image/jpeg", width, height, content, is_progressive=marker in _PROGRESSIVE)
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + int(unpack(">H", content[at + 2 : at + 4])[0])
    return None


def _facts(
    media_type: str, width: int, height: int, content: bytes, *, is_progressive: bool = False
) -> PictureFacts | None:
    if not width or not height:
        return None
    return PictureFacts(media_type, width, height, len(content), is_progressive)
