"""Is a figure fit for print? Widths, sizes of letters, nothing cut off, no labels that collide."""

from itertools import combinations

import pytest
from matplotlib.text import Text

from sadanet_lab.views import style


def check_print(figure):
    """Fails with the words that are too small, cut off or in each other's way."""
    figure.draw_without_rendering()
    width = figure.get_figwidth()
    assert any(width == pytest.approx(inches) for inches in (style.ONE_COLUMN, style.TWO_COLUMNS)), width
    ticks = [labels for axis in figure.axes for labels in tick_labels(axis)]
    of_ticks = {label for axis in figure.axes for one in (axis.xaxis, axis.yaxis) for label in one.findobj(Text)}
    of_ticks -= {one.label for axis in figure.axes for one in (axis.xaxis, axis.yaxis)}
    words = [text for text in figure.findobj(Text) if text not in of_ticks and is_drawn(text)]
    words += [label for labels in ticks for label in labels]
    odd = {text.get_text(): text.get_fontsize() for text in words if not 7 <= text.get_fontsize() <= 8}
    assert odd == {}, f"sizes: {odd}"
    boxes = {text: Text.get_window_extent(text) for text in words}  # of an annotation without its arrow
    room = figure.bbox.padded(1)
    cut = [text.get_text() for text, box in boxes.items() if not (room.contains(*box.min) and room.contains(*box.max))]
    assert cut == [], f"cut off: {cut}"
    for labels in ticks:
        for one, other in combinations(labels, 2):
            collide = boxes[one].shrunk(0.98, 0.7).overlaps(boxes[other].shrunk(0.98, 0.7))
            assert not collide, f"{one.get_text()!r} and {other.get_text()!r} collide"


def is_drawn(text):
    return bool(text.get_text().strip()) and text.get_visible()


def tick_labels(axis):
    """Of its two axes, the labels that are drawn."""
    for one, limits in ((axis.xaxis, sorted(axis.get_xlim())), (axis.yaxis, sorted(axis.get_ylim()))):
        low, high = limits
        within = [tick for tick in one.get_major_ticks() if low <= tick.get_loc() <= high and axis.axison]
        yield [label for tick in within for label in (tick.label1, tick.label2) if is_drawn(label)]
