"""The attention explorer: widgets around ``Panels``. Without a live kernel, ``static_grid`` shows the same."""

import html
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from PIL import Image

from sadanet_lab.errors import BadInput
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.images.png import decode_vpi
from sadanet_lab.studies.attention_maps import attention_maps
from sadanet_lab.training.runs import Run
from sadanet_lab.views.attention_panels import HEIGHT, Panels, stack_sheets

NONE, LAST = "-", "last"
UPLOADED = "uploaded: "


class Explorer:
    """Choose an image, one or two networks and a pixel; see what the networks' attention ties it to.

    images: title -> grey image uint8 (H, W). runs: title -> run. The features of an image are computed once for each
    network; a slider only picks from them and draws. ``widget`` is what a notebook displays.
    """

    def __init__(self, images: Mapping[str, np.ndarray], runs: Mapping[str, Run], folder: Path):
        self.images, self.runs, self.folder = dict(images), dict(runs), Path(folder)
        self._networks = lru_cache(maxsize=4)(lambda title, step: self.runs[title].network(step))
        self._panels = lru_cache(maxsize=6)(self._computed)
        first = next(iter(self.runs))
        slow = {"continuous_update": True, "layout": widgets.Layout(width="420px")}
        self.image = widgets.Dropdown(description="Image", options=list(self.images))
        self.upload = widgets.FileUpload(description="Own image", accept=".png", multiple=False)
        self.network = widgets.Dropdown(description="Network", options=list(self.runs), value=first)
        self.second = widgets.Dropdown(description="Beside it", options=[NONE, *self.runs], value=NONE)
        self.step = widgets.SelectionSlider(description="Step", options=[LAST], value=LAST)
        self.row = widgets.IntSlider(description="Row", **slow)
        self.column = widgets.IntSlider(description="Column", **slow)
        self.opacity = widgets.FloatSlider(description="Opacity", value=0.7, min=0, max=1, step=0.05, **slow)
        self.channel = widgets.IntSlider(description="Channel", max=0, **slow)
        self.save = widgets.Button(description="Save as PNG", icon="download")
        self.message = widgets.HTML()
        self.picture = widgets.Image(format="jpeg")
        self.picture.add_class("attention-picture")
        self._new_network()
        self.network.observe(lambda _: self._new_network(), "value")
        for control in (self.image, self.second, self.step):
            control.observe(lambda _: self._new_image(), "value")
        for control in (self.row, self.column, self.opacity, self.channel):
            control.observe(lambda _: self._draw(), "value")
        self.upload.observe(self._uploaded, "value")
        self.save.on_click(lambda _: self._save())
        self.widget = widgets.VBox(
            [
                widgets.HBox([self.image, self.upload, self.network, self.second]),
                widgets.HBox([self.row, self.column]),
                widgets.HBox([self.opacity, self.channel]),
                widgets.HBox([self.step, self.save]),
                self.message,
                self.picture,
            ]
        )

    def sheet(self) -> Image.Image:
        """The picture that is shown now."""
        pixel = self.row.value, self.column.value
        titles = dict.fromkeys([self._first(), str(self.second.value)])
        panels = [self._panels(self.image.value, title, self._step_of(title)) for title in titles if title != NONE]
        return stack_sheets([one.draw(*pixel, self.opacity.value, self._channel_of(one)) for one in panels])

    def _computed(self, image: str, title: str, step: int | None) -> Panels:
        maps = attention_maps(self._networks(title, step), self.runs[title].recipe, self.images[image])
        return Panels(maps, title if step is None else f"{title}, step {step}")

    def _first(self) -> str:
        """Title of the first network; one is always chosen, which the widget's type leaves open."""
        return str(self.network.value)

    def _step_of(self, title: str) -> int | None:
        """The step slider is the first network's; the one beside it is shown as it ended."""
        return self.step.value if title == self.network.value and self.step.value != LAST else None

    def _channel_of(self, panels: Panels) -> int:
        features = panels.maps.features
        return 0 if features is None else min(self.channel.value, len(features) - 1)

    def _new_network(self) -> None:
        steps = list(self.runs[self._first()].snapshots)
        self.step.options = [*steps, LAST]
        self.step.value = LAST
        self.step.layout.display = None if steps else "none"
        self._new_image()

    def _new_image(self) -> None:
        self.message.value = "computing ..."
        title = self._first()
        features = self._panels(self.image.value, title, self._step_of(title)).maps.features
        height, width = self.images[str(self.image.value)].shape
        # While the sliders' limits change nothing must be drawn: one could stand outside the other image.
        with self.row.hold_trait_notifications(), self.column.hold_trait_notifications():
            for slider, length in ((self.row, height), (self.column, width)):
                share = slider.value / slider.max if slider.max != 100 else 0.5
                slider.max = length - 1
                slider.value = round(share * (length - 1))
        self.channel.max = 0 if features is None else len(features) - 1
        self.message.value = ""
        self._draw()

    def _draw(self) -> None:
        self.picture.value = encode(self.sheet(), "JPEG", quality=92, subsampling=0)

    def _uploaded(self, _change) -> None:
        for file in self.upload.value:
            try:
                image = decode_vpi(bytes(file["content"]), file["name"])
            except BadInput as error:
                self.message.value = f"<b>{html.escape(str(error))}</b>"
                return
            title = UPLOADED + file["name"]
            self.images[title] = image
            self._panels.cache_clear()  # another file may have had this name
            self.image.options = list(self.images)
            self.image.value = title

    def _save(self) -> None:
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{self.image.value}_{self.network.value}")
        path = writable_folder(self.folder) / f"attention_{name}_{self.row.value}_{self.column.value}.png"
        write_atomically(path, encode(self.sheet(), "PNG"))
        self.message.value = html.escape(f"saved as {path}")


def encode(picture: Image.Image, kind: str, **options) -> bytes:
    """The bytes of a picture's file. JPEG takes a fifth of PNG's time, which a slider that moves would show."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def static_grid(
    image: np.ndarray, runs: Mapping[str, Run], pixels: Sequence[tuple[float, float]], height: int = HEIGHT
) -> Image.Image:
    """The explorer's panels without widgets: a row for each pixel and run.

    pixels: (row, column) as shares of the image's height and width.
    """
    tall, wide = image.shape
    panels = [Panels(attention_maps(run.network(), run.recipe, image), title, height) for title, run in runs.items()]
    places = [(min(int(y * tall), tall - 1), min(int(x * wide), wide - 1)) for y, x in pixels]
    return stack_sheets([one.draw(row, column) for one in panels for row, column in places])
