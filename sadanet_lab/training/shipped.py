"""The model inside the package: trained on phantoms alone, for images that come without a training set.

sadanet_lab/shipped/ is a run's folder (see ``runs``) with its weights as 16-bit floats and without its
predictions, beside the same network as ONNX, its limits (``sadanet calibrate``) and a model card. ``ship`` makes it of
a run of profile "shipped".
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load, save

from sadanet_lab.errors import BadInput
from sadanet_lab.files import write_atomically
from sadanet_lab.paths import COVERAGE, LIMITS, PHANTOM, SHIPPED, SHIPPED_ONNX
from sadanet_lab.training.datasets import open_data
from sadanet_lab.training.run_files import WEIGHTS, complete
from sadanet_lab.training.runs import Run, is_complete, open_run, record_files

LARGEST_BYTES = 32 * 2**20
"""Of the weights, and of the ONNX file."""


def shipped_run() -> Run:
    """The shipped model, as a run."""
    return open_run(SHIPPED)


def ship(run: Run, out: Path = SHIPPED) -> None:
    """Put a run in the place of the shipped model; its model card stays and must be brought up to date by hand.

    Raises ``BadInput`` if the run, or one that it started from, is not of the profile's own phantoms (a model may
    remember the patients it was trained on), or if it is too large.
    """
    from sadanet_lab.inference.onnx_export import export_onnx  # loads onnx, which nothing else here needs

    if run.recipe.profile != "shipped":
        raise BadInput(f"{run.folder}: a run of profile {run.recipe.profile!r}; expected one of profile 'shipped'")
    for stage in _stages(run):
        if stage.recipe.weights == "file" or stage.recipe.data != open_data(PHANTOM, "shipped").fingerprint:
            raise BadInput(f"{stage.folder}: trained on other data than the profile's phantoms; expected no patients'")
    state = load(run.weights())
    halved = {k: v.half() if v.dtype == torch.float32 else v for k, v in state.items()}
    network = run.network()
    network.load_state_dict(halved)
    as_onnx = export_onnx(network, run.recipe, str(run.folder))
    size = max(sum(v.nbytes for v in halved.values()), len(as_onnx))
    if size > LARGEST_BYTES:
        raise BadInput(f"{run.folder}: {size / 2**20:.1f} MiB of weights; expected at most {LARGEST_BYTES / 2**20:.0f}")
    out.mkdir(parents=True, exist_ok=True)
    for of_the_model_before in (LIMITS, COVERAGE):
        (out / of_the_model_before).unlink(missing_ok=True)
    for name in record_files():
        write_atomically(out / name, run.files.read(name))
    write_atomically(out / WEIGHTS, save(halved))
    write_atomically(out / SHIPPED_ONNX.name, as_onnx)
    complete(out, run.files.record["recipe"], [*record_files(), WEIGHTS, SHIPPED_ONNX.name])


def _stages(run: Run) -> Iterator[Run]:
    """A run, that which it started from, and so on; raises ``BadInput`` where that is not at hand."""
    yield run
    # The shipped model was such a run, and those that it started from are not in the package.
    while run.folder != SHIPPED and (start := run.recipe.start) not in (None, "shipped"):
        folder = run.folder.parent / str(start)
        if not is_complete(folder):
            raise BadInput(f"{run.folder}: started from {start}, of data not known here; expected {folder}")
        run, sum_ = open_run(folder), run.recipe.start_sha256
        if hashlib.sha256(run.weights()).hexdigest() != sum_:
            raise BadInput(f"{folder}: other weights than were started from; expected those of sum {sum_}")
        yield run
