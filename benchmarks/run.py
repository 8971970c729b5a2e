"""Every benchmark with its peer, as one table: `make bench`, or `python -m benchmarks.run refresh million pages`.

Needs PostgreSQL (`BENCH_DATABASE_URL`, a database of its own that is dropped and made) and `.venv-clients`
(`make clients`). Exits with 1 when a bar doesn't hold.
"""

import os
import platform
import sys

from benchmarks import audience, groups, pages, push, refresh, render, send
from benchmarks.report import HEAD
from benchmarks.stage import CLIENTS

PARTS = {
    "refresh": refresh.hundred_thousand,
    "million": refresh.million,
    "pages": pages.cohort_pages,
    "render": render.worst_recipient,
    "audience": audience.audience,
    "csv": audience.csv_file,
    "groups": groups.user_groups,
    "send": send.engine,
    "interference": send.interference,
    "push-accept": push.accept,
    "push-flood": push.flood,
    "push-apply": push.apply,
    "push-million": push.million,
    "push-correct": push.correct,
}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in wanted if name not in PARTS]:
        raise SystemExit(f"There is no benchmark {unknown[0]}; there are {', '.join(PARTS)}.")
    if {"refresh", "send"} & set(wanted) and not CLIENTS.exists():
        raise SystemExit("The peers aren't installed: run `make clients` first.")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}\n\n{HEAD}", flush=True)
    held = True
    for name in wanted:
        for line in PARTS[name]():
            print(line, flush=True)
            held &= line.holds
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
