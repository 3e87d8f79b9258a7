"""What a notebook shows and leaves behind: tables, figures, what they say and, last, its result file.

All goes to ``results/<data>-<profile>/``. A table or figure comes with its conclusion, one sentence that is computed of
the numbers that it shows (``studies.conclusions``): it stands below it, and all of them stand at the end of the page
and in the result file.
"""

import io
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from PIL import Image
from tabulate import tabulate

from sadanet_lab.errors import one_line
from sadanet_lab.files import writable_folder, write_atomically
from sadanet_lab.images.vpi_folder import VpiFolder
from sadanet_lab.paths import NOTEBOOKS, result_file
from sadanet_lab.reporting.parameters import EVERY, check_data, parameters_of
from sadanet_lab.training.environment import environment
from sadanet_lab.views import style
from sadanet_lab.views.folding import fold, split_row

NO_CLAIM = "Phantom images: these numbers are no claim about patients."
SHOWS = "What this run shows"
"""The heading of a notebook's end."""


class Report:
    """Tables and figures of one notebook; ``finish`` writes the result file that says they are all there.

    The result file of an earlier run is removed first. dataset: None for a notebook that needs none. parameters: the
    notebook's own, recorded in the result file; "results", "data" and "profile" name the folder. In a notebook they are
    read from its kernel, whoever set them (papermill, or a hand): those that its ``parameters`` cell names.
    """

    assumed = ""
    """What the numbers stand on from here on, such as what is taken for the truth: said with each conclusion."""

    def __init__(self, notebook: str, dataset: VpiFolder | None, parameters: Mapping[str, Any] | None = None):
        self.notebook, self.dataset = notebook, dataset
        self.parameters = dict(_kernel_parameters(notebook) if parameters is None else parameters)
        where = [self.parameters[key] for key in EVERY]
        check_data(*where)
        self.result = result_file(notebook, *where)
        self.folder = writable_folder(self.result.parent)
        self.result.unlink(missing_ok=True)
        self.files: list[str] = []
        self.conclusions: list[dict[str, str]] = []
        self.start = time.monotonic()

    def table(
        self,
        name: str,
        long: pd.DataFrame,
        markdown: str,
        caption: str,
        conclusion: str = "",
        footnote: str | None = None,
        shown: bool = True,
        committed: str = "",
    ) -> None:
        """Write ``<name>.csv`` (every number, long form), ``<name>.md`` (for the page: a wide table is folded) and
        ``<name>.tex`` (for print: every column), and show the page's, with what it shows below it.

        footnote: by default what the dataset is; something else, or "", where the numbers do not come from it, and then
        nothing is assumed of them. shown: False where the page has shown it already, in parts. committed: see
        ``figure``.
        """
        if footnote is None:
            footnote, conclusion = self._footnote(), self._with_assumed(conclusion)
        caption = f"{caption} (committed results: {committed})" if committed else caption
        parts = [f"**{caption}**", fold(markdown), _led(conclusion, committed), footnote]
        text = "\n\n".join(part for part in parts if part) + "\n"
        self._write(f"{name}.csv", long.to_csv(index=False, float_format="%.6g"))
        self._write(f"{name}.md", text)
        self._write(f"{name}.tex", latex(markdown, f"{caption}. {footnote}" if footnote else caption))
        self.conclude({name: conclusion}, committed)
        if shown:
            _show(text)

    def figure(
        self, name: str, figure: Figure, conclusion: str = "", dots: int | None = None, committed: str = ""
    ) -> None:
        """Show a figure, with what it shows below it; write ``<name>.png`` and, for print, ``<name>.pdf``, whose
        letters and lines are no pixels.

        dots: per inch; by default the style's. committed: whose results are shown, if not this run's: of
        ``reference.Judged``.
        """
        conclusion = self._with_assumed(conclusion)
        if self.assumed or committed:
            whose = f"Committed results: {committed.replace('`', '')}." if committed else ""
            told = [self.assumed, style.note_of(figure), whose]
            style.note(figure, " ".join(filter(None, told)))
        for kind in ("png", "pdf"):
            self._write(f"{name}.{kind}", style.file_of(figure, kind, dots))
        self.conclude({name: conclusion}, committed)
        _show(figure, _led(conclusion, committed))
        plt.close(figure)  # or the notebook shows it once more when the cell ends

    def picture(self, name: str, content: Image.Image | bytes, conclusion: str = "") -> None:
        """Write ``<name>.png`` of a picture as it is, or of what is a PNG file already; show what it shows."""
        buffer = io.BytesIO()
        if isinstance(content, Image.Image):
            content.save(buffer, "PNG")
        self._write(f"{name}.png", content if isinstance(content, bytes) else buffer.getvalue())
        self.conclude({name: conclusion})
        _show(_led(conclusion))

    def conclude(self, conclusions: Mapping[str, str], committed: str = "") -> None:
        """Keep sentences for the end, by what each is of; an empty one is none."""
        whose = f"Committed results ({committed}): " if committed else ""
        self.conclusions += [{"of": name, "says": f"{whose}{said}"} for name, said in conclusions.items() if said]

    def finish(self, **findings: Any) -> None:
        """Show what the run shows, all conclusions, and write ``<notebook>.json``: parameters, files, findings (plain
        values), conclusions (each with the table or figure that it is of) and environment."""
        content = {
            "notebook": self.notebook,
            "parameters": self.parameters,
            "files": self.files,
            "findings": findings,
            "conclusions": self.conclusions,
            "seconds": round(time.monotonic() - self.start, 1),
            "environment": environment(),
        }
        self._write(self.result.name, json.dumps(content, indent=2) + "\n")
        told = "\n".join(f"- {said}" for said in dict.fromkeys(one["says"] for one in self.conclusions))
        _show("\n\n".join(part for part in (f"## {SHOWS}", told, self._footnote()) if part))

    def _with_assumed(self, said: str) -> str:
        return f"{self.assumed} {said}" if self.assumed and said else said

    def _write(self, name: str, content: str | bytes) -> None:
        write_atomically(self.folder / name, content)
        self.files.append(name)

    def _footnote(self) -> str:
        if self.dataset is None:
            return ""
        elsewhere = ("results", "data", "methods")  # the folder, named below; the rows of the table
        shown = {key: value for key, value in self.parameters.items() if key not in elsewhere and value != ""}
        where = (
            ", ".join(f"{key} {code(value)}" for key, value in ({"Data": self.dataset.root.name} | shown).items()) + "."
        )
        return f"{NO_CLAIM} {where}" if self.dataset.is_phantom else where


def _led(conclusion: str, committed: str = "") -> str:
    whose = f"Committed results ({committed})" if committed else "This run"
    return f"**{whose}:** {conclusion}" if conclusion else ""


def _show(*shown: Figure | str) -> None:
    """Figures and Markdown, "" being nothing. In a notebook: elsewhere there is nobody to look."""
    if get_ipython() is not None:
        display(*(Markdown(one) if isinstance(one, str) else one for one in shown if one))


def _kernel_parameters(notebook: str) -> dict[str, Any]:
    """The parameters of a notebook of notebooks/ as they stand in the kernel that runs it."""
    variables = get_ipython().user_ns
    return {name: variables[name] for name in parameters_of(NOTEBOOKS / f"{notebook}.ipynb")}


def latex(markdown: str, caption: str) -> str:
    """The tables of a Markdown text as LaTeX in the style of the paper's (booktabs), bold kept; other lines as text."""
    parts, rows = [], []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([_latex_cell(cell) for cell in split_row(line)])
        else:
            if rows:
                body = tabulate([row for row in rows[1:] if not _is_rule(row)], rows[0], tablefmt="latex_raw",
                                disable_numparse=True, colalign=["left"] + ["right"] * (len(rows[0]) - 1))  # fmt: skip
                for rule, number in (("toprule", 1), ("midrule", 1), ("bottomrule", 1)):
                    body = body.replace(r"\hline", rf"\{rule}", number)
                parts.append(body)
            parts += [_latex_cell(line)] if line else []
            rows = []
    return f"% {one_line(caption)}\n% needs \\usepackage{{booktabs}}\n" + "\n".join(parts) + "\n"


def _is_rule(row: list[str]) -> bool:
    return all(re.fullmatch(r"[:\-\s]*", cell) for cell in row)


_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "`": r"\textasciigrave{}", "±": r"$\pm$", "λ": r"$\lambda$", "°": r"$^{\circ}$",
    "×": r"$\times$", "✓": r"$\surd$",
}  # fmt: skip


def _latex_cell(text: str) -> str:
    text = text.strip().replace("\\|", "|").translate(str.maketrans(_LATEX))
    return re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", text)


def code(value: Any) -> str:
    """A value in Markdown's type for code, whatever it holds: between more backticks than stand together in it."""
    text = one_line(str(value))
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{fence}{space}{text}{space}{fence}"
