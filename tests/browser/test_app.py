"""The page of `make app` in a real browser: what a clinic would do with it, and what it must not do."""

import json
import re
import socket
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from dicom_files import PATIENT, dicom
from PIL import Image

from sadanet_lab.images.png import png_bytes
from sadanet_lab.paths import NOTEBOOKS
from sadanet_lab.phantom import draw_picture, draw_spine
from sadanet_lab.reporting.app import ARTICLE
from sadanet_lab.reporting.own_image import LARGEST_FILE

SEED = 2
"""Of a phantom with a curve of more than 10 degrees."""
KERNEL = re.compile(r"/api/kernels/([\w-]+)/channels")
DROPPED = """(files) => {
    const dropped = new DataTransfer();
    for (const [name, bytes] of files) dropped.items.add(new File([new Uint8Array(bytes)], name));
    return dropped;
}"""


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A phantom with a curve, of the usual shape."""
    path = tmp_path_factory.mktemp("pictures") / "Müller <1>.png"
    rng = np.random.default_rng(SEED)
    path.write_bytes(png_bytes(draw_picture(rng, draw_spine(rng, 256, 1024))))
    return path


@pytest.fixture(scope="module")
def predicted(picture, tmp_path_factory):
    """Folder of what `sadanet predict` writes of it."""
    out = tmp_path_factory.mktemp("predicted")
    command = [sys.executable, "-m", "sadanet_lab", "predict", picture.name, "--out", str(out)]
    subprocess.run(command, cwd=picture.parent, check=True)
    return out


@pytest.fixture
def page(browser, app):
    """The page, ready to take a picture; what it asked for and the kernel that it has stand in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1200})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.answered, page.kernels, page.faults = [], [], []
    page.on("requestfinished", lambda request: page.answered.append(request.url))
    page.on("websocket", lambda socket: page.kernels.extend(KERNEL.findall(socket.url)))
    page.on("pageerror", lambda error: page.faults.append(error.message))
    page.goto(app.address)
    page.wait_for_selector(".own-image .drop")
    yield page
    assert page.faults == []
    context.close()


def measured(page, number=1):
    """The text of each picture's part of the page, once there are so many and none is waiting."""
    page.wait_for_function(
        "number => document.querySelectorAll('.own-image section:not(.waiting)').length >= number"
        " && !document.querySelector('.own-image .waiting')",
        arg=number,
    )
    return page.locator(".own-image section").all_inner_texts()


def download(page, end, folder):
    with page.expect_download() as download:
        page.click(f".downloads a[download$='{end}']")
    download.value.save_as(folder / download.value.suggested_filename)
    return (folder / download.value.suggested_filename).read_bytes()


def test_only_this_machine_is_served_and_no_file(app):
    port = app.address.split(":")[-1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(port)), timeout=5)
    assert app.status("/", Host="sadanet.example.org") == 403
    assert app.status("/voila/static/voila.js") == 200
    for name in ("11_your_image.ipynb", "00_data_tour.ipynb", "../README.md", "x.png"):
        for place in ("/voila/files/", "/", "/voila/render/", "/voila/static/"):
            assert app.status(f"{place}{name}") in (403, 404), place + name


def test_the_page_shows_no_code_and_asks_nothing_of_other_machines(app, page, screenshot):
    screenshot(page, "app")
    shown = page.evaluate("document.documentElement.textContent")
    for cell in nbformat.read(NOTEBOOKS / "11_your_image.ipynb", as_version=4).cells:
        is_shown = cell.cell_type == "markdown" and ARTICLE not in cell.metadata.get("tags", [])
        for line in filter(None, cell.source.splitlines()):
            assert (re.sub(r"^#+ |\*\*", "", line) in shown) == is_shown, line
    assert "no medical device" in page.locator("body").inner_text()
    assert "Drop pictures here" in page.locator(".drop").inner_text()
    elsewhere = [url for url in page.answered if not url.startswith((app.address, "data:", "blob:"))]
    assert elsewhere == []


def test_a_picture_is_measured_as_predict_does_and_its_files_are_predict_s(
    page, picture, predicted, screenshot, tmp_path
):
    page.set_input_files(".own-image input", picture)
    (text,) = measured(page)
    screenshot(page, "app_measured")
    stem = picture.stem
    (found,) = json.loads((predicted / f"{stem}_angles.json").read_text())
    assert found["largest_angle_degrees"] > 10
    assert f"{found['largest_angle_degrees']:.1f}°" in text
    assert found["severity"] in text
    assert picture.name in text
    for end in ("_labels.png", "_overlay.png", ".seg.nrrd"):
        assert download(page, end, tmp_path) == (predicted / f"{stem}{end}").read_bytes(), end
    (told,) = json.loads(download(page, "_angles.json", tmp_path))
    assert found.keys() - told.keys() == {"files", "sums", "made_of"}
    assert told.items() <= found.items()
    report = download(page, "_report.html", tmp_path).decode()
    assert f"{found['largest_angle_degrees']:.1f}°" in report
    assert set(re.findall(r'(?:src|href)="([^,"]*)', report)) == {"data:image/jpeg;base64"}


def test_faults_are_one_clear_line_each_and_the_page_goes_on(page, picture, screenshot, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    (tmp_path / "corrupt.png").write_bytes(picture.read_bytes()[:5000])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(tmp_path / "small.png")
    with (tmp_path / "large.dcm").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    names = ["letter.txt", "corrupt.png", "small.png", "large.dcm"]
    page.set_input_files(".own-image input", [*(tmp_path / name for name in names), picture])
    *faults, last = measured(page, 5)
    screenshot(page, "app_faults")
    said = ["no picture of a kind", "damaged or truncated", "40 x 40 pixels; expected 64", "65 MB; expected"]
    for name, words, line in zip(names, said, faults, strict=True):
        assert line.startswith(f"{name}: ")
        assert words in line
        assert "\n" not in line
    assert "°" in last
    assert "Traceback" not in page.content()


def test_two_pictures_dropped_beside_the_field_are_both_measured_the_later_drop_first(page, picture, tmp_path):
    grey = np.asarray(Image.open(picture))
    first = [["one.png", list(picture.read_bytes())], ["two.dcm", list(dicom(grey))]]
    for files in (first, [["three.png", list(picture.read_bytes())]]):
        page.dispatch_event("body", "drop", {"dataTransfer": page.evaluate_handle(DROPPED, files)})
    texts = measured(page, 3)
    assert [text.splitlines()[0] for text in texts] == ["three.png", "one.png", "two.dcm"]
    assert len({re.search(r"[\d.]+°", text)[0] for text in texts}) == 1
    assert PATIENT["PatientID"].encode() in download(page, "_seg.dcm", tmp_path)


def test_nothing_is_kept_on_disk_and_the_kernel_ends_with_the_page(app, page, picture):
    (kernel,) = set(page.kernels)
    assert app.status(f"/api/kernels/{kernel}") == 200
    before = sorted(app.home.rglob("*"))
    page.set_input_files(".own-image input", picture)
    measured(page)
    assert sorted(app.home.rglob("*")) == before
    for path in before:
        assert not path.is_file() or picture.stem.encode() not in path.read_bytes()
    page.close(run_before_unload=True)
    app.wait_for(f"/api/kernels/{kernel}", 404)
