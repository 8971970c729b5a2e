"""Every status code that SOLAPI documents has a meaning, and unknown ones one by their leading digit."""

import re

import pytest

from integrations.messaging import Outcome, Reason
from integrations.solapi.codes import VERDICTS, verdict_of

DOCUMENTED = re.findall(
    r"[0-9]+",
    """
1010 1011 1013 1014 1020 1021 1022 1023 1024 1025 1026 1027 1028 1029 1030 1031 1032 1033 1034 1041 1042 1043 1044 1045
1046 1047 1048 1049 1050 1051 1052 1053 1058 1060 1061 1062 1064 2000 2011 2024 2060 2061 2062 2063 2064 2230 2254 3000
3010 3011 3012 3013 3014 3024 3031 3032 3040 3041 3042 3043 3044 3045 3046 3047 3048 3050 3051 3052 3053 3054 3055 3056
3057 3058 3059 3060 3101 3102 3103 3104 3105 3106 3107 3108 4000
""",
)


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_documented_code_is_known(code: str) -> None:
    verdict = VERDICTS[code]
    if code in ("2000", "3000"):
        assert verdict.outcome == Outcome.WAITING
    elif code == "4000":
        assert verdict.outcome == Outcome.DELIVERED
    else:
        assert verdict.outcome == Outcome.FAILED
        assert verdict.reason


@pytest.mark.parametrize(
    "code", ["3012", "3024", "3040", "3041", "3042", "3043", "3044", "3045", "3046", "3053", "3056", "3057"]
)
def test_what_may_work_later(code: str) -> None:
    assert verdict_of(code).is_transient


@pytest.mark.parametrize(
    "code", ["1041", "1042", "1062", "1064", "2062", "3054", "3055", "3059", "3101", "3105", "3106"]
)
def test_what_is_the_set_ups_fault(code: str) -> None:
    assert verdict_of(code).stops_campaign
    assert not verdict_of(code).is_transient


def test_a_refusal_of_ads_is_remembered_and_nothing_else_is() -> None:
    assert {code for code, verdict in VERDICTS.items() if verdict.is_opt_out} == {"1061", "2061"}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("1999", Outcome.FAILED),
        ("2999", Outcome.FAILED),
        ("3999", Outcome.FAILED),
        ("4999", Outcome.UNCERTAIN),
        ("9999", Outcome.UNCERTAIN),
        ("0000", Outcome.UNCERTAIN),
        ("", Outcome.WAITING),
        ("TEST1000", Outcome.WAITING),
        ("４０００", Outcome.WAITING),
        ("40000", Outcome.WAITING),
    ],
)
def test_an_unknown_code(code: str, outcome: Outcome) -> None:
    verdict = verdict_of(code)
    assert verdict.outcome == outcome
    assert not verdict.is_transient
    assert not verdict.stops_campaign


def test_kakaos_unconfirmed_receipt_is_uncertain() -> None:
    assert verdict_of("3005").outcome == Outcome.UNCERTAIN
    assert verdict_of("3005").reason == Reason.NO_REPORT
