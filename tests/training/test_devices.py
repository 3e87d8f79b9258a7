"""Which GPU a process takes, on pretended GPUs: real processes, real locks."""

import os
import signal
import subprocess
import sys

import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.training import devices

# As torch on a machine of four GPUs, of which CUDA_VISIBLE_DEVICES shows some, counted from 0.
PROCESS = """
import os, sys
from types import SimpleNamespace
import torch
seen = [int(index) for index in os.environ.get("CUDA_VISIBLE_DEVICES", "0,1,2,3").split(",")]
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: len(seen)
torch.cuda.get_device_properties = lambda index: SimpleNamespace(uuid=f"GPU-{seen[index]}")
from sadanet_lab.training import devices
for line in sys.stdin:
    if line == "release\\n":
        devices.release()
        print("released", flush=True)
    else:
        took = devices.take_devices(line.strip())
        print(took if took == 1 else f"GPU-{seen[took[0]]}", flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """Starts a process that takes a device for each name it is told, and says which GPU of the machine that is."""
    started = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)} | environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(process, word="auto"):
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def answer(process):
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_each_takes_a_free_gpu_and_a_killed_one_frees_its_own(start):
    first, second, third = (start(CUDA_VISIBLE_DEVICES=shown) for shown in ("2,3", "3,2", "3"))
    ask(first)
    assert answer(first) == "GPU-2"
    ask(first)
    assert answer(first) == "GPU-2", "one that it holds already"
    ask(second)
    assert answer(second) == "GPU-3"
    ask(third)  # sees GPU-3 alone, as its number 0
    assert third.stderr.readline() == "all 1 GPU slots are taken; waiting for one\n"
    second.send_signal(signal.SIGKILL)
    assert answer(third) == "GPU-3"
    ask(first, "release")
    assert answer(first) == "released"
    ask(first, "cuda")
    assert answer(first) == "GPU-2"
    ask(first, "cpu")
    assert answer(first) == "1"


@pytest.mark.slow
def test_slots_fill_every_gpu_once_before_any_twice(start):
    took = []
    for _ in range(4):
        process = start(CUDA_VISIBLE_DEVICES="0,1", GPU_SLOTS="2")
        ask(process)
        took.append(answer(process))
    assert took == ["GPU-0", "GPU-1", "GPU-0", "GPU-1"]


def test_without_a_gpu_nothing_is_held_and_fabric_is_given_one_device(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert devices.take_devices("auto") == 1
    assert devices.count_devices() == 0


def test_an_open_notebook_holds_none(monkeypatch):
    monkeypatch.setattr(devices, "count_devices", lambda: 2)
    monkeypatch.setattr(devices, "watcher", lambda: "notebook")
    assert devices.take_devices("auto") == 1


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_slots_that_is_none(text, monkeypatch):
    monkeypatch.setenv("GPU_SLOTS", text)
    with pytest.raises(BadInput, match="GPU_SLOTS: found"):
        devices.slots()
