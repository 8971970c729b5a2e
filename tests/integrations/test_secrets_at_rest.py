"""A copy of the database gives nobody a way in: no secret lies in it as it is."""

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from tests.conftest import PASSWORD
from tests.integrations.pushing import Pusher, member
from tests.integrations.test_settings_page import SECRET, WHOLE
from tests.notifly_console.tenancy.totp import set_up


def dump() -> bytes:
    """All that the database holds, as a thief would get it."""
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        name = Path(known["NAME"])
        return b"".join(part.read_bytes() for part in name.parent.glob(f"{name.name}*"))
    if not shutil.which("pg_dump"):
        pytest.skip("there is no pg_dump on the PATH")
    command = ["pg_dump", "-h", known["HOST"], "-p", str(known["PORT"] or 5432), "-U", known["USER"], known["NAME"]]
    environment = {"PGPASSWORD": known["PASSWORD"] or ""}
    return subprocess.run(command, check=True, capture_output=True, env=environment, timeout=60).stdout


def spellings(secret: str) -> list[bytes]:
    """As text, in base64 at each of three offsets, and in hexadecimal."""
    raw = secret.encode()
    coded = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, raw.hex().encode(), *(piece for piece in coded if len(piece) > 8)]


@pytest.mark.django_db(transaction=True)
def test_no_secret_lies_in_the_database_as_it_is(world: Any, sandbox: Any, sign_in: Any) -> None:
    owner, base = sign_in("owner"), f"/projects/{world.project.hex}"

    def press(path: str, status: int, **values: str) -> str:
        answer = owner.post(f"{base}/{path}", values)
        assert answer.status_code == status, (path, answer.content.decode()[:500])
        return str(answer.content.decode())

    def shown(page: str, label: str) -> str:
        return re.findall(rf'data-copy="([^"]+)" aria-label="{label} 복사"', page)[0]

    press("settings/mixpanel/register/", 302, **WHOLE)
    press("settings/solapi/register/", 302, api_key=SOLAPI_API_KEY, api_secret=SOLAPI_API_SECRET)
    hook = shown(press("settings/solapi/webhook/", 200), "결과 웹훅 비밀키")
    keys = press("settings/keys/new/", 200)
    access_key, secret_key = shown(keys, "access key"), shown(keys, "secret key")
    invitation = press("members/invite/", 201, email="new@harutable.example", role="viewer")
    seed = set_up(owner)
    codes = owner.get("/accounts/2fa/recovery-codes/download/").content.decode().split()
    pusher = Pusher(world.id, (access_key, secret_key))
    pusher.push([member(77, nickname="아무에게도 안 보일 별명")], project=WHOLE["project_id"])

    kept = dump()
    assert access_key.encode() in kept, "what is no secret is found, so that a secret would be"
    secrets = {
        "the secret of Mixpanel": SECRET,
        "the secret of SOLAPI": SOLAPI_API_SECRET,
        "the secret of its webhook": hook,
        "the secret key": secret_key,
        "an invitation's link": re.findall(r"/invitations/([\w-]+)/", invitation)[0],
        "the seed of an authenticator app": seed,
        "a recovery code": codes[0],
        "a password": PASSWORD,
        "the key of a session": owner.session.session_key,
        "a phone on a page that waits": str(member(77)["phone_number"]),
        "a property on a page that waits": "아무에게도 안 보일 별명",
    }
    found = [what for what, secret in secrets.items() if any(piece in kept for piece in spellings(secret))]
    assert not found
