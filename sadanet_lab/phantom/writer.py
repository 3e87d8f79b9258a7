"""Write a folder of phantoms in the published data set's layout, with the truth beside it.

    dataset/{train,test}/<stem>.png              8-bit grey
    groundtruth/{train,test}/<stem>_bone_3.png   8-bit ids 0..3
    train.txt, test.txt                          one stem a line
    truth.csv                                    one row per image
    curves.csv                                   one row per curve, from top to bottom
    levels.csv                                   one row per level, from top to bottom

In the tables levels are named by their index within the image, 0 on top: the thoracic pairs, then the lumps. x and y
are in pixels from the picture's upper left corner.
"""

import csv
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.phantom.anatomy import draw_spine
from sadanet_lab.phantom.appearance import render
from sadanet_lab.phantom.ranges import SPREADS, Spread, Style, draw
from sadanet_lab.spine.levels import Level, curves_of, largest_angle

FIRST_TEST_INDEX = 100_000
"""Test images are counted from here, so that they stay the same whatever the number of training images."""
SMALLEST_WIDTH, SMALLEST_HEIGHT = 64, 256
TALLEST = 4.2
"""Height to width, at most: in a narrower picture the sides of the spine would be cut off."""

TRUTH_COLUMNS = ("stem", "split", "largest_angle_degrees", "curves", "pairs", "lumps")
CURVES_COLUMNS = ("stem", "curve", "angle_degrees", "side", "apex", "upper_end", "lower_end")
LEVELS_COLUMNS = ("stem", "level", "region", "left_x", "left_y", "right_x", "right_y", "tilt_degrees")


@dataclass(frozen=True)
class Job:
    """One image to be made; its bytes depend on ``seed``, ``index``, the size and the spread alone."""

    seed: int
    index: int
    split: str
    width: int
    height: int
    spread: Spread

    @property
    def stem(self) -> str:
        return f"phantom_{self.index + 1:04d}"


def write_folder(
    out: Path,
    train: int = 80,
    test: int = 29,
    seed: int = 0,
    width: int = 512,
    height: int = 2048,
    spread: Spread = "usual",
    on_image_done: Callable[[], object] | None = None,
) -> None:
    """Write ``train`` + ``test`` phantoms of ``width`` x ``height`` pixels to the folder ``out``, all or nothing.

    ``spread`` is that of the training images (see ``ranges``); test images always have the usual one.
    ``on_image_done`` is called after each image, in the caller's thread. Raises ``BadInput`` if ``out`` exists and is
    not an empty folder, or if a number is out of range.
    """
    out = Path(out)
    _check(out, train, test, seed, width, height)
    if spread not in SPREADS:
        raise BadInput(f"{out}: spread {spread!r}; expected {' or '.join(SPREADS)}")
    jobs = [Job(seed, i, "train", width, height, spread) for i in range(train)]
    jobs += [Job(seed, FIRST_TEST_INDEX + i, "test", width, height, "usual") for i in range(test)]
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        _write_all(draft, jobs, on_image_done)
        draft.chmod(0o755)  # mkdtemp's folder is closed to everyone else
        os.replace(draft, out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _check(out: Path, train: int, test: int, seed: int, width: int, height: int) -> None:
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise BadInput(f"{out}: exists already; expected a new or an empty folder")
    for name, value, smallest, largest in (
        ("train", train, 1, FIRST_TEST_INDEX),
        ("test", test, 1, FIRST_TEST_INDEX),
        ("seed", seed, 0, 2**32 - 1),
        ("width", width, SMALLEST_WIDTH, 4096),
        ("height", height, SMALLEST_HEIGHT, 16384),
    ):
        if not smallest <= value <= largest:
            raise BadInput(f"{out}: {name} {value}; expected {smallest} to {largest}")
    if height > TALLEST * width:
        raise BadInput(f"{out}: size {width} x {height}; expected a height of at most {TALLEST} times the width")


def _write_all(folder: Path, jobs: list[Job], on_image_done: Callable[[], object] | None) -> None:
    for kind in ("dataset", "groundtruth"):
        for split in ("train", "test"):
            (folder / kind / split).mkdir(parents=True)
    # Threads, not processes: the work is numpy's and PIL's, which release the lock, and threads are safe in a notebook.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        futures = [pool.submit(_write_image, folder, job) for job in jobs]
        for done in as_completed(futures):
            done.result()
            if on_image_done:
                on_image_done()
    finally:
        pool.shutdown(cancel_futures=True)
    _write_tables(folder, jobs, [future.result() for future in futures])


def _write_image(folder: Path, job: Job) -> tuple[Level, ...]:
    for_anatomy, for_appearance = np.random.default_rng([job.seed, job.index]).spawn(2)
    spine = draw_spine(for_anatomy, job.width, job.height, job.spread)
    picture = Image.fromarray(render(for_appearance, spine, draw(Style, for_appearance, job.spread)))
    # Speckle hardly compresses: a higher level would only cost time.
    picture.save(folder / "dataset" / job.split / f"{job.stem}.png", compress_level=1)
    Image.fromarray(spine.labels()).save(folder / "groundtruth" / job.split / f"{job.stem}_bone_3.png")
    return tuple(_as_written(level) for level in spine.levels)


def _as_written(level: Level) -> Level:
    """``level`` with the decimals of levels.csv, so that the other tables follow exactly from that one."""
    (x0, y0), (x1, y1) = level.left, level.right
    return Level(level.region, (round(x0, 3), round(y0, 3)), (round(x1, 3), round(y1, 3)))


def _write_tables(folder: Path, jobs: list[Job], levels_of_jobs: list[tuple[Level, ...]]) -> None:
    truth, curve_rows, level_rows = [], [], []
    for job, levels in zip(jobs, levels_of_jobs, strict=True):
        curves = curves_of(levels)
        pairs = sum(level.region == "thoracic" for level in levels)
        truth.append((job.stem, job.split, f"{largest_angle(levels):.3f}", len(curves), pairs, len(levels) - pairs))
        for i, c in enumerate(curves):
            curve_rows.append((job.stem, i, f"{c.angle_degrees:.3f}", c.side, c.apex, c.upper_end, c.lower_end))
        for i, level in enumerate(levels):
            ends = [f"{value:.3f}" for value in (*level.left, *level.right)]
            level_rows.append((job.stem, i, level.region, *ends, f"{level.tilt:.3f}"))
    _write_csv(folder / "truth.csv", TRUTH_COLUMNS, truth)
    _write_csv(folder / "curves.csv", CURVES_COLUMNS, curve_rows)
    _write_csv(folder / "levels.csv", LEVELS_COLUMNS, level_rows)
    for split in ("train", "test"):
        stems = [job.stem for job in jobs if job.split == split]
        (folder / f"{split}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8", newline="\n")


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
