"""Which model segments: the one in the package or a file, by onnxruntime, or a run, by torch."""

from dataclasses import replace
from pathlib import Path

from sadanet_lab.inference.limits import Limits
from sadanet_lab.inference.segmenter import Model
from sadanet_lab.paths import LIMITS, ROOT, SHIPPED, SHIPPED_ONNX, at_home


def find_model(name: str | Path, results: str | Path = "results", start: Path = ROOT) -> Model:
    """The model that ``name`` names: "shipped", a file of ``sadanet export``, or a run (see ``runs.find_run``).

    Its limits are those that lie beside it. Only a run needs torch. Relative paths start at ``start``. Raises
    ``BadInput`` if there is no such model.
    """
    limits = limits_file(name, results, start)
    if str(name) == "shipped" or Path(name).suffix == ".onnx":
        from sadanet_lab.inference.onnx_model import open_onnx

        model = open_onnx(SHIPPED_ONNX if str(name) == "shipped" else start / at_home(name))
        model.limits = Limits.read(limits, model.identity)
        return model
    from sadanet_lab.inference.segmentation import TorchModel
    from sadanet_lab.training.runs import find_run

    run = find_run(name, results, start)
    model = TorchModel(run.network(), run.recipe)
    return replace(model, limits=Limits.read(limits, model.identity)) if limits.exists() else model


def limits_file(name: str | Path, results: str | Path = "results", start: Path = ROOT) -> Path:
    """Where the limits of the model that ``name`` names are kept; see ``find_model``."""
    if str(name) == "shipped":
        return SHIPPED / LIMITS
    if Path(name).suffix == ".onnx":
        return (start / at_home(name)).with_suffix(f".{LIMITS}")
    from sadanet_lab.training.runs import find_run

    return find_run(name, results, start).folder / LIMITS
