"""The released code: installed into ``.parity/``, loaded with one stub, and built from its own configurations."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils import cpp_extension

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".parity"
SITE = FOLDER / "site"
HERE = Path(__file__).parent
CLASSES = 4


class ParityError(Exception):
    """What is missing, in one line."""


def install() -> None:
    """MMSegmentation and mmcv with what they import, by hash, into ``.parity/site``; nothing if they are there."""
    done, wanted = FOLDER / "installed.txt", (HERE / "requirements.txt").read_text()
    if done.is_file() and done.read_text() == wanted:
        return
    command = [ROOT / ".venv" / "bin" / "uv", "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--target", SITE, "--no-deps", "--require-hashes", "--requirement", HERE / "requirements.txt"]
    command += ["--build-constraints", HERE / "build-constraints.txt"]
    environment = os.environ | {"MMCV_WITH_OPS": "0"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if told.returncode:
        lines = [line.strip(" \t×├└│╰─▶>") for line in told.stderr.splitlines()]
        reason = " ".join(filter(None, lines))[:300] or f"uv ended with {told.returncode}"
        raise ParityError(f"MMSegmentation 0.30.0 and mmcv 1.7.2 could not be installed into .parity/ ({reason})")
    done.write_text(wanted)


def _psamask() -> ModuleType:
    """mmcv's own C++ of PSAMask (CPU), compiled alone into ``.parity/psamask``."""
    sources = SITE / "mmcv" / "ops" / "csrc"
    folder = FOLDER / "psamask"
    folder.mkdir(exist_ok=True)
    (folder / "lock").unlink(missing_ok=True)  # of a compilation that was cut: the next would wait for it for ever
    os.environ["PATH"] += os.pathsep + str(SITE / "bin")  # ninja
    try:
        return cpp_extension.load(
            "parity_psamask",
            [str(HERE / "binding.cpp")],
            extra_cflags=["-O1", "-w"],
            extra_include_paths=[str(sources), str(sources / "common")],
            build_directory=str(folder),
            with_cuda=False,
        )
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        reason = " ".join(str(error).split())[-300:]
        raise ParityError(f"mmcv's PSAMask could not be compiled; a C++ compiler is needed ({reason})") from error


def load() -> None:
    """Makes ``import mmseg`` work; the one stub is ``mmcv._ext``: its two functions of PSAMask, no other operator."""
    sys.path.append(str(SITE))
    warnings.filterwarnings("ignore", module="mmcv|mmseg")
    stub, psamask = ModuleType("mmcv._ext"), _psamask()

    def other(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(psamask, name, None)  # mmcv only asks whether its operators are there

    stub.__getattr__ = other
    sys.modules["mmcv._ext"] = stub
    try:
        import mmseg.models  # noqa: F401
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        raise ParityError(
            f"the released code in .parity/ cannot be imported ({reason}); remove .parity/ to install it anew"
        ) from error


def load_sa2net(clone: Path) -> str:
    """Registers SA2Net's head, read from a clone of its repository; all else it imports is MMSegmentation's.

    Returns the commit that the clone is at, or that there is none.
    """
    file = clone / "mmseg" / "models" / "decode_heads" / "afficd_uper_head.py"
    if not file.is_file():
        raise ParityError(f"{file}: no such file; SA2NET names a clone of SA2Net's repository")
    spec = importlib.util.spec_from_file_location("mmseg.models.decode_heads.afficd_uper_head", file)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    if not (clone / ".git").exists():
        return "a copy without a commit"
    command = ["git", "-C", str(clone), "rev-parse", "--short", "HEAD"]
    return "commit " + subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def build(config: str, head: dict[str, Any] | None = None) -> nn.Module:
    """The network of one of MMSegmentation's ``configs/_base_/models``, with released initial weights, in float32.

    Changed: 4 classes, batch norm in the place of its form for several processes, no pretrained weights, and what
    ``head`` says of the decode head.
    """
    from mmcv import Config
    from mmseg.models import build_segmentor

    settings = Config.fromfile(str(SITE / "mmseg" / ".mim" / "configs" / "_base_" / "models" / config)).model
    settings.pretrained = None
    settings.decode_head.update(head or {})
    for part in ("backbone", "decode_head", "auxiliary_head"):
        if part in settings:
            settings[part].norm_cfg = {"type": "BN", "requires_grad": True}
        if part in settings and part != "backbone":
            settings[part].num_classes = CLASSES
    network = build_segmentor(settings)
    quiet_init(network)
    return network


def quiet_init(network: nn.Module) -> None:
    """``init_weights`` as its training calls it, without the line a layer that it logs."""
    import logging

    logging.disable(logging.INFO)
    try:
        network.init_weights()
    finally:
        logging.disable(logging.NOTSET)


def versions() -> dict[str, str]:
    import mmcv
    import mmseg

    return {"MMSegmentation": mmseg.__version__, "mmcv": mmcv.__version__, "PyTorch": torch.__version__}
