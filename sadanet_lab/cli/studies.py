"""Commands that compute without data, or run a whole notebook."""

import json
from pathlib import Path

import click

from sadanet_lab.cli.options import FOLDER, FORMAT, HEAD, METHODS, Size, main
from sadanet_lab.errors import BadInput

SIDE = click.IntRange(32, Size.LARGEST_SIDE)


@main.command()
@click.option("--method", help=METHODS)
@click.option("--all", "every", is_flag=True, help="Every method and head.")
@HEAD
@click.option("--height", type=SIDE, default=512, help="Height of the picture in pixels.")
@click.option("--width", type=SIDE, default=512, help="Its width.")
@FORMAT
def complexity(method: str | None, every: bool, head: str | None, height: int, width: int, form: str) -> None:
    """Count parameters, operations and memory of a method at the paper's size, without computing anything.

    Example: sadanet complexity --method sadanet --head table3 --height 512 --width 512
    """
    import pandas as pd

    from sadanet_lab.studies import complexity as counting
    from sadanet_lab.views.tables import complexity_for_people

    if (method is None) != every:
        raise BadInput("complexity: expected either --method or --all")
    if every and head is not None:
        raise BadInput("complexity: --all shows every head; expected --head with --method only")
    if method is None:
        table = counting.complexity_table(height=height, width=width)
    else:
        table = pd.DataFrame([counting.complexity(method, head, height, width)])
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        rows = json.loads(table.to_json(orient="records"))
        click.echo(json.dumps(rows if every else rows[0], indent=2))
    else:
        click.echo(f"one picture of {width} x {height} pixels; G = 10^9 multiply-adds; memory of activations, float32")
        click.echo(complexity_for_people(table).to_string(index=False))


@main.command()
@click.argument("tables", type=FOLDER, nargs=-1, required=True, metavar="TABLE.csv...")
@click.option("--json", "as_json", is_flag=True, help="Every finding with the numbers behind it, as JSON.")
def forensics(tables: tuple[Path, ...], as_json: bool) -> None:
    """Ask a published TABLE of Dice, IoU and recall by class whether its numbers can belong together.

    Of which classes its averages are; whether IoU follows from Dice, as in pooled counts, and what averaging over
    images would need; whether each pixel is predicted once (a linear program over all that rounding leaves open);
    whether the class that only the averages hold is consistent; which rows change order. [!] marks what no rounding
    explains. Several tables of one test set are taken as one.

    \b
    A table is a CSV file in percent, one line for each row and class:
        method,class,dice,iou,recall
        UNet,rib,77.37,63.46,76.37
        UNet,average,78.09,64.56,77.35
    One column names the row; "class" may be called "region", "recall" "acc", and _percent may follow a metric.
    Class "average" is the printed average, "background" the background; an empty cell, - or n/a is not printed. The
    decimals say how far a number was rounded: write 80.50, not 80.5, where 80.50 is printed.

    Example: sadanet forensics data/published/table1_methods.csv
    """
    from sadanet_lab.studies.forensics import examine
    from sadanet_lab.studies.printed_table import read_tables

    table = read_tables(tables)
    findings, not_asked = examine(table)
    if as_json:
        told = [
            {"question": each.question, "verdict": each.verdict, "flagged": each.flagged}
            | {"evidence": json.loads(each.evidence.to_json(orient="records"))}
            for each in findings
        ]
        content = {"files": [str(path) for path in tables], "rows": table.rows, "classes": table.classes}
        click.echo(json.dumps(content | {"findings": told, "not_asked": not_asked}, indent=2))
        return
    click.echo(f"{len(table.rows)} rows, {len(table.classes)} classes: {', '.join(table.classes)}")
    for each in findings:
        click.echo(f"\n[{'!' if each.flagged else ' '}] {each.question}\n    {each.verdict}")
    flagged = sum(bool(each.flagged) for each in findings)
    click.echo(f"\n{flagged} of {len(findings)} questions find what no rounding explains.")
    for each in not_asked:
        click.echo(f"not asked, {each}")


@main.command("run")
@click.argument("notebook", type=FOLDER)
@click.option("-p", "--parameter", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
def run_(notebook: Path, parameter: tuple[tuple[str, str], ...]) -> None:
    """Execute NOTEBOOK through papermill; unknown parameters are refused, success is judged by its result file.

    Relative paths in parameters, such as data, start at the project's folder.

    Example: sadanet run notebooks/01_table1_comparison.ipynb -p profile quick -p seeds 0,1,2
    """
    from sadanet_lab.reporting.notebook_runner import run_notebook

    names = [name for name, _ in parameter]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{notebook}: parameter {name!r} is given {names.count(name)} times; expected once")
    click.echo(str(run_notebook(notebook, dict(parameter))))
