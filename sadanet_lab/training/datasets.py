"""The dataset that a notebook or command means: a folder in the published layout, or the embedded phantoms."""

from pathlib import Path

import pandas as pd

from sadanet_lab.files import lock, writable_folder
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.images.vpi_folder import VpiFolder, read_lists
from sadanet_lab.paths import PHANTOM, ROOT, resolve
from sadanet_lab.phantom import VERSION as PHANTOM_VERSION
from sadanet_lab.phantom import write_folder
from sadanet_lab.progress import progress
from sadanet_lab.training.profiles import find_profile


def open_data(data: str | Path, profile_name: str) -> VpiFolder:
    """``data`` is a folder (relative to the project's), or "phantom": the profile's phantoms, made once and kept.

    They are written to ``data/phantom-v<version>-<width>x<height>-<train>+<test>/``, seed 0, with "+<val>" where there
    are such, and "-" and the spread or the cases that are not usual. Raises ``BadInput`` if the folder is not a sound
    dataset; of phantoms, which were written by us and whole, only once a file is read.
    """
    return read_lists(_phantom_folder(profile_name)) if data == PHANTOM else open_folder(resolve(data))


def read_bones(folder: Path) -> pd.DataFrame | None:
    """``bones.csv`` of a folder of demanding phantoms (see ``phantom.writer``), hidden "" for a bone that is seen.

    None of any other folder.
    """
    path = Path(folder) / "bones.csv"
    return pd.read_csv(path, dtype={"stem": str, "hidden": str}, keep_default_na=False) if path.is_file() else None


def _phantom_folder(profile_name: str) -> Path:
    size = find_profile(profile_name)["phantom"]
    name = "phantom-v{version}-{width}x{height}-{train}+{test}".format(version=PHANTOM_VERSION, **size)
    name += f"+{size['val']}" if size["val"] else ""
    folder = ROOT / "data" / "-".join([name, *(size[key] for key in ("spread", "cases") if size[key] != "usual")])
    if not folder.exists():
        writable_folder(folder.parent)
        with lock(folder.with_name(f".{folder.name}.lock"), folder.name):
            if not folder.exists():
                with progress(size["train"] + size["test"] + size["val"], folder.name, "images") as bar:
                    write_folder(folder, **size, seed=0, on_image_done=bar.update)
    return folder
