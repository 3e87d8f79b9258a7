"""The page of assumptions is the code's; every tag is found, wherever it stands."""

from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.assumptions import PAGE, find_assumptions, write_page

CODE = '''
"""A module.

Assumption: of the module,
in two lines.
"""

WEIGHT = 1.0
"""Assumption: of a constant."""


class Thing:
    """A thing.

    Assumption: of a class.

    And more.
    """

    def act(self):
        """Assumption: of a function."""
'''


def test_it_is_found_in_module_constant_class_and_function():
    assert dict(find_assumptions(CODE)) == {
        "": "of the module, in two lines.",
        "WEIGHT": "of a constant.",
        "Thing": "of a class.",
        "act": "of a function.",
    }


def test_the_page_is_what_the_code_says():
    page, now = (text.split("## Of the methods compared") for text in (PAGE.read_text(), write_page()))
    assert page[0] == now[0], "make assumptions"
    # One file is enough for a new method: its line may come later.
    assert set(page[1].splitlines()) <= set(now[1].splitlines()), "make assumptions"


def test_no_tag_is_missed():
    """A tag in the middle of a paragraph, or in a comment, would not be on the page."""
    sources = [path for package in ("sadanet_core", "sadanet_lab") for path in (ROOT / package).rglob("*.py")]
    tags = sum(path.read_text().count("Assumption: ") for path in sources)
    of_the_generator = (ROOT / "sadanet_lab" / "reporting" / "assumptions.py").read_text().count("Assumption: ")
    _, _, in_the_code = write_page().partition("## In the code")
    assert in_the_code.partition("## Of the methods")[0].count("\n- ") == tags - of_the_generator
