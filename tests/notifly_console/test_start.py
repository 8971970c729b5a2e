"""A console that has just been set up answers."""

from typing import Any

from django.core.management import call_command


def test_bootstrap_twice_makes_one_owner_and_one_project(db: None, capsys: Any) -> None:
    for _ in range(2):
        call_command("bootstrap", email="Owner@Example.com", password="a long enough secret", project="하루식탁")
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert len(first) == 32


def test_a_member_reaches_the_cohorts_of_the_only_project(world: Any, sign_in: Any) -> None:
    response = sign_in("marketer").get("/", follow=True)
    assert response.status_code == 200
    assert "외부 툴 유저 코호트 관리" in response.content.decode()


def test_an_anonymous_visitor_is_asked_to_sign_in(db: None, client: Any) -> None:
    response = client.get("/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
