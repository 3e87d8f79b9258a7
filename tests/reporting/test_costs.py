"""What jobs are expected to take, from made-up stored runs."""

import json

import pytest

from sadanet_lab.reporting import costs
from sadanet_lab.reporting.costs import Cost, Costs, memory_to_ask, minutes_to_ask, tell_hours
from sadanet_lab.reporting.plan import Training
from sadanet_lab.training.profiles import find_profile

STEPS = find_profile("standard")["iterations"]
UNET, HALF = Training("unet", ()), Training("unet", (("length", 0.5),))


def store(folder, name, complete=True, **changes):
    run = folder / "runs" / name
    run.mkdir(parents=True)
    recipe = {"method": "unet", "profile": "standard", "backbone": None, "iterations": STEPS}
    environment = {"training_seconds": 3000.0, "testing_seconds": 600.0, "device": "a GPU", "memory_mb": 2500}
    for file, content in (("recipe", recipe), ("environment", environment)):
        new = {key: changes.get(key, value) for key, value in content.items()}
        (run / f"{file}.json").write_text(json.dumps({key: value for key, value in new.items() if value != "none"}))
    if complete:
        (run / "complete.json").write_text("{}")


@pytest.fixture(autouse=True)
def no_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "ROOT", tmp_path / "checkout")


def test_seconds_go_by_iterations_and_testing_does_not(tmp_path):
    store(tmp_path, "a")
    store(tmp_path, "b", iterations=STEPS // 2, training_seconds=1500.0)
    expected = Costs("standard", tmp_path)
    assert expected.of_training(UNET) == Cost(3600.0, 2500, "a GPU")
    assert expected.of_training(HALF) == Cost(2100.0, 2500, "a GPU")


@pytest.mark.parametrize(
    "change",
    [{"method": "fpn"}, {"profile": "quick"}, {"backbone": "resnet50"}, {"complete": False}, {"iterations": "none"}],
    ids=lambda change: next(iter(change)),
)
def test_other_and_unfinished_runs_say_nothing(change, tmp_path):
    store(tmp_path, "a", **change)
    assert Costs("standard", tmp_path).of_training(UNET) is None


def test_a_damaged_file_says_nothing(tmp_path):
    store(tmp_path, "a")
    for content in ("", "[1]", "\x00"):
        (tmp_path / "runs" / "a" / "environment.json").write_text(content)
        assert Costs("standard", tmp_path).of_training(UNET) is None


def test_the_reference_stands_in_for_methods_that_the_results_lack(tmp_path):
    reference = costs.ROOT / "results" / "reference" / "standard-cpu"
    store(reference, "a", training_seconds=1.0, device="a CPU")
    store(reference, "b", method="fpn", training_seconds=0.0, device="a CPU")
    store(tmp_path, "a")
    expected = Costs("standard", tmp_path)
    assert expected.of_training(UNET).device == "a GPU"
    assert expected.of_training(Training("fpn", ())) == Cost(600.0, 2500, "a CPU")


def test_a_notebook_is_like_itself_in_its_profile(tmp_path):
    for data, profile, seconds in (("mine", "standard", 7200.0), ("mine", "quick", 1.0)):
        folder = tmp_path / f"{data}-{profile}"
        folder.mkdir()
        result = {"seconds": seconds, "parameters": {"profile": profile}, "environment": {"device": "a CPU"}}
        (folder / "01_a.json").write_text(json.dumps(result))
    expected = Costs("standard", tmp_path)
    assert expected.of_notebook("01_a") == Cost(7200.0, None, "a CPU")
    assert expected.of_notebook("02_b") is None


def test_what_is_asked_for_grows_with_the_attempt_and_is_generous_where_nothing_is_stored():
    hour = Cost(3600.0, 2500, "a GPU")
    assert [minutes_to_ask(hour, attempt) for attempt in (1, 2)] == [130, 260]
    assert [memory_to_ask(hour, attempt) for attempt in (1, 2)] == [3500, 7000]
    assert (minutes_to_ask(None), memory_to_ask(None)) == (costs.UNKNOWN_MINUTES, costs.UNKNOWN_MEMORY_MB)
    assert memory_to_ask(Cost(3600.0, None, "a GPU")) == costs.UNKNOWN_MEMORY_MB


def test_hours_are_told_for_each_kind_and_in_all():
    hour = Cost(3600.0, 2500, "a GPU")
    told = tell_hours([("unet", hour), ("unet", hour), ("fpn", None)])
    assert [line.split() for line in told[1:3]] == [
        ["unet", "2", "1.000", "a", "GPU"],
        ["fpn", "1", *["not", "known:", "none", "like", "it", "is", "stored"]],
    ]
    assert told[3] == "in all: 2.00 hours, one after another, of 2 jobs, and 1 of which none like it is stored"
