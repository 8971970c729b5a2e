"""The peer of a refresh: Mixpanel's own `mixpanel-utils` writes one cohort to a file. Run by `.venv-clients`.

Prints one JSON line: seconds (from the first request to the closed file), rows, peak memory in kilobytes.
"""

import json
import os
import resource
import sys
import time

from mixpanel_utils import MixpanelUtils

url, cohort, path = sys.argv[1:4]
client = MixpanelUtils(
    os.environ["PEER_SECRET"],
    service_account_username=os.environ["PEER_USERNAME"],
    project_id=int(os.environ["PEER_PROJECT"]),
)
client.formatted_api = f"{url}/us/api"
began = time.perf_counter()
failure = ""
try:
    client.export_people(path, {"filter_by_cohort": json.dumps({"id": int(cohort)}), "include_all_users": "false"})
except Exception as error:  # whatever the peer dies of is its result
    failure = type(error).__name__
seconds = time.perf_counter() - began
rows = 0
if os.path.exists(path):
    with open(path, "rb") as file:
        text = file.read()
    rows = text.count(b'"$distinct_id"')
print(
    json.dumps(
        {
            "seconds": seconds,
            "rows": rows,
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "failure": failure,
        }
    )
)
