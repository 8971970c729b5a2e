"""What a refusal of Mixpanel's means for a refresh: the end of it, the end of one cohort's turn, or a pause."""

import enum

from integrations.http import ForbiddenDestination, TooLarge, VendorError
from integrations.mixpanel.errors import (
    BadParameters,
    NotFound,
    NotPermitted,
    PlanWithoutApi,
    SessionLost,
    WrongCredentials,
)


class Reach(enum.Enum):
    """How far a trouble goes."""

    ACCOUNT = "account"
    """Nothing can be asked with these credentials until a person acts."""
    QUESTION = "question"
    """This very question won't be answered; another one may."""
    PASSING = "passing"
    """The same question may be answered later."""


_ACCOUNT = (WrongCredentials, PlanWithoutApi, NotPermitted, ForbiddenDestination)
_QUESTION = (NotFound, BadParameters, TooLarge, SessionLost)


class Trouble(Exception):
    """A refusal, judged: its `code` is the refusal's (`integrations/failures.py` has the sentence)."""

    def __init__(self, code: str, reach: Reach) -> None:
        super().__init__(code, reach)
        self.code = code
        self.reach = reach

    @classmethod
    def of(cls, error: VendorError) -> "Trouble":
        """The judgement on an error. What isn't known for worse is passing: tries are counted."""
        if isinstance(error, _ACCOUNT):
            return cls(error.code, Reach.ACCOUNT)
        return cls(error.code, Reach.QUESTION if isinstance(error, _QUESTION) else Reach.PASSING)
