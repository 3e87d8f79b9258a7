"""Where things are."""

from pathlib import Path

from sadanet_lab.errors import BadInput

_CHECKOUT = Path(__file__).resolve().parents[1]
ROOT = _CHECKOUT if (_CHECKOUT / "notebooks").is_dir() else Path.cwd()
"""The project's folder when we run from a checkout, otherwise the current one."""
NOTEBOOKS = ROOT / "notebooks"
PUBLISHED = ROOT / "data" / "published"
"""The paper's tables as CSV."""
SHIPPED = Path(__file__).resolve().parent / "shipped"
"""The model in the package; see ``training.shipped``."""
SHIPPED_ONNX = SHIPPED / "model.onnx"
"""The same network as a file."""
LIMITS = "limits.json"
"""What is known of a model's answers: beside it, in the package's folder or a run's; see ``inference.limits``."""
COVERAGE = "coverage.csv"
"""How often the intervals of those limits held on other phantoms; beside them."""
STANDARD = ROOT / "results" / "reference" / "standard-cpu"
"""The committed results that verdicts stand on where a profile's own runs are too short."""
FEW_IMAGES = ROOT / "results" / "reference" / "finetune-cpu"
"""Where the results of notebook 14, which trains only with profile finetune, are committed once they are there."""
PHANTOM = "phantom"
"""What stands in place of a dataset's folder for the embedded phantoms."""


def at_home(path: str | Path) -> Path:
    """A path with its leading ``~`` or ``~user`` written out; raises ``BadInput`` if there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise BadInput(f"{path}: no such user; expected a path, or ~ for your own folder") from None


def resolve(path: str | Path) -> Path:
    """A path from a notebook's parameters: relative ones start at ``ROOT``, whatever the kernel's folder is."""
    return ROOT / at_home(path)


def output_folder(results: str | Path, data: str, profile: str) -> Path:
    """Where a notebook's tables and figures go: ``results/<name of the data folder>-<profile>``."""
    return resolve(results) / f"{Path(data).name}-{profile}"


def result_file(notebook: str, results: str | Path, data: str, profile: str) -> Path:
    """What a notebook writes last, named like it: it is there if and only if all the notebook's results are."""
    return output_folder(results, data, profile) / f"{notebook}.json"
