"""A network in a file of ``sadanet export``, computed by onnxruntime: no torch is needed."""

import hashlib
import json
import os
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from sadanet_lab.errors import BadInput
from sadanet_lab.images.content import LARGEST_MODEL, read_content
from sadanet_lab.images.preparation import GREY_MEAN, GREY_SD
from sadanet_lab.inference.framing import PictureSettings
from sadanet_lab.inference.limits import Limits
from sadanet_lab.spine.classes import CLASSES

PICTURE, LOGITS = "picture", "logits"
"""A file's input, float32 (1, channels, height, width), normalised; its output, float32 (1, classes, height, width)."""
FIXED = {"classes": list(CLASSES), "grey_mean": GREY_MEAN, "grey_sd": GREY_SD}
"""What every file's metadata say beside its ``OnnxSettings``: the classes in order, and how greys are normalised."""
EXPECTED = "expected a file of `sadanet export`"
ONLY_FATAL = 4
"""onnxruntime's severity from which it writes to stderr itself: its errors are raised, too."""


@dataclass(frozen=True)
class OnnxSettings:
    """How a file's pictures are made, see ``training.recipe.Recipe``: in its metadata, each value as JSON."""

    image_height: int
    image_width: int
    margin: int
    framing: Literal["stretch", "fit"]
    input_channels: int
    test_scales: tuple[float, ...]
    test_flip: bool = False
    """Files of before the 23rd of November 2026 do not say it."""


def metadata_of(settings: PictureSettings) -> dict[str, str]:
    """What a file of a network with these settings says in its metadata."""
    said = {field.name: getattr(settings, field.name) for field in fields(OnnxSettings)} | FIXED
    return {name: json.dumps(value) for name, value in said.items()}


class OnnxModel:
    """A ``segmenter.Model``. content: of a file of ``sadanet export``; name: what faults call it.

    As many threads as OMP_NUM_THREADS says, by default one for each core. Raises ``BadInput`` if it is no such file.
    """

    limits: Limits | None = None

    def __init__(self, content: bytes, name: str):
        options, threads = onnxruntime.SessionOptions(), os.environ.get("OMP_NUM_THREADS", "")
        options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # see sadanet_lab/__init__.py
        options.log_severity_level = ONLY_FATAL
        if not _is_sealed(content):
            raise BadInput(f"{name}: damaged or of another program, by its sum; {EXPECTED}")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no public name
            raise BadInput(f"{name}: onnxruntime cannot read it ({_line(error)}); {EXPECTED}") from error
        self.identity = hashlib.sha256(content).hexdigest()
        self.name, self.settings = name, _settings_of(self._session.get_modelmeta().custom_metadata_map, name)

    def logits(self, picture: np.ndarray) -> np.ndarray:
        """See ``segmenter.Model``. Raises ``BadInput`` where the network cannot see a picture of this size."""
        try:
            return np.asarray(self._session.run([LOGITS], {PICTURE: picture})[0])
        except Exception as error:
            sides = " x ".join(map(str, picture.shape[:1:-1]))
            raise BadInput(f"{self.name}: cannot see a picture of {sides} pixels ({_line(error)})") from error


def open_onnx(path: Path) -> OnnxModel:
    """The model in a file; raises ``BadInput`` naming it if there is none."""
    return OnnxModel(read_content(path, EXPECTED.removeprefix("expected "), LARGEST_MODEL), str(path))


def sealed(model: bytes) -> bytes:
    """An ONNX model with the sum of its content at the end, as one more entry of its metadata.

    Protocol buffers may be written one after the other: what any reader of ONNX sees is the same model.
    """
    return model + _seal(model)


def _is_sealed(content: bytes) -> bool:
    length = len(_seal(b""))
    return content[-length:] == _seal(content[:-length])


def _seal(model: bytes) -> bytes:
    """The entry as ONNX writes it: field 14 of the model, whose fields 1 and 2 are its name and value."""
    name, value = b"sha256", hashlib.sha256(model).hexdigest().encode()
    entry = b"".join(bytes([8 * field + 2, len(text)]) + text for field, text in ((1, name), (2, value)))
    return bytes([8 * 14 + 2, len(entry)]) + entry


def _settings_of(metadata: dict[str, str], name: str) -> OnnxSettings:
    names = [field.name for field in fields(OnnxSettings) if field.default is MISSING or field.name in metadata]
    try:
        said: dict[str, Any] = {key: json.loads(metadata[key]) for key in [*names, *FIXED]}
    except (KeyError, ValueError):
        raise BadInput(f"{name}: its metadata do not say how its pictures are made; {EXPECTED}") from None
    for key, expected in FIXED.items():
        if said[key] != expected:
            raise BadInput(f"{name}: its {key} is {said[key]}; expected {expected}")
    said["test_scales"] = tuple(said["test_scales"])
    return OnnxSettings(**{key: said[key] for key in names})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
