"""What SOLAPI's four-digit status codes mean to us.

The list is SOLAPI's table of message status codes; newer codes than these exist, and their leading digit still says
how far a message came: 1 refused when registered, 2 by the platform, 3 by the carrier or Kakao, 4 arrived.
"""

from integrations.messaging import Outcome, Reason, Verdict

WAITING = Verdict(Outcome.WAITING)
DELIVERED = Verdict(Outcome.DELIVERED)


def _failed(reason: Reason) -> Verdict:
    return Verdict(Outcome.FAILED, reason)


def _passing(reason: Reason) -> Verdict:
    return Verdict(Outcome.FAILED, reason, is_transient=True)


def _set_up(reason: Reason) -> Verdict:
    return Verdict(Outcome.FAILED, reason, stops_campaign=True)


_OPTED_OUT = Verdict(Outcome.FAILED, Reason.OPTED_OUT, is_opt_out=True)

VERDICTS: dict[str, Verdict] = {
    "2000": WAITING,
    "3000": WAITING,
    "4000": DELIVERED,
    # Kakao's own: handed to the phone, receipt not confirmed; it may still arrive within three days.
    "3005": Verdict(Outcome.UNCERTAIN, Reason.NO_REPORT),
    # -- Refused when it was registered --
    "1010": _failed(Reason.CONTENT_REFUSED),
    "1011": _failed(Reason.NUMBER_INVALID),
    "1013": _failed(Reason.CONTENT_REFUSED),
    "1014": _failed(Reason.TOO_LONG),
    "1020": _set_up(Reason.OTHER),
    "1021": _failed(Reason.OTHER),
    "1022": _failed(Reason.OTHER),
    "1023": _set_up(Reason.IMAGE),
    "1024": _passing(Reason.OTHER),
    "1025": _set_up(Reason.CONTENT_REFUSED),
    "1026": _failed(Reason.DUPLICATE),
    "1027": _failed(Reason.CHARACTERS),
    "1028": _failed(Reason.CHARACTERS),
    "1029": _failed(Reason.CHARACTERS),
    "1030": _set_up(Reason.OUT_OF_BALANCE),
    "1031": _failed(Reason.TOO_LONG),
    "1032": _set_up(Reason.OTHER),
    "1033": _set_up(Reason.CONTENT_REFUSED),
    "1034": _set_up(Reason.IMAGE),
    "1041": _set_up(Reason.PROFILE_UNUSABLE),
    "1042": _set_up(Reason.TEMPLATE_UNUSABLE),
    # Of one person's value as likely as of the template: the brake sees it when it is everybody's.
    "1043": _failed(Reason.TEMPLATE_MISMATCH),
    "1044": _failed(Reason.BUTTON),
    "1045": _failed(Reason.BUTTON),
    "1046": _failed(Reason.BUTTON),
    "1047": _failed(Reason.BUTTON),
    "1048": _failed(Reason.BUTTON),
    "1049": _failed(Reason.BUTTON),
    "1050": _failed(Reason.BUTTON),
    "1051": _set_up(Reason.IMAGE),
    "1052": _failed(Reason.BUTTON),
    "1053": _failed(Reason.BUTTON),
    "1058": _failed(Reason.CARRIER),
    "1060": _failed(Reason.BLOCKED_BY_RECIPIENT),
    "1061": _OPTED_OUT,
    "1062": _set_up(Reason.SENDER_UNREGISTERED),
    "1064": _set_up(Reason.SENDER_BLOCKED),
    # -- The same, found later by the platform --
    "2011": _failed(Reason.NUMBER_INVALID),
    "2024": _passing(Reason.OTHER),
    "2060": _failed(Reason.BLOCKED_BY_RECIPIENT),
    "2061": _OPTED_OUT,
    "2062": _set_up(Reason.SENDER_UNREGISTERED),
    "2063": _set_up(Reason.SENDER_BLOCKED),
    "2064": _set_up(Reason.SENDER_BLOCKED),
    "2230": _set_up(Reason.OUT_OF_BALANCE),
    "2254": _set_up(Reason.SPAM),
    # -- The carrier --
    "3010": _failed(Reason.NUMBER_INVALID),
    "3011": _failed(Reason.NUMBER_INVALID),
    "3012": _passing(Reason.CARRIER),
    "3013": _set_up(Reason.SENDER_UNREGISTERED),
    "3014": _failed(Reason.OTHER),
    "3024": _passing(Reason.CARRIER),
    "3031": _failed(Reason.OTHER),
    "3032": _failed(Reason.NO_SUCH_NUMBER),
    "3040": _passing(Reason.NOT_REACHED),
    "3041": _passing(Reason.PHONE_BUSY),
    "3042": _passing(Reason.NOT_REACHED),
    "3043": _passing(Reason.PHONE_OFF),
    "3044": _passing(Reason.PHONE_FULL),
    "3045": _passing(Reason.PHONE_BUSY),
    "3046": _passing(Reason.PHONE_BUSY),
    "3047": _failed(Reason.BLOCKED_BY_RECIPIENT),
    "3048": _failed(Reason.OTHER),
    "3050": _failed(Reason.OTHER),
    "3051": _failed(Reason.NOT_REACHED),
    "3052": _failed(Reason.CARRIER),
    "3053": _passing(Reason.CARRIER),
    "3054": _set_up(Reason.SPAM),
    "3055": _set_up(Reason.SPAM),
    "3056": _passing(Reason.CARRIER),
    "3057": _passing(Reason.CARRIER),
    "3058": _failed(Reason.CARRIER),
    "3059": _set_up(Reason.SENDER_BLOCKED),
    "3060": _failed(Reason.OTHER),
    # -- Kakao --
    "3101": _set_up(Reason.PROFILE_UNUSABLE),
    "3102": _failed(Reason.NOT_A_FRIEND),
    "3103": _failed(Reason.TEMPLATE_MISMATCH),
    "3104": _failed(Reason.NOT_ON_KAKAO),
    "3105": _set_up(Reason.TEMPLATE_UNUSABLE),
    "3106": _set_up(Reason.PROFILE_UNUSABLE),
    "3107": _failed(Reason.KAKAO_INACTIVE),
    "3108": _failed(Reason.OUTSIDE_HOURS),
}


def verdict_of(code: str) -> Verdict:
    """What a status code means. One that nobody knows is judged by its leading digit; what isn't a code at all says
    nothing yet, and the message waits."""
    if known := VERDICTS.get(code):
        return known
    if len(code) != 4 or not (code.isascii() and code.isdigit()):
        return WAITING
    if code[0] in "123":
        return _failed(Reason.OTHER)
    # Something about an arrival, or a kind of code that isn't known yet: neither a success nor a failure to claim.
    return Verdict(Outcome.UNCERTAIN, Reason.OTHER)
