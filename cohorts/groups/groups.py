"""User groups: save a definition, and tell who is in it.

A group is evaluated when it is asked for, never stored as a list: cohorts and facets are bitmaps, properties one walk
over the project's people, and the rest is set algebra. Groups nest one level: a group that asks about groups can't be
asked about itself, so there are no cycles.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.groups import properties
from cohorts.groups.conditions import (
    CanBeReached,
    Condition,
    Consented,
    Definition,
    HasProperty,
    InCohort,
    InGroup,
    Problem,
    Synced,
    definition_of,
)
from cohorts.membership import loaded
from cohorts.models import Cohort, GroupNesting, GroupSize, UserGroup
from cohorts.people.facets import Facets, facets
from cohorts.people.history import those_who
from notifly_console.tenancy.models import Project


class CannotSave(Exception):
    """The group can't be saved like this; `problems` say why and where."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__([problem.code for problem in problems])
        self.problems = problems


class Conflict(Exception):
    """Somebody else changed the group since it was read."""

    def __init__(self, group: UserGroup) -> None:
        super().__init__(group.pk)
        self.group = group


class InUse(Exception):
    """Other groups ask about this one: it can't go before they do."""


class NotReady(Exception):
    """Who is in can't be told: `cohorts` were never read, or what is asked about is `gone`."""

    def __init__(self, cohorts: Collection[Cohort] = (), gone: int = 0) -> None:
        super().__init__([cohort.screen_id for cohort in cohorts], gone)
        self.cohorts = cohorts
        self.gone = gone


# -- Saving -----------------------------------------------------------------------------------------------------------
@transaction.atomic
def save(
    project: Project,
    *,
    name: str,
    definition: Definition,
    by: str,
    description: str = "",
    group: UserGroup | None = None,
    seen: int | None = None,
) -> UserGroup:
    """A new group, or `group` as it shall be; `seen` is the version that the person was looking at.

    Raises CannotSave, and Conflict when `group` has another version by now."""
    Project.objects.select_for_update().get(pk=project.pk)
    if group is not None:
        group = UserGroup.objects.select_for_update().get(pk=group.pk)
        if seen is not None and group.version != seen:
            raise Conflict(group)
    name = " ".join(name.replace("\0", "").split())
    problems = [*definition.problems, *_problems_of(project, name, definition, group)]
    if problems:
        raise CannotSave(problems)
    group = group or UserGroup(project=project, made_by=by, version=0)
    group.name, group.name_key, group.description = name, name.lower()[:100], description.replace("\0", "").strip()
    said = definition.as_json()
    if group.definition != said:
        group.size = group.counted_at = None  # It was the size of something else.
    group.definition, group.changed_by = said, by
    group.version += 1
    group.save()
    GroupNesting.objects.filter(outer=group).delete()
    inner = UserGroup.objects.filter(project=project, pk__in=[UUID(one) for one in definition.groups])
    GroupNesting.objects.bulk_create(GroupNesting(outer=group, inner=one) for one in inner)
    return group


def _problems_of(project: Project, name: str, definition: Definition, group: UserGroup | None) -> list[Problem]:
    found: list[Problem] = []
    if not name:
        found.append(Problem((), "no_name", _("유저 그룹 이름을 넣으세요.")))
    if len(name) > 255:
        found.append(Problem((), "long_name", _("유저 그룹 이름은 255자까지 쓸 수 있습니다.")))
    if group is not None and group.is_partner:
        text = _("Mixpanel이 동기화하는 유저 그룹은 여기에서 고칠 수 없습니다. 복제해서 조건을 더하세요.")
        found.append(Problem((), "partner", text))
    known = set(Cohort.objects.filter(project=project, pk__in=definition.cohorts).values_list("pk", flat=True))
    if definition.cohorts - known:
        found.append(Problem((), "no_cohort", _("고른 코호트 가운데 이 프로젝트에 없는 것이 있습니다. 다시 고르세요.")))
    return found + _nesting_problems(project, definition, group)


def _nesting_problems(project: Project, definition: Definition, group: UserGroup | None) -> list[Problem]:
    if not definition.groups:
        return []
    asked = [UUID(one) for one in definition.groups]
    inner = UserGroup.objects.filter(project=project, pk__in=asked)
    if inner.count() < len(asked):
        return [Problem((), "no_group", _("고른 유저 그룹 가운데 없는 것이 있습니다. 다시 고르세요."))]
    if group is not None and group.pk in asked:
        return [Problem((), "cycle", _("유저 그룹은 자기 자신을 조건으로 쓸 수 없습니다."))]
    deep = GroupNesting.objects.filter(outer__in=inner).select_related("outer").first()
    if deep is not None:
        text = _(
            "‘%(name)s’에는 이미 다른 유저 그룹이 들어 있어 조건으로 쓸 수 없습니다. 한 단계까지만 겹칠 수 있습니다."
        )
        return [Problem((), "too_deep", text % {"name": deep.outer.name})]
    outer = GroupNesting.objects.filter(inner=group).select_related("outer").first() if group is not None else None
    if outer is not None:
        text = _(
            "이 유저 그룹은 ‘%(name)s’의 조건이라 다른 유저 그룹을 담을 수 없습니다. 한 단계까지만 겹칠 수 있습니다."
        )
        return [Problem((), "too_deep", text % {"name": outer.outer.name})]
    return []


def duplicate(group: UserGroup, *, by: str) -> UserGroup:
    """A copy that can be edited, also of a partner's group. Raises CannotSave when what it asks about is gone."""
    name = _("%(name)s 사본") % {"name": group.name[:240]}
    definition = definition_of(group.definition)
    return save(group.project, name=name, definition=definition, by=by, description=group.description)


def delete(group: UserGroup) -> None:
    """Deletes it. Raises InUse while another group asks about it (or a higher room holds it)."""
    try:
        group.delete()
    except (ProtectedError, RestrictedError) as error:
        raise InUse from error


def of_pushed(cohort: Cohort) -> UserGroup:
    """The group that stands for a pushed cohort, made when it is first synced and renamed with it; never a second one.
    Its name is `<name> (Mixpanel)` (product.md §3)."""
    name = f"{cohort.name[:240]} (Mixpanel)"
    definition = Definition.of_cohort(cohort.pk).as_json()
    values: dict[str, Any] = {
        "name": name,
        "name_key": name.lower()[:100],
        "definition": definition,
        "description": cohort.description,
    }
    group, _made = UserGroup.objects.update_or_create(
        partner_cohort=cohort, defaults=values, create_defaults={**values, "project_id": cohort.project_id}
    )
    return group


# -- Telling who is in ------------------------------------------------------------------------------------------------
def members_of(group: UserGroup) -> BitMap64:
    """The profiles that are in the group now. Raises NotReady."""
    return members(group.project_id, definition_of(group.definition))


def members(project_id: UUID, definition: Definition) -> BitMap64:
    """The profiles that a definition means now. Raises NotReady rather than guess: to be "not in" a cohort that was
    never read would be everybody."""
    return _Evaluation(project_id, definition).members()


@dataclass
class _Evaluation:
    project_id: UUID
    definition: Definition
    cohorts: dict[int, BitMap64] = field(default_factory=dict)
    groups: dict[str, BitMap64] = field(default_factory=dict)
    properties: dict[HasProperty, BitMap64] = field(default_factory=dict)

    def members(self) -> BitMap64:
        if not self.definition.segments:
            return BitMap64()
        self._load()
        # What costs nothing first: it says whose properties are worth asking for.
        filters = self._cheap(self.definition.filters)
        segments = [filters & self._cheap(segment) for segment in self.definition.segments]
        asked = [one for one in self.definition if isinstance(one, HasProperty)]
        if asked and len(segments) == 1:
            return segments[0] & properties.having_all(self.project_id, asked, among=segments[0])
        if asked:
            self.properties = properties.having(self.project_id, asked, among=reduce(or_, segments))
        kept = [
            self._costly(segment, candidates)
            for segment, candidates in zip(self.definition.segments, segments, strict=True)
        ]
        return self._costly(self.definition.filters, reduce(or_, kept))

    @property
    def _everybody(self) -> BitMap64:
        return self._facets.known

    def _load(self) -> None:
        self._facets: Facets = facets(self.project_id)
        wanted = {one.cohort for one in self.definition if isinstance(one, InCohort)}
        self.cohorts = current_members(self.project_id, wanted)
        inner = UserGroup.objects.filter(
            project_id=self.project_id, pk__in=[UUID(one) for one in self.definition.groups]
        )
        self.groups = {group.pk.hex: members_of(group) for group in inner}
        if gone := len(self.definition.groups) - len(self.groups):
            raise NotReady(gone=gone)

    def _cheap(self, conditions: Sequence[Condition]) -> BitMap64:
        sets = [self._set(one) for one in conditions if not isinstance(one, HasProperty)]
        return reduce(and_, sets, self._everybody)

    def _costly(self, conditions: Sequence[Condition], candidates: BitMap64) -> BitMap64:
        sets = [self.properties[one] for one in conditions if isinstance(one, HasProperty)]
        return reduce(and_, sets, candidates)

    def _set(self, condition: Condition) -> BitMap64:
        if isinstance(condition, InCohort):
            return self._or_not(self.cohorts[condition.cohort], condition.is_in)
        if isinstance(condition, InGroup):
            return self._or_not(self.groups[condition.group], condition.is_in)
        if isinstance(condition, CanBeReached):
            having = self._facets.reachable if condition.what == "phone" else self._facets.with_email
            return self._or_not(having, condition.has)
        if isinstance(condition, Consented):
            given = self._facets.marketing if condition.what == "marketing" else self._facets.night
            return self._or_not(given, condition.given)
        assert isinstance(condition, Synced)
        found = those_who(self.project_id, condition.cohort, joined=condition.joined, days=condition.days)
        return found.people

    def _or_not(self, those: BitMap64, is_so: bool) -> BitMap64:
        return those if is_so else self._everybody - those


def current_members(project_id: UUID, keys: Collection[int]) -> dict[int, BitMap64]:
    """Who is in these cohorts of the project now. Raises NotReady when one was never read, or isn't there."""
    if not keys:
        return {}
    found = list(Cohort.objects.filter(project_id=project_id, pk__in=keys).select_related("current"))
    unread = [cohort for cohort in found if cohort.current is None]
    if unread or len(found) < len(set(keys)):
        raise NotReady(unread, gone=len(set(keys)) - len(found))
    return {cohort.pk: loaded(cohort.current.members) for cohort in found if cohort.current is not None}


# -- Statistics -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Count:
    """How many a definition means, and how many of them can be reached how."""

    size: int
    reachable: int
    with_email: int
    anonymous: int


def count(project_id: UUID, definition: Definition) -> Count:
    """What a builder shows beside a definition. Raises NotReady."""
    return counted(project_id, members(project_id, definition))


def counted(project_id: UUID, people: BitMap64) -> Count:
    """How many of these can be reached how."""
    of = facets(project_id)
    return Count(
        size=len(people),
        reachable=people.intersection_cardinality(of.reachable),
        with_email=people.intersection_cardinality(of.with_email),
        anonymous=people.intersection_cardinality(of.anonymous),
    )


def measure(group: UserGroup) -> Count:
    """Counts the group and writes the day's size to its statistics. Raises NotReady."""
    found = count(group.project_id, definition_of(group.definition))
    now = timezone.now()
    UserGroup.objects.filter(pk=group.pk).update(size=found.size, counted_at=now)
    group.size, group.counted_at = found.size, now
    day = now.astimezone(group.project.zone).date()
    values: dict[str, Any] = {"reachable": found.reachable, "with_email": found.with_email, "size": found.size}
    GroupSize.objects.update_or_create(group=group, day=day, defaults=values)
    return found


def measure_all() -> int:
    """Writes the day's size of every group that can be counted. Returns how many."""
    done = 0
    for group in UserGroup.objects.select_related("project").iterator(chunk_size=200):
        try:
            measure(group)
        except NotReady:
            continue  # Its page says why; there is no size to remember.
        done += 1
    return done


def names_of(project_id: UUID, definition: Definition) -> dict[int | str, str]:
    """The names of the cohorts and groups that a definition asks about: for its words."""
    return names_of_all(project_id, [definition])


def names_of_all(project_id: UUID, definitions: Sequence[Definition]) -> dict[int | str, str]:
    """The same for several definitions, with two statements."""
    cohorts = {key for one in definitions for key in one.cohorts}
    asked = [UUID(key) for one in definitions for key in one.groups]
    names: dict[int | str, str] = {}
    if cohorts:
        names |= dict(Cohort.objects.filter(project_id=project_id, pk__in=cohorts).values_list("pk", "name"))
    if asked:
        found = UserGroup.objects.filter(project_id=project_id, pk__in=asked).values_list("pk", "name")
        names |= {key.hex: name for key, name in found}
    return names
