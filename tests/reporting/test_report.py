"""What a notebook leaves behind: tables, figures, conclusions and the result file."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.reporting import report as module
from sadanet_lab.reporting.report import NO_CLAIM, SHOWS, Report
from sadanet_lab.views import style

WIDE = pd.DataFrame([[f"m{i}", *range(8)] for i in range(2)], columns=["Method", *"abcdefgh"])


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would show."""
    outputs = []
    monkeypatch.setattr(module, "_show", lambda *each: outputs.extend(one for one in each if one))
    return outputs


@pytest.fixture
def report(tmp_path):
    return Report("00_data_tour", None, {"results": str(tmp_path), "data": "phantom", "profile": "smoke"})


def test_a_table_is_folded_on_the_page_and_whole_elsewhere(report, shown):
    report.table("t", WIDE, WIDE.to_markdown(index=False), "Caption", "It is so.", "A note.")
    (text,) = shown
    assert (report.folder / "t.md").read_text() == text
    assert "<details>" in text
    assert text.index("</details>") < text.index("**This run:** It is so.") < text.index("A note.")
    header = (report.folder / "t.tex").read_text().split(r"\toprule")[1].split(r"\\")[0]
    assert header.count("&") == WIDE.shape[1] - 1
    pd.testing.assert_frame_equal(pd.read_csv(report.folder / "t.csv"), WIDE)


def test_a_figure_is_shown_once_with_its_sentence_below(report, shown):
    figure = plt.figure()
    report.figure("f", figure, "It rises.")
    assert shown == [figure, "**This run:** It rises."]
    assert not plt.fignum_exists(figure.number)  # or the cell's end would show it again
    assert {"f.png", "f.pdf"} <= {path.name for path in report.folder.iterdir()}


def test_what_is_assumed_is_said_with_every_sentence_and_below_every_figure(tmp_path, shown):
    given = {"results": str(tmp_path), "data": str(tmp_path), "profile": "smoke"}
    report = Report("00_data_tour", None, given)
    report.assumed = "Masks are taken for true."
    figure = plt.figure()
    style.note(figure, "Across: angle. " * 20)
    report.figure("f", figure, "It rises.")
    report.table("t", WIDE, WIDE.to_markdown(index=False), "Caption", "It is so.")
    report.table("other", WIDE, WIDE.to_markdown(index=False), "Caption", "It was.", "Of other images.")
    assert style.note_of(figure) == "Masks are taken for true. " + ("Across: angle. " * 20).strip()
    assert shown[1] == "**This run:** Masks are taken for true. It rises."
    assert [one["says"] for one in report.conclusions] == [
        "Masks are taken for true. It rises.",
        "Masks are taken for true. It is so.",
        "It was.",
    ]


def test_of_committed_results_no_sentence_passes_for_one_of_this_run(report, shown):
    whose = "profile `standard`, 5 seeds"
    figure = plt.figure()
    report.figure("f", figure, "A is above B.", committed=whose)
    report.table("t", WIDE, WIDE.to_markdown(index=False), "Caption", "It is so.", committed=whose)
    report.finish()
    assert shown[1] == f"**Committed results ({whose}):** A is above B."
    assert f"**Committed results ({whose}):** It is so." in shown[2]
    for said in ("A is above B.", "It is so."):
        assert f"- Committed results ({whose}): {said}" in shown[-1].splitlines()


def test_what_says_nothing_adds_nothing(report, shown):
    figure = plt.figure()
    report.figure("f", figure)
    report.picture("p", module.Image.fromarray(np.zeros((2, 2), np.uint8)))
    assert shown == [figure]
    assert report.conclusions == []


def test_the_end_gathers_all_sentences_once_and_keeps_them(report, shown):
    report.table("t", WIDE, WIDE.to_markdown(index=False), "Caption", "Same.")
    report.figure("f", plt.figure(), "Same.")
    report.conclude({"x": "Another.", "y": ""})
    assert report.finish(runs=[]) is None  # no path is left below the last cell
    assert shown[-1] == f"## {SHOWS}\n\n- Same.\n- Another."
    kept = json.loads(report.result.read_text())
    told = [("t", "Same."), ("f", "Same."), ("x", "Another.")]
    assert [(one["of"], one["says"]) for one in kept["conclusions"]] == told
    assert kept["findings"] == {"runs": []}


def test_phantoms_are_named_at_the_end_too(tmp_path, phantoms, shown):
    report = Report("x", open_folder(phantoms), {"results": str(tmp_path), "data": str(phantoms), "profile": "smoke"})
    report.finish()
    assert NO_CLAIM in shown[-1]
