"""How ids are written in addresses."""

from uuid import UUID


class HexId:
    """A UUID as 32 hex digits: `{% url "cohorts:list" access.project.id %}`."""

    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> UUID:
        return UUID(hex=value)

    def to_url(self, value: UUID | str) -> str:
        return UUID(str(value)).hex
