"""Queries that are put into SQL once. Building and compiling a query costs Django several times what running it does;
the ones that every page asks are compiled at their first use, and afterwards only their values are filled in.

    _NEWEST = Compiled(lambda: Refresh.objects.filter(project_id=Slot("project", UUIDField())).order_by("-id")[:1])
    _NEWEST.first(project=project.id)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.db.models import Expression, Field, IntegerField, QuerySet

R = TypeVar("R")


class Slot(Expression):
    """The place of a value that a `Compiled` is given with each call, under `name`."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (_Open(self.name, self.output_field),)


@dataclass(frozen=True)
class _Open:
    name: str
    field: Field

    def filled(self, values: dict[str, Any], connection: Any) -> Any:
        value = self.field.get_db_prep_value(values[self.name], connection)
        if isinstance(value, int) and isinstance(self.field, IntegerField):
            least, most = connection.ops.integer_field_range(self.field.get_internal_type())
            if not least <= value <= most:
                raise OverflowError(f"{self.name} is beyond what its column holds.")
        return value


class _Asked:
    """What Django's iterables ask of a queryset: one run of a compiled query."""

    _known_related_objects: dict[Any, Any] = {}  # noqa: RUF012 -- never filled

    def __init__(self, queryset: Any, compiler: Any) -> None:
        self.db, self.model, self._fields = DEFAULT_DB_ALIAS, queryset.model, queryset._fields
        self.query, self._compiler = self, compiler

    def get_compiler(self, using: str) -> Any:
        return self._compiler


class Compiled(Generic[R]):
    """A query with `Slot`s. `build` is called once, so nothing that changes (a time, a language) may stand in it
    outside a slot; nor may it prefetch. Its rows are what the queryset itself would give."""

    def __init__(self, build: Callable[[], QuerySet[Any, R]]) -> None:
        self._build = build
        self._ready: tuple[Any, Any, str, tuple[Any, ...]] | None = None

    def rows(self, **values: Any) -> list[R]:
        """The rows for those values. One statement. Raises KeyError when a slot gets none, ValueError or OverflowError
        when what it gets is none of its field's."""
        connection: Any = connections[DEFAULT_DB_ALIAS]
        if connection.connection is None or not connection.health_check_enabled or connection.health_check_done:
            return self._asked(connection, values)
        # Django would ask a kept connection first whether it still answers: this statement tells that, too.
        connection.health_check_done = True
        try:
            return self._asked(connection, values)
        except (OperationalError, InterfaceError):
            if connection.is_usable():
                raise
            connection.close()
            return self._asked(connection, values)

    def first(self, **values: Any) -> R | None:
        """The first of `rows`; None where there is none. Limit the query to one row when there may be many."""
        found = self.rows(**values)
        return found[0] if found else None

    def _asked(self, connection: Any, values: dict[str, Any]) -> list[R]:
        queryset, compiler, sql, params = self._ready or self._compile()
        filled = tuple(param.filled(values, connection) if isinstance(param, _Open) else param for param in params)
        # Of this call alone: other threads run the same query on connections of their own.
        ours = object.__new__(type(compiler))
        ours.__dict__.update(compiler.__dict__)
        ours.connection = connection
        ours.as_sql = lambda: (sql, filled)
        return list(queryset._iterable_class(_Asked(queryset, ours)))

    def _compile(self) -> tuple[Any, Any, str, tuple[Any, ...]]:
        queryset: Any = self._build()
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([selected[0] for selected in compiler.select[: compiler.col_count]])
        compiler.get_converters = lambda expressions: converters
        self._ready = (queryset, compiler, sql, tuple(params))
        return self._ready
