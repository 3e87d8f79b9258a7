"""The page of all assumptions: every "Assumption:" of a docstring, and what each method's ``assumed`` says.

python -m sadanet_lab.reporting.assumptions      writes docs/assumptions.md
"""

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from sadanet_lab.files import write_atomically
from sadanet_lab.methods import registry
from sadanet_lab.paths import ROOT

PAGE = ROOT / "docs" / "assumptions.md"
HEAD = """# What we assume

What the paper, or a method's own paper, does not say, and what we take in its place. Written by `make assumptions` from
the docstrings (the tag is "Assumption:") and from the `assumed` of each method; a test holds it to the code.
"""


def find_assumptions(text: str) -> Iterator[tuple[str, str]]:
    """(name of the function, class or constant; assumption in one line) in a module's source."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        named = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        docstring = (named and ast.get_docstring(node)) or ""
        yield from ((getattr(node, "name", ""), found) for found in _tagged(docstring))
        # A constant's or a field's docstring is the string that follows it.
        body = getattr(node, "body", None)
        for before, after in pairwise(body) if isinstance(body, list) else ():
            if isinstance(before, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                target = before.targets[0] if isinstance(before, ast.Assign) else before.target
                if isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
                    yield from ((ast.unparse(target), found) for found in _tagged(inspect.cleandoc(after.value.value)))


def _tagged(docstring: str) -> list[str]:
    paragraphs = re.split(r"\n\s*\n", docstring)
    return [" ".join(p.split()).removeprefix("Assumption: ") for p in paragraphs if p.startswith("Assumption: ")]


def write_page() -> str:
    """The page's Markdown."""
    parts = [HEAD, "## In the code\n"]
    for package in ("sadanet_core", "sadanet_lab"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for name, assumption in find_assumptions(path.read_text()):
                where = Path(path).relative_to(ROOT).as_posix()
                parts.append(f"- `{where}`{f', `{name}`' if name else ''}: {assumption}")
    parts.append("\n## Of the methods compared\n")
    parts += [f"- **{method.title}**: {method.assumed}" for method in registry().values()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    write_atomically(PAGE, write_page())
