"""One refresh of one project in this process, as a worker runs it. Prints one JSON line: seconds from the request to
the committed receipt, the receipt, peak memory in kilobytes. (`python -m benchmarks.refresh_once PROJECT_ID`)"""

import json
import os
import resource
import sys
import time
from uuid import UUID

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifly_console.settings")
    django.setup()
    from cohorts.models import LIVE, Refresh
    from cohorts.pull import refresh
    from notifly_console.tenancy.models import Project

    project = Project.objects.get(id=UUID(sys.argv[1]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    row = refresh.request(project, by="benchmark")
    for _ in range(200):
        refresh.run(row.id)
        row = Refresh.objects.get(id=row.id)
        if row.state not in LIVE:
            break
    seconds = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "state": row.state,
                "failure": row.failure,
                "receipt": row.receipt,
                "peak_kb": usage.ru_maxrss,
                "start_kb": before,
                "cpu": usage.ru_utime + usage.ru_stime,
            }
        )
    )


if __name__ == "__main__":
    main()
