"""Commands on runs that are stored: hand on, calibrate, verify, ship, keep for the record."""

import json
from pathlib import Path

import click

from sadanet_lab.cli.options import (
    FOLDER,
    FORMAT,
    JOBS,
    RESULTS,
    check_onnx_name,
    existing_results,
    main,
    named_run,
    results_folder,
)
from sadanet_lab.errors import one_line


@main.command()
@FORMAT
@RESULTS
def runs(form: str, results: Path | None) -> None:
    """List the complete runs: method, profile, data, seed, steps, mean bone Dice, and settings of their own.

    Example: sadanet runs --format csv
    """
    from sadanet_lab.studies.run_list import list_of_runs

    table, others = list_of_runs(existing_results(results))
    for line in others:
        click.echo(f"left out: {one_line(line)}", err=True)
    if form == "csv":
        click.echo(table.to_csv(index=False, float_format="%.2f"), nl=False)
    elif form == "json":
        click.echo(json.dumps(json.loads(table.to_json(orient="records")), indent=2))
    else:
        click.echo(table.to_markdown(index=False, tablefmt="plain", floatfmt=".2f"))


@main.command()
@click.argument("run", type=FOLDER)
@click.argument("out", type=FOLDER)
@RESULTS
def export(run: Path, out: Path, results: Path | None) -> None:
    """Write RUN's network to OUT, an ONNX file that `sadanet predict --run` takes, and that needs no torch.

    Its metadata say how its pictures are made. The network computes in float32, whatever the run's precision. With
    Swin, and pictures of one size, the file sees no other: `sadanet predict --tta` needs the run itself then.

    Example: sadanet export sadanet-0123456789ab model.onnx
    """
    from sadanet_lab.files import writable_folder, write_atomically
    from sadanet_lab.inference.onnx_export import export_onnx

    check_onnx_name(out)
    trained = named_run(run, results)
    network = trained.network()
    writable_folder(out.parent)  # before the export, which takes a minute
    content = export_onnx(network, trained.recipe, str(run))
    write_atomically(out, content)
    click.echo(f"{out}: {len(content) / 2**20:.1f} MiB")


@main.command()
@click.argument("run", type=FOLDER)
@click.option(
    "--phantoms",
    type=click.IntRange(1, 100_000),
    default=300,
    help="Of each kind; as many more test it.",
)
@JOBS
@RESULTS
def calibrate(run: Path, phantoms: int, jobs: int, results: Path | None) -> None:
    """Learn from phantoms how far RUN's angles can be trusted: a run, "shipped", or a file of `sadanet export`.

    Written beside it: what `sadanet predict` then needs to give each angle an interval that is to hold the true one
    in 9 of 10 phantoms, and to say of a picture that it is unlike those the model knows. Printed: how often each
    happens on other phantoms, by kind. Of degraded ones a quarter as many are drawn.

    Example: sadanet calibrate sadanet-0123456789ab
    """
    from sadanet_lab.studies.limits import calibrate_model
    from sadanet_lab.views.limits import coverage_markdown

    table = calibrate_model(str(run), results_folder(results), phantoms, jobs)
    click.echo(coverage_markdown(table))


@main.command()
@click.argument("runs", type=FOLDER, nargs=-1)
@RESULTS
def verify(runs: tuple[Path, ...], results: Path | None) -> None:
    """Check that the files of RUNS are what was written; without RUNS, check every run in results/runs/.

    Whatever is damaged, missing or not complete is listed with what to do, one line each; damage ends with exit code 2.

    Example: sadanet verify sadanet-0123456789ab
    """
    from sadanet_lab.training.runs import find_folder, verify_run
    from sadanet_lab.words import counted

    store = existing_results(results)
    every = sorted(path for path in (store / "runs").glob("[!.]*") if path.is_dir())
    folders = [find_folder(run, store, start=Path()) for run in runs] or every
    damaged = 0
    for folder in folders:
        problems, remarks = verify_run(folder)
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
        for remark in remarks:
            click.echo(remark)
        damaged += bool(problems)
    click.echo(f"{counted(len(folders), 'run')}: {damaged} damaged")
    if damaged:
        raise SystemExit(2)


@main.command()
@click.argument("run", type=FOLDER)
@RESULTS
def ship(run: Path, results: Path | None) -> None:
    """Make RUN, one of profile shipped, the model inside the package; for maintainers.

    Example: sadanet ship sadanet-0123456789ab
    """
    from sadanet_lab.training import shipped

    shipped.ship(named_run(run, results))
    click.echo(f"{shipped.SHIPPED}: made of {run}; now bring its README.md up to date")


@main.command()
@click.argument("folder", type=FOLDER)
@click.argument("out", type=FOLDER)
@RESULTS
def freeze(folder: Path, out: Path, results: Path | None) -> None:
    """Copy FOLDER, results of phantoms, to OUT for the record, with what its tables can be computed from again.

    OUT may hold results of other notebooks, and runs that `sadanet keep` put there.

    Example: sadanet freeze results/phantom-quick results/reference/quick-cpu
    """
    from sadanet_lab.reporting import reference

    names = reference.freeze(folder, results_folder(results) / "runs", out)
    click.echo(f"{out}: tables, figures and {len(names)} runs without their weights")


@main.command()
@click.argument("profile")
@click.argument("out", type=FOLDER)
@RESULTS
def keep(profile: str, out: Path, results: Path | None) -> None:
    """Copy the runs of PROFILE on phantoms that are complete to OUT/runs for the record, without their weights.

    For a training that takes days, on machines that come and go: what is kept is committed as it gets ready. On the
    next machine `cp -r OUT/runs results/` goes on where it was: what needs tables alone trains none of these again.
    Runs that cannot be read, or that another version evaluated, are named and left out; the exit code is then 1.

    Example: sadanet keep standard results/reference/standard-cpu
    """
    from sadanet_lab.reporting import reference

    kept = reference.keep_runs(profile, existing_results(results), out)
    for line in kept.left_out:
        click.echo(f"left out: {line}", err=True)
    click.echo("\n".join([*kept.names, f"{out}: {len(kept.names)} more runs"]))
    if kept.left_out:
        raise SystemExit(1)


@main.command()
@click.argument("out", type=FOLDER)
@click.option(
    "--reference", type=FOLDER, help="Folder of what freeze keeps.  [default: the project's results/reference]"
)
def site(out: Path, reference: Path | None) -> None:
    """Write the articles that `freeze` keeps to OUT as a small static site; a site that is there is replaced.

    Example: sadanet site results/site
    """
    from sadanet_lab.paths import ROOT
    from sadanet_lab.reporting.site import build_site

    pages = build_site(reference or ROOT / "results" / "reference", out)
    click.echo(
        f"{out / 'index.html'}: {len(pages)} pages, {sum(f.stat().st_size for f in out.rglob('*.*')) / 2**20:.1f} MiB"
    )
