"""The attention explorer in a page, for tests to click on and look at."""

import re

SETTLED = """() => {
    const { asked, shown } = document.querySelector(".attention-explorer").dataset;
    return shown !== undefined && asked === shown;
}"""
MAPS = """() => [...document.querySelectorAll(".attention-explorer canvas")].map((map) =>
    [map.ariaLabel, map.toDataURL()])"""


class ExplorerPage:
    """The attention explorer as a hand and an eye have it; what is read waits until all that was asked is shown."""

    def __init__(self, page):
        self.page, self.picture = page, page.locator(".attention-explorer .picture").first
        self.picture.scroll_into_view_if_needed()

    def settle(self):
        self.page.wait_for_function(SETTLED)

    def maps(self):
        """Name of each map, "network: title" -> its picture."""
        self.settle()
        return dict(self.page.evaluate(MAPS))

    def pixel(self):
        """(row, column) as told."""
        self.settle()
        told = self.page.inner_text(".attention-explorer .told")
        return tuple(map(int, re.match(r"Row (\d+), column (\d+) ", told).groups()))

    def size(self):
        return tuple(int(self.page.get_attribute(f"[name={name}]", "max")) + 1 for name in ("row", "column"))

    def place(self, down, right):
        """Of shares of the image, on the screen."""
        box = self.picture.bounding_box()
        return box["x"] + right * box["width"], box["y"] + down * box["height"]

    def drag(self, start, end):
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=8)
        self.page.mouse.up()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
