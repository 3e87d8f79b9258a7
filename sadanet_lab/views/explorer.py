"""The attention explorer: click a pixel of an image, and see beside it what one or two networks tie it to."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import anywidget
import cachetools
import matplotlib.pyplot as plt
import numpy as np
import traitlets

from sadanet_lab.errors import BadInput
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.images.png import decode_vpi
from sadanet_lab.methods import find_method
from sadanet_lab.spine.classes import CLASSES
from sadanet_lab.studies.attention_maps import attention_maps, labels_without
from sadanet_lab.training.runs import Run
from sadanet_lab.views import style
from sadanet_lab.views.attention_figures import attention_figure
from sadanet_lab.views.attention_panels import TABS, Choice, Seen, jpeg_of

NONE, LAST = "nothing", "last"
OWN = "your picture"
"""Of a file that a user brings along, in titles and faults: its own name may be a patient's."""
MAPS_BYTES = 3 * 2**30
"""Of the maps that are kept: position attention's take a GiB at 512 x 2048. Two networks' are, however large."""


class Explorer(anywidget.AnyWidget):
    """Choose an image, one or two networks, a pixel and a tab; see the networks' maps over the image.

    images: title -> grey image uint8 (H, W). runs: title -> run; a network without a backbone is refused
    (``BadInput``). folder: where figures are saved. The maps of an image are computed once for each network; a move
    only picks from them.

    The browser sets what is chosen together with a number, ``asked``; everything shown comes back in one message with
    that number as ``answered``.

    A picture that a user brings along, its file's name, and the maps of it are never state of the widget, so that no
    notebook saves them: the name stays in the browser, and picture and maps go there as a message, which is sent again
    to a view that lacks it. Until one comes, as in a saved notebook without a kernel, such a picture is not shown.
    """

    _esm = Path(__file__).with_name("explorer.js")
    _css = Path(__file__).with_name("explorer.css")

    image = traitlets.Unicode().tag(sync=True)
    network = traitlets.Unicode().tag(sync=True)
    second = traitlets.Unicode(NONE, help="title of the network beside it, or NONE").tag(sync=True)
    step = traitlets.Int(help="index into ``steps``").tag(sync=True)
    tab = traitlets.Unicode(next(iter(TABS))).tag(sync=True)
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)
    channel = traitlets.Int(-1, help="of GCA's; -1: the one that it mixes most").tag(sync=True)
    module = traitlets.Unicode(help="the one that is taken out").tag(sync=True)
    asked = traitlets.Int().tag(sync=True)

    images = traitlets.List(help="titles").tag(sync=True)
    networks = traitlets.List(help="titles").tag(sync=True)
    tabs = traitlets.List().tag(sync=True)
    steps = traitlets.List().tag(sync=True)
    modules = traitlets.List().tag(sync=True)
    channels = traitlets.Int().tag(sync=True)
    shape = traitlets.List(help="rows and columns of the image").tag(sync=True)
    cell = traitlets.List(help="rows and columns of a cell, in pixels of the image").tag(sync=True)
    picture = traitlets.Bytes(help="JPEG of the image; empty if it was brought along").tag(sync=True)
    groups = traitlets.List(help="of each network, its panels; empty if the image was brought along").tag(sync=True)
    brought = traitlets.Int(help="number of the message that holds picture and groups; 0: they are here").tag(sync=True)
    told = traitlets.Unicode(help="the pixel in words").tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    answered = traitlets.Int().tag(sync=True)

    def __init__(self, images: Mapping[str, np.ndarray], runs: Mapping[str, Run], folder: Path):
        self._images, self._runs, self._folder = dict(images), dict(runs), Path(folder)
        self._network = lru_cache(maxsize=4)(lambda title, step: self._runs[title].network(step))
        kept: cachetools.LRUCache[Any, Seen] = cachetools.LRUCache(
            MAPS_BYTES, lambda seen: min(seen.maps.bytes, MAPS_BYTES // 2)
        )
        self._seen = cachetools.cached(kept)(self._computed)
        self._picture = lru_cache(maxsize=4)(lambda title: jpeg_of(self._images[title]))
        self._own: set[str] = set()
        self._numbers = count(1)
        self._sent: tuple[int, str, list[dict[str, Any]]] = 0, "", []
        """Number, title and groups of the last message about a picture that was brought along."""
        first = next(iter(self._images))
        height, width = self._images[first].shape
        chosen = {"image": first, "network": next(iter(self._runs)), "row": height // 2, "column": width // 2}
        tabs = [
            {"name": name, "title": tab.title, "sentence": tab.sentence, "scales": [asdict(one) for one in tab.scales]}
            for name, tab in TABS.items()
        ]
        # All at once, before a browser listens: a saved notebook holds one whole state, which is seen without a kernel.
        with self.hold_trait_notifications():
            self.set_trait("tabs", tabs)
            for name, value in chosen.items():
                self.set_trait(name, value)
            self._draw()
        super().__init__()
        self.observe(lambda _: self._answer(), "asked")
        self.on_msg(self._heard)

    def _answer(self) -> None:
        with self.hold_sync():
            try:
                self.message = ""
                self._draw()
            except BadInput as error:
                self.message = str(error)
            finally:
                self.answered = self.asked

    def _draw(self) -> None:
        """Everything that is shown, of what is chosen."""
        titles = self._chosen()
        self._choose_anew(titles)
        seen = {self._titled(title): self._seen(self.image, title, self._step_of(title)) for title in titles}
        of_channels = [one.maps for one in seen.values() if one.maps.channels is not None]
        if of_channels and self.channel < 0:
            self.channel = of_channels[0].tied_channels()[0]
        self.channels = max((len(maps.channels) for maps in of_channels if maps.channels is not None), default=0)
        maps = next(iter(seen.values())).maps
        self.cell = [side / cells for side, cells in zip(maps.image.shape, maps.grid, strict=True)]
        choice = Choice((self.row, self.column), max(self.channel, 0), self.module)
        self._show([TABS[self.tab].shown(title, one, choice) for title, one in seen.items()])
        found = [f"{title}: {_class_at(one, *choice.pixel)}" for title, one in seen.items()]
        self.told = " · ".join([f"Row {self.row}, column {self.column}", *found])

    def _show(self, groups: list[dict[str, Any]]) -> None:
        if self.image not in self._own:
            self.picture, self.groups, self.brought = self._picture(self.image), groups, 0
            return
        _, title, sent = self._sent
        if (title, sent) != (self.image, groups):  # what a move does not change is not sent again
            self._sent = next(self._numbers), self.image, groups
            self._send_brought(with_picture=title != self.image)
        self.picture, self.groups, self.brought = b"", [], self._sent[0]

    def _send_brought(self, with_picture: bool) -> None:
        """To all views: the last message about a picture that was brought along, its bytes as buffers.

        They are indices and colours of each panel, then, if asked for, the picture, which is there already as a rule.
        """
        number, title, groups = self._sent
        panels = [panel for group in groups for panel in group["panels"]]
        buffers = [panel[name] for panel in panels for name in ("indices", "colours")]
        told = [
            {**group, "panels": [{**panel, "indices": None, "colours": None} for panel in group["panels"]]}
            for group in groups
        ]
        picture = [self._picture(title)] * with_picture
        self.send({"brought": number, "image": title, "groups": told}, buffers=[*buffers, *picture])

    def _choose_anew(self, titles: list[str]) -> None:
        """What can be chosen, of this image and these networks; and, where what is chosen has gone, something else."""
        self.images, self.networks = list(self._images), list(self._runs)
        shape = list(self._images[self.image].shape)
        if self.shape and shape != self.shape:
            self.row, self.column = (
                at * new // old for at, new, old in zip((self.row, self.column), shape, self.shape, strict=True)
            )
        self.shape = shape
        steps = [*sorted({step for title in titles for step in self._runs[title].snapshots}), LAST]
        if steps != self.steps:
            self.steps, self.step = steps, len(steps) - 1
        self.modules = list(dict.fromkeys(name for title in titles for name in self._modules_of(title)))
        if self.module not in self.modules:
            self.module = next(iter(self.modules), "")

    def _chosen(self) -> list[str]:
        """Titles of the networks, one or two."""
        return [title for title in dict.fromkeys([self.network, self.second]) if title != NONE]

    def _computed(self, image: str, title: str, step: int | None) -> Seen:
        network, recipe, pixels = self._network(title, step), self._runs[title].recipe, self._images[image]
        return Seen(attention_maps(network, recipe, pixels), cache(lambda: labels_without(network, recipe, pixels)))

    def _modules_of(self, title: str) -> list[str]:
        return list(find_method(self._runs[title].recipe.method).attention)

    def _step_of(self, title: str) -> int | None:
        """The step of a network that is shown; None, as it ended, where nothing was kept of it then."""
        step = self.steps[self.step]
        return step if step in self._runs[title].snapshots else None

    def _titled(self, title: str) -> str:
        step = self._step_of(title)
        return title if step is None else f"{title}, step {step}"

    def _heard(self, _widget: Any, asked: dict[str, Any], buffers: list[memoryview]) -> None:
        """A file that was brought along, a view that lacks what was sent of one, or the wish to save a figure."""
        try:
            if "file" in asked:
                self._bring(bytes(buffers[0]))
            elif "lacks" in asked:
                if self.brought:
                    self._send_brought(with_picture=True)
            else:
                self.message = f"saved as {self.save()}"
        except BadInput as error:
            self.message = str(error)

    def _bring(self, content: bytes) -> None:
        image = decode_vpi(content, OWN)
        title = next(title for number in count(1) if (title := f"{OWN} {number}") not in self._images)
        self._images[title] = image
        self._own.add(title)
        with self.hold_sync():
            self.image = title
            self._answer()

    def save(self) -> Path:
        """Write the static twin of these networks at this pixel, as PNG; returns its path.

        One of a picture that was brought along never replaces a file: in another session another had the same title.
        """
        height, width = self.shape
        pixel = (self.row + 0.5) / height, (self.column + 0.5) / width
        networks = {self._titled(title): title for title in self._chosen()}
        maps = {shown: self._seen(self.image, title, self._step_of(title)).maps for shown, title in networks.items()}
        figure = attention_figure(maps, [pixel])
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{self.image}_{'_'.join(networks)}")
        stem, numbers = f"attention_{name}_{self.row}_{self.column}", count(2)
        path = writable_folder(self._folder) / f"{stem}.png"
        while self.image in self._own and path.exists():
            path = path.with_name(f"{stem}_{next(numbers)}.png")
        write_atomically(path, style.file_of(figure, "png", dots=200))
        plt.close(figure)
        return path


def _class_at(seen: Seen, row: int, column: int) -> str:
    name = CLASSES[seen.maps.labels[row, column]].replace("_", " ")
    return f"{name} ({100 * float(seen.maps.confidence[row, column]):.0f} %)"
