"""The model of the push: a few runs with the others' tests, 200 where `.ci/run` asks for them (PUSH_MODEL_RUNS);
`python -m benchmarks.push_model` makes thousands."""

import os
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cohorts.push_model import PushModel

RUNS = int(os.environ.get("PUSH_MODEL_RUNS", "16"))
PARTS = 4
"""So that it is run side by side."""
STEPS = 30
PHASES = tuple(Phase) if os.environ.get("PUSH_MODEL_SHRINKS") else (Phase.reuse, Phase.generate)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_visible_is_what_was_delivered_whatever_is_lost(sandbox: Any, part: int) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the model is held against PostgreSQL")
    machine = type("Machine", (PushModel,), {"server": sandbox})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=-(-RUNS // PARTS),
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=PHASES,
        ),
    )
