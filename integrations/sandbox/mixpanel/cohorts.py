"""The cohorts of one sandbox project: who is in which, and how to change that.

Members are a Roaring bitmap of people's indexes (people.py): a million in a row cost a few hundred bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pyroaring import BitMap

from integrations.sandbox.people import Crowd

FIRST_ADDED_ID = 5_000_001
STRIPES = 16

Members = Iterable[int]
"""Indexes of people: a range, a list, a set, a bitmap."""


@dataclass(slots=True)
class Cohort:
    """A cohort as Mixpanel keeps it.

    `profileless` members have events but no profile: the listed size counts them, a pull with
    `include_all_users=false` leaves them out. `listed` overrides the listed size.
    """

    id: int
    name: str
    description: str = ""
    created: str = "2026-03-02 09:15:27"
    is_visible: int = 1
    data_group_id: str | None = None
    profileless: int = 0
    listed: int | None = None
    members: BitMap = field(default_factory=BitMap)

    @property
    def count(self) -> int:
        """The size that the list shows."""
        return len(self.members) + self.profileless if self.listed is None else self.listed

    def as_listed(self, project_id: int) -> dict[str, Any]:
        """This cohort as one object of `cohorts/list`."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "count": self.count,
            "created": self.created,
            "is_visible": self.is_visible,
            "project_id": project_id,
            "data_group_id": self.data_group_id,
        }


class Cohorts:
    """The cohorts of one project, by id. Bitmaps are replaced, never changed, so a pull under way keeps its own."""

    def __init__(self, crowd: Crowd, cohorts: Iterable[Cohort] = ()) -> None:
        self._crowd = crowd
        self._by_id = {cohort.id: cohort for cohort in cohorts}

    def __iter__(self) -> Iterator[Cohort]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, cohort_id: int) -> bool:
        return cohort_id in self._by_id

    def __getitem__(self, cohort_id: int) -> Cohort:
        return self._by_id[cohort_id]

    def get(self, cohort_id: int) -> Cohort | None:
        """The cohort, or None."""
        return self._by_id.get(cohort_id)

    def named(self, name: str) -> Cohort:
        """The first cohort of this name. Raises KeyError."""
        for cohort in self:
            if cohort.name == name:
                return cohort
        raise KeyError(name)

    def ids(self, cohort_id: int) -> set[str]:
        """Distinct ids of the members who have a profile, all as text: what a correct pull ends up with."""
        return {str(self._crowd.distinct_id(index)) for index in self[cohort_id].members}

    def add(self, name: str, members: Members = (), **details: Any) -> Cohort:
        """A new cohort. `details`: any other field of `Cohort`; without `id` the next free one is taken."""
        new_id = details.pop("id", None) or max(FIRST_ADDED_ID, *(i + 1 for i in self._by_id), FIRST_ADDED_ID)
        if new_id in self._by_id:
            raise ValueError(f"cohort {new_id} exists")
        cohort = Cohort(id=new_id, name=name, members=BitMap(members), **details)
        self._by_id[new_id] = cohort
        return cohort

    def add_many(self, count: int, members_each: int = 3, name: str = "코호트 {n}") -> range:
        """`count` small cohorts at once, members taken in turn from the crowd. Returns their ids."""
        first = max(FIRST_ADDED_ID, *(i + 1 for i in self._by_id), FIRST_ADDED_ID)
        people = max(self._crowd.people - members_each, 1)
        for n in range(count):
            start = n * members_each % people
            members = BitMap(range(start, start + members_each))
            self._by_id[first + n] = Cohort(id=first + n, name=name.format(n=n + 1), members=members)
        return range(first, first + count)

    def remove(self, cohort_id: int) -> None:
        """The cohort is deleted in Mixpanel. Raises KeyError when there is none."""
        del self._by_id[cohort_id]

    def clear(self) -> None:
        """No cohort is left."""
        self._by_id.clear()

    def rename(self, cohort_id: int, name: str) -> None:
        """Change the name."""
        self[cohort_id].name = name

    def set_members(self, cohort_id: int, members: Members) -> None:
        """Exactly these people."""
        self[cohort_id].members = BitMap(members)

    def resize(self, cohort_id: int, size: int) -> None:
        """Exactly the first `size` people of the crowd, contiguous; more than the crowd has are made up."""
        self[cohort_id].members = BitMap(range(size))

    def empty(self, cohort_id: int) -> None:
        """Nobody, also no one without a profile."""
        self[cohort_id].members = BitMap()
        self[cohort_id].profileless = 0

    def drop_half(self, cohort_id: int) -> None:
        """Only the first half of the members stay (the smaller half of an odd number)."""
        self.drop(cohort_id, len(self[cohort_id].members) - len(self[cohort_id].members) // 2)

    def drop(self, cohort_id: int, count: int) -> set[int]:
        """The last `count` members leave. Returns their indexes."""
        members = self[cohort_id].members
        leaving = members[max(len(members) - count, 0) :] if count else BitMap()
        self[cohort_id].members = members - leaving
        return set(leaving)

    def move(self, cohort_id: int, leave: int, join: int) -> tuple[set[int], set[int]]:
        """`leave` members go, spread over the cohort, and `join` people who weren't members come.

        Returns the indexes of who left and who joined. Newcomers come from the crowd, and once it is used up from
        beyond it.
        """
        members = self[cohort_id].members
        step = max(len(members) // leave, 1) if leave else 1
        leaving = BitMap([members[place] for place in range(0, len(members), step)][:leave])
        rest = BitMap(range(self._crowd.people)) - members
        joining = rest[:join] if join else BitMap()
        beyond = join - len(joining)
        start = max(self._crowd.people, members.max() + 1 if members else 0)
        joining |= BitMap(range(start, start + beyond))
        self[cohort_id].members = (members - leaving) | joining
        return set(leaving), set(joining)


# -- The cohorts that a sandbox begins with ---------------------------------------------------------------------------
EVERYBODY = 2_400_001
EMPTY = 2_512_036
GROUP = 2_700_009
HIDDEN = 2_700_010

ADVENT = "겨울 밀키트 기획전에서 세 번 이상 상세 페이지를 보고 장바구니에는 담지 않았으며 알림톡을 받지 않은 고객 "
# id, name, share of all people, share without a profile, description
CATALOGUE: tuple[tuple[int, str, float, float, str], ...] = (
    (EVERYBODY, "전체 고객", 1.0, 0.01, "프로젝트의 모든 고객"),
    (2_785_620, "VIP 재구매 유도", 0.062, 0.0, "최근 90일에 3회 이상 구매하고 14일 동안 방문이 없는 고객"),
    (2_791_361, "가입 7일 차 미구매", 0.041, 0.02, "가입 후 7일 안에 첫 주문이 없는 고객"),
    (2_806_114, "겨울 밀키트 관심 고객", 0.105, 0.0, "겨울 기획전을 2회 이상 본 고객"),
    (2_512_032, "휴면 전환 예정", 0.02, 0.0, "11개월 동안 로그인이 없는 고객"),
    (2_799_873, "장바구니에 담고 이탈", 0.0065, 0.05, "24시간 안에 장바구니에 담고 결제하지 않은 고객"),
    (2_801_940, "정기배송 해지 위험군", 0.004, 0.0, ""),
    (2_440_718, "2025 추석 선물 구매자", 0.028, 0.0, "2025-09-15 ~ 10-05 선물세트 구매"),
    (EMPTY, "Engaged Users (page_view)", 0.0, 0.0, "Users who viewed 3 or more pages in the last 7 days"),
    (2_600_001, "첫 구매 고객", 0.18, 0.0, "첫 주문을 마친 고객"),
    (2_600_002, "정기배송 구독자", 0.09, 0.0, "정기배송을 한 번 이상 결제한 고객"),
    (2_600_003, "최근 30일 구매 고객", 0.22, 0.01, ""),
    (2_600_004, "비건 상품 구매자", 0.035, 0.0, "비건 카테고리 주문 1회 이상"),
    (2_600_005, "아이반찬 관심", 0.05, 0.0, "아이반찬 상세를 3회 이상 본 고객"),
    (2_600_006, "쿠폰 만료 3일 전", 0.03, 0.0, "쓰지 않은 쿠폰이 3일 안에 만료되는 고객"),
    (2_600_007, "리뷰 미작성 구매자", 0.12, 0.0, "배송 완료 후 7일 동안 리뷰가 없는 고객"),
    (2_600_008, "마케팅 동의 · 서울", 0.15, 0.0, "마케팅 수신에 동의한 서울 고객"),
    (2_600_009, "🎄 크리스마스 예약 🎁", 0.017, 0.0, "크리스마스 사전 예약 고객"),
    (
        2_600_010,
        '<b>Loyal</b> & "친구" <script>alert(1)</script>',
        0.008,
        0.0,
        "이름에 HTML이 들어 있는 코호트 <img src=x>",
    ),
    (2_600_011, (ADVENT * 4).strip(), 0.012, 0.0, ADVENT * 20),
    (2_600_012, "Trial, day 3", 0.006, 0.3, ""),
    (GROUP, "기업복지 회사", 0.0, 0.0, "회사 단위의 그룹 코호트"),
    (HIDDEN, "내부 테스트 (숨김)", 0.001, 0.0, "Mixpanel 화면에서 숨긴 코호트"),
)
COMPANIES = 37


def spread(people: int, size: int, salt: int) -> BitMap:
    """`size` of `people`, as up to sixteen runs scattered over the crowd by `salt`."""
    if people < STRIPES * 4 or size >= people:
        return BitMap(range(min(size, people)))
    members = BitMap()
    for stripe in range(STRIPES):
        begin, end = people * stripe // STRIPES, people * (stripe + 1) // STRIPES
        run = size * (stripe + 1) // STRIPES - size * stripe // STRIPES
        slack = end - begin - run
        start = begin + (salt * 2_654_435_761 + stripe * 40_503) % (max(slack, 0) + 1)
        members |= BitMap(range(start, min(start + run, end)))
    return members


def catalogue(crowd: Crowd) -> Cohorts:
    """The cohorts of the demo company; their sizes follow the size of the crowd."""
    cohorts = []
    for place, (cohort_id, name, share, profileless, description) in enumerate(CATALOGUE):
        size = round(crowd.people * share)
        cohorts.append(
            Cohort(
                id=cohort_id,
                name=name,
                description=description,
                created=f"2026-{place % 10 + 1:02d}-{place + 1:02d} 10:{place:02d}:27",
                is_visible=0 if cohort_id == HIDDEN else 1,
                data_group_id="4182736450918273" if cohort_id == GROUP else None,
                profileless=round(size * profileless),
                listed=COMPANIES if cohort_id == GROUP else None,
                members=spread(crowd.people, size, crowd.seed * 131 + cohort_id),
            )
        )
    return Cohorts(crowd, cohorts)
