"""What is fuzzed: for each kind, an input spoilt by a seed, given to the reader that a command gives it to."""

import io
import json
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
from dicom_files import dicom
from PIL import Image

from sadanet_lab.images.folder_check import examine_folder, open_folder
from sadanet_lab.images.formats import decode_picture
from sadanet_lab.images.label_files import label_files, read_labels
from sadanet_lab.images.picture import LARGEST, Picture
from sadanet_lab.images.png import labels_png, png_bytes, read_vpi
from sadanet_lab.paths import ROOT
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.reporting.parameters import kernel_of, read_parameters
from sadanet_lab.spine.classes import COLOURS
from sadanet_lab.spine.curve_angles import measure_curves
from sadanet_lab.spine.description import as_json, as_table, describe
from sadanet_lab.training.run_files import COMPLETE, complete
from sadanet_lab.training.runs import Run, find_run, record_files

TOKENS = (
    b"\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"NaN", b"-1", b"1e999", b"Infinity", b"null",
    b"[]", b"{}", b"99999999999999999999", b"../../x", b"\xf0\x9f\xa6\xb4", b"\xed\xa0\x80", b"\n", b"\"", b"'", b"`",
    b"<b>", b"[" * 3000, b"true", b",,,,", b"\r", b"\\u0000",
)  # fmt: skip


def spoilt(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy with one to four faults: bits, cuts, doubled or foreign pieces, numbers at their limits."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(data) + 1))
        # Half of the faults are near the beginning, where headers are.
        at = min(at, int(rng.integers(1, 200))) if rng.random() < 0.5 else at
        size = int(rng.integers(1, 64))
        fault = rng.integers(7)
        if fault == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(8))
        elif fault == 1:
            data[at : at + size] = rng.bytes(size)
        elif fault == 2:
            del data[at : at + size]
        elif fault == 3:
            data[at:at] = data[at : at + size] * int(rng.integers(1, 50))
        elif fault == 4:
            del data[at:]
        elif fault == 5:
            data[at : at + size] = TOKENS[rng.integers(len(TOKENS))]
        else:
            data[at:at] = TOKENS[rng.integers(len(TOKENS))]
    return bytes(data)


def with_sums(png: bytes) -> bytes:
    """A PNG whose chunks have the right sums: a reader looks at what stands in them."""
    parts, at = [png[:8]], 8
    while at + 8 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        parts.append(png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join(parts)


@cache
def phantom() -> tuple[np.ndarray, np.ndarray]:
    """(image, labels), 64 x 256."""
    rng = np.random.default_rng(0)
    spine = draw_spine(rng, 64, 256)
    return draw_picture(rng, spine), spine.labels()


def saved(image: np.ndarray, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def pictures() -> list[bytes]:
    image, _ = phantom()
    wide = image.astype(np.uint16) * 257
    return [
        png_bytes(image), saved(wide, "PNG"), saved(image, "TIFF"), saved(wide, "TIFF", compression="tiff_lzw"),
        saved(image, "TIFF", compression="tiff_adobe_deflate"), saved(image, "BMP"), saved(image, "JPEG"), dicom(image),
        dicom(wide, PixelSpacing=[0.2, 0.1]),
    ]  # fmt: skip


@cache
def masks() -> list[bytes]:
    image, labels = phantom()
    files, _ = label_files(labels, Picture(image, "PNG", (0.2, 0.1)), "x", "net")
    return [labels_png(labels), png_bytes(labels), png_bytes(COLOURS[labels]), files[".seg.nrrd"]]


def some(contents: list[bytes], rng: np.random.Generator) -> bytes:
    content = spoilt(contents[rng.integers(len(contents))], rng)
    return with_sums(content) if content.startswith(b"\x89PNG") and rng.random() < 0.5 else content


def picture(rng: np.random.Generator, folder: Path) -> None:
    found = decode_picture(some(pictures(), rng), "x")
    assert found.image.dtype == np.uint8
    assert found.square_image.size <= LARGEST


def training_image(rng: np.random.Generator, folder: Path) -> None:
    (folder / "x.png").write_bytes(some(pictures()[:2], rng))
    assert read_vpi(folder / "x.png").ndim == 2


def mask(rng: np.random.Generator, folder: Path) -> None:
    """As ``sadanet angles`` does."""
    (folder / "x").write_bytes(some(masks(), rng))
    labels = read_labels(folder / "x")
    assert labels.max(initial=0) <= 3
    told = describe("x", measure_curves(labels))
    assert json.loads(as_json([told]))[0]["measurable"] == told["measurable"]
    assert as_table([told]).count("\n") == 0


def dataset(folder: Path) -> Path:
    """One training and one test image, written once."""
    image, labels = phantom()
    for split in ("train", "test"):
        for name, end, content in (("dataset", "", image), ("groundtruth", "_bone_3", labels)):
            (folder / name / split).mkdir(parents=True, exist_ok=True)
            path = folder / name / split / f"{split}1{end}.png"
            if not path.exists():
                path.write_bytes(png_bytes(content))
        (folder / f"{split}.txt").write_text(f"{split}1\n")
    return folder


def lists(rng: np.random.Generator, folder: Path) -> None:
    root = dataset(folder / "data")
    name = ("train.txt", "test.txt", "val.txt")[rng.integers(3)]
    (root / name).write_bytes(spoilt(b"train1\n" * int(name == "train.txt") + b"test1\n", rng))
    try:
        found = examine_folder(root)
        assert all("\n" not in line for line in (*found.problems, *found.warnings))
        assert len(open_folder(root).test) >= 1
        assert not found.problems
    finally:
        (root / "val.txt").unlink(missing_ok=True)


def written_notebook() -> bytes:
    parameters = 'results = "r"\ndata = "d"\nprofile = "smoke"\nnumber = 1\nshare = 0.5\nseeds = [0]\nyes = True\n'
    parameters += 'pixels = [[0.5, 0.5]]\nnames = ["a"]\n'
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(parameters)]
    notebook.cells[0].metadata["tags"] = ["parameters"]
    return nbformat.writes(notebook).encode()


GIVEN = {"number": "2", "share": "0.25", "seeds": "0,1,2", "yes": "true", "pixels": "[[0.1, 0.2]]", "names": "a,b"}


def parameters(rng: np.random.Generator, folder: Path) -> None:
    path, given = folder / "n.ipynb", {}
    if rng.random() < 0.5:
        path.write_bytes(spoilt(written_notebook(), rng))
    else:
        path.write_bytes(written_notebook())
        name = list(GIVEN)[rng.integers(len(GIVEN))]
        given[name] = spoilt(GIVEN[name].encode(), rng).decode(errors="surrogateescape")
    found = read_parameters(path, given)
    kernel_of(path)
    for value in found.values():
        assert not isinstance(value, float) or np.isfinite(value)


REFERENCE = ROOT / "results" / "reference" / "quick-cpu" / "runs"


def spoilt_run(folder: Path, names: Iterable[str], rng: np.random.Generator) -> Run:
    """A copy of a run that is kept for the record, one of its files spoilt; half of them of before there were sums."""
    kept = sorted(REFERENCE.glob("unet-*"))[0]
    copied = folder / "results" / "runs" / kept.name
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(kept, copied)
    if has_sums := rng.random() < 0.5:
        complete(copied, Run(kept).recipe.digest, record_files())
    else:
        (copied / COMPLETE).write_text(json.dumps({"recipe": Run(kept).recipe.digest}))
    path = copied / list(names)[rng.integers(len(list(names)))]
    content = path.read_bytes()
    path.write_bytes(spoilt(content, rng))
    run = find_run(kept.name, folder / "results")
    for name in record_files():
        run.table(Path(name).stem) if name.endswith(".csv") else run.files.read(name)
    assert run.recipe.method == "unet"
    assert run.environment
    assert not has_sums or path.name == COMPLETE or path.read_bytes() == content, "damage was read"
    return run


def recipe(rng: np.random.Generator, folder: Path) -> None:
    spoilt_run(folder, ["recipe.json"], rng)


def run_store(rng: np.random.Generator, folder: Path) -> None:
    spoilt_run(folder, [COMPLETE, *record_files()], rng)


FUZZED: dict[str, tuple[Callable[[np.random.Generator, Path], None], int]] = {
    "pictures": (picture, 300),
    "training images": (training_image, 150),
    "masks": (mask, 200),
    "lists": (lists, 100),
    "parameters": (parameters, 150),
    "recipes": (recipe, 50),
    "run stores": (run_store, 50),
}
"""Kind -> what is done with one spoilt input, and how many of them: 1,000 in all."""
KEPT: dict[str, tuple[int, ...]] = {"masks": (161, 198), "run stores": (48,)}
"""Kind -> seeds of inputs that once gave a trace, a wrong answer or a hang."""
