"""Recipes, training and the run store: same recipe, same bytes; killed anywhere, it ends the same."""

import json
import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch

from sadanet_core import SegmentationLoss
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.images import preparation
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.inference.segmentation import labels_of
from sadanet_lab.methods.sa2net import MixedLoss
from sadanet_lab.training import run_store, trainer
from sadanet_lab.training.checkpoints import NAME
from sadanet_lab.training.environment import code_of
from sadanet_lab.training.evaluation import evaluate
from sadanet_lab.training.patches import TrainingSet, normalised
from sadanet_lab.training.recipe import Recipe, make_recipe
from sadanet_lab.training.run_store import get_or_train, get_or_train_each
from sadanet_lab.training.runs import open_run, run_folder


@pytest.fixture(scope="module")
def data(phantoms):
    return open_folder(phantoms)


def tiny(data, method="sadanet", **changes) -> Recipe:
    return make_recipe(method, "smoke", data.fingerprint, **changes)


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The run that the others must equal, byte for byte."""
    return get_or_train(tiny(data), data, tmp_path_factory.mktemp("uninterrupted"))


RESULT_FILES = ("counts.csv", "history.csv", "model.safetensors", "recipe.json")


KILLED = {
    "in training": """
import os, torch
save = torch.save
def half(state, file):
    if state["progress"]["step"] == 3:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), 9)
    save(state, file)
torch.save = half
""",
    "after training": """
import os
from sadanet_lab.training import run_store
run_store.trainer.weights_content = lambda network: os.kill(os.getpid(), 9)
""",
    "before the end": """
import os
from sadanet_lab.training import run_store
run_store.complete = lambda *_: os.kill(os.getpid(), 9)
""",
}
"""Moment -> code that makes a process kill itself then."""


def assert_same_run(one, other):
    for name in RESULT_FILES:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    for path in (one.folder / "predictions").iterdir():
        assert path.read_bytes() == (other.folder / "predictions" / path.name).read_bytes(), path.name


class TestTraining:
    def test_learning_rate_is_a_cosine_between_the_papers_ends(self):
        recipe = make_recipe("unet", "paper", "x")
        assert trainer.learning_rate(recipe, 0) == 1e-3
        assert trainer.learning_rate(recipe, 160_000) == pytest.approx(5e-6)
        assert trainer.learning_rate(recipe, 80_000) == pytest.approx((1e-3 + 5e-6) / 2)
        assert trainer.learning_rate(recipe, 40_000) == pytest.approx(5e-6 + (1e-3 - 5e-6) * (1 + math.sqrt(0.5)) / 2)

    def test_each_image_is_used_once_before_any_comes_again(self, data):
        training_set = TrainingSet(data.train, tiny(data))
        seen = []
        training_set.patch = lambda image, mask, generator: seen.append(id(image)) or (image, mask)
        for step in range(6):  # 2 a batch, 4 images: three epochs
            training_set[step]
        epochs = [seen[i : i + 4] for i in range(0, 12, 4)]
        assert all(len(set(epoch)) == 4 for epoch in epochs)
        assert epochs[0] != epochs[1] or epochs[1] != epochs[2]

    def test_a_step_does_not_depend_on_those_before_it(self, data):
        fresh, used = (TrainingSet(data.train, tiny(data)) for _ in range(2))
        for step in range(3):
            used[step]
        for one, other in zip(fresh[3], used[3], strict=True):
            assert torch.equal(one, other)

    def test_other_seeds_give_other_weights_and_batches(self, data):
        one, other = (trainer.build_network(tiny(data, seed=s)) for s in (0, 1))
        assert not torch.equal(next(one.parameters()), next(other.parameters()))
        batches = [TrainingSet(data.train, tiny(data, seed=s))[0][0] for s in (0, 1)]
        assert not torch.equal(*batches)

    def test_a_loss_that_is_no_number_stops_training(self, data, tmp_path, monkeypatch):
        monkeypatch.setattr(SegmentationLoss, "forward", lambda *_: torch.tensor(math.nan, requires_grad=True))
        with pytest.raises(Failed, match="nan at step 1"):
            get_or_train(tiny(data, "unet"), data, tmp_path)

    def test_a_method_is_trained_with_the_loss_of_its_recipe(self, data, tmp_path, monkeypatch):
        seen = []
        forward = MixedLoss.forward
        monkeypatch.setattr(MixedLoss, "forward", lambda *given: seen.append(1) or forward(*given))
        get_or_train(tiny(data, "sa2net", loss="mixed", iterations=2), data, tmp_path)
        assert len(seen) == 2


class TestRunStore:
    def test_the_same_recipe_gives_the_same_bytes(self, data, uninterrupted, tmp_path):
        assert_same_run(get_or_train(tiny(data), data, tmp_path), uninterrupted)

    @pytest.mark.parametrize("moment", KILLED, ids=KILLED)
    @pytest.mark.slow
    def test_killed_and_started_again_it_ends_the_same(self, phantoms, data, uninterrupted, tmp_path, moment):
        """SIGKILL in mid-training with a checkpoint half-written, after training, or just before the end."""
        options = ["--method", "sadanet", "--profile", "smoke", "--checkpoint-seconds", "0"]
        options += ["--data", str(phantoms), "--results", str(tmp_path)]
        script = KILLED[moment] + f"from sadanet_lab.cli import main\nmain(['train', *{options!r}])"
        process = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE)
        assert process.returncode == -signal.SIGKILL, process.stderr.decode()
        folder = run_folder(tiny(data), tmp_path)
        with pytest.raises(BadInput, match="not complete"):
            open_run(folder)
        assert torch.load(folder / NAME)["progress"]["step"] == (2 if moment == "in training" else 6)
        assert_same_run(get_or_train(tiny(data), data, tmp_path), uninterrupted)
        assert not list(folder.glob("checkpoint*"))

    def test_resumed_training_does_not_start_over(self, data, uninterrupted, tmp_path, monkeypatch):
        """Stopped after three of six steps, only three are done the second time."""
        batch, steps = TrainingSet.__getitem__, []

        def stop_at_three(self, step):
            steps.append(step)
            if len(steps) == 4:
                raise KeyboardInterrupt
            return batch(self, step)

        monkeypatch.setattr(TrainingSet, "__getitem__", stop_at_three)
        with pytest.raises(KeyboardInterrupt):
            get_or_train(tiny(data), data, tmp_path, checkpoint_seconds=0)
        run = get_or_train(tiny(data), data, tmp_path)
        assert steps == [0, 1, 2, 3, 3, 4, 5]
        assert_same_run(run, uninterrupted)

    def test_a_complete_run_is_not_trained_again(self, data, uninterrupted, monkeypatch):
        monkeypatch.setattr(trainer, "train", lambda *_: pytest.fail("trained again"))
        again = get_or_train(tiny(data), data, uninterrupted.folder.parents[1])
        assert again.folder == uninterrupted.folder

    def test_two_that_want_the_same_run_train_it_once(self, data, tmp_path, monkeypatch):
        train, calls = trainer.train, []

        def counted(*arguments):
            calls.append(arguments)
            return train(*arguments)

        monkeypatch.setattr(trainer, "train", counted)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(get_or_train, tiny(data, "unet"), data, tmp_path) for _ in range(2)]
        assert both[0].result().folder == both[1].result().folder
        assert len(calls) == 1

    def test_counts_are_those_of_the_stored_predictions_and_of_the_stored_weights(self, data, uninterrupted):
        again = evaluate(uninterrupted.network(), data.test, uninterrupted.recipe)["counts"]
        pd.testing.assert_frame_equal(again, uninterrupted.counts)
        for sample in data.test:
            stored = uninterrupted.prediction(sample.stem)
            assert stored.shape == sample.mask().shape
            tp = ((stored == 1) & (sample.mask() == 1)).sum()
            row = uninterrupted.counts.query("stem == @sample.stem and `class` == 'rib'")
            assert row.tp.item() == tp

    def test_the_environment_is_recorded(self, uninterrupted):
        recorded = uninterrupted.environment
        assert recorded["packages"]["torch"] == torch.__version__.split("+")[0]
        assert recorded["training_seconds"] > 0
        assert {"device", "threads", "commit"} <= recorded.keys()

    def test_what_is_no_run_is_said_so(self, tmp_path, uninterrupted):
        with pytest.raises(BadInput, match="not a run"):
            open_run(tmp_path)
        (tmp_path / "recipe.json").write_text(json.dumps({"method": "sadanet"}))
        (tmp_path / "complete.json").write_text('{"recipe": "0123456789ab"}')
        with pytest.raises(BadInput, match="not a recipe"):
            open_run(tmp_path)

    def test_a_results_folder_that_is_a_file(self, data, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(BadInput, match="cannot be written to"):
            get_or_train(tiny(data), data, tmp_path / "file")


def test_predictions_have_the_images_own_size(uninterrupted):
    for height, width in ((50, 31), (301, 77)):
        labels = labels_of(uninterrupted.network(), np.zeros((height, width), np.uint8), uninterrupted.recipe)
        assert labels.shape == (height, width)
        assert labels.dtype == np.uint8


def test_pretrained_weights_that_cannot_be_downloaded_are_refused_with_the_reason(data, tmp_path, monkeypatch):
    """What the ``paper`` profile meets without a way to the model hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match=r"cannot download the weights of backbone 'resnet50c' from the model hub \("):
        get_or_train_each(["unet", "sadanet"], [0], "paper", data, tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is trained or written before the refusal, UNet neither"


def test_a_seed_named_twice_or_none_is_refused(data, tmp_path):
    """Two runs of one seed would pass for a spread of zero."""
    for seeds in ([0, 0], []):
        with pytest.raises(BadInput, match="seeds: found"):
            get_or_train_each(["unet"], seeds, "smoke", data, tmp_path)


def of_the_processor():
    torch.empty(2**46)  # bytes x 4: more than any machine has


def of_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 78 GiB in all.")


@pytest.mark.parametrize("fill", [of_the_processor, of_a_gpu])
def test_memory_that_ran_out_is_one_line_and_what_to_do(data, tmp_path, monkeypatch, fill):
    monkeypatch.setattr(trainer, "train", lambda *_: fill())
    recipe = make_recipe("unet", "smoke", data.fingerprint)
    with pytest.raises(Failed, match=r"^unet-\w+: memory ran out \(.*\); try a smaller --image, --batch or, where .*"):
        get_or_train(recipe, data, tmp_path, "cpu")


def test_another_fault_of_torch_is_not_taken_for_want_of_memory(data, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "train", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size") as raised:
        get_or_train(make_recipe("unet", "smoke", data.fingerprint), data, tmp_path, "cpu")
    assert not isinstance(raised.value, Failed)


def test_a_stored_run_whose_code_was_edited_is_told_and_kept(data, uninterrupted, monkeypatch, capsys):
    """Its name goes by its settings: else an edited loss would seem to change nothing."""
    results = uninterrupted.folder.parents[1]
    get_or_train(tiny(data), data, results)
    assert "other code" not in capsys.readouterr().err
    monkeypatch.setattr(run_store, "code_of", lambda method: f"edited {method}")
    assert get_or_train(tiny(data), data, results).folder == uninterrupted.folder
    assert f"{uninterrupted.folder}: trained by other code of its network or loss" in capsys.readouterr().err


def test_the_code_of_a_run_is_that_of_its_method_and_the_core():
    sums = {name: code_of(name) for name in ("sadanet", "sadanet-without-sca", "unet")}
    assert len(set(sums.values())) == 3
    assert sums["unet"] == code_of("unet")


def test_a_device_that_is_not_there_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="device: found 'cuda'"):
        get_or_train(tiny(data), data, tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())


def test_patches_cut_ahead_of_time_by_workers_give_the_same_weights(data, uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "worker_count", lambda device: 2)
    assert_same_run(get_or_train(tiny(data), data, tmp_path), uninterrupted)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_normalised_as_in_testing_bit_for_bit(data, channels):
    images, _ = TrainingSet(data.train, tiny(data))[0]
    assert images.dtype == torch.uint8
    expected = torch.from_numpy(preparation.normalise(images.numpy(), channels))
    assert torch.equal(normalised(images, channels), expected)


def test_losses_are_read_when_a_row_is_due_and_a_bad_one_is_named_by_its_step(data, tmp_path, monkeypatch):
    """The network goes wrong at step 4 of 6; all are read at the first row after it."""
    forward, seen = SegmentationLoss.forward, []

    def bad_fourth(self, *given):
        seen.append(1)
        return forward(self, *given) * (math.inf if len(seen) == 4 else 1)

    monkeypatch.setattr(SegmentationLoss, "forward", bad_fourth)
    monkeypatch.setattr(trainer, "HISTORY_ROWS", 1)
    with pytest.raises(Failed, match="became inf at step 4"):
        get_or_train(tiny(data, "unet"), data, tmp_path)
    assert len(seen) == 6
