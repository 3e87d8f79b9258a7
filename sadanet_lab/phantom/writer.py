"""Write a folder of phantoms in the published data set's layout, with the truth beside it.

    dataset/{train,test,val}/<stem>.png              8-bit grey
    groundtruth/{train,test,val}/<stem>_bone_3.png   8-bit ids 0..3
    train.txt, test.txt, val.txt                     one stem a line; "val" only where there are such
    truth.csv                                    one row per image
    curves.csv                                   one row per curve, from top to bottom
    levels.csv                                   one row per level, from top to bottom
    bones.csv, bones/<split>/<stem>.png          of demanding cases: one row per bone with its class, level, side and
                                                 whether it is hidden (see ``hiding``); which bone a pixel belongs to

In the tables levels are named by their index within the image, 0 on top: the thoracic pairs, then the lumps. x and y
are in pixels from the picture's upper left corner.
"""

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.files import new_folder
from sadanet_lab.phantom.anatomy import Spine, draw_spine
from sadanet_lab.phantom.picture import draw_picture
from sadanet_lab.phantom.ranges import CASES, SPREADS, Cases, Spread
from sadanet_lab.processes import usable_cores
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.spine.levels import Level, curves_of, largest_angle

FIRST_TEST_INDEX = 100_000
"""Test images are counted from here, so that they stay the same whatever the number of training images."""
FIRST_VAL_INDEX = 200_000
SMALLEST_WIDTH, SMALLEST_HEIGHT = 64, 256
TALLEST = 4.2
"""Height to width, at most: in a narrower picture the sides of the spine would be cut off."""

TRUTH_COLUMNS = ("stem", "split", "largest_angle_degrees", "curves", "pairs", "lumps")
CURVES_COLUMNS = ("stem", "curve", "angle_degrees", "side", "apex", "upper_end", "lower_end")
BONES_COLUMNS = ("stem", "bone", "class", "level", "side", "hidden")
LEVELS_COLUMNS = ("stem", "level", "region", "left_x", "left_y", "right_x", "right_y", "tilt_degrees")


@dataclass(frozen=True)
class Job:
    """One image to be made; its bytes depend on ``seed``, ``index``, the size, the spread and the cases alone."""

    seed: int
    index: int
    split: str
    width: int
    height: int
    spread: Spread
    cases: Cases = "usual"

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
    cases: Cases = "usual",
    val: int = 0,
    on_image_done: Callable[[], object] | None = None,
) -> None:
    """Write phantoms of ``width`` x ``height`` pixels to the folder ``out``, all or nothing.

    ``train``, ``test``, ``val``: how many, the last for choosing what must not be chosen on test images. ``spread`` is
    that of the training images (see ``ranges``), all others have the usual one, but of another scanner all are its own;
    ``cases`` are those of all images.
    ``on_image_done`` is called after each image, in the caller's thread. Raises ``BadInput`` if ``out`` exists and is
    not an empty folder, or if a number is out of range.
    """
    out = Path(out)
    _check(out, train, test, val, seed, width, height)
    for name, found, known in (("spread", spread, SPREADS), ("cases", cases, CASES)):
        if found not in known:
            raise BadInput(f"{out}: {name} {found!r}; expected {' or '.join(known)}")
    jobs = [Job(seed, i, "train", width, height, spread, cases) for i in range(train)]
    others: Spread = "scanner2" if spread == "scanner2" else "usual"
    for split, first, number in (("test", FIRST_TEST_INDEX, test), ("val", FIRST_VAL_INDEX, val)):
        jobs += [Job(seed, first + i, split, width, height, others, cases) for i in range(number)]
    with new_folder(out) as draft:
        _write_all(draft, jobs, on_image_done)


def _check(out: Path, train: int, test: int, val: int, seed: int, width: int, height: int) -> None:
    for name, value, smallest, largest in (
        ("train", train, 1, FIRST_TEST_INDEX),
        ("test", test, 1, FIRST_TEST_INDEX),
        ("val", val, 0, FIRST_TEST_INDEX),
        ("seed", seed, 0, 2**32 - 1),
        ("width", width, SMALLEST_WIDTH, 4096),
        ("height", height, SMALLEST_HEIGHT, 16384),
    ):
        if not smallest <= value <= largest:
            raise BadInput(f"{out}: {name} {value}; expected {smallest} to {largest}")
    if height > TALLEST * width:
        raise BadInput(f"{out}: size {width} x {height}; expected a height of at most {TALLEST} times the width")


def _write_all(folder: Path, jobs: list[Job], on_image_done: Callable[[], object] | None) -> None:
    kinds = ("dataset", "groundtruth", "bones") if _is_demanding(jobs) else ("dataset", "groundtruth")
    for kind, split in product(kinds, _splits(jobs)):
        (folder / kind / split).mkdir(parents=True)
    # Threads, not processes: the work is numpy's and PIL's, which release the lock, and threads are safe in a notebook.
    pool = ThreadPoolExecutor(usable_cores())
    try:
        futures = [pool.submit(_write_image, folder, job) for job in jobs]
        for done in as_completed(futures):
            done.result()
            if on_image_done:
                on_image_done()
    finally:
        pool.shutdown(cancel_futures=True)
    _write_tables(folder, jobs, [future.result() for future in futures])


def _splits(jobs: list[Job]) -> list[str]:
    return list(dict.fromkeys(job.split for job in jobs))


def _is_demanding(jobs: list[Job]) -> bool:
    return jobs[0].cases == "demanding"


def _write_image(folder: Path, job: Job) -> Spine:
    for_anatomy, for_appearance = np.random.default_rng([job.seed, job.index]).spawn(2)
    spine = draw_spine(for_anatomy, job.width, job.height, job.spread, job.cases)
    picture = Image.fromarray(draw_picture(for_appearance, spine, job.spread))
    # Speckle hardly compresses: a higher level would only cost time.
    picture.save(folder / "dataset" / job.split / f"{job.stem}.png", compress_level=1)
    Image.fromarray(spine.labels()).save(folder / "groundtruth" / job.split / f"{job.stem}_bone_3.png")
    if job.cases == "demanding":
        Image.fromarray(spine.bone_numbers()).save(folder / "bones" / job.split / f"{job.stem}.png")
    return spine


def _as_written(level: Level) -> Level:
    """``level`` with the decimals of levels.csv, so that the other tables follow exactly from that one."""
    (x0, y0), (x1, y1) = level.left, level.right
    return Level(level.region, (round(x0, 3), round(y0, 3)), (round(x1, 3), round(y1, 3)))


def _write_tables(folder: Path, jobs: list[Job], spines: list[Spine]) -> None:
    truth, curve_rows, level_rows, bone_rows = [], [], [], []
    for job, spine in zip(jobs, spines, strict=True):
        levels = [_as_written(level) for level in spine.levels]
        curves = curves_of(levels)
        pairs = sum(level.region == "thoracic" for level in levels)
        truth.append((job.stem, job.split, f"{largest_angle(levels):.3f}", len(curves), pairs, len(levels) - pairs))
        for i, c in enumerate(curves):
            curve_rows.append((job.stem, i, f"{c.angle_degrees:.3f}", c.side, c.apex, c.upper_end, c.lower_end))
        for i, level in enumerate(levels):
            ends = [f"{value:.3f}" for value in (*level.left, *level.right)]
            level_rows.append((job.stem, i, level.region, *ends, f"{level.tilt:.3f}"))
        for i, bone in enumerate(spine.bones, start=1):
            side = {-1: "left", 0: "middle", 1: "right"}[bone.side]
            bone_rows.append((job.stem, i, CLASSES[bone.class_id], bone.level, side, bone.hidden))
    _write_csv(folder / "truth.csv", TRUTH_COLUMNS, truth)
    _write_csv(folder / "curves.csv", CURVES_COLUMNS, curve_rows)
    _write_csv(folder / "levels.csv", LEVELS_COLUMNS, level_rows)
    if _is_demanding(jobs):
        _write_csv(folder / "bones.csv", BONES_COLUMNS, bone_rows)
    for split in _splits(jobs):
        stems = [job.stem for job in jobs if job.split == split]
        (folder / f"{split}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8", newline="\n")


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
