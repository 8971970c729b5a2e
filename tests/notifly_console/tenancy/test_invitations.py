"""Invitations: told once, kept as a digest, good for seven days and one person."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from notifly_console.audit.models import Entry
from notifly_console.tenancy.members import digest
from notifly_console.tenancy.models import Invitation, Member, User

NEW = {"name": "김서연", "password": "a wholly different sentence", "password_again": "a wholly different sentence"}


def invite(client: Client, world: Any, email: str = "seoyeon@harutable.example", role: str = "marketer") -> Any:
    return client.post(f"/projects/{world.project.hex}/members/invite/", {"email": email, "role": role})


def link_in(response: Any) -> str:
    return re.search(r"http://testserver(/invitations/[\w-]+/)", response.content.decode())[1]  # type: ignore[index]


@pytest.fixture
def link(world: Any, sign_in: Any) -> str:
    return link_in(invite(sign_in("admin"), world))


def test_the_link_is_shown_once_mailed_and_kept_as_a_digest(world: Any, sign_in: Any) -> None:
    admin = sign_in("admin")
    response = invite(admin, world)
    assert response.status_code == 201
    link = link_in(response)
    token = link.split("/")[2]
    assert mail.outbox[0].to == ["seoyeon@harutable.example"]
    assert link in mail.outbox[0].body
    assert Invitation.objects.get().token_digest == digest(token)
    assert token not in admin.get(f"/projects/{world.project.hex}/members/").content.decode()
    assert token not in str(list(Entry.objects.values()))


def test_a_new_person_joins_with_name_and_password(world: Any, link: str, attempt: Any) -> None:
    client = Client()
    assert "seoyeon@harutable.example" in client.get(link).content.decode()
    assert client.post(link, NEW).headers["Location"] == f"/projects/{world.project.hex}/cohorts/"
    member = Member.objects.get(user__email="seoyeon@harutable.example")
    assert (member.project_id, member.role, member.user.name) == (world.id, "marketer", "김서연")
    assert client.get(f"/projects/{world.project.hex}/members/").status_code == 200
    assert attempt(Client(), "seoyeon@harutable.example", NEW["password"]).status_code == 302
    assert Client().get(link).status_code == 410
    assert Client().post(link, NEW).status_code == 410
    assert set(Entry.objects.values_list("action", flat=True)) >= {"member_invited", "member_joined", "signed_in"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": "short", "password_again": "short"}, "password"),
        ({"password": "passwordpassword1", "password_again": "passwordpassword2"}, "password_again"),
        ({"password": "seoyeon@harutable.example", "password_again": "seoyeon@harutable.example"}, "password"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_form_is_said_at_the_field(world: Any, link: str, wrong: dict[str, str], field: str) -> None:
    response = Client().post(link, NEW | wrong)
    assert response.status_code == 422
    assert f'id="id_{field}-said"' in response.content.decode()
    assert NEW["password"] not in response.content.decode()
    assert not User.objects.filter(email="seoyeon@harutable.example").exists()


def test_somebody_with_an_account_signs_in_and_accepts(world: Any, sign_in: Any, attempt: Any) -> None:
    link = link_in(invite(sign_in("owner"), world, "stranger@elsewhere.example", "admin"))
    client = Client()
    page = client.get(link).content.decode()
    assert f"/accounts/login/?next={link.replace('/', '%2F')}" in page
    assert client.post(link, NEW).status_code == 422, "an account can't be taken over by its invitation"
    assert attempt(client, "stranger@elsewhere.example", next=link).headers["Location"] == link
    assert "참여하기" in client.get(link).content.decode()
    assert client.post(link).status_code == 302
    assert Member.objects.get(project=world.project, user=world.people["stranger"]).role == "admin"


def test_a_link_for_somebody_else_says_so(world: Any, link: str, sign_in: Any) -> None:
    viewer = sign_in("viewer")
    for response in (viewer.get(link), viewer.post(link)):
        assert response.status_code == 403
        assert "다른 계정으로 온 초대입니다" in response.content.decode()
    assert Invitation.objects.get().accepted_at is None


def test_a_wrong_link_says_so(world: Any, client: Client) -> None:
    for token in ("x", "x" * 500, "%ED%A0%80"):
        response = client.get(f"/invitations/{token}/")
        assert response.status_code == 404
        assert "초대 링크를 찾을 수 없습니다" in response.content.decode()


def test_after_seven_days_it_is_over(world: Any, sign_in: Any, time_machine: Any) -> None:
    time_machine.move_to("2026-11-25T03:00:00Z", tick=False)
    link = link_in(invite(sign_in("owner"), world))
    time_machine.shift(7 * 86400 + 1)
    over = Client().get(link)
    assert over.status_code == 410
    assert "기한이 지난 초대입니다" in over.content.decode()
    assert Client().post(link, NEW).status_code == 410
    owner = sign_in("owner")
    assert "기한 지남" in owner.get(f"/projects/{world.project.hex}/members/").content.decode()
    assert invite(owner, world).status_code == 201, "who let it lapse can be invited again"


def test_withdrawing_and_sending_again_kill_the_old_link(world: Any, link: str, sign_in: Any) -> None:
    admin = sign_in("admin")
    invitations = f"/projects/{world.project.hex}/members/invitations"
    assert invite(admin, world).status_code == 422
    again = admin.post(f"{invitations}/{Invitation.objects.get().id.hex}/resend/")
    assert again.status_code == 201
    fresh = link_in(again)
    assert fresh != link
    assert Client().get(link).status_code == 410
    assert Client().get(fresh).status_code == 200
    live = Invitation.objects.get(withdrawn_at=None)
    assert admin.post(f"{invitations}/{live.id.hex}/withdraw/").status_code == 302
    assert "취소된 초대입니다" in Client().get(fresh).content.decode()
    assert admin.post(f"{invitations}/{live.id.hex}/resend/").status_code == 422


@pytest.mark.parametrize(
    ("who", "email", "role", "status"),
    [
        ("admin", "x@x.example", "owner", 422),
        ("owner", "x@x.example", "owner", 201),
        ("admin", "Viewer@Harutable.example", "marketer", 422),
        ("admin", "not an address", "marketer", 422),
        ("admin", "", "", 422),
        ("marketer", "x@x.example", "viewer", 403),
    ],
)
def test_whom_one_may_invite(world: Any, sign_in: Any, who: str, email: str, role: str, status: int) -> None:
    assert invite(sign_in(who), world, email, role).status_code == status
    assert Invitation.objects.count() == (1 if status == 201 else 0)


def test_an_admin_cant_change_an_invitation_to_be_owner(world: Any, sign_in: Any) -> None:
    invite(sign_in("owner"), world, role="owner")
    live = Invitation.objects.get()
    for act in ("resend", "withdraw"):
        path = f"/projects/{world.project.hex}/members/invitations/{live.id.hex}/{act}/"
        assert sign_in("admin").post(path).status_code == 422
    assert Invitation.objects.get().withdrawn_at is None


def test_where_no_mail_server_is_set_nothing_is_said_to_be_mailed(world: Any, sign_in: Any, settings: Any) -> None:
    settings.HAS_MAIL = False
    client = sign_in("admin")
    page = client.get(f"/projects/{world.project.hex}/members/invite/").content.decode()
    assert "직접 전달해 주십시오" in page
    assert "메일로 보내고" not in page
    response = invite(client, world)
    assert response.status_code == 201
    assert "메일 서버가 설정되지 않아 메일을 보내지 않았습니다" in response.content.decode()
    assert link_in(response)
    assert not mail.outbox
    for answer in (Client().get("/accounts/password/reset/"), reset(world.people["viewer"].email)):
        page = answer.content.decode()
        assert "메일 서버가 설정되지 않아 링크를 보낼 수 없습니다" in page
        assert "manage.py changepassword" in page
    assert not mail.outbox


def reset(email: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": email})


def test_without_a_mail_server_the_link_is_still_there(world: Any, sign_in: Any, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = invite(sign_in("admin"), world)
    assert response.status_code == 201
    assert "메일을 보내지 못했습니다" in response.content.decode()
    assert link_in(response)
