"""Pages as Mixpanel pushes them, and the calls that bring them."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from django.test import Client

PROJECT = 2_195_193
COHORT = 7001


def member(number: int, **more: Any) -> dict[str, Any]:
    """A member in the documented form."""
    return {
        "mixpanel_distinct_id": f"user-{number}",
        "email": f"person{number}@mail.example",
        "phone_number": f"+8210{20_000_000 + number:08d}",
        "first_name": "가나",
        "last_name": "다",
        **more,
    }


def members(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [member(number) for number in numbers]


def page(
    people: Any = (),
    *,
    action: str = "members",
    session: str | None = "b1c2d3e4-0000-4000-8000-000000000001",
    number: Any = 1,
    of: Any = 1,
    cohort: Any = COHORT,
    project: Any = PROJECT,
    name: str = "체험 3일차",
    **parameters: Any,
) -> dict[str, Any]:
    """A page in the documented form; `of=None` leaves page_info out, as wild ones do."""
    said: dict[str, Any] = {
        "mixpanel_project_id": str(project),
        "mixpanel_cohort_id": str(cohort),
        "mixpanel_cohort_name": name,
        "mixpanel_cohort_description": "",
    }
    if session is not None:
        said["mixpanel_session_id"] = session
    if of is not None:
        said["page_info"] = {"total_pages": of, "page_count": number}
    people = [member(one) if isinstance(one, int) else one for one in people]
    return {"action": action, "parameters": {**said, "members": people, **parameters}}


def basic(pair: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(pair).encode()).decode()


def forget() -> None:
    """Empties what the webhook keeps in its process' memory: the database that it knew is no more."""
    from integrations import inbox, inlets, webhooks
    from notifly_console.tenancy import keys

    webhooks.FAILURES.clear()
    keys._seen_at = -keys.LOOKED_EVERY_SECONDS
    inlets._noted.clear()
    inlets._belonging.clear()
    inbox._waiting.clear()
    inbox._woken.clear()


class Pusher:
    """Calls a project's webhook with a key."""

    def __init__(self, project_id: Any, pair: tuple[str, str], client: Client | None = None) -> None:
        self.url = f"/mixpanel/projects/{getattr(project_id, 'hex', project_id)}/cohorts"
        self.project_id = project_id
        self.pair = pair
        self.client = client or Client(enforce_csrf_checks=True, raise_request_exception=False)

    def send(self, body: Any, *, pair: tuple[str, str] | None = None, **extra: Any) -> Any:
        """The answer to a page, or to bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": basic(pair or self.pair), **extra.pop("headers", {})}
        extra.setdefault("content_type", "application/json")
        return self.client.post(self.url, raw, headers=headers, **extra)

    def push(self, people: Any = (), **kwargs: Any) -> Any:
        """Sends a page that must be taken."""
        answer = self.send(page(people, **kwargs))
        assert answer.status_code == 200, answer.content
        return answer

    def work(self, cohort: int = COHORT) -> None:
        """What a worker does once it is woken for the cohort."""
        from cohorts.push import push

        push.take(self.project_id, cohort)

    def sync(self, people: Any = (), **kwargs: Any) -> None:
        """Sends a page, and has it taken."""
        self.push(people, **kwargs)
        self.work(kwargs.get("cohort", COHORT))
