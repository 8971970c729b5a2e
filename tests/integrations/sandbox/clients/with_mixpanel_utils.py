"""Run by .venv-clients/bin/python: what mixpanel-utils makes of the sandbox, as one JSON document on stdout.

Arguments: base URL (with region), project id, username, secret, cohort id, directory to write in.
"""

import json
import sys
from pathlib import Path

from mixpanel_utils import MixpanelUtils

base, project, username, secret, cohort, directory = sys.argv[1:]
client = MixpanelUtils(secret, service_account_username=username, project_id=project, token="", max_retries=2)
client.formatted_api = client.raw_api = base

cohorts = json.loads(client.request(client.formatted_api, ["cohorts", "list"], {}))
wanted = {"filter_by_cohort": json.dumps({"id": int(cohort)}), "include_all_users": "false"}
pulled = client.query_engage(dict(wanted))
everyone = client.query_engage({"filter_by_cohort": wanted["filter_by_cohort"]})

export = Path(directory) / "export.json"
client.export_people(str(export), dict(wanted))
exported = json.loads(export.read_text())

json.dump(
    {
        "cohorts": {row["id"]: row["name"] for row in cohorts},
        "pulled": [str(row["$distinct_id"]) for row in pulled],
        "everyone": [str(row["$distinct_id"]) for row in everyone],
        "exported": [str(row["$distinct_id"]) for row in exported],
        "phones": {str(row["$distinct_id"]): row["$properties"].get("$phone") for row in exported},
    },
    sys.stdout,
)
