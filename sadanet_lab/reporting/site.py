"""The committed articles as a small static site: HTML and one style sheet, no script, nothing from elsewhere.

<folder>/
    index.html, style.css, .sadanet-site
    <reference>/<notebook>.html    an article, of results/reference/<reference>; its code folded away
    <reference>/*.webp, *.csv      its figures, and every number of its tables; large tables as *.csv.gz
"""

import gzip
import io
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from latex2mathml.converter import convert as mathml
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from PIL import Image
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from sadanet_lab.errors import BadInput
from sadanet_lab.files import writable_folder
from sadanet_lab.reporting.article import article_file, pictures_in, results_of_phantoms
from sadanet_lab.reporting.parameters import read_notebook

MARKER = ".sadanet-site"
"""File that says of a folder that we wrote it, and may replace it."""
PAGES = Path(__file__).with_name("site_pages")
SCREEN = 120
"""Pixels of a page for an inch of a printed figure, so that its letters of 7 pt are as large as 9 pt there."""
LARGE_TABLE = 2**18
"""Bytes from which on a table is compressed: those of single images would be most of the site."""
QUALITY = 90
"""Of figures that are smaller with loss than without: those of images, not those of lines."""


class Article(NamedTuple):
    """One notebook's page."""

    name: str
    title: str
    question: str
    told: Mapping[str, Any]
    """The content of its result file."""
    notebook: NotebookNode

    @property
    def answers(self) -> list[str]:
        """What the run shows: verdicts first, for they answer what the notebook asks; what examples show last."""

        def rank(conclusion: Mapping[str, str]) -> int:
            return conclusion["of"].endswith(("_samples", "_examples")) - conclusion["of"].endswith("_differences")

        conclusions = sorted(self.told.get("conclusions", []), key=rank)
        return list(dict.fromkeys(each["says"] for each in conclusions))


def build_site(references: Path, out: Path) -> list[str]:
    """Write the site of every reference in the folder ``references`` to ``out``; returns the pages written.

    A site that is there already is replaced, as a whole and at the end. Raises ``BadInput`` if there is no article, if
    ``out`` is a folder of something else, and for what is not of phantoms or hides a picture.
    """
    books = {folder: read_articles(folder) for folder in sorted(Path(references).glob("*/"), reverse=True)}
    books = {folder: articles for folder, articles in books.items() if articles}
    if not books:
        raise BadInput(f"{references}: no executed notebooks; expected a folder with what `sadanet freeze` keeps")
    if out.exists() and not (out / MARKER).is_file():
        raise BadInput(f"{out}: already exists and is no site; expected a new folder, or that of an earlier site")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    with tempfile.TemporaryDirectory(dir=writable_folder(out.parent), prefix=f".{out.name}-") as draft:
        site = Path(draft) / "site"
        for folder, articles in books.items():
            _write_articles(environment, folder, articles, writable_folder(site / folder.name))
        shutil.copyfile(PAGES / "style.css", site / "style.css")
        page = environment.get_template("index.html").render(
            books={folder.name: articles for folder, articles in books.items()},
            overview=_overview(references, site),
            render=lambda text: Markup(_inline(text)),
        )
        (site / "index.html").write_text(page)
        (site / MARKER).touch()
        shutil.rmtree(out, ignore_errors=True)
        site.replace(out)
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*.html"))


def _overview(references: Path, site: Path) -> Path | None:
    """The figure that explains the whole, from the site's folder: the one chosen for the record, or any article's."""
    chosen = references / "overview.png"
    if chosen.is_file() and light_figure(chosen, site / "overview.webp"):
        return Path("overview.webp")
    return next((path.relative_to(site) for path in sorted(site.glob("*/overview.webp"), reverse=True)), None)


def read_articles(folder: Path) -> list[Article]:
    """The articles that a reference's folder holds, in order; none of one that was made before articles were kept."""
    if not list(folder.glob("articles/*.json")):
        return []
    found = []
    for path, told in results_of_phantoms(folder).items():
        kept = article_file(path)
        notebook = read_notebook(kept)
        if pictures := pictures_in(notebook):
            raise BadInput(f"{kept}: {pictures[0]}; expected none, for it could be a patient's")
        head = notebook.cells[0].source
        title = head.splitlines()[0].lstrip("# ")
        question = re.search(r"\*\*(?:Question|Claim)\.\*\*\s+(.+?)(?=\n\s*\n|\Z)", head, re.DOTALL)
        found.append(Article(path.stem, title, question[1] if question else "", told, notebook))
    return found


def _write_articles(environment: jinja2.Environment, folder: Path, articles: list[Article], out: Path) -> None:
    names = [article.name for article in articles]
    for number, article in enumerate(articles):
        files = article.told["files"]
        figures = {}
        for name in files:
            if name.endswith(".png") and (size := light_figure(folder / name, out / f"{Path(name).stem}.webp")):
                figures[Path(name).stem] = size
        tables = {Path(name).stem: _write_table(folder / name, out) for name in files if name.endswith(".csv")}
        page = environment.get_template("article.html").render(
            article=article,
            reference=folder.name,
            parts=_parts(article.notebook, figures, names),
            tables=tables,
            before=articles[number - 1] if number else None,
            after=articles[number + 1] if number + 1 < len(articles) else None,
        )
        (out / f"{article.name}.html").write_text(page)


def _write_table(source: Path, out: Path) -> str:
    """Put a table into a folder, as it is or compressed; returns its name there."""
    content = source.read_bytes()
    if len(content) < LARGE_TABLE:
        (out / source.name).write_bytes(content)
        return source.name
    (out / f"{source.name}.gz").write_bytes(gzip.compress(content, mtime=0))
    return f"{source.name}.gz"


def light_figure(source: Path, target: Path) -> tuple[int, int] | None:
    """Write a figure as WebP, as small as it goes; returns the width and height, in pixels, that a page gives it.

    None, and nothing is written, of a figure on which there is nothing.
    """
    with Image.open(source) as opened:
        image = opened.convert("RGB")
        scale = min(1, SCREEN / opened.info.get("dpi", (SCREEN, SCREEN))[0])
    if image.getcolors(1):
        return None
    kinds = []
    for options in ({"lossless": True}, {"quality": QUALITY}):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", **options)
        kinds.append(buffer.getvalue())
    target.write_bytes(min(kinds, key=len))
    return round(image.width * scale), round(image.height * scale)


def _parts(notebook: NotebookNode, figures: Mapping[str, tuple[int, int]], pages: list[str]) -> list[dict[str, Any]]:
    """What stands on a page, in order: texts, folded code, and what the code showed."""
    parts: list[dict[str, Any]] = []
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = next(iter(re.findall(r"^#+ (.+)$", cell.source, re.M)), heading)
            parts.append({"kind": "text", "html": _markdown(cell.source, pages)})
        elif cell.cell_type == "code" and cell.source.strip():
            if parts and parts[-1]["kind"] == "code":  # it showed nothing: the next cell's code joins it
                parts[-1]["html"] += Markup("\n") + _code(cell.source)
            else:
                parts.append({"kind": "code", "html": _code(cell.source)})
            for output in cell.outputs:
                parts += _shown(output, figures, heading, pages)
    return parts


def _shown(output: NotebookNode, figures: Mapping[str, tuple[int, int]], heading: str, pages: list[str]) -> list[dict]:
    if output.output_type == "stream":
        return [{"kind": "printed", "text": output.text.rstrip()}]
    named = output.metadata.get("sadanet", {})
    if name := named.get("figure"):
        if name not in figures:
            return []
        width, height = figures[name]
        said = f"{name.replace('_', ' ')}: {heading}"
        return [{"kind": "figure", "file": f"{name}.webp", "width": width, "height": height, "said": said}]
    if "text/markdown" in output.data:
        html = _markdown(output.data["text/markdown"], pages)
    elif "text/html" in output.data:
        html = _framed(re.sub(r"<style.*?</style>", "", output.data["text/html"], flags=re.DOTALL))
    else:
        return [{"kind": "printed", "text": output.data["text/plain"]}]
    return [{"kind": "shown", "html": html, "table": named.get("table")}]


class _Renderer(IPythonRenderer):
    """Markdown to HTML: formulas as MathML, which needs no script; links to files that the site lacks as plain text."""

    def __init__(self, pages: list[str]):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.pages = pages

    def block_math(self, body: str) -> str:
        return mathml(body.strip(), display="block")

    def inline_math(self, body: str) -> str:
        return mathml(body.strip())

    def link(self, text: str, url: str, title: str | None = None) -> str:
        page = Path(url).stem
        if page in self.pages:
            return super().link(text, f"{page}.html", title)
        return super().link(text, url, title) if url.startswith("https://") else text  # a file of the repository

    def codespan(self, text: str) -> str:
        html = super().codespan(text)
        return f'<a href="{text}.html">{html}</a>' if text in self.pages else html


def _markdown(text: str, pages: list[str]) -> Markup:
    return _framed(MarkdownWithMath(_Renderer(pages)).render(text))


def _inline(text: str) -> str:
    """One paragraph's Markdown without the paragraph."""
    return MarkdownWithMath(_Renderer([])).render(text).strip().removeprefix("<p>").removesuffix("</p>")


def _framed(html: str) -> Markup:
    """Tables scroll on a narrow screen, by keyboard too; a mean and its spread stay on one line."""
    html = re.sub(r"<table[^>]*>", '<div class="wide" role="region" tabindex="0" aria-label="table"><table>', html)
    return Markup(html.replace("</table>", "</table></div>").replace(" ± ", "&nbsp;±&nbsp;"))


def _code(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))
