"""Which model segments: the one in the package or a file, by onnxruntime, or a run, by torch."""

from pathlib import Path

from sadanet_lab.inference.segmenter import Model
from sadanet_lab.paths import ROOT, SHIPPED


def find_model(name: str | Path, results: str | Path = "results", start: Path = ROOT) -> Model:
    """The model that ``name`` names: "shipped", a file of ``sadanet export``, or a run (see ``shipped.find_run``).

    Only a run needs torch. Relative paths start at ``start``. Raises ``BadInput`` if there is no such model.
    """
    if str(name) == "shipped" or Path(name).suffix == ".onnx":
        from sadanet_lab.inference.onnx_model import open_onnx

        return open_onnx(SHIPPED / "model.onnx" if str(name) == "shipped" else start / Path(name).expanduser())
    from sadanet_lab.inference.segmentation import TorchModel
    from sadanet_lab.training.shipped import find_run

    run = find_run(name, results, start)
    return TorchModel(run.network(), run.recipe)
