"""Whether the stand-in SOLAPI takes an AlimTalk or a brand message, and the text that may have to replace it."""

import re
from typing import Any

from integrations.sandbox.solapi.catalogue import VARIABLE, Template
from integrations.sandbox.solapi.codes import ACCEPTED
from integrations.sandbox.solapi.text_checks import UNPRINTABLE, Rules, own_text

CHARACTERS_OF_ALIMTALK, CHARACTERS_OF_BRAND, NEWLINES_OF_BRAND = 1_000, 1_300, 99
BUTTONS, CHARACTERS_OF_BUTTON = 5, 14
LINK_OF_TEMPLATE, LINK_OF_BRAND = 500, 1_000
ALIMTALK_BUTTONS = {"WL", "AL", "DS", "BK", "MD", "BC", "BT", "AC", "BF", "P1", "P2", "P3", "TN"}
BRAND_BUTTONS = {"WL", "AL", "AC", "BK", "MD", "BC", "BT", "BF"}
WEB_LINK = re.compile(r"(?:https?://|#\{).+", re.IGNORECASE)


def _check_fallback(message: dict[str, Any], rules: Rules) -> int:
    """The text message that follows a Kakao message which fails: its sender, characters and length."""
    options = message["kakaoOptions"]
    sender = message.get("from")
    if sender is not None and sender not in rules.account.numbers:
        return 1062
    if options.get("disableSms"):
        return ACCEPTED
    for given in message.get("replacements") or ():
        if not isinstance(given, dict):
            return 1011
        if given.get("from") is not None and given["from"] not in rules.account.numbers:
            return 1062
        code = own_text(given.get("text"), rules)
        if code != ACCEPTED:
            return code
    return ACCEPTED


def check_alimtalk(message: dict[str, Any], rules: Rules, kind: int) -> int:
    options = message.get("kakaoOptions")
    if not isinstance(options, dict):
        return 1010
    channel = options.get("pfId")
    if not any(own.id == channel for own in rules.account.channels):
        return 1041
    template = rules.account.templates.get(str(options.get("templateId")))
    if template is None or template.channel != channel or not template.sendable:
        return 1042
    code = _check_template(message, options, template, rules)
    if code != ACCEPTED:
        return code
    return _check_fallback(message, rules)


def _check_template(message: dict[str, Any], options: dict[str, Any], template: Template, rules: Rules) -> int:
    """Whether what is sent is the template: by its variables, or by text that differs in nothing else."""
    variables, text, buttons = options.get("variables"), message.get("text"), options.get("buttons")
    if variables is None and text is not None:
        code = _check_whole_text(text, template, bool(buttons))
    else:
        code = _check_variables(variables or {}, template)
        if code == ACCEPTED:
            code = own_text(text, rules)
    return _check_template_buttons(buttons, template) if buttons and code == ACCEPTED else code


def _check_whole_text(text: Any, template: Template, has_buttons: bool) -> int:
    if type(text) is not str or template.pattern.fullmatch(text) is None:
        return 1043
    if len(text) > CHARACTERS_OF_ALIMTALK:
        return 1031
    return 1046 if template.buttons and not has_buttons else ACCEPTED


def _check_variables(variables: Any, template: Template) -> int:
    if not isinstance(variables, dict) or variables.keys() != template.wanted:
        return 1043
    for value in variables.values():
        if type(value) is not str or not value:
            return 1043
    length = template.fixed_length
    for name in template.in_content:
        length += len(variables[name])
    return 1031 if length > CHARACTERS_OF_ALIMTALK else ACCEPTED


def _check_template_buttons(buttons: Any, template: Template) -> int:
    if not isinstance(buttons, list) or not all(isinstance(button, dict) for button in buttons):
        return 1044
    if not template.buttons:
        return 1047
    for button in buttons:
        code = _check_button(button, "buttonName", "buttonType", ("linkMo", "linkPc"), LINK_OF_TEMPLATE)
        if button.get("buttonType") not in ALIMTALK_BUTTONS:
            return 1044
        if code != ACCEPTED:
            return code
    if len(buttons) > BUTTONS:
        return 1050
    names = [(button["buttonName"], button["buttonType"]) for button in buttons]
    registered = [(button["buttonName"], button["buttonType"]) for button in template.buttons]
    if names != registered:
        return 1052 if sorted(names) == sorted(registered) else 1043
    return ACCEPTED


def _check_button(
    button: dict[str, Any], name: str, kind: str, links: tuple[str, str], longest: int, variables: bool = True
) -> int:
    """A button of either vocabulary: its name, and the link that its type must have."""
    label = button.get(name)
    if type(label) is not str or not label or (not variables and VARIABLE.search(label)):
        return 1044
    if len(label) > CHARACTERS_OF_BUTTON:
        return 1049
    mobile = button.get(links[0])
    if button.get(kind) == "WL" and not mobile:
        return 1045
    for link in (mobile, button.get(links[1])):
        if link is not None and (type(link) is not str or WEB_LINK.fullmatch(link) is None):
            return 1045
        if link is not None and len(link) > longest:
            return 1048
    return ACCEPTED


def check_brand(message: dict[str, Any], rules: Rules, kind: int) -> int:
    """A free-form brand message: TEXT or IMAGE, to friends of the channel (targeting I)."""
    options, text = message.get("kakaoOptions"), message.get("text")
    if not isinstance(options, dict) or not text:
        return 1010
    if not any(own.id == options.get("pfId") for own in rules.account.channels):
        return 1041
    brand = options.get("bms")
    if not isinstance(brand, dict):
        return 1010
    # M and N need a channel that Kakao has admitted; neither of these is.
    if brand.get("targeting") != "I" or brand.get("chatBubbleType") not in ("TEXT", "IMAGE") or type(text) is not str:
        return 1011
    if len(text) > CHARACTERS_OF_BRAND or text.count("\n") > NEWLINES_OF_BRAND:
        return 1031
    if UNPRINTABLE.search(text):
        return 1028
    for code in (_check_brand_image(brand, rules), _check_brand_buttons(brand)):
        if code != ACCEPTED:
            return code
    return _check_fallback(message, rules)


def _check_brand_image(brand: dict[str, Any], rules: Rules) -> int:
    if brand["chatBubbleType"] != "IMAGE":
        return 1011 if brand.get("imageId") else ACCEPTED
    file = rules.account.files.get(str(brand.get("imageId")))
    return ACCEPTED if file is not None and file["type"] == "BMS" else 1051


def _check_brand_buttons(brand: dict[str, Any]) -> int:
    buttons = brand.get("buttons") or []
    if not isinstance(buttons, list) or not all(isinstance(button, dict) for button in buttons):
        return 1044
    if len(buttons) > BUTTONS - bool(brand.get("coupon")):
        return 1050
    for button in buttons:
        kind = button.get("linkType")
        if kind == "DS":
            return 1053
        if kind not in BRAND_BUTTONS:
            return 1044
        code = _check_button(button, "name", "linkType", ("linkMobile", "linkPc"), LINK_OF_BRAND, variables=False)
        if kind == "AC" and not button.get("name"):
            code = ACCEPTED  # its name is fixed
        if code != ACCEPTED:
            return code
    return ACCEPTED
