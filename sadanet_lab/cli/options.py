"""What all commands share. Bad input ends with one line and exit code 2. Heavy imports wait for their command."""

import math
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click

from sadanet_lab import __version__
from sadanet_lab.errors import BadInput, ending_of, one_line
from sadanet_lab.methods import method_names
from sadanet_lab.processes import usable_cores
from sadanet_lab.spine.names import LOWEST, USUAL, VIEWS, Convention
from sadanet_lab.training.profiles import DEFAULT_PROFILE, profiles

EXTRAS = ("train", "notebooks", "cluster", "dev")
"""Of pyproject.toml, each holding the one before it."""


def _ending_of(error: BaseException) -> tuple[str, int] | None:
    """See ``errors.ending_of``; with what is wrong with the command itself, or with what is installed."""
    if isinstance(error, click.UsageError):
        where = "" if error.ctx is None else f"{error.ctx.command_path}: "
        return one_line(f"{where}{error.format_message()}"), error.exit_code
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("sadanet"):
        extra = _extra_of(error.name)
        return f"{error.name} is not installed; in the project's folder: pip install '.[{extra}]'", 2
    return ending_of(error)


GROUPS = {
    "Pictures": ("predict", "angles", "adapt"),
    "Datasets": ("phantom", "prepare", "check"),
    "Training": ("train", "evaluate", "runs", "export", "calibrate", "verify"),
    "Studies": ("reproduce", "run", "site", "complexity", "forensics"),
    "Records, for maintainers": ("keep", "freeze", "ship"),
}
"""Every command once, in the order of ``sadanet --help``."""


class _Commands(click.Group):
    """Listed by ``GROUPS``; ends in one line and an exit code whatever ``_ending_of`` knows."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, _summary(self.commands[name])) for name in names])

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            if (end := _ending_of(error)) is None:
                raise
            click.echo(f"error: {end[0]}", err=True)
            ctx.exit(end[1])


def _summary(command: click.Command) -> str:
    """What a command does: its first sentence as far as the first colon or semicolon."""
    return re.split(r"[.:;](?:\s|$)", command.help or "", maxsplit=1)[0].replace("\n", " ")


def _extra_of(module: str) -> str:
    """The smallest extra that brings a module along."""
    from importlib.metadata import requires

    package = re.escape(module.split(".")[0].replace("_", "-"))
    found = re.findall(rf"^{package}\b[^\n]*extra == ['\"](\w+)", "\n".join(requires("sadanet") or []), re.M)
    return min(found, key=EXTRAS.index, default="notebooks")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def main() -> None:
    """Segment the spine in ultrasound volume projection images (VPI) with SADANet and the methods beside it."""


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels, as the paper writes sizes."""

    name = "WIDTHxHEIGHT"
    LARGEST_SIDE = 16384

    def convert(self, value, param, ctx) -> tuple[int, int]:
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not a size; expected WIDTHxHEIGHT such as 512x2048", param, ctx)
        for side in (width, height):
            if not 1 <= side <= self.LARGEST_SIDE:
                self.fail(f"{value!r}: expected sides from 1 to {self.LARGEST_SIDE} pixels", param, ctx)
        return width, height


class Number(click.FloatRange):
    """A finite number in a range."""

    name = "number"

    def convert(self, value, param, ctx) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class Shard(click.ParamType):
    """NUMBER/COUNT, such as 3/16: the third of sixteen parts."""

    name = "NUMBER/COUNT"
    MOST = 100_000

    def convert(self, value, param, ctx) -> tuple[int, int]:
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", str(value), re.ASCII)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= self.MOST:
            self.fail(f"{value!r}: expected NUMBER/COUNT such as 3/16, NUMBER from 1 to COUNT", param, ctx)
        return number, count


class Degrees(click.ParamType):
    """Angles with commas between them."""

    name = "DEGREES"

    def convert(self, value, param, ctx) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of angles; expected one such as 10,25,45", param, ctx)


class Place(click.Path):
    """A file or folder; an empty text, as of a shell's variable that is not set, is none and not the current folder."""

    def __init__(self):
        super().__init__(path_type=Path)

    def convert(self, value, param, ctx):
        if value == "":
            self.fail("found an empty text; expected a path", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = Place()
SEED = click.IntRange(0, 2**31 - 1)
JOBS = click.option(
    "--jobs", type=click.IntRange(1, 1024), default=usable_cores, help="Processes.", show_default="cores"
)
RESULTS = click.option(
    "--results",
    type=FOLDER,
    default=None,
    help="Where trained runs are kept.  [default: the project's results/]",
)
METHODS = f"{', '.join(method_names()[:-1])} or {method_names()[-1]}."
HEAD = click.option("--head", help="Head of the network.  [default: the method's first]")
PROFILE = click.option("--profile", default=DEFAULT_PROFILE, help=f"{', '.join(profiles())}.")
FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", help="Form of the output."
)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", help="Device.")


def naming(command: Callable) -> Callable:
    """Gives a command the options of how levels and curves are named; it takes them as ``convention``."""

    @click.option(
        "--lowest",
        type=click.Choice(LOWEST),
        default=USUAL.lowest,
        help="What the lowest lump is called: levels are counted upward from it, thoracic pairs after the lumps.",
    )
    @click.option(
        "--viewed-from",
        type=click.Choice(VIEWS),
        default=USUAL.viewed_from,
        help="Side from which the image shows the patient: from the back, its left is the patient's left.",
    )
    @click.option(
        "--severity",
        type=Degrees(),
        default=",".join(f"{limit:g}" for limit in USUAL.severities),
        help="Degrees at which mild, moderate and severe begin; 10,25,40 is the other custom.",
    )
    @wraps(command)
    def named(lowest: str, viewed_from: str, severity: tuple[float, ...], **others):
        return command(convention=Convention(lowest, viewed_from, severity), **others)

    return named


def check_onnx_name(out: Path) -> None:
    """Raises ``BadInput`` for a file that would not be known as ONNX again, and for a folder."""
    if out.suffix != ".onnx":
        raise BadInput(f"{out}: expected a name that ends in .onnx")
    if out.is_dir():
        raise BadInput(f"{out}: a folder; expected a file, or a name that is free")


def results_folder(results: Path | None) -> Path:
    """What ``--results`` says, or the project's own."""
    from sadanet_lab.paths import resolve

    return resolve("results") if results is None else results


def existing_results(results: Path | None) -> Path:
    """The same for a command that only reads: raises ``BadInput`` for a folder that was named and is not there."""
    from sadanet_lab.errors import BadInput

    if results is not None and not results.is_dir():
        raise BadInput(f"{results}: no such folder; expected a results folder")
    if results is not None and not (results / "runs").is_dir() and any(results.glob("*/recipe.json")):
        raise BadInput(f"{results}: is a folder of runs; expected the results folder that it is in")
    return results_folder(results)


def named_run(run: Path, results: Path | None):
    """The complete run that a command names; relative paths start at the shell's folder."""
    from sadanet_lab.training.runs import find_run

    return find_run(run, results_folder(results), start=Path())
