"""What all commands share. Bad input ends with one line and exit code 2. Heavy imports wait for their command."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click

from sadanet_lab import __version__
from sadanet_lab.errors import BadInput, Failed
from sadanet_lab.methods import method_names
from sadanet_lab.spine.names import LOWEST, USUAL, VIEWS, Convention
from sadanet_lab.training.profiles import DEFAULT_PROFILE, profiles

EXTRAS = ("train", "notebooks", "cluster", "dev")
"""Of pyproject.toml, each holding the one before it."""


class _OneLineErrors(click.Group):
    """Turns ``BadInput`` and ``Failed`` into their one line and exit code 2 or 1."""

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except (BadInput, Failed) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadInput) else 1)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("sadanet"):
                raise
            extra = _extra_of(error.name)
            click.echo(
                f"error: {error.name} is not installed; in the project's folder: pip install '.[{extra}]'", err=True
            )
            ctx.exit(2)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"error: {error.filename}: {error.strerror}", err=True)
            ctx.exit(2)


def _extra_of(module: str) -> str:
    """The smallest extra that brings a module along."""
    from importlib.metadata import requires

    package = re.escape(module.split(".")[0].replace("_", "-"))
    found = re.findall(rf"^{package}\b[^\n]*extra == ['\"](\w+)", "\n".join(requires("sadanet") or []), re.M)
    return min(found, key=EXTRAS.index, default="notebooks")


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__)
def main() -> None:
    """Segment the spine in ultrasound volume projection images (VPI) with SADANet and the methods beside it."""


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels, as the paper writes sizes."""

    name = "WIDTHxHEIGHT"

    def convert(self, value, param, ctx) -> tuple[int, int]:
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not a size; expected WIDTHxHEIGHT such as 512x2048", param, ctx)
        return width, height


class Degrees(click.ParamType):
    """Angles with commas between them."""

    name = "DEGREES"

    def convert(self, value, param, ctx) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of angles; expected one such as 10,25,45", param, ctx)


FOLDER = click.Path(path_type=Path)
RESULTS = click.option(
    "--results", type=FOLDER, default=None, help="Results folder.  [default: the project's results/]"
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
        help="Whence the image shows the patient: from the back, its left is the patient's left.",
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
    """Raises ``BadInput`` for a file that would not be known as ONNX again."""
    if out.suffix != ".onnx":
        raise BadInput(f"{out}: expected a name that ends in .onnx")


def results_folder(results: Path | None) -> Path:
    """What ``--results`` says, or the project's own."""
    from sadanet_lab.paths import resolve

    return resolve("results") if results is None else results


def named_run(run: Path, results: Path | None):
    """The complete run that a command names; relative paths start at the shell's folder."""
    from sadanet_lab.training.shipped import find_run

    return find_run(run, results_folder(results), start=Path())
