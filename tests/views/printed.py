"""Is a figure fit for print? Widths, sizes of letters, nothing cut off, no labels that collide."""

import pytest
from matplotlib.text import Text

from sadanet_lab.views import style


def check_print(figure):
    """Fails with the words that are too small, cut off or in each other's way."""
    figure.draw_without_rendering()
    width = figure.get_figwidth()
    assert any(width == pytest.approx(inches) for inches in (style.ONE_COLUMN, style.TWO_COLUMNS))
    whole = figure.bbox
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    texts = [text for text in texts if text.axes is None or (text.axes.get_visible() and text.axes.axison) or
             text.get_text() == text.axes.get_title(loc="left")]  # fmt: skip
    sizes = {text.get_text(): text.get_fontsize() for text in texts}
    assert {text: size for text, size in sizes.items() if not 7 <= size <= 8} == {}
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    cut = [text for text, box in boxes if box.x0 < whole.x0 - 1 or box.x1 > whole.x1 + 1 or box.y0 < whole.y0 - 1
           or box.y1 > whole.y1 + 1]  # fmt: skip
    assert cut == []
    for axis in figure.axes:
        if not axis.axison:
            continue
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            shown = [label for label in labels if label.get_text() and label.get_visible()]
            ends = [label.get_window_extent().shrunk(0.98, 0.7) for label in shown]
            for i, one in enumerate(ends):
                for j in range(i):
                    assert not one.overlaps(ends[j]), (shown[i].get_text(), shown[j].get_text())
