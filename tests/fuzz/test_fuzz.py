"""1,000 spoilt inputs: each is read or refused in one line, in 5 seconds at most and 2 GiB of memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inputs import FUZZED, KEPT

MEMORY = 2 << 30


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUZZED)
def test_spoilt_inputs_are_read_or_refused_in_one_line(kind):
    seeds = [*KEPT.get(kind, ()), *range(FUZZED[kind][1])]
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (here, here.parent)))}
    command = [sys.executable, str(here / "worker.py"), kind, *map(str, seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"hung or died; the last lines: {done.stderr[-2000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert {seed: said for seed, said in told["found"].items() if said not in ("read", "refused")} == {}
    assert "refused" in told["found"].values(), "spoilt too little to find anything"
    assert told["peak"] <= MEMORY
