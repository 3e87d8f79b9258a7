"""How many processes a machine is given work for."""

import os
import subprocess
import sys

import pytest

from sadanet_lab import processes
from sadanet_lab.processes import usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that can keep a process to a core")
def test_a_process_that_is_kept_to_one_core_uses_one():
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}})\nfrom sadanet_lab.processes import usable_cores\n"
    done = subprocess.run([sys.executable, "-c", f"{code}print(usable_cores())"], capture_output=True, text=True)
    assert done.stdout == "1\n"


def test_a_system_that_cannot_tell_gives_all_its_cores(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 5)
    assert usable_cores() == 5
    monkeypatch.setattr(processes.os, "cpu_count", lambda: None)
    assert usable_cores() == 1
