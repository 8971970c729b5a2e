"""Rows for tests, as the console itself would have written them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from pyroaring import BitMap64

from campaigns.models import AudienceKind, Campaign, Picture, Recipient, Run, RunKind, RunState
from cohorts.models import (
    Cohort,
    Profile,
    Pull,
    PullState,
    Refresh,
    RefreshState,
    Snapshot,
    SnapshotState,
)
from notifly_console.tenancy.models import Project

SECRET = "s3cret-of-the-service-account"


def profile(project: Project, external_id: str, **fields: Any) -> Profile:
    """A profile; without a `phone` it has none, and says so."""
    fields.setdefault("phone", None)
    fields.setdefault("phone_reason", "" if fields["phone"] else "missing")
    fields.setdefault("distinct_id", external_id)
    fields.setdefault("updated_at", timezone.now())
    return Profile.objects.create(project=project, external_id=external_id, **fields)


def profiles(project: Project, count: int, *, prefix: str = "user_", start: int = 0) -> list[int]:
    """Ids of `count` reachable profiles `user_0000000`, `user_0000001` …, written in one go."""
    now = timezone.now()
    rows = [
        Profile(
            project=project,
            external_id=f"{prefix}{n:07d}",
            distinct_id=f"{prefix}{n:07d}",
            phone=f"+8210{20_000_000 + n:08d}",
            email=f"person{n}@mail.example",
            properties={"$name": f"고객 {n}", "total_orders": n},
            updated_at=now,
        )
        for n in range(start, start + count)
    ]
    Profile.objects.bulk_create(rows, batch_size=2_000)
    return list(
        Profile.objects.filter(project=project, external_id__startswith=prefix)
        .order_by("pk")
        .values_list("pk", flat=True)
    )[-count:]


def bitmap(ids: Iterable[int]) -> bytes:
    """Profile ids as a snapshot keeps them."""
    return BitMap64(ids).serialize()


def snapshot(cohort: Cohort, ids: Sequence[int], *, state: str = SnapshotState.PUBLISHED, **fields: Any) -> Snapshot:
    """The next version of `cohort`; it becomes the current one, or the held one where `state` says so."""
    before = BitMap64.deserialize(bytes(cohort.current.members)) if cohort.current else BitMap64()
    members = BitMap64(ids)
    joined, left = members - before, before - members
    now = timezone.now()
    size = len(members)
    fields.setdefault("reach", {"reachable": size, "with_email": size, "anonymous": 0, "phone": {}, "email": {}})
    last = cohort.snapshots.order_by("-number").values_list("number", flat=True).first() or 0
    made = Snapshot.objects.create(
        cohort=cohort,
        number=last + 1,
        state=state,
        members=members.serialize(),
        joined=joined.serialize(),
        left=left.serialize(),
        size=size,
        joined_count=len(joined),
        left_count=len(left),
        **fields,
    )
    if state == SnapshotState.HELD:
        cohort.held = made
    else:
        cohort.current, cohort.number, cohort.size, cohort.refreshed_at = made, made.number, size, now
        cohort.joined_count, cohort.left_count = len(joined), len(left)
    cohort.save()
    return made


def cohort(project: Project, source_id: int, name: str = "", **fields: Any) -> Cohort:
    """A cohort that Mixpanel's list has shown and nobody has read yet."""
    name = name or f"코호트 {source_id}"
    return Cohort.objects.create(project=project, source_id=source_id, name=name, name_key=name.lower()[:100], **fields)


def cohort_with(project: Project, source_id: int, ids: Sequence[int], name: str = "", **fields: Any) -> Cohort:
    """A cohort whose first version holds `ids`."""
    made = cohort(project, source_id, name, **fields)
    snapshot(made, ids)
    return made


def refresh(project: Project, state: str = RefreshState.RUNNING, **fields: Any) -> Refresh:
    """A refresh in `state`; a live one has read the list unless `listed_at` says otherwise."""
    now = timezone.now()
    live = state in (RefreshState.QUEUED, RefreshState.RUNNING, RefreshState.WAITING)
    fields.setdefault("requested_by", "소유자")
    if state != RefreshState.QUEUED:
        fields.setdefault("started_at", now - timedelta(seconds=20))
        fields.setdefault("listed_at", now - timedelta(seconds=19))
    if not live:
        fields.setdefault("finished_at", now)
    return Refresh.objects.create(project=project, state=state, **fields)


def pull(run: Refresh, of: Cohort, state: str = PullState.WAITING, **fields: Any) -> Pull:
    """The turn of a cohort in a refresh."""
    fields.setdefault("position", Pull.objects.filter(refresh=run).count())
    return Pull.objects.create(refresh=run, cohort=of, state=state, **fields)


def connection(project: Project, **settings: Any) -> Any:
    """Mixpanel credentials of a project."""
    from integrations.models import Connection, Kind

    made = Connection(
        project=project,
        kind=Kind.MIXPANEL,
        settings={
            "project_id": 2195193,
            "username": "console.a1b2c3.mp-service-account",
            "region": "us",
            "phone_column": "$phone",
            "email_column": "$email",
            "identity_column": "",
            "drop_unknown": False,
            **settings,
        },
    )
    made.set_secret(SECRET)
    made.save()
    return made


def campaign(project: Project, **fields: Any) -> Campaign:
    """A draft; with a `cohort`, aimed at it."""
    if fields.get("cohort") is not None:
        fields.setdefault("audience_kind", AudienceKind.COHORT)
    fields.setdefault("version", 1)
    return Campaign.objects.create(project=project, **fields)


def sender(project: Project, api_key: str = "NCSAFACTORYKEY01", secret: str = SECRET) -> Any:
    """SOLAPI credentials of a project."""
    from integrations.models import Connection, Kind

    made = Connection(project=project, kind=Kind.SOLAPI, settings={"api_key": api_key}, secret_set_at=timezone.now())
    made.set_secret(secret)
    made.save()
    return made


def trial(of: Campaign, number: int) -> Run:
    """A test of a campaign that is under way, to one number."""
    run = Run.objects.create(
        project=of.project, campaign=of, number=number, kind=RunKind.TEST, due_at=timezone.now(), size=1,
        state=RunState.SENDING, channel=of.channel or "text",
    )  # fmt: skip
    Recipient.objects.create(run=run, phone="+821022223333")
    return run


def picture(project: Project, **fields: Any) -> Picture:
    """A picture of a message: a JPEG's head and nothing else."""
    return Picture.objects.create(
        project=project,
        name="상자.jpg",
        media_type="image/jpeg",
        content=b"\xff\xd8\xff",
        width=800,
        height=800,
        **fields,
    )


SHIPPED = "#{고객명}님의 정기배송이 출발했습니다.\n송장 번호: #{송장번호}"


def sender_with_lists(project: Project, *, kakao: bool = True) -> Any:
    """A registered sender with what it was last seen to offer: two numbers, and a Kakao channel with two approved
    templates and one that was rejected."""
    from integrations import senders
    from integrations.messaging import Balance, Button, KakaoProfile, Kind, SenderNumber, Template, TemplateStatus

    row = sender(project)
    profile = KakaoProfile("KA01PF1", "@하루식탁")
    track = Button("배송 조회하기", "https://hrtb.example/#{송장번호}")
    status = TemplateStatus
    templates = [
        Template("KA01TP1", profile.id, "정기배송 출발", SHIPPED, ("고객명", "송장번호"), (track,), status.APPROVED),
        Template("KA01TP2", profile.id, "가입 환영", "#{고객명}님, 환영합니다.", ("고객명",), (), status.APPROVED),
        Template("KA01TP3", profile.id, "반려된 것", "#{고객명}", ("고객명",), (), status.REJECTED),
    ]
    prices = {Kind.SMS: 18, Kind.LMS: 45, Kind.MMS: 110, Kind.ALIMTALK: 13, Kind.FRIENDTALK: 23}
    data = senders.as_data(
        account="21070912345",
        balance=Balance(Decimal(1_284_300)),
        profiles=[profile] if kakao else [],
        numbers=[SenderNumber("16600412", "고객센터"), SenderNumber("0212345678")],
        templates=templates if kakao else [],
        prices={kind: Decimal(won) for kind, won in prices.items()},
    )
    senders.keep_listing(row, data)
    return row


def listing(of: Any, template_id: str = "KA01TPfactory") -> Any:
    """What a sender's account offers: a channel, a number, an approved template."""
    from integrations import senders
    from integrations.messaging import Balance, KakaoProfile, Kind, SenderNumber, Template, TemplateStatus

    approved = TemplateStatus.APPROVED
    template = Template(template_id, "KA01PFfactory", "주문 안내", "#{고객명}님", ("고객명",), (), approved)
    data = senders.as_data(
        account="26010500000001",
        balance=Balance(Decimal(1_000_000)),
        profiles=[KakaoProfile("KA01PFfactory", "@하루식탁", "0269000001")],
        numbers=[SenderNumber("0269001234")],
        templates=[template],
        prices={kind: Decimal(10) for kind in Kind},
    )
    return senders.keep_listing(of, data)


def hours_ago(hours: float) -> datetime:
    return timezone.now() - timedelta(hours=hours)


def api_key(project: Project) -> tuple[str, str]:
    """A live key pair of the project, as it is entered in Mixpanel."""
    from notifly_console.tenancy.keys import issue

    issued = issue(project)
    return issued.key.access_key, issued.secret.reveal()


def pushed(cohort: Cohort) -> Any:
    """What a push leaves behind: a key, a page in the inbox, a session that was applied without two of its members, and
    one that waits for a person. Returns the key's row."""
    from cohorts.models import PushRoad, PushSession, PushState
    from integrations.models import InboundKind, InboundPage
    from notifly_console.tenancy.keys import issue

    now = timezone.now()
    key = issue(cohort.project).key
    said = {"action": "members", "name": cohort.name, "page": 1, "pages": 1, "session": "s", "integration": "0"}
    InboundPage.objects.create(
        project=cohort.project,
        kind=InboundKind.COHORT_PAGE,
        subject=cohort.source_id,
        fingerprint=f"{cohort.pk:064x}",
        envelope=said,
        body=b"",
        sealed_with="k1",
        size=0,
        state="applied",
        settled_at=now,
        api_key=key,
    )
    PushRoad.objects.create(cohort=cohort, called_at=now, complete_at=now, applied_seq=1)
    seen = {"cohort": cohort, "action": "members", "pages": 12, "began_at": now, "last_page_at": now}
    PushSession.objects.create(
        **seen,
        session_id="waits",
        first_seq=1,
        state=PushState.AWAITING,
        pages_here=3,
        rehearsal={
            **dict.fromkeys(["sampled", "matched", "new", "dropped", "refused", "anonymous"], 1),
            "reachable": 1,
            "shared_phones": 1,
            "examples": {"new": ["someone"], "dropped": ["other"], "shared_phones": ["a · b"]},
            "columns": ["$email"],
        },
    )
    PushSession.objects.create(
        **seen,
        session_id="applied",
        first_seq=2,
        state=PushState.APPLIED,
        finished_at=now,
        pages_here=12,
        counts={"refused": {"id_missing": 2}, "columns": ["$email"]},
        unusable=[[1, 5, "id_missing", ""], [2, 7, "id_broken", "somebody"]],
    )
    Cohort.objects.filter(pk=cohort.pk).update(pushed_at=now)
    return key


def group(project: Project, name: str = "단골", **fields: Any) -> Any:
    """A user group of everybody who can be reached, unless `definition` says otherwise."""
    from cohorts.models import UserGroup

    fields.setdefault("definition", {"segments": [[{"kind": "contact", "what": "phone", "has": True}]], "filters": []})
    return UserGroup.objects.create(project=project, name=name, name_key=name.lower()[:100], **fields)


def drift(of: Cohort, ids: Sequence[int]) -> Any:
    """A cohort that comes by both roads, and of which a pull found these people on the pushed one only."""
    from cohorts.models import Drift, DriftPart, PushRoad

    of.pushed_at = timezone.now()
    of.save(update_fields=["pushed_at"])
    PushRoad.objects.get_or_create(cohort=of)
    made = Drift.objects.create(
        cohort=of, pulled=0, pushed=len(ids), only_pulled=b"", only_pushed=bitmap(ids), only_pulled_count=0,
        only_pushed_count=len(ids),
    )  # fmt: skip
    DriftPart.objects.create(
        drift=made, only="pushed", kind="left_unsaid", people=bitmap(ids), count=len(ids), without_phone=0
    )
    return made
