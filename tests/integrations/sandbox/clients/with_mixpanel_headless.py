"""Run by .venv-clients/bin/python: what mixpanel-headless makes of the sandbox, as one JSON document on stdout.

Arguments: cohort id. The rest comes from its MP_ variables.
"""

import json
import sys

import mixpanel_headless

cohort = int(sys.argv[1])
workspace = mixpanel_headless.Workspace()
me = workspace.me()
count = workspace.query_user(mode="aggregate", cohort=cohort)
with_phone = workspace.query_user(mode="aggregate", cohort=cohort, where='defined(properties["$phone"])')
at_once = workspace.query_user(mode="profiles", cohort=cohort, limit=None, parallel=True)
in_turn = workspace.query_user(mode="profiles", cohort=cohort, limit=None, parallel=False)

json.dump(
    {
        "me": {"projects": {key: value.name for key, value in me.projects.items()}, "email": me.user_email},
        "cohorts": {listed.id: listed.name for listed in workspace.cohorts()},
        "count": count.value,
        "with_phone": with_phone.value,
        "at_once": [str(row) for row in at_once.df["distinct_id"]],
        "in_turn": [str(row) for row in in_turn.df["distinct_id"]],
        "streamed": [
            str(row.get("distinct_id", row.get("$distinct_id")))
            for row in workspace.stream_profiles(cohort_id=str(cohort))
        ],
    },
    sys.stdout,
)
