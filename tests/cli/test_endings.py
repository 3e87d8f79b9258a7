"""How commands end: bad numbers, a full disk, a reader that has gone, Ctrl-C and SIGTERM are one line or none."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest
from PIL import Image
from test_cli import assert_refused, sadanet

from sadanet_lab.phantom import draw_spine, write_folder

SADANET = [sys.executable, "-m", "sadanet_lab"]


@pytest.fixture(scope="module")
def mask(tmp_path_factory):
    path = tmp_path_factory.mktemp("masks") / "m.png"
    Image.fromarray(draw_spine(np.random.default_rng(0), 128, 512).labels()).save(path)
    return path


OUT_OF_RANGE = [
    "train --method unet --seed -1",
    "train --method unet --seed 99999999999999999999",
    "train --method unet --learning-rate nan",
    "train --method unet --learning-rate inf",
    "train --method unet --learning-rate 0",
    "train --method unet --lambda-dice -1",
    "train --method unet --gamma nan",
    "train --method unet --margin -8",
    "train --method unet --test-scale 0",
    "train --method unet --length nan",
    "train --method unet --training-images 0",
    "train --method unet --checkpoint-seconds nan",
    "train --method unet --checkpoint-seconds -1",
    "train --method unet --snapshots 1000000000",
    "train --method unet --image 0x0",
    "train --method unet --image 99999999x8",
    "complexity --method sadanet --height 99999999",
    "complexity --method sadanet --width -1",
    "phantom {out} --size 99999999x99999999",
    "phantom {out} --size 0x-5",
    "phantom {out} --size 5000x64",
    "phantom {out} --train -1",
    "phantom {out} --seed -1",
    "calibrate shipped --phantoms 0",
    "reproduce --seeds 0 --results {out}",
    "reproduce --seeds 99999999 --results {out}",
    "predict {mask} --out {out} --jobs 0",
    "predict {mask} --out {out} --shard 0/4",
    "predict {mask} --out {out} --shard 5/4",
    "predict {mask} --out {out} --shard ٣/٤",
    "predict {mask} --out {out} --shard 1/99999999",
    "angles {mask} --severity nan,25,45",
    "angles {mask} --severity 10,25,inf",
    "no-such-command",
    "train --no-such-option",
]


@pytest.mark.parametrize("command", OUT_OF_RANGE)
def test_a_number_out_of_range_is_one_line(command, mask, tmp_path):
    out = tmp_path / "out"
    words = [word.format(mask=mask, out=out) for word in command.split()]
    if words[0] == "train":
        words += ["--profile", "smoke", "--results", str(out)]
    assert_refused(sadanet(*words))
    assert not out.exists()


def notebook(path, kernel="python3", source='results = "r"\ndata = "phantom"\nprofile = "smoke"'):
    made = nbformat.v4.new_notebook()
    if kernel:
        made.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": kernel}
    made.cells = [nbformat.v4.new_code_cell(source)]
    made.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(made, path)


def test_what_is_no_notebook_of_this_kind_is_one_line(tmp_path):
    path = tmp_path / "n.ipynb"
    for content in (b"", b"no notebook", b"[]", b"3", b"{}", b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(content)
        assert_refused(sadanet("run", path), path)
    notebook(path, source="number = 1")
    assert_refused(sadanet("run", path), path, "no parameter results, data, profile")
    notebook(path, source='results = "r"\ndata = 3\nprofile = "smoke"')
    assert_refused(sadanet("run", path), path, "no parameter data")
    notebook(path, kernel="no-such-kernel")
    assert_refused(sadanet("run", path), path, "no-such-kernel", "expected python3")
    notebook(path, kernel=None)
    assert_refused(sadanet("run", path), path, "no kernel", "expected python3")
    path.unlink()
    os.mkfifo(path)
    assert_refused(sadanet("run", path), path)


def test_names_that_are_no_plain_text_stay_one_line(mask, tmp_path):
    path = tmp_path / "a\n\x1b[31m.png"
    path.write_bytes(mask.read_bytes())
    told = sadanet("angles", path)
    assert told.exit_code == 0
    assert told.stdout.count("\n") == 1
    assert "a\\n\\x1b[31m.png: " in told.stdout
    path.write_bytes(b"no mask")
    assert_refused(sadanet("angles", path), "a\\n\\x1b[31m.png")


def test_a_dataset_whose_masks_are_background_is_warned_of(copy_of_phantoms):
    for path in (copy_of_phantoms / "groundtruth" / "train").iterdir():
        Image.fromarray(np.zeros((256, 64), np.uint8)).save(path)
    told = sadanet("check", copy_of_phantoms)
    assert told.exit_code == 0
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"warning: {copy_of_phantoms / 'train.txt'}: 4 of 4 masks are background alone: 'phantom_")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["angles", "{mask}"], ["--help"], ["angles", "--help"]])
def test_a_full_disk_behind_standard_output_is_one_line(command, mask):
    with open("/dev/full", "w") as full:
        words = [word.format(mask=mask) for word in command]
        done = subprocess.run([*SADANET, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: cannot write: No space left on device\n")


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_or_none_at_all_is_no_fault(mask):
    for shell in (
        "{sadanet} angles --format json {many} | head -1",
        "{sadanet} angles {mask} >&-",
        "{sadanet} angles {mask} 2>&-",
    ):
        line = shell.format(sadanet=" ".join(SADANET), mask=mask, many=" ".join([str(mask)] * 30))
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stderr == ""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    write_folder(folder / "data", train=1, test=40, width=96, height=384)
    return folder / "data" / "dataset" / "test"


def sessions_left(session, seconds=10):
    """Processes of a session that live on: one that ends has closed its pipes, by which we know, a moment before."""
    until = time.monotonic() + seconds
    while True:
        listed = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True).stdout
        words = [line.split() for line in listed.splitlines()]
        left = [" ".join(line) for line in words if line[0] == str(session) and "Z" not in line[1]]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cohort_that_is_stopped_says_so_and_leaves_no_process_and_no_part(
    number, code, said, jobs, pictures, tmp_path
):
    """As a terminal does it: to the whole group for Ctrl-C; as a cluster does it: to the one process for SIGTERM."""
    out = tmp_path / "out"
    command = [*SADANET, "predict", str(pictures), "--out", str(out), "--jobs", str(jobs)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(out.glob("*_angles.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, told = process.communicate(timeout=60)
    lines = [line for line in told.splitlines() if not line.startswith("segmented: ")]
    assert lines == [f"error: {said}; give the same command again"]
    assert process.returncode == code
    assert sessions_left(process.pid) == []
    assert list(out.glob(".*")) == []
    assert not (out / "cohort.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_stopped_keeps_its_checkpoint(number, code, phantoms, tmp_path):
    words = ["train", "--method", "unet", "--profile", "smoke", "--data", str(phantoms), "--results", str(tmp_path)]
    command = [*SADANET, *words, "--length", "200", "--checkpoint-seconds", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob("checkpoint*.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in told
    assert list(tmp_path.rglob("checkpoint*.pt"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "sign"),
    [
        (["calibrate", "shipped", "--phantoms", "200", "--jobs", "2"], "phantoms: "),
        (["reproduce", "--profile", "smoke", "--results", "{out}"], "train"),
    ],
)
def test_what_works_in_processes_of_its_own_ends_with_them_and_one_line(command, sign, tmp_path):
    words = [word.format(out=tmp_path / "out") for word in command]
    process = subprocess.Popen(
        [*SADANET, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    stream = process.stdout if words[0] == "reproduce" else process.stderr
    assert stream is not None
    assert any(sign in line for line in stream)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=90)
    assert process.returncode == 130
    assert [line for line in told.splitlines() if not line.startswith("phantoms: ")] == [
        "error: interrupted; give the same command again"
    ]
    assert sessions_left(process.pid) == []


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "m.png", "--run", "~nobody-here/x.onnx", "--out", "out"],
        ["evaluate", "~nobody-here/x"],
        ["export", "~nobody-here/x", "y.onnx"],
        ["adapt", "m.png", "--start", "~nobody-here/x", "--out", "y.onnx"],
    ],
)
def test_a_home_that_is_nobody_s_is_one_line(words, mask, monkeypatch):
    monkeypatch.chdir(mask.parent)
    assert_refused(sadanet(*words), "~nobody-here/x", "no such user")
