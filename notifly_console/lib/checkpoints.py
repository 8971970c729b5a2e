"""Named points inside long work where a test may kill the process or hold it, as a crash or a stall would.

`reached("after_claim")` does nothing unless the process was started with both `CONSOLE_CHECKPOINTS=may_kill` and
`CONSOLE_CHECKPOINT=name[:n]`, which only tests of real processes do: at the n-th time (the first, if not said) that
point is reached, the process gets SIGKILL (`name[:n]`) or SIGSTOP (`stop:name[:n]`).
"""

import os
import signal
import threading

REFRESH = (
    "after_claim",
    "before_list",
    "after_list_asked",
    "in_list_stored",
    "after_list_stored",
    "before_pull",
    "after_first_page",
    "before_batch",
    "in_batch_after_profiles",
    "in_batch_before_commit",
    "after_batch",
    "before_publish",
    "in_publish_after_snapshot",
    "in_publish_before_commit",
    "after_publish",
    "before_finish",
    "in_finish_before_commit",
    "after_finish",
)
FREEZING = (
    "in_choice",
    "after_choice",
    "before_frozen_chunk",
    "in_frozen_chunk",
    "in_freeze_settled",
)
PUSH = (
    "in_place_before_commit",
    "after_place",
    "before_read",
    "in_read_after_profiles",
    "in_read_before_commit",
    "after_read",
    "before_apply",
    "in_apply_before_commit",
    "after_apply",
)
LOOKING = (
    "in_look",
    "after_look",
)
SENDING = (
    "after_run_claimed",
    "before_sending",
    "after_people_claimed",
    "after_open",
    "before_load",
    "after_load",
    "before_intent",
    "after_intent",
    "after_dispatch",
    "after_record",
    "after_asking_claimed",
    "after_recall",
    "after_reports",
)
NAMES = (*REFRESH, *FREEZING, *PUSH, *LOOKING, *SENDING)

_counted: dict[str, int] = {}


def _wanted() -> tuple[str, int, signal.Signals] | None:
    text = os.environ.get("CONSOLE_CHECKPOINT", "")
    if not text or os.environ.get("CONSOLE_CHECKPOINTS") != "may_kill":
        return None
    how = signal.SIGSTOP if text.startswith("stop:") else signal.SIGKILL
    name, _, count = text.removeprefix("stop:").partition(":")
    return name, int(count or 1), how


_WANTED = _wanted()


def reached(name: str) -> None:
    """Says that the work got to the point `name` (one of NAMES)."""
    if _WANTED is None:
        return
    if name not in NAMES:
        raise LookupError(f"There is no checkpoint {name!r}.")
    wanted, at, how = _WANTED
    _counted[name] = _counted.get(name, 0) + 1
    if name == wanted and _counted[name] == at:
        # To this thread: sent to the process, SIGSTOP may meet another first, and this one goes on for a moment.
        signal.pthread_kill(threading.get_ident(), how)
