"""What a SOLAPI account offers, asked afresh: channels, numbers, templates, money, prices, opt-outs; and uploads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Self

from integrations.http import Refused, VendorError
from integrations.messaging import (
    Balance,
    KakaoProfile,
    Kind,
    SenderNumber,
    Stopped,
    Template,
    TemplateStatus,
)
from integrations.solapi.client import Deadline, SolapiClient
from integrations.solapi.errors import as_not_taken

UPLOADS = {Kind.MMS: "MMS", Kind.FRIENDTALK: "BMS"}
PICTURE_REFUSED = frozenset({400, 413, 415, 422})


class SolapiCatalogue:
    """The protocol of `integrations/messaging.py`. For `with`, or for a call or two without."""

    def __init__(self, client: SolapiClient) -> None:
        """`client` is closed with this."""
        self._client = client

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def profiles(self) -> list[KakaoProfile]:
        """The registered Kakao channels."""
        with _in_our_words():
            return [profile for page in self._client.profiles() for profile in page]

    def numbers(self) -> list[SenderNumber]:
        """The registered sender numbers."""
        with _in_our_words():
            return self._client.numbers(Deadline())

    def templates(self) -> list[Template]:
        """The 알림톡 templates. An approved one that SOLAPI doesn't list as sendable is dormant or blocked."""
        with _in_our_words():
            found = [template for page in self._client.templates() for template in page]
            if not any(template.is_sendable for template in found):
                return found
            sendable = self._sendable()
        if sendable is None:
            return found
        return [_as_it_may_be_sent(template, template.id in sendable) for template in found]

    def template(self, template_id: str) -> Template | None:
        """One template as it stands now; None when it is gone."""
        with _in_our_words():
            try:
                found = self._client.template(template_id, Deadline())
            except Refused as error:
                if error.status == 404 and error.slug:
                    return None
                raise
            sendable = self._sendable(template_id) if found.is_sendable else None
        return found if sendable is None else _as_it_may_be_sent(found, template_id in sendable)

    def _sendable(self, template_id: str = "") -> set[str] | None:
        """The ids that SOLAPI lists as sendable; None where it has no such list."""
        try:
            return {template.id for page in self._client.sendable_templates(template_id) for template in page}
        except Refused as error:
            if error.status in (400, 404):
                return None
            raise

    def balance(self) -> Balance:
        """The money."""
        return self.account()[0]

    def account(self) -> tuple[Balance, str]:
        """The money, and the account's id at SOLAPI ("" where it doesn't say)."""
        with _in_our_words():
            return self._client.balance(Deadline())

    def prices(self) -> Mapping[Kind, Decimal]:
        """Won for one message, without VAT."""
        with _in_our_words():
            return self._client.prices(Deadline())

    def opt_outs(self) -> Iterator[str]:
        """Numbers (E.164) that refused advertising at SOLAPI's 080 service."""
        with _in_our_words():
            for page in self._client.refusals():
                yield from page

    def upload(self, picture: bytes, *, name: str, kind: Kind) -> str:
        """Keeps a picture for an MMS or a brand message; its id."""
        with _in_our_words():
            try:
                return self._client.upload(picture, name=name, kind=UPLOADS[kind], within=Deadline())
            except Refused as error:
                if error.status in PICTURE_REFUSED and error.slug:
                    raise Stopped("image") from None
                raise


def _as_it_may_be_sent(template: Template, is_sendable: bool) -> Template:
    if not template.is_sendable or is_sendable:
        return template
    return replace(template, status=TemplateStatus.BLOCKED)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except VendorError as error:
        raise as_not_taken(error) from None
