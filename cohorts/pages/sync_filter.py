"""유저 리스트 by Partner Sync: which cohort was meant, and who joined or left it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from pyroaring import BitMap64

from cohorts.models import Cohort
from cohorts.pages.choosing import Choice, choice
from cohorts.pages.forms import SyncForm
from cohorts.people import history
from cohorts.people.facets import facets
from notifly_console.tenancy.access import Access


@dataclass(frozen=True)
class SyncFilter:
    """What was asked for, by the address of the page, and what came of it."""

    form: SyncForm
    cohort: Cohort | None = None
    """None where nothing was asked for, or it isn't clear yet which cohort is meant."""
    choice: Choice | None = None
    """Those that it may be."""

    @property
    def joined(self) -> bool:
        return bool(self.form.cleaned_data["action"] == "added")

    @property
    def days(self) -> int:
        return int(self.form.cleaned_data["days"])

    @cached_property
    def found(self) -> history.Found:
        """Who it is, without those whose profiles are gone."""
        assert self.cohort is not None
        found = history.those_who(self.cohort.project_id, self.cohort.pk, joined=self.joined, days=self.days)
        known = facets(self.cohort.project_id).known if found.people else BitMap64()
        return history.Found(found.people & known, found.known_from)

    @property
    def size(self) -> int:
        return len(self.found.people)

    @property
    def among(self) -> BitMap64 | None:
        """Whom the list is of; None for everybody."""
        return self.found.people if self.cohort is not None else None

    @property
    def address(self) -> str:
        """Itself as the query of an address."""
        return urlencode({"cohort": self.cohort.screen_id, **self._rest}) if self.cohort else ""

    @property
    def offered(self) -> list[tuple[Cohort, str]]:
        """Cohorts that may be meant, each with the query that means it."""
        rows = self.choice.rows if self.choice else []
        return [(row.cohort, urlencode({"cohort": row.cohort.screen_id, **self._rest})) for row in rows]

    @property
    def _rest(self) -> dict[str, Any]:
        return {name: self.form.cleaned_data[name] for name in ("action", "days")}


def read(access: Access, data: Any) -> SyncFilter:
    """The filter in an address or a form; one that asks for nothing where none is. At most four statements."""
    if not data.get("cohort"):
        return SyncFilter(SyncForm())
    form = SyncForm(data)
    if not form.is_valid():
        return SyncFilter(form)
    text = form.cleaned_data["cohort"].replace("\0", "").strip()
    number = text.lower().removeprefix(f"{Cohort.SOURCE}_")
    if number.isdecimal() and len(number) < 19:
        cohort = access.all(Cohort).filter(source_id=int(number)).first()
        if cohort is not None:
            return SyncFilter(form, cohort)
    named = list(access.all(Cohort).filter(name=text)[:2])
    if len(named) == 1:
        return SyncFilter(form, named[0])
    offered = choice(access, text)
    if offered.matched == 1:
        return SyncFilter(form, offered.rows[0].cohort)
    return SyncFilter(form, choice=offered)
