"""The condition language of user groups: what can be said of a person, and how it is said in words.

A definition is `((a ∧ b) ∨ (c ∧ d)) ∧ e`: conditions inside a segment all hold, one of the segments holds, and the
extra filters (추가 필터) hold besides. Definitions come from forms and rows; `definition_of` reads anything and raises
for nothing: what it can't read becomes a problem with the place where it stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

MOST_SEGMENTS = 10
MOST_CONDITIONS = 30
"""Of a whole definition: more than anybody reads."""
LONGEST_NAME = 255
LONGEST_VALUE = 255
MOST_DAYS = 365
LARGEST_EXPONENT = 15


class Type(TextChoices):
    """What a property's value is compared as."""

    TEXT = "text", gettext_lazy("텍스트")
    NUMBER = "number", gettext_lazy("숫자")
    BOOLEAN = "boolean", gettext_lazy("불리언")
    LIST = "list", gettext_lazy("목록")


class Operator(TextChoices):
    """How it is compared. What is missing matches only `MISSING`, never a "not"."""

    EQUALS = "=", gettext_lazy("일치")
    DIFFERS = "<>", gettext_lazy("불일치")
    AT_LEAST = ">=", gettext_lazy("이상")
    AT_MOST = "<=", gettext_lazy("이하")
    MORE = ">", gettext_lazy("초과")
    LESS = "<", gettext_lazy("미만")
    CONTAINS = "contains", gettext_lazy("포함")
    LACKS = "lacks", gettext_lazy("포함하지 않음")
    BEGINS = "begins", gettext_lazy("시작 문자 일치")
    EXISTS = "exists", gettext_lazy("존재함")
    MISSING = "missing", gettext_lazy("존재하지 않음")


_PRESENCE = (Operator.EXISTS, Operator.MISSING)
OPERATORS: dict[Type, tuple[Operator, ...]] = {
    Type.TEXT: (Operator.EQUALS, Operator.DIFFERS, Operator.CONTAINS, Operator.LACKS, Operator.BEGINS, *_PRESENCE),
    Type.NUMBER: (
        *(Operator.EQUALS, Operator.DIFFERS, Operator.AT_LEAST, Operator.AT_MOST, Operator.MORE, Operator.LESS),
        *_PRESENCE,
    ),
    Type.BOOLEAN: (Operator.EQUALS, *_PRESENCE),
    Type.LIST: (Operator.CONTAINS, Operator.LACKS, *_PRESENCE),
}


@dataclass(frozen=True)
class Problem:
    """Something in a definition that can't be used. `where`: ("segments", 0, 2) or ("filters", 1), or () for all."""

    where: tuple[str | int, ...]
    code: str
    text: str


# -- The conditions ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class InCohort:
    """Is, or isn't, in the current version of a cohort of either road."""

    kind: ClassVar[str] = "cohort"
    cohort: int
    is_in: bool = True


@dataclass(frozen=True)
class InGroup:
    """Is, or isn't, in another user group, which itself holds no groups."""

    kind: ClassVar[str] = "group"
    group: str
    """The group's id in hex."""
    is_in: bool = True


@dataclass(frozen=True)
class HasProperty:
    """A property compared with a value."""

    kind: ClassVar[str] = "property"
    name: str
    operator: Operator
    type: Type = Type.TEXT
    value: str = ""

    @property
    def number(self) -> Decimal:
        """The value of a number condition."""
        return Decimal(self.value)


@dataclass(frozen=True)
class CanBeReached:
    """Has, or hasn't, a mobile number that messages reach, or an e-mail address."""

    kind: ClassVar[str] = "contact"
    what: str
    """"phone" or "email"."""
    has: bool = True


@dataclass(frozen=True)
class Consented:
    """Has, or hasn't, consented to advertising, or to it at night."""

    kind: ClassVar[str] = "consent"
    what: str
    """"marketing" or "night"."""
    given: bool = True


@dataclass(frozen=True)
class Synced:
    """Joined or left a cohort in the last days (the event `Partner Sync`)."""

    kind: ClassVar[str] = "sync"
    cohort: int
    joined: bool
    days: int


Condition = InCohort | InGroup | HasProperty | CanBeReached | Consented | Synced
_KINDS: dict[str, type[Condition]] = {
    one.kind: one for one in (InCohort, InGroup, HasProperty, CanBeReached, Consented, Synced)
}


@dataclass(frozen=True)
class Definition:
    """What a user group says."""

    segments: tuple[tuple[Condition, ...], ...] = ()
    filters: tuple[Condition, ...] = ()
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    def __iter__(self) -> Iterator[Condition]:
        for segment in self.segments:
            yield from segment
        yield from self.filters

    @property
    def cohorts(self) -> set[int]:
        """The cohorts that it asks about."""
        return {one.cohort for one in self if isinstance(one, InCohort | Synced)}

    @property
    def groups(self) -> set[str]:
        """The groups that it asks about."""
        return {one.group for one in self if isinstance(one, InGroup)}

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "segments": [[_as_json(one) for one in segment] for segment in self.segments],
            "filters": [_as_json(one) for one in self.filters],
        }

    @classmethod
    def of_cohort(cls, cohort: int) -> Self:
        """Everybody who is in this cohort."""
        return cls(segments=((InCohort(cohort),),))


def _as_json(condition: Condition) -> dict[str, Any]:
    return {"kind": condition.kind, **asdict(condition)}


# -- Reading ----------------------------------------------------------------------------------------------------------
def definition_of(stored: Any) -> Definition:
    """Whatever of `stored` (decoded JSON from a row or a form) can be read; the rest is in `problems`. Never raises."""
    given = stored if isinstance(stored, Mapping) else {}
    problems: list[Problem] = []
    segments: list[tuple[Condition, ...]] = []
    for at, each in enumerate(_items(given.get("segments"))[:MOST_SEGMENTS]):
        found = _read_all(_items(each), ("segments", at), problems)
        if found:
            segments.append(found)
        else:
            problems.append(
                Problem(("segments", at), "empty_segment", _("조건을 하나 이상 넣거나 세그먼트를 지우세요."))
            )
    if len(_items(given.get("segments"))) > MOST_SEGMENTS:
        text = _("세그먼트는 %(most)s개까지 만들 수 있습니다.") % {"most": MOST_SEGMENTS}
        problems.append(Problem((), "too_many_segments", text))
    filters = _read_all(_items(given.get("filters")), ("filters",), problems)
    if not segments and not problems:
        problems.append(Problem((), "no_segment", _("세그먼트를 하나 이상 만드세요.")))
    if sum(map(len, segments)) + len(filters) > MOST_CONDITIONS:
        text = _("조건은 모두 %(most)s개까지 넣을 수 있습니다.") % {"most": MOST_CONDITIONS}
        problems.append(Problem((), "too_many_conditions", text))
    return Definition(tuple(segments), filters, tuple(problems))


def _items(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list | tuple) else ()


def _read_all(given: Sequence[Any], where: tuple[str | int, ...], problems: list[Problem]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for at, each in enumerate(given[: MOST_CONDITIONS + 1]):
        try:
            found.append(_read(each))
        except _Unusable as error:
            problems.append(Problem((*where, at), error.code, error.text))
    return tuple(found)


class _Unusable(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


def _read(given: Any) -> Condition:
    kind = given.get("kind") if isinstance(given, Mapping) else None
    made = _KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise _Unusable("unknown_condition", _("무엇을 볼지 고르세요."))
    values = {one.name: given.get(one.name) for one in fields(made) if one.name in given}
    reader = _READERS[made]
    condition: Condition = reader(values)
    return condition


def _in_cohort(values: dict[str, Any]) -> InCohort:
    return InCohort(_cohort(values), values.get("is_in") is not False)


def _in_group(values: dict[str, Any]) -> InGroup:
    group = values.get("group")
    if not isinstance(group, str) or len(group) != 32 or not set(group) <= set("0123456789abcdef"):
        raise _Unusable("no_group", _("유저 그룹을 고르세요."))
    return InGroup(group, values.get("is_in") is not False)


def _cohort(values: dict[str, Any]) -> int:
    cohort = values.get("cohort")
    if isinstance(cohort, bool) or not isinstance(cohort, int) or not 0 < cohort < 2**63:
        raise _Unusable("no_cohort", _("코호트를 고르세요."))
    return cohort


def _has_property(values: dict[str, Any]) -> HasProperty:
    name, value = values.get("name"), values.get("value")
    if not isinstance(name, str) or not (name := name.replace("\0", "").strip()):
        raise _Unusable("no_name", _("유저 속성의 이름을 넣으세요."))
    if len(name) > LONGEST_NAME:
        raise _Unusable("long_name", _("속성 이름이 너무 깁니다."))
    try:
        type_ = Type(values.get("type", Type.TEXT))
    except ValueError:
        raise _Unusable("no_type", _("비교할 값 타입을 고르세요.")) from None
    operator = next((one for one in OPERATORS[type_] if one == values.get("operator")), None)
    if operator is None:
        raise _Unusable("no_operator", _("이 타입에 쓸 수 있는 연산자를 고르세요."))
    if operator in _PRESENCE:
        return HasProperty(name, operator, type_)
    return HasProperty(name, operator, type_, _value(type_, value))


def _value(type_: Type, value: Any) -> str:
    text = value.replace("\0", "").strip() if isinstance(value, str) else "" if value is None else str(value)
    if len(text) > LONGEST_VALUE:
        raise _Unusable("long_value", _("비교할 값은 %(most)s자까지 넣을 수 있습니다.") % {"most": LONGEST_VALUE})
    if type_ == Type.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise _Unusable("no_boolean", _("참과 거짓 중 하나를 고르세요."))
        return text.lower()
    if not text:
        raise _Unusable("no_value", _("비교할 값을 넣으세요."))
    if type_ == Type.NUMBER:
        try:
            number = Decimal(text.replace(",", ""))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number.adjusted() > LARGEST_EXPONENT or number.adjusted() < -LARGEST_EXPONENT:
            raise _Unusable("no_number", _("숫자를 넣으세요. 예: 30000"))
        return f"{number.normalize():f}"
    return text


def _can_be_reached(values: dict[str, Any]) -> CanBeReached:
    what = values.get("what")
    if what != "phone" and what != "email":
        raise _Unusable("no_contact", _("전화번호와 이메일 중 하나를 고르세요."))
    return CanBeReached(what, values.get("has") is not False)


def _consented(values: dict[str, Any]) -> Consented:
    what = values.get("what")
    if what != "marketing" and what != "night":
        raise _Unusable("no_consent", _("광고 수신 동의와 야간 수신 동의 중 하나를 고르세요."))
    return Consented(what, values.get("given") is not False)


def _synced(values: dict[str, Any]) -> Synced:
    days = values.get("days")
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MOST_DAYS:
        raise _Unusable("no_days", _("며칠 동안인지 1에서 %(most)s 사이로 넣으세요.") % {"most": MOST_DAYS})
    return Synced(_cohort(values), values.get("joined") is not False, days)


_READERS: dict[type[Condition], Any] = {
    InCohort: _in_cohort,
    InGroup: _in_group,
    HasProperty: _has_property,
    CanBeReached: _can_be_reached,
    Consented: _consented,
    Synced: _synced,
}


# -- In words ---------------------------------------------------------------------------------------------------------
def in_words(condition: Condition, names: Mapping[int | str, str]) -> str:
    """The condition as its chip says it. `names` are those of cohorts (by key) and groups (by id in hex); one that is
    gone is said to be."""
    if isinstance(condition, InCohort):
        words = _("코호트 ‘%(name)s’에 있음") if condition.is_in else _("코호트 ‘%(name)s’에 없음")
        return words % {"name": names.get(condition.cohort, _("삭제된 코호트"))}
    if isinstance(condition, InGroup):
        words = _("유저 그룹 ‘%(name)s’에 있음") if condition.is_in else _("유저 그룹 ‘%(name)s’에 없음")
        return words % {"name": names.get(condition.group, _("삭제된 유저 그룹"))}
    if isinstance(condition, Synced):
        words = (
            _("최근 %(days)s일 안에 코호트 ‘%(name)s’에 들어옴")
            if condition.joined
            else _("최근 %(days)s일 안에 코호트 ‘%(name)s’에서 나감")
        )
        return words % {"days": condition.days, "name": names.get(condition.cohort, _("삭제된 코호트"))}
    if isinstance(condition, HasProperty):
        return _property_in_words(condition)
    return str(_FIXED_WORDS[condition])


def _property_in_words(condition: HasProperty) -> str:
    if condition.operator in _PRESENCE:
        return f"{condition.name} {condition.operator.label}"
    value = condition.value
    if condition.type == Type.BOOLEAN:
        value = _("참") if value == "true" else _("거짓")
    elif condition.type != Type.NUMBER:
        value = f"‘{value}’"
    return f"{condition.name} {value} {condition.operator.label}"


_FIXED_WORDS: dict[Condition, Any] = {
    CanBeReached("phone", True): gettext_lazy("문자를 받을 수 있는 전화번호 있음"),
    CanBeReached("phone", False): gettext_lazy("문자를 받을 수 있는 전화번호 없음"),
    CanBeReached("email", True): gettext_lazy("이메일 있음"),
    CanBeReached("email", False): gettext_lazy("이메일 없음"),
    Consented("marketing", True): pgettext_lazy("condition", "광고 수신 동의함"),
    Consented("marketing", False): pgettext_lazy("condition", "광고 수신 동의하지 않음"),
    Consented("night", True): pgettext_lazy("condition", "야간 광고 수신 동의함"),
    Consented("night", False): pgettext_lazy("condition", "야간 광고 수신 동의하지 않음"),
}
