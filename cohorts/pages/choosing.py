"""Choosing one cohort among ten thousand: what a combobox shows for the text typed so far. Two statements, whatever
the number of cohorts."""

from dataclasses import dataclass

from django.db.models import BooleanField, Case, Value, When

from cohorts.models import Cohort
from cohorts.pages.queries import Row, id_text, matching, rows_of
from notifly_console.tenancy.access import Access

SHOWN = 20


@dataclass(frozen=True)
class Choice:
    """The first cohorts that match, those that can be chosen before those that Mixpanel doesn't have any more."""

    text: str
    rows: list[Row]
    matched: int
    all: int

    @property
    def has_more(self) -> bool:
        return self.matched > len(self.rows)


def choice(access: Access, text: str) -> Choice:
    """What `text` (a part of a name, of a description, or an id with or without `mixpanel_`) finds."""
    text = text.replace("\0", "").strip()[:200]
    cohorts = access.all(Cohort)
    wanted = cohorts.annotate(id_text=id_text()).filter(matching(text))
    gone = Case(When(vanished_at=None, then=Value(False)), default=Value(True), output_field=BooleanField())
    found = wanted.annotate(gone=gone).select_related("held").defer("held__members", "held__joined", "held__left")
    rows = rows_of(list(found.order_by("gone", "name_key", "id")[:SHOWN]), None)
    everything = cohorts.count()
    return Choice(text, rows, wanted.count() if text else everything, everything)
